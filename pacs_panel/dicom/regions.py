"""Calibration of ultrasound images by their regions (PS3.3 §C.8.5.5)."""

from __future__ import annotations

from pydicom import Dataset

from pacs_panel.dicom.dataset import number_of
from pacs_panel.model import ImageHeader

PLANE, CENTIMETRES = 1, 3
COVERED = 0.95  # of the image: beyond its region, a calibration says nothing


def spacing(dataset: Dataset, image: ImageHeader) -> tuple[float, float] | None:
    """mm between rows, then columns, where the only region is two-dimensional, in cm, and nearly all of the image."""
    regions = list(dataset.get("SequenceOfUltrasoundRegions") or [])
    if len(regions) != 1:
        return None
    (region,) = regions
    units = [number_of(region, f"PhysicalUnits{axis}Direction") for axis in "XY"]
    if number_of(region, "RegionSpatialFormat") != PLANE or units != [CENTIMETRES, CENTIMETRES]:
        return None
    ends = [number_of(region, f"RegionLocation{end}") for end in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
    steps = [number_of(region, f"PhysicalDelta{axis}") for axis in "XY"]
    left, top, right, bottom, across, down = (0.0 if number is None else number for number in (*ends, *steps))
    width = min(right, image.columns - 1) - max(left, 0) + 1
    height = min(bottom, image.rows - 1) - max(top, 0) + 1
    covers = min(width, height) > 0 and width * height >= COVERED * image.rows * image.columns
    return (abs(down) * 10, abs(across) * 10) if covers and None not in ends and across and down else None
