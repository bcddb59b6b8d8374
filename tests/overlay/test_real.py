"""Real segmentations and structure sets, against other software's reading of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from pacs_panel.model import Stack
from tests.overlay.laid import lay, stack_of

ENCODINGS = (
    "liver.dcm",
    "liver_expb.dcm",
    "liver_deflate.dcm",
    "liver_j2k.dcm",
    "liver_rle.dcm",
    "liver_nonbyte_aligned.dcm",
    "liver_nonbyte_aligned_deflate.dcm",
    "liver_nonbyte_aligned_j2k.dcm",
    "liver_nonbyte_aligned_rle.dcm",
)
SEGMENTATIONS = (
    ("seg_ct_pair/liver.dcm", "seg_ct_pair/ct-3slice"),
    ("seg_ct_pair/partial_overlaps.dcm", "seg_ct_pair/ct-3slice"),
    ("seg_ct_pair/23x38x3/seg/label.seg", "seg_ct_pair/23x38x3/image"),
    ("seg_sm_ann_highdicom/seg_image_ct_binary.dcm", "dicomdir_tree/77654033/CT2"),
    ("seg_sm_ann_highdicom/seg_image_ct_binary_overlap.dcm", "dicomdir_tree/77654033/CT2"),
    ("seg_sm_ann_highdicom/seg_image_ct_binary_fractional.dcm", "dicomdir_tree/77654033/CT2"),
    ("seg_sm_ann_highdicom/seg_image_ct_true_fractional.dcm", "dicomdir_tree/77654033/CT2"),
)


@cache
def images_of(folder: Path, modality: str = "CT") -> tuple[Stack, tuple[Path, ...]]:
    """The largest stack of a folder's images, and their files."""
    paths = tuple(path for path in sorted(folder.rglob("*")) if path.is_file() and _is(path, modality))
    assert paths, folder
    return stack_of(*[path.read_bytes() for path in paths]), paths


def _is(path: Path, modality: str) -> bool:
    dataset = dcmread(path, stop_before_pixels=True, force=True)
    return dataset.get("Modality") == modality and "ImagePositionPatient" in dataset


def folder_of(data: Path, name: str) -> Path:
    """The folder, wherever it lies within that of its source."""
    if (data / name).is_dir():
        return data / name
    source, *rest = Path(name).parts
    return next(path for path in sorted((data / source).rglob(rest[-1])) if path.is_dir())


@pytest.mark.parametrize(("name", "images"), SEGMENTATIONS)
def test_segmentations_are_as_highdicom_reads_them(data, name, images):
    from highdicom.seg import SegmentationFractionalTypeValues, segread

    stack, _ = images_of(folder_of(data, images))
    laid = lay(data / name, stack)
    seg = segread(data / name)
    fractional = getattr(seg, "segmentation_fractional_type", None)
    expected = seg.get_pixels_by_source_instance(
        list(stack.members),
        assert_missing_frames_are_empty=True,
        rescale_fractional=True,
        ignore_spatial_locations=True,  # dcmqi doesn't state that they are preserved
    )
    assert sorted(seg.segment_numbers) == [segment.number for segment in laid.overlay.segments]
    for at, number in enumerate(seg.segment_numbers):
        layer = next(n for n in range(laid.overlay.layers) if number in [s.number for s in laid.segments(n)])
        found = laid.volume(layer) if fractional else laid.volume(layer) == number
        assert expected[..., at].any()
        assert np.allclose(found, expected[..., at], atol=1e-6)
    if fractional:
        assert laid.overlay.unit == SegmentationFractionalTypeValues(fractional).value.lower()


def test_nine_encodings_of_one_segmentation_are_equal(data):
    stack, _ = images_of(folder_of(data, "seg_ct_pair/ct-3slice"))
    folder = data / "syntaxes_multiframe_small"
    volumes = [lay(folder / name, stack).volume(0) for name in ENCODINGS]
    assert volumes[0].sum() == 107098
    for volume in volumes[1:]:
        assert np.array_equal(volume, volumes[0])


