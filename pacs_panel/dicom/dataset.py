"""A whole header as pydicom's `Dataset`, read within bounds."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from pydicom import Dataset, config
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

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
