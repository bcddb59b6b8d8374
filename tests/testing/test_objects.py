"""The segmentation, the contours and the report tell the truth of the CT they refer to."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from pacs_panel.testing import PhantomSeries, cr, ct_phantom, ct_tilted, encode, rtstruct_on, seg_on, sr_on, turned


@pytest.fixture(params=["axial", "tilted", "oblique"])
def ct(request: pytest.FixtureRequest) -> PhantomSeries:
    size = {"rows": 32, "columns": 28, "slices": 12, "spacing": (3.0, 2.0, 2.0)}
    if request.param == "tilted":
        return ct_tilted(**size)
    return ct_phantom(**size, orientation=turned(10, 20, 30) if request.param == "oblique" else np.eye(3))


def only(series: PhantomSeries) -> Dataset:
    (dataset,) = series.datasets
    return dcmread(BytesIO(encode(dataset)))


def refers_to(dataset: Dataset) -> set[str]:
    """All SOP Instance UIDs that are referenced anywhere inside."""
    return {str(e.value) for e in dataset.iterall() if e.keyword == "ReferencedSOPInstanceUID"}


def test_segments_are_the_voxels_of_the_spheres(ct: PhantomSeries) -> None:
    seg = seg_on(ct, spheres=3)
    assert ct.truth is not None
    assert seg.truth is not None
    for mask, sphere in zip(seg.truth.stored.astype(bool), ct.truth.spheres, strict=False):
        assert mask.any()
        assert (ct.truth.physical()[mask] == sphere.value).all()
        assert not (ct.truth.physical()[~mask] == sphere.value).any()

    file = only(seg)
    rebuilt = np.zeros_like(seg.truth.stored)
    positions = [tuple(map(float, d.ImagePositionPatient)) for d in ct.datasets]
    for frame, group in zip(file.pixel_array, file.PerFrameFunctionalGroupsSequence, strict=True):
        segment = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber - 1
        slice_ = positions.index(tuple(map(float, group.PlanePositionSequence[0].ImagePositionPatient)))
        source = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        assert source == ct.datasets[slice_].SOPInstanceUID
        rebuilt[segment, slice_] = frame
    assert np.array_equal(rebuilt, seg.truth.stored)


def test_contours_lie_on_the_spheres_and_in_the_slices(ct: PhantomSeries) -> None:
    assert ct.truth is not None
    file = only(rtstruct_on(ct))
    slices = {str(d.SOPInstanceUID): d for d in ct.datasets}
    assert len(file.ROIContourSequence) == len(ct.truth.spheres)
    for roi, sphere in zip(file.ROIContourSequence, ct.truth.spheres, strict=True):
        area = 0.0
        for contour in roi.ContourSequence:
            points = np.array(contour.ContourData, float).reshape(-1, 3)
            assert len(points) == int(contour.NumberOfContourPoints)
            np.testing.assert_allclose(
                np.linalg.norm(points - sphere.centre_lps_mm, axis=1), sphere.radius_mm, atol=1e-5
            )
            image = slices[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
            row, column = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
            off_plane = (points - np.array(image.ImagePositionPatient, float)) @ np.cross(row, column)
            np.testing.assert_allclose(off_plane, 0, atol=1e-5)
            area += np.linalg.norm(np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)) / 2
        assert area > 0


def test_the_report_measures_the_first_sphere(ct: PhantomSeries) -> None:
    assert ct.truth is not None
    sphere = ct.truth.spheres[0]
    file = only(sr_on(ct))
    numbers = {
        item.ConceptNameCodeSequence[0].CodeMeaning: float(item.MeasuredValueSequence[0].NumericValue)
        for item in file.ContentSequence
        if item.ValueType == "NUM"
    }
    assert numbers["Diameter"] == pytest.approx(2 * sphere.radius_mm)
    assert numbers["Volume"] == pytest.approx(sphere.volume_ml)


def test_all_belong_to_the_study_and_refer_to_its_images(ct: PhantomSeries) -> None:
    images = {str(d.SOPInstanceUID) for d in ct.datasets}
    for series in (seg_on(ct), rtstruct_on(ct), sr_on(ct)):
        assert series.study_uid == ct.study_uid
        assert series.series_uid != ct.series_uid
        assert series.datasets[0].PatientID == ct.datasets[0].PatientID
        referenced = refers_to(series.datasets[0]) - {ct.study_uid}
        assert referenced
        assert referenced <= images


def test_what_has_no_spheres_cannot_be_drawn_on() -> None:
    with pytest.raises(ValueError, match="only a series with a place"):
        seg_on(cr(rows=8, columns=8))
