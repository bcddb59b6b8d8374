"""From one image object to its planes: what holds for each frame of a multi-frame object, or tile of a mosaic.

An enhanced object says it in functional groups (PS3.3 §C.7.6.16), nuclear medicine by detector (§C.8.4.11), an RT dose
by the offsets of its planes (§C.8.8.3.2), a Siemens mosaic in a private header.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from pydicom import Dataset

from pacs_panel.dicom import doses, groups, mosaic, slides, tables
from pacs_panel.dicom.dataset import load, numbers_of, quiet
from pacs_panel.errors import TooLarge, Unreadable
from pacs_panel.model import ImageHeader
from pacs_panel.settings import Settings

GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
TABLES = (
    "ModalityLUTSequence",
    "RealWorldValueMappingSequence",
    "SequenceOfUltrasoundRegions",
    "VOILUTSequence",
    "RedPaletteColorLookupTableDescriptor",
)


def needs_more(image: ImageHeader) -> bool:
    """Whether the header alone does not tell the planes, so that the object must be read."""
    told = any(name in image.sequences for name in (*GROUPS, *TABLES))
    return told or image.frames > 1 or image.photometric == "PALETTE COLOR" or mosaic.is_mosaic(image)


def planes(image: ImageHeader, source: BinaryIO, settings: Settings) -> tuple[ImageHeader, ...]:
    """One header for each plane of an object, in the order of its frames.

    Parameters
    ----------
    image : ImageHeader
        As `pacs_panel.dicom.header.read` gives it.
    source : binary file
        The object's whole file, from 0.
    settings : Settings

    Returns
    -------
    tuple of ImageHeader
        Each with its ``frame``, place, spacing, slope and order; tables with them. Tiles of a large image are one plane
        of the size of its matrix. What is not understood is left as the object's header says it, without a place.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
        The object cannot be parsed; or claims more frames than the settings allow.
    """
    if not needs_more(image):
        return (image,)
    if image.frames > settings.max_frames:
        raise TooLarge(f"it claims {image.frames} frames, {settings.max_frames} are allowed (max_frames)")
    try:
        with quiet():
            return _read(image, source, settings)
    except (AttributeError, TypeError, ValueError, KeyError) as error:  # an element is not what its tag says
        raise Unreadable(f"the header cannot be understood ({type(error).__name__})") from None


def _read(image: ImageHeader, source: BinaryIO, settings: Settings) -> tuple[ImageHeader, ...]:
    dataset, _ = load(source, settings)
    image = replace(image, **tables.read(dataset, image))
    if doses.is_dose(dataset):
        return doses.planes(image, dataset)
    if mosaic.is_mosaic(image):
        return mosaic.tiles(image, dataset)
    if image.matrix is not None:
        return slides.planes(image, dataset)
    if image.frames > 1:
        image = replace(image, position=None)  # one place cannot be that of all frames
    found = groups.read(dataset, image.frames) if any(name in image.sequences for name in GROUPS) else ()
    changes = found or _of_detectors(image, dataset)
    return tuple(_plane(image, number, change) for number, change in enumerate(changes))


def _plane(image: ImageHeader, number: int, change: Mapping[str, Any]) -> ImageHeader:
    order = {**image.order, **change.get("order", {})}
    return replace(image, **{**change, "frame": number, "order": order})


def _of_detectors(image: ImageHeader, dataset: Dataset) -> list[dict[str, Any]]:
    """Places of the frames of a reconstructed tomogram, one after the other along the normal (PS3.3 §C.8.4.15)."""
    nothing: list[dict[str, Any]] = [{} for _ in range(image.frames)]
    detectors = dataset.get("DetectorInformationSequence") or []
    step = image.order.get("SpacingBetweenSlices")
    kind = str(image.order.get("ImageType", "")).split("\\")
    if len(detectors) != 1 or "RECON TOMO" not in kind or not isinstance(step, float):
        return nothing
    position = numbers_of(detectors[0], "ImagePositionPatient", 3)
    orientation = numbers_of(detectors[0], "ImageOrientationPatient", 6)
    if position is None or orientation is None:
        return nothing
    normal = np.cross(orientation[:3], orientation[3:])
    places = np.asarray(position) + np.arange(image.frames)[:, None] * step * normal
    return [{"position": tuple(place), "orientation": orientation} for place in places.tolist()]
