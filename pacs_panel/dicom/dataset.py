"""A whole header as pydicom's `Dataset`, read within bounds."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from pydicom import Dataset, config
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue

from pacs_panel.dicom.scan import DEFLATED, PIXELS, Scan, inflated, scan
from pacs_panel.errors import Rejected, TooLarge, Unreadable
from pacs_panel.settings import Settings

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Without pydicom's warnings on bad values: they repeat the values, which may identify a patient.

    That is a switch of the whole process, hence the lock.
    """
    with _ONE_AT_A_TIME, config.disable_value_validation():
        yield


def load(data: bytes | BinaryIO, settings: Settings) -> tuple[Dataset, Scan]:
    """The data set up to its pixel data, and where that lies.

    Elements are converted only when they are asked for, so a bad one hinders no other.

    Parameters
    ----------
    data : bytes or binary file
        The object's whole file.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
    """
    source = io.BytesIO(data) if isinstance(data, (bytes, bytearray, memoryview)) else data
    size = source.seek(0, io.SEEK_END)
    found = scan(source, size, (), settings)
    source.seek(found.dataset_offset)
    stream = source
    if found.transfer_syntax == DEFLATED:
        stream = cast(BinaryIO, DicomBytesIO(inflated(source, size, found.dataset_offset, settings)))
    try:
        dataset = read_dataset(stream, found.implicit, found.little, stop_when=lambda tag, vr, length: tag in PIXELS)
    except Rejected:
        raise
    except RecursionError:
        raise TooLarge("sequences are nested too deep") from None
    except Exception as error:
        raise Unreadable(f"the data set cannot be parsed ({type(error).__name__})") from None
    return dataset, found


def numbers_of(dataset: Dataset, keyword: str, count: int | None = None) -> tuple[float, ...] | None:
    """Finite numbers of an element; ``None`` where it is absent or bad, or has not ``count`` values."""
    try:
        value = dataset.get(keyword)
        found = () if value is None or value == "" else tuple(float(v) for v in _listed(value))
    except Exception:  # pydicom raises whatever the bad value provokes
        return None
    good = bool(found) and all(map(math.isfinite, found)) and (count is None or len(found) == count)
    return found if good else None


def number_of(dataset: Dataset, keyword: str) -> float | None:
    """The first number of an element; ``None`` where it has none."""
    found = numbers_of(dataset, keyword)
    return found[0] if found else None


def text_of(dataset: Dataset, keyword: str) -> str:
    """An element as text, several values joined by a backslash; empty where it is absent or bad."""
    try:
        value = dataset.get(keyword)
        return "" if value is None else "\\".join(str(v).strip(" \0") for v in _listed(value))
    except Exception:  # as in `numbers_of`
        return ""


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple | MultiValue) else [value]
