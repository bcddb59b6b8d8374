"""Segmentations that are written: they come back as they were, and validators and highdicom accept them."""

from __future__ import annotations

import logging
import subprocess
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import SegmentationStorage

from pacs_panel.model import Segment
from pacs_panel.overlay.write import write_segmentation
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_missing_slice, ct_phantom, ct_tilted, encode, mr_oblique
from pacs_panel.testing.multiframe import enhanced
from tests.overlay.laid import lay, phantom_stack

SETTINGS = Settings()
LIVER = (("123037004", "SCT", "Anatomical Structure"), ("10200004", "SCT", "Liver"))
SEGMENTS = (Segment(3, "Liver", (221, 130, 101)), Segment(7, "Nodule", (20, 200, 240)))


def made(images, masks: np.ndarray, **more) -> bytes:
    return write_segmentation(masks, [encode(d) for d in images.datasets], SEGMENTS, SETTINGS, **more)


def random_labels(images) -> np.ndarray:
    shape = (len(images.datasets), *images.truth.stored.shape[-2:])
    labels = np.random.default_rng(4).choice(np.array([0, 3, 7], np.uint8), shape, p=(0.5, 0.3, 0.2))
    labels[1] = 0
    return labels


@pytest.mark.parametrize("make", [ct_phantom, ct_tilted, ct_missing_slice, mr_oblique])
def test_labels_come_back_voxel_for_voxel(make):
    images = make(rows=20, columns=18, slices=8, spacing=(4.0, 6.0, 6.0))
    labels = random_labels(images)
    laid = lay(made(images, labels), phantom_stack(images))
    assert (laid.overlay.layers, laid.overlay.missing, laid.overlay.notes) == (1, (), ())
    assert np.array_equal(laid.volume(0), np.select([labels == 3, labels == 7], [1, 2]))
    assert [(one.number, one.label) for one in laid.overlay.segments] == [(1, "Liver"), (2, "Nodule")]
    for segment, given in zip(laid.overlay.segments, SEGMENTS, strict=True):
        assert np.abs(np.subtract(segment.colour, given.colour)).max() <= 1


def test_overlapping_masks_and_fractions_come_back():
    images = ct_phantom(rows=20, columns=18, slices=6, spacing=(4.0, 6.0, 6.0))
    fractions = np.random.default_rng(5).random((2, 6, 20, 18))
    laid = lay(made(images, fractions), phantom_stack(images))
    assert (laid.overlay.unit, laid.overlay.layers) == ("probability", 2)
    for layer in (0, 1):
        assert np.abs(laid.volume(layer) - fractions[layer]).max() <= 0.5 / 255 + 1e-6
    masks = fractions > 0.4
    laid = lay(made(images, masks), phantom_stack(images))
    assert laid.overlay.layers == 2
    for layer in (0, 1):
        assert np.array_equal(laid.volume(layer) != 0, masks[layer])


def test_codes_and_methods_are_told():
    images = ct_phantom(rows=20, columns=18, slices=6, spacing=(4.0, 6.0, 6.0))
    more = {"codes": {3: LIVER}, "method": "AUTOMATIC", "algorithm": "threshold"}
    content = made(images, random_labels(images), **more)
    liver, nodule = lay(content, phantom_stack(images)).overlay.segments
    assert (liver.meaning, nodule.meaning) == ("Anatomical Structure, Liver", "Tissue")
    assert liver.method == "automatic: threshold"
    dataset = dcmread(BytesIO(content))
    assert dataset.StudyInstanceUID == images.study_uid
    assert dataset.PatientID == images.datasets[0].PatientID


def test_highdicom_reads_it():
    from highdicom.seg import segread

    images = ct_phantom(rows=20, columns=18, slices=6, spacing=(4.0, 6.0, 6.0))
    labels = random_labels(images)
    seg = segread(BytesIO(made(images, labels)))
    uids = [image.SOPInstanceUID for image in images.datasets]
    pixels = seg.get_pixels_by_source_instance(uids, combine_segments=True, assert_missing_frames_are_empty=True)
    assert np.array_equal(pixels, np.select([labels == 3, labels == 7], [1, 2]))


@pytest.mark.peer("dciodvfy")
def test_dciodvfy_finds_no_error(peer, tmp_path):
    for name, content in contents().items():
        path = tmp_path / f"{name}.dcm"
        path.write_bytes(content)
        told = subprocess.run([peer("dciodvfy"), path], capture_output=True, text=True, check=False)
        said = told.stdout + told.stderr
        assert "Segmentation" in said
        assert [line for line in said.splitlines() if line.startswith("Error")] == []


def contents() -> dict[str, bytes]:
    images = ct_phantom(rows=20, columns=18, slices=6, spacing=(4.0, 6.0, 6.0))
    labels = random_labels(images)
    masks = np.stack([labels == 3, labels == 7])
    automatic = {"method": "AUTOMATIC", "algorithm": "threshold"}
    return {
        "labels": made(images, labels, codes={3: LIVER}),
        "masks": made(images, masks, **automatic),
        "fractions": made(images, masks / 2, **automatic),
        "frames": write_segmentation(labels, [encode(enhanced(images).datasets[0])], SEGMENTS, SETTINGS),
    }


@pytest.mark.slow
def test_dicom_validator_objects_to_nothing():
    from dicom_validator.validator.iod_validator import IODValidator

    from tests.testing.standard import information

    known = information({str(SegmentationStorage)})
    for content in contents().values():
        result = IODValidator(dcmread(BytesIO(content)), known, log_level=logging.CRITICAL).validate()
        assert not result.module_errors


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.full((6, 20, 18), 5), "no segment has the number 5"),
        (np.zeros((5, 20, 18), int), "5 slices do not fit 6 images"),
        (np.zeros((6, 20, 18)), "whole numbers"),
        (np.full((2, 6, 20, 18), 1.5), "from 0 to 1"),
        (np.zeros((3, 6, 20, 18), bool), "2 segments"),
    ],
)
def test_what_does_not_fit_is_refused(labels, words):
    images = ct_phantom(rows=20, columns=18, slices=6, spacing=(4.0, 6.0, 6.0))
    with pytest.raises(ValueError, match=words):
        made(images, labels)


def test_an_automatic_method_needs_a_name():
    images = ct_phantom(rows=20, columns=18, slices=6, spacing=(4.0, 6.0, 6.0))
    with pytest.raises(ValueError, match="algorithm"):
        made(images, random_labels(images), method="AUTOMATIC")
