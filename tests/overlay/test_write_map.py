"""Parametric maps that are written: exact to the bit, and validators accept them."""

from __future__ import annotations

import logging
import random
import subprocess
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ParametricMapStorage

from pacs_panel.dicom import header
from pacs_panel.dicom.planes import planes
from pacs_panel.geometry.stack import stacks
from pacs_panel.overlay.write_map import write_parametric_map
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, ct_tilted, encode, mr_oblique
from pacs_panel.testing.multiframe import enhanced

SETTINGS = Settings()
SMALL = {"rows": 20, "columns": 18, "slices": 6, "spacing": (4.0, 6.0, 6.0)}
ADC = {"label": "ADC", "unit": "mm2/s", "quantity": ("113041", "DCM", "Apparent Diffusion Coefficient")}


def values_on(images, dtype: type = np.float32) -> np.ndarray:
    shape = (len(images.datasets), *images.truth.stored.shape[-2:])
    return np.random.default_rng(9).normal(0, 1e-3, shape).astype(dtype)


def made(images, values: np.ndarray, **more) -> bytes:
    return write_parametric_map(values, map(encode, images.datasets), SETTINGS, **{**ADC, **more})


@pytest.mark.parametrize("make", [ct_phantom, ct_tilted, mr_oblique])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_come_back_to_the_bit_at_their_places(make, dtype):
    images = make(**SMALL)
    values = values_on(images, dtype)
    content = made(images, values)
    read = header.read(BytesIO(content), len(content), SETTINGS)
    assert read.identity.sop_class_uid == ParametricMapStorage
    assert read.identity.study_uid == images.study_uid
    frames = planes(read.image, BytesIO(content), SETTINGS)
    (stack,) = stacks(frames)
    np.testing.assert_allclose(np.asarray(stack.passport.affine), images.truth.affine, atol=1e-6)
    dataset = dcmread(BytesIO(content))
    assert dataset.pixel_array.dtype == dtype
    np.testing.assert_array_equal(dataset.pixel_array[[number for _, number in stack.planes()]], values)
    (one,) = frames[0].real_world
    assert (one.label, one.unit, one.quantity, one.slope, one.intercept) == (
        "ADC", "mm2/s", "Apparent Diffusion Coefficient", 1.0, 0.0,
    )  # fmt: skip
    assert (one.first, one.last) == (values.min(), values.max())
    sources = dataset.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence
    assert sources[0].ReferencedSOPInstanceUID in {d.SOPInstanceUID for d in images.datasets}


def test_on_frames_in_any_order():
    images = mr_oblique(**SMALL)
    values = values_on(images)
    order = list(range(6))
    random.Random(3).shuffle(order)
    content = write_parametric_map(
        values,
        [encode(enhanced(images, order).datasets[0])],
        SETTINGS,
        **ADC,
        frames=[order.index(k) for k in range(6)],
    )
    head = header.read(BytesIO(content), len(content), SETTINGS)
    (stack,) = stacks(planes(head.image, BytesIO(content), SETTINGS))
    np.testing.assert_allclose(np.asarray(stack.passport.affine), images.truth.affine, atol=1e-6)
    np.testing.assert_array_equal(dcmread(BytesIO(content)).pixel_array[[n for _, n in stack.planes()]], values)


def contents() -> dict[str, bytes]:
    images = ct_phantom(**SMALL)
    whole = encode(enhanced(mr_oblique(**SMALL)).datasets[0])
    return {
        "single": made(images, values_on(images)),
        "double": made(images, values_on(images, np.float64), window=(0.0, 1e-3), description="A map"),
        "frames": write_parametric_map(values_on(images), [whole], SETTINGS, **ADC),
    }


@pytest.mark.peer("dciodvfy")
def test_dciodvfy_finds_no_error(peer, tmp_path):
    for name, content in contents().items():
        path = tmp_path / f"{name}.dcm"
        path.write_bytes(content)
        told = subprocess.run([peer("dciodvfy"), path], capture_output=True, text=True, check=False)
        said = told.stdout + told.stderr
        assert "ParametricMap" in said
        assert [line for line in said.splitlines() if line.startswith("Error")] == []


@pytest.mark.slow
def test_dicom_validator_objects_to_nothing():
    from dicom_validator.validator.iod_validator import IODValidator

    from tests.testing.standard import information

    known = information({str(ParametricMapStorage)})
    for content in contents().values():
        result = IODValidator(dcmread(BytesIO(content)), known, log_level=logging.CRITICAL).validate()
        assert not result.module_errors


@pytest.mark.parametrize(
    ("values", "more", "words"),
    [
        (np.zeros((5, 20, 18), np.float32), {}, "5 slices do not fit 6 images"),
        (np.zeros((6, 18, 20), np.float32), {}, "rows and columns"),
        (np.zeros((20, 18)), {}, "numbers in"),
        (np.full((6, 20, 18), np.nan), {}, "finite"),
        (np.full((6, 20, 18), (1 << 24) + 1), {}, "float64"),
        (np.zeros((6, 20, 18)), {"label": ""}, "label"),
    ],
)
def test_what_does_not_fit_is_refused(values, more, words):
    with pytest.raises(ValueError, match=words):
        made(ct_phantom(**SMALL), values, **more)


def test_frames_without_values_and_without_places_are_refused():
    images = mr_oblique(**SMALL)
    whole = enhanced(images).datasets[0]
    for frames in ([0, 1], [0, 0], [0, 6]):
        with pytest.raises(ValueError, match="frames"):
            write_parametric_map(values_on(images)[:2], [encode(whole)], SETTINGS, **ADC, frames=frames)
    del whole.PerFrameFunctionalGroupsSequence
    with pytest.raises(ValueError, match="have places"):
        write_parametric_map(values_on(images), [encode(whole)], SETTINGS, **ADC)
