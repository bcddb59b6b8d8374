"""Key objects, wrapped documents, value maps, annotations, registrations, and what only has a header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from pacs_panel.errors import NotFound, TooLarge, Unreadable
from pacs_panel.overlay.documents import HeaderOnly, coordinates, summary
from pacs_panel.overlay.documents.encapsulated import surface, triangles
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom
from pacs_panel.testing.documents import (
    CORNERS,
    FACES,
    empty_pdf,
    key_objects_on,
    pdf_on,
    registration_on,
    stl,
    stl_on,
    value_maps_on,
)
from pacs_panel.testing.headers import code
from tests.overlay.documents.reading import SETTINGS, made, read, stream

ANNOTATED = "seg_sm_ann_highdicom/sm_annotations.dcm"


@pytest.fixture(scope="module")
def ct():
    return ct_phantom(rows=16, columns=20, slices=4)


# -- key objects -------------------------------------------------------------------------------------------------------


def test_key_objects(ct) -> None:
    found = read(key_objects_on(ct, marked=3))
    assert (found.title, found.text) == ("Of Interest", "The largest sphere")
    assert [r.sop_instance_uid for r in found.objects] == [d.SOPInstanceUID for d in ct.datasets[:3]]
    assert {(r.series_uid, r.study_uid) for r in found.objects} == {(ct.series_uid, ct.study_uid)}
    assert dict(summary(found))["Marks"] == "3 objects of 1 series"


def test_why_objects_are_rejected() -> None:
    reason = {"RelationshipType": "HAS CONCEPT MOD", "ValueType": "CODE",
              "ConceptNameCodeSequence": [code("113011", "DCM", "Document Title Modifier")],
              "ConceptCodeSequence": [code("111207", "DCM", "Image artifact(s)")]}  # fmt: skip
    title = [code("113001", "DCM", "Rejected for Quality Reasons")]
    found = read(made("88.59", "KO", ConceptNameCodeSequence=title, ContentSequence=[reason]))
    assert (found.title, found.reasons) == ("Rejected for Quality Reasons", ("Image artifact(s)",))


# -- wrapped documents -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [empty_pdf(), b"%PDF-odd.", b"%PDF-even."])
def test_a_pdf_is_given_without_the_byte_that_pads_it(ct, content: bytes) -> None:
    found = read(pdf_on(ct, content))
    assert found.data == content
    assert (found.media_type, found.title) == ("application/pdf", "Report on the phantom")
    assert [r.sop_instance_uid for r in found.sources] == [ct.datasets[0].SOPInstanceUID]
    assert (found.surface, found.note) == (None, "")


def test_without_a_length_only_formats_that_cannot_end_with_zero_lose_it() -> None:
    pdf = made("104.1", "DOC", MIMETypeOfEncapsulatedDocument="application/pdf", EncapsulatedDocument=b"%PDF\n\0")
    assert read(pdf).data == b"%PDF\n"
    assert read(made("104.3", "M3D", EncapsulatedDocument=b"stl \0\0")).data == b"stl \0\0"


def test_a_document_that_is_cut_short_or_missing_says_so() -> None:
    short = read(made("104.1", "DOC", EncapsulatedDocument=b"%PDF", EncapsulatedDocumentLength=9))
    assert (short.data, short.note) == (b"%PDF", "it should have 9 bytes, and has 4")
    assert read(made("104.2", "DOC")).note == "there is no document in it"
    assert read(made("104.2", "DOC")).media_type == "text/xml"


def test_a_document_beyond_the_limit_is_refused(ct) -> None:
    with pytest.raises(TooLarge):
        read(pdf_on(ct), Settings(max_frame_bytes=100))


def test_an_stl_has_its_triangles_and_its_box(ct) -> None:
    found = read(stl_on(ct))
    assert found.data == stl(CORNERS, FACES)
    assert (found.surface.triangles, found.surface.note) == (4, "")
    assert (found.surface.lower, found.surface.upper) == ((0, 0, 0), (30, 20, 10))
    assert (found.unit, found.frame_of_reference) == ("mm", ct.datasets[0].FrameOfReferenceUID)
    assert np.array_equal(triangles(found.data), np.array(CORNERS)[np.array(FACES)])
    assert dict(summary(found))["Extent"] == "30 × 20 × 10 mm"


def test_surfaces_that_are_odd() -> None:
    whole = stl(CORNERS, FACES)
    assert surface(whole[:-50], "model/stl").note == "it should have 4 triangles"
    assert surface(whole[:-50], "model/stl").triangles == 3
    assert surface(whole[:20], "model/stl").lower is None
    assert surface(b"solid".ljust(80) + whole[80:], "model/stl").triangles == 4
    text = b"solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 2 0 0\nvertex 0 3 x\nendloop\nendfacet\n"
    assert (surface(text, "model/stl").triangles, surface(text, "model/stl").upper) == (1, (2, 0, 0))
    obj = surface(b"v 0 0 0\nv 1 2 3\nv 1 0 0\nf 1 2 3\n", "model/obj")
    assert (obj.triangles, obj.upper) == (1, (1, 2, 3))
    nan = np.float32("nan").tobytes()
    assert surface(whole[:96] + nan + whole[100:], "model/stl").upper == (30, 20, 10)


# -- value maps --------------------------------------------------------------------------------------------------------


def test_real_world_values(ct) -> None:
    found = read(value_maps_on(ct))
    line, table = found.maps
    assert (line.slope, line.intercept, line.first, line.last) == (1, -1024, 0, 4095)
    assert (line.label, line.unit.value, str(line.quantity)) == ("HU", "[hnsf'U]", "Attenuation Coefficient")
    assert (table.table, table.slope) == ((10, 20, 40), None)
    assert [r.sop_instance_uid for r in table.images] == [d.SOPInstanceUID for d in ct.datasets]
    assert found.to_frame().unit.tolist() == ["[hnsf'U]", "1"]
    assert "stored × 1 - 1024 HU, for stored 0 to 4095" in dict(summary(found))["Map 1 HU"]
    assert dict(summary(found))["Map 2 TABLE"] == "A table, table of 3 values, for stored 1 to 3, 4 objects"


def test_the_suv_factors_of_a_pet(data: Path) -> None:
    path = data / "sr_tid1500/rwvm.dcm"
    told = dcmread(path)
    item = told.ReferencedImageRealWorldValueMappingSequence[0].RealWorldValueMappingSequence[0]
    found = read(path)
    (one,) = found.maps
    assert (one.slope, one.intercept) == (item.RealWorldValueSlope, item.RealWorldValueIntercept)
    assert (one.unit.value, len(one.images)) == ("{SUVbw}g/ml", 191)


# -- annotations -------------------------------------------------------------------------------------------------------


def test_annotations_of_a_slide(data: Path) -> None:
    import highdicom

    told = highdicom.ann.MicroscopyBulkSimpleAnnotations.from_dataset(dcmread(data / ANNOTATED))
    found = read(data / ANNOTATED)
    (group,) = found.groups
    assert (group.label, group.graphic, group.count, str(group.type)) == ("nuclei", "POINT", 2, "Nucleus")
    assert group.measurements == ("Area (square micrometer)",)
    assert found.coordinates == "2D"
    points = coordinates(stream(data / ANNOTATED), SETTINGS, group.number)
    expected = told.get_annotation_groups()[0].get_graphic_data("2D")
    assert [p.tolist() for p in points] == [pytest.approx(e - 0.5) for e in expected]
    with pytest.raises(NotFound):
        coordinates(stream(data / ANNOTATED), SETTINGS, 9)


def drawn(graphic: str, points: list[list[float]], starts: list[int] | None = None, kind: str = "2D", **more: object):
    group = {"AnnotationGroupNumber": 1, "GraphicType": graphic, "NumberOfAnnotations": len(starts or points), **more}
    dataset = made("91.1", "ANN", AnnotationCoordinateType=kind, AnnotationGroupSequence=[group])
    item = dataset.AnnotationGroupSequence[0]
    item.DoublePointCoordinatesData = np.array(points, "<f8").tobytes()
    if starts is not None:
        item.LongPrimitivePointIndexList = np.array(starts, "<u4").tobytes()
    return stream(dataset)


def test_polygons_are_split_where_the_indices_say() -> None:
    points = [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    first, second = coordinates(drawn("POLYGON", points, [1, 7]), SETTINGS, 1)
    assert first.tolist() == [[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]]
    assert second.tolist() == [[6.5, 7.5], [8.5, 9.5]]
    flat = coordinates(drawn("POLYLINE", points, [1], "3D", CommonZCoordinateValue=2.0), SETTINGS, 1)
    assert flat[0][0].tolist() == [1, 2, 2]
    four = [[0, 0], [1, 0], [1, 1], [0, 1]]
    assert len(coordinates(drawn("RECTANGLE", four * 2), SETTINGS, 1)) == 2


@pytest.mark.parametrize("starts", [[0, 3], [5, 1], [1, 99], [2]])
def test_indices_that_do_not_fit_are_refused(starts: list[int]) -> None:
    with pytest.raises(Unreadable):
        coordinates(drawn("POLYGON", [[1, 2], [3, 4], [5, 6]], starts), SETTINGS, 1)


# -- registrations -----------------------------------------------------------------------------------------------------


def test_steps_of_a_registration_are_applied_in_their_order(ct) -> None:
    turn = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    shift = np.eye(4)
    shift[:3, 3] = 1, 2, 3
    found = read(registration_on(ct, [turn, shift]))
    moved, still = found.transforms
    assert np.array_equal(np.array(moved.matrix) @ [10, 0, 0, 1], [1, 12, 3, 1])
    assert moved.source == ct.datasets[0].FrameOfReferenceUID
    assert len(moved.images) == len(ct.datasets)
    assert (still.source, still.matrix) == (found.frame_of_reference, tuple(map(tuple, np.eye(4).tolist())))


def test_a_deformable_registration_tells_its_grid() -> None:
    matrix = {"FrameOfReferenceTransformationMatrixType": "RIGID",
              "FrameOfReferenceTransformationMatrix": np.eye(4).ravel().tolist()}  # fmt: skip
    grid = {"GridDimensions": [4, 5, 6], "GridResolution": [2.0, 2.0, 3.0], "ImagePositionPatient": [1, 2, 3]}
    one = {"SourceFrameOfReferenceUID": "1.9", "DeformableRegistrationGridSequence": [grid],
           "PreDeformationMatrixRegistrationSequence": [matrix]}  # fmt: skip
    (found,) = read(made("66.3", "REG", DeformableRegistrationSequence=[one])).transforms
    assert (found.grid.shape, found.grid.spacing, found.grid.origin) == ((4, 5, 6), (2, 2, 3), (1, 2, 3))
    assert (found.source, found.kinds) == ("1.9", ("RIGID",))


def test_a_matrix_that_is_none_is_not_guessed() -> None:
    step = {"FrameOfReferenceTransformationMatrix": [1, 0, 0]}
    one = {"FrameOfReferenceUID": "1.9", "MatrixRegistrationSequence": [{"MatrixSequence": [step]}]}
    (found,) = read(made("66.1", "REG", RegistrationSequence=[one])).transforms
    assert found.matrix is None


# -- all others --------------------------------------------------------------------------------------------------------


def test_anything_else_is_its_header_and_a_sentence(data: Path) -> None:
    raw = read(made("66", "OT"))
    assert isinstance(raw, HeaderOnly)
    assert raw.sentence.startswith("Measured data of a machine")
    image = read(data / "seg_sm_ann_highdicom/ct_image.dcm")
    assert isinstance(image, HeaderOnly)
    assert dict(summary(image))["Kind"] == "CT image"
