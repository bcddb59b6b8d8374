"""Values and places of a file's images as pydicom and nibabel tell them, without any of our own reading."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns of itself
    import nibabel.nicom.dicomwrappers as wrappers

IMPLICIT = "1.2.840.10008.1.2"
POSITION = ("PlanePositionSequence", "ImagePositionPatient")
ORIENTATION = ("PlaneOrientationSequence", "ImageOrientationPatient")
SPACING = ("PixelMeasuresSequence", "PixelSpacing")
TRANSFORMS = (
    ("PixelValueTransformationSequence", "RescaleSlope", "RescaleIntercept"),
    ("RealWorldValueMappingSequence", "RealWorldValueSlope", "RealWorldValueIntercept"),
)


@dataclass(frozen=True)
class Place:
    """LPS mm of voxel (0, 0); mm from a voxel to the next along a row, and along a column."""

    position: np.ndarray
    along_row: np.ndarray
    along_column: np.ndarray


class Reference:
    """One file as others read it; frames, and tiles of a mosaic, are counted from 0."""

    def __init__(self, path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.dataset = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in self.dataset.file_meta:
            self.dataset.file_meta.TransferSyntaxUID = IMPLICIT

    # -- values --------------------------------------------------------------------------------------------------------

    @cached_property
    def _frames(self) -> np.ndarray | None:
        """``(frame, row, column[, 3])``; ``None`` where pydicom has no decoder for it here."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = self.dataset.pixel_array
            except RuntimeError:
                return None
        return found[None] if int(self.dataset.get("NumberOfFrames") or 1) == 1 else found

    @property
    def decodable(self) -> bool:
        """Whether pydicom decodes it."""
        return self._frames is not None

    def stored(self, frame: int) -> np.ndarray:
        """Stored values of a frame or tile; colour as RGB, a palette as indices."""
        assert self._frames is not None
        if self.mosaic is None:
            return self._frames[frame]
        rows, columns = self.mosaic.image_shape[:2]
        down, across = divmod(frame, self._frames.shape[2] // columns)
        return self._frames[0, down * rows : (down + 1) * rows, across * columns : (across + 1) * columns]

    def colours(self, frame: int) -> np.ndarray:
        """RGB of a frame, of a palette's indices, or of all tiles of a large image, which lie row by row."""
        assert self._frames is not None
        if "TotalPixelMatrixRows" in self.dataset:
            across = self.dataset.TotalPixelMatrixColumns // self.dataset.Columns
            rows = [self._frames[first : first + across] for first in range(0, len(self._frames), across)]
            return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
        found = self._frames[frame]
        if found.ndim == 3:
            return found
        coloured = apply_color_lut(found, self.dataset)
        return (coloured >> 8).astype(np.uint8) if coloured.dtype.itemsize > 1 else coloured

    def physical(self, frame: int, stored: np.ndarray) -> np.ndarray:
        """Stored values through the modality transform: of the object, of the frame, or else to the real world."""
        if "ModalityLUTSequence" in self.dataset:
            return np.asarray(apply_modality_lut(stored.astype(np.int64), self.dataset), float)
        for group, slope, intercept in TRANSFORMS:
            item = self._group(frame, group)
            if item is not None and slope in item:
                return stored.astype(float) * float(item[slope].value) + float(item[intercept].value)
        if (scaling := self.dataset.get("DoseGridScaling")) is not None:
            return stored.astype(float) * float(scaling)
        if self.dataset.get("RescaleSlope") is None:
            return stored.astype(float)
        return stored.astype(float) * float(self.dataset.RescaleSlope) + float(self.dataset.RescaleIntercept)

    # -- places --------------------------------------------------------------------------------------------------------

    @cached_property
    def mosaic(self) -> Any:
        """nibabel's view of a Siemens mosaic; ``None`` where it is none."""
        return wrappers.wrapper_from_data(self.dataset) if "MOSAIC" in self.dataset.get("ImageType", ()) else None

    def place(self, frame: int) -> Place | None:
        """Where a frame or tile lies in the patient, if anywhere."""
        if self.mosaic is not None:
            affine = self.mosaic.affine  # (row, column, slice) to LPS
            return Place(affine[:3, 3] + frame * affine[:3, 2], affine[:3, 1], affine[:3, 0])
        position, orientation, spacing = (self._numbers(frame, *name) for name in (POSITION, ORIENTATION, SPACING))
        if position is None or orientation is None or spacing is None:
            return None
        if frame and (offsets := self.dataset.get("GridFrameOffsetVector")):  # of a dose, in mm after the first plane
            position = position + float(offsets[frame]) * np.cross(orientation[:3], orientation[3:])
        return Place(position, orientation[:3] * spacing[1], orientation[3:] * spacing[0])

    def spacing(self) -> tuple[str, tuple[float, float]]:
        """How an image without a place is calibrated, and mm between its rows and columns; the aspect is a ratio."""
        if (stated := self._numbers(0, *SPACING)) is not None:
            return ("patient", (stated[0], stated[1]))
        if detector := self.dataset.get("ImagerPixelSpacing"):
            return ("detector", (float(detector[0]), float(detector[1])))
        height, width = self.dataset.get("PixelAspectRatio") or (1, 1)
        return ("none", (height / width, 1.0))

    def _numbers(self, frame: int, group: str, keyword: str) -> np.ndarray | None:
        item = self._group(frame, group)
        value = (self.dataset if item is None else item).get(keyword)
        return np.array(value, float) if value else None

    def _group(self, frame: int, keyword: str) -> Dataset | None:
        """The functional group of a frame, its own or a shared one (PS3.3 §C.7.6.16)."""
        own = list(self.dataset.get("PerFrameFunctionalGroupsSequence") or [])[frame : frame + 1]
        for groups in (*own, *(self.dataset.get("SharedFunctionalGroupsSequence") or [])):
            if groups.get(keyword):
                return groups[keyword].value[0]
        return None
