"""Ultrasound images whose only region calibrates them, and those that it does not."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import Dataset
from pydicom.uid import UltrasoundImageStorage

from pacs_panel.dicom import header
from pacs_panel.dicom.planes import planes
from pacs_panel.geometry.stack import stacks
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, encode
from pacs_panel.testing.headers import instance

SETTINGS = Settings()
WHOLE = {
    "RegionSpatialFormat": 1, "RegionDataType": 1, "RegionFlags": 0, "PhysicalUnitsXDirection": 3,
    "PhysicalUnitsYDirection": 3, "RegionLocationMinX0": 0, "RegionLocationMinY0": 0, "RegionLocationMaxX1": 39,
    "RegionLocationMaxY1": 19, "PhysicalDeltaX": 0.02, "PhysicalDeltaY": -0.03,
}  # fmt: skip


def calibrated(*regions: dict, **more) -> tuple[str, tuple[float, float, float]]:
    template = ct_phantom(rows=20, columns=40, slices=1).datasets[0]
    values = {"SOPClassUID": UltrasoundImageStorage, "Modality": "US", "SequenceOfUltrasoundRegions": list(regions)}
    made: Dataset = instance(template, {**values, **more})
    for keyword in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
        if keyword in made and keyword not in more:
            del made[keyword]
    data = encode(made)
    image = header.image(BytesIO(data), len(data), SETTINGS)
    assert image is not None
    (stack,) = stacks(planes(image, BytesIO(data), SETTINGS))
    return stack.passport.calibration, stack.passport.spacing


def test_a_region_of_the_whole_image_calibrates_it() -> None:
    assert calibrated(WHOLE) == ("patient", (1.0, pytest.approx(0.3), pytest.approx(0.2)))
    assert calibrated({**WHOLE, "RegionLocationMinX0": 2})[0] == "patient"


@pytest.mark.parametrize(
    "regions",
    [
        [],
        [WHOLE, WHOLE],
        [{**WHOLE, "RegionLocationMinX0": 3}],
        [{**WHOLE, "RegionSpatialFormat": 2}],
        [{**WHOLE, "PhysicalUnitsYDirection": 4}],
        [{**WHOLE, "PhysicalDeltaX": 0.0}],
        [{name: value for name, value in WHOLE.items() if name != "RegionLocationMinX0"}],
    ],
)
def test_otherwise_the_size_of_pixels_is_unknown(regions) -> None:
    assert calibrated(*regions)[0] == "none"


def test_pixel_spacing_comes_first() -> None:
    calibration, spacing = calibrated(WHOLE, PixelSpacing=["0.5", "0.4"])
    assert (calibration, spacing[1:]) == ("patient", (0.5, 0.4))
