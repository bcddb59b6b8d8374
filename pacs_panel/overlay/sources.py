"""Images of which an object is made: their headers for highdicom, and planes in the order that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from pacs_panel.dicom.dataset import load, number_of
from pacs_panel.settings import Settings

File = bytes | BinaryIO
GROUPS = "PerFrameFunctionalGroupsSequence"


def headers(images: Iterable[File], settings: Settings) -> list[Dataset]:
    """Headers of image files.

    Raises
    ------
    ValueError
        There are none, or of several frames that are not enhanced: what is made would not tell where they lie.
    NotDicom, Unreadable, TooLarge
        One of them cannot be read.
    """
    found = [_header(image, settings) for image in images]
    if not found:
        raise ValueError("there must be images")
    if any(_frames(header) > 1 and (len(found) > 1 or GROUPS not in header) for header in found):
        raise ValueError("images must be single frames, or one enhanced multi-frame object, whose frames have places")
    return found


def arranged(
    planes: NDArray[Any], images: Sequence[Dataset], frames: Sequence[int], *, whole: bool = False
) -> NDArray[Any]:
    """Planes as there are images: one each, or one for each frame of a multi-frame object.

    Parameters
    ----------
    planes : array
        ``(planes, rows, columns, ...)``.
    frames : sequence of int
        Of a multi-frame object, which frame, from 0, each plane is of; all in order where empty. Frames without a plane
        are zero.
    whole : bool
        Every frame must have its plane.

    Raises
    ------
    ValueError
        They do not fit.
    """
    size = tuple(int(number_of(images[0], side) or 0) for side in ("Rows", "Columns"))
    if planes.shape[1:3] != size:
        raise ValueError(f"slices of rows and columns {planes.shape[1:3]} do not fit images of {size}")
    count = _frames(images[0]) if len(images) == 1 else len(images)
    if not frames or len(images) > 1:
        if len(planes) != count:
            raise ValueError(f"{len(planes)} slices do not fit {count} images")
        return planes
    if len(planes) != len(frames) or len(set(frames)) < len(frames) or not 0 <= min(frames) <= max(frames) < count:
        raise ValueError(f"{len(planes)} slices do not fit {len(frames)} of the {count} frames")
    if whole and len(frames) < count:
        raise ValueError(f"only {len(frames)} of the {count} frames of the images would have values: all must")
    out = np.zeros((count, *planes.shape[1:]), planes.dtype)
    out[list(frames)] = planes
    return out


def _frames(header: Dataset) -> int:
    return int(number_of(header, "NumberOfFrames") or 1)


def _header(image: File, settings: Settings) -> Dataset:
    dataset, found = load(image, settings)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(found.transfer_syntax or ExplicitVRLittleEndian)
    dataset.file_meta = meta
    return dataset