def structure_sets(data: Path) -> Iterator[tuple[Path, Stack]]:
    """Each structure set of the soft tissue sarcomas, with the images of its own series' modality and patient."""
    folder = data / "ct_mr_pet_rtstruct_sts"
    structures = [path for path in sorted(folder.rglob("*")) if path.is_file() and _modality(path) == "RTSTRUCT"]
    images: dict[str, list[bytes]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _modality(path) not in ("RTSTRUCT", ""):
            dataset = dcmread(path, stop_before_pixels=True)
            images.setdefault(f"{dataset.StudyInstanceUID} {dataset.SeriesInstanceUID}", []).append(path.read_bytes())
    stacks = {key: stack_of(*contents) for key, contents in images.items()}
    for path in structures:
        dataset = dcmread(path)
        study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
        series = study.RTReferencedSeriesSequence[0].SeriesInstanceUID
        yield path, stacks[f"{dataset.StudyInstanceUID} {series}"]


def _modality(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True, force=True).get("Modality", ""))


def test_structures_whose_references_dangle_have_the_volume_of_their_polygons(data):
    seen = 0
    for path, stack in structure_sets(data):
        laid = lay(path, stack)
        assert laid.overlay.matched.startswith("shares the frame of reference")
        assert laid.overlay.missing
        volume = laid.volume(0)
        for index in range(laid.shape[0]):
            polygons = [one.points for one in laid.contours(index) if one.closed]
            assert np.array_equal(volume[index] != 0, inside(polygons, laid.shape[1:]))
        area = sum(abs(shoelace(points)) for index in range(laid.shape[0]) for _, points, *_ in laid.contours(index))
        assert (volume != 0).sum() == pytest.approx(area, rel=0.03)
        total = sum(len(laid.contours(index)) for index in range(laid.shape[0]))
        assert total + len(laid.content.unplaced) == contours_in(path)
        seen += total > 5
    assert seen == 6


def contours_in(path: Path) -> int:
    return sum(len(roi.get("ContourSequence", [])) for roi in dcmread(path).ROIContourSequence)


def inside(polygons: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Pixel by pixel, and edge by edge: whether a ray to the left crosses an odd number of edges."""
    odd = np.zeros(shape, bool)
    columns = np.arange(shape[1])
    for polygon in (polygon.round(6) for polygon in polygons):
        for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            for y in range(max(0, int(min(y0, y1)) - 1), min(shape[0], int(max(y0, y1)) + 2)):
                if (y0 > y) != (y1 > y):
                    odd[y] ^= round(x0 + (y - y0) * (x1 - x0) / (y1 - y0), 6) <= columns
    return odd


def shoelace(points: np.ndarray) -> float:
    x, y = points.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


@pytest.mark.parametrize("name", ["rt.dcm", "invalid_reference_rt.dcm"])
def test_structures_written_by_others(data, name):
    folder = data / "rt_utils" / "mock_data"
    laid = lay(folder / name, images_of(folder)[0])
    volume = laid.volume(0)
    for index in range(laid.shape[0]):
        for segment in laid.overlay.segments:
            drawn = laid.contours(index)
            polygons = [one.points for one in drawn if one.closed and one.number == segment.number]
            assert np.array_equal(volume[index] == segment.number, inside(polygons, laid.shape[1:]))


def test_a_large_structure_set_on_its_one_slice(data):
    stack, _ = images_of(data / "rt_dicompyler")
    laid = lay(data / "rt_dicompyler" / "rtss.dcm", stack)
    assert {segment.label for segment in laid.overlay.segments} >= {"BODY", "Heart", "Breast"}
    assert any("none of the slices" in note for note in laid.overlay.notes)
    drawn = laid.contours(0)
    assert drawn
    assert len(drawn) + len(laid.content.unplaced) == contours_in(data / "rt_dicompyler" / "rtss.dcm")
