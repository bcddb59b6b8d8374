"""RT doses: a grid of planes, whose places and values are told by attributes of their own (PS3.3 §C.8.8.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydicom import Dataset

from pacs_panel.dicom.dataset import numbers_of, text_of
from pacs_panel.model import ImageHeader, Vector

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.481.2"
UNITS = {"GY": "Gy", "RELATIVE": "relative"}
SAME_HEIGHT = 1e-3  # mm
TRANSVERSE = 1 - 1e-6  # of the normal, along z


def is_dose(dataset: Dataset) -> bool:
    """Whether a data set is an RT Dose."""
    return text_of(dataset, "SOPClassUID") == SOP_CLASS


def planes(image: ImageHeader, dataset: Dataset) -> tuple[ImageHeader, ...]:
    """A header for each plane of a dose, in the order of its frames; without a place where its offsets tell none."""
    if image.frames == 1:
        return (image,)
    offsets = numbers_of(dataset, "GridFrameOffsetVector", image.frames)
    places = _places(image, offsets) if offsets else []
    return tuple(replace(image, frame=n, position=places[n] if places else None) for n in range(image.frames))


def _places(image: ImageHeader, offsets: Sequence[float]) -> list[Vector]:
    """Image Position (Patient) of each plane, mm LPS (PS3.3 §C.8.8.3.2).

    Offsets that begin with 0 run from the first plane along ``row × column``. Those that begin with its z are z
    coordinates, which only transverse planes can have.
    """
    if image.position is None or image.orientation is None:
        return []
    normal = np.cross(image.orientation[:3], image.orientation[3:])
    first, along = np.asarray(image.position), np.asarray(offsets)
    if along[0] == 0:
        places = first + along[:, None] * normal
    elif abs(along[0] - first[2]) <= SAME_HEIGHT and abs(normal[2]) >= TRANSVERSE:
        places = first + (along - along[0])[:, None] * (0.0, 0.0, 1.0)
    else:
        return []
    return [(x, y, z) for x, y, z in places.tolist()]
