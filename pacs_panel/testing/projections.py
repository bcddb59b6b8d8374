"""Phantom images without a place in the patient: a colour cine ultrasound and a computed radiograph."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import ComputedRadiographyImageStorage, UltrasoundMultiFrameImageStorage

from pacs_panel.testing.headers import Context, Options, dataset, decimals, instance, pixels
from pacs_panel.testing.subjects import ULTRASOUND, X_RAY, Values, uid
from pacs_panel.testing.truth import PhantomSeries, Truth

CINE = Options(
    rows=120, columns=160, slices=1, spacing=(1.0, 0.5, 0.5),
    number=6, description="Cine 4CH", part="HEART", equipment=ULTRASOUND,
)  # fmt: skip
RADIOGRAPH = Options(
    rows=512, columns=420, slices=1, spacing=(1.0, 0.8, 0.8),
    number=1, description="Chest PA", part="CHEST", equipment=X_RAY,
)  # fmt: skip


def us_cine(*, frames: int = 24, **options: Unpack[Options]) -> PhantomSeries:
    """A colour cine ultrasound: one object of ``frames`` RGB frames, 40 ms apart; ``slices`` has no meaning here.

    Returns
    -------
    PhantomSeries
        Its truth has ``stored`` of shape ``(frames, rows, columns, 3)``, uint8.
    """
    context = Context.of("us cine", CINE, options, frames)
    _, rows, columns = context.grid.shape
    stored = np.stack([_sector(rows, columns, frame / frames) for frame in range(frames)])
    values = {
        **context.header("US", UltrasoundMultiFrameImageStorage),
        "ImageType": ["ORIGINAL", "PRIMARY"], "PatientOrientation": "",
        "NumberOfFrames": str(frames), "FrameTime": "40", "FrameIncrementPointer": 0x00181063,
        "UltrasoundColorDataPresent": 1, "LossyImageCompression": "00", "HeartRate": "62",
        "SequenceOfUltrasoundRegions": [_region(context)],
        **pixels(stored, 8),
    }  # fmt: skip
    return _single(context, values, stored)


def cr(**options: Unpack[Options]) -> PhantomSeries:
    """A chest radiograph: one image of 12 bits, unsigned, with Imager Pixel Spacing only; ``slices`` has no meaning.

    Returns
    -------
    PhantomSeries
        Its truth has ``stored`` of shape ``(1, rows, columns)``.
    """
    context = Context.of("cr", RADIOGRAPH, options)
    stored = _chest(*context.grid.shape[1:])[None]
    spacing = decimals(context.grid.spacing[1:])
    values = {
        **context.header("CR", ComputedRadiographyImageStorage),
        "ImageType": ["ORIGINAL", "PRIMARY"], "PatientOrientation": ["L", "F"], "ViewPosition": "PA",
        "ImagerPixelSpacing": spacing, "KVP": "117", "PlateID": "P1", "FilterType": "NONE",
        "WindowCenter": "2048", "WindowWidth": "4096",
        **pixels(stored[0], 12),
    }  # fmt: skip
    return _single(context, values, stored)


def _single(context: Context, values: Values, stored: NDArray[np.generic]) -> PhantomSeries:
    own = {"SOPInstanceUID": uid(context.series_uid, 1), "InstanceNumber": "1", "AcquisitionNumber": "1"}
    truth = Truth(None, context.grid.spacing, (), "stack", stored)
    return PhantomSeries((instance(dataset(values), own),), truth)


def _region(context: Context) -> Values:
    """US Region Calibration (PS3.3 §C.8.5.5): the whole image, in cm."""
    _, rows, columns = context.grid.shape
    _, row_mm, column_mm = context.grid.spacing
    return {
        "RegionSpatialFormat": 1, "RegionDataType": 1, "RegionFlags": 0,
        "RegionLocationMinX0": 0, "RegionLocationMinY0": 0,
        "RegionLocationMaxX1": columns - 1, "RegionLocationMaxY1": rows - 1,
        "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": column_mm / 10, "PhysicalDeltaY": row_mm / 10,
    }  # fmt: skip


def _sector(rows: int, columns: int, phase: float) -> NDArray[np.uint8]:
    """A fan with a beating chamber in grey, and coloured flow in it; ``phase`` of the beat from 0 to 1."""
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    x = (x - (columns - 1) / 2) / rows
    y = (y + 1) / rows
    depth, angle = np.hypot(x, y), np.arctan2(x, y)
    beat = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    chamber = np.hypot(x / (0.16 + 0.06 * beat), (y - 0.55) / (0.24 + 0.05 * beat))
    grey = 90 + 40 * np.sin(70 * depth) * np.cos(45 * angle) + 60 * np.exp(-(((chamber - 1.1) / 0.12) ** 2))
    grey[chamber < 1] = 12
    image = np.repeat(grey[..., None], 3, axis=-1)
    jet = (np.abs(x - 0.03) < 0.035) & (chamber < 0.9)
    image[jet] = (230 * beat, 40, 230 * (1 - beat))
    image[(depth > 0.98) | (np.abs(angle) > 0.7)] = 0
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _chest(rows: int, columns: int) -> NDArray[np.uint16]:
    """Two lungs, a heart, a spine and ribs; bright where much is absorbed."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    image = 2300 - 500 * np.hypot(x, 0.6 * y)
    for side in (-1, 1):
        image -= 1100 / (1 + np.exp(14 * (np.hypot((x - side * 0.42) / 0.33, (y + 0.05) / 0.68) - 1)))
    image += 900 / (1 + np.exp(12 * (np.hypot((x - 0.14) / 0.32, (y - 0.3) / 0.3) - 1)))
    image += 500 * np.exp(-((x / 0.07) ** 2))
    image += 160 * np.exp(-(np.sin(11 * (y + 0.35 * x * x)) ** 2) / 0.05) * (np.abs(x) < 0.8)
    image[np.hypot(x / 0.97, y / 1.15) > 1] = 150
    return np.clip(np.rint(image), 0, 4095).astype(np.uint16)
