"""Structured reports: trees as pydicom walks them, and measurements as the files are known to have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from pacs_panel.errors import TooLarge
from pacs_panel.overlay.documents import summary
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, sr_on
from pacs_panel.testing.headers import code
from tests.overlay.documents.reading import made, read

REPORTS = (
    "sr_tid1500/sr.dcm",
    "seg_sm_ann_highdicom/sr_document.dcm",
    "seg_sm_ann_highdicom/sr_document_with_multiple_groups.dcm",
    "pydicom_test_files/test-SR.dcm",
    "pydicom_test_files/reportsi.dcm",
    "pydicom_test_files/reportsi_with_empty_number_tags.dcm",
)


def numbered(dataset: Dataset, position: tuple[int, ...] = (1,)) -> list[tuple]:
    """Content items by pydicom, in the tree's order."""
    name = dataset.get("ConceptNameCodeSequence")
    found = [(position, dataset.get("ValueType", ""), name[0].get("CodeMeaning", "") if name else "")]
    for number, child in enumerate(dataset.get("ContentSequence") or [], 1):
        found += numbered(child, (*position, number))
    return found


@pytest.mark.parametrize("name", REPORTS)
def test_the_tree_has_every_item(data: Path, name: str) -> None:
    expected = [item for item in numbered(dcmread(data / name)) if item[1]]
    nodes = [node for node in read(data / name).root.walk() if node.type != "BY REFERENCE"]
    assert [(node.position, node.type, str(node.name or "")) for node in nodes] == expected


def test_items_by_reference_point_at_items_that_exist(data: Path) -> None:
    root = read(data / "pydicom_test_files/test-SR.dcm").root
    positions = {node.position for node in root.walk()}
    targets = [node.target for node in root.walk() if node.type == "BY REFERENCE"]
    assert targets
    assert set(targets) <= positions


def test_tid_1500_measurements_of_a_lesion(data: Path) -> None:
    report = read(data / "sr_tid1500/sr.dcm")
    table = report.to_frame()
    assert report.template == "1500"
    assert set(table.tracking_id) == {"primary tumor"}
    assert set(table.finding) == {"Neoplasm, Primary"}
    assert set(table.site) == {"pharyngeal tonsil (adenoid)"}
    assert len(table) == 22
    by = table.set_index(["quantity", "derivation"])
    assert by.value["SUVbw", "Mean"] == 6.01529
    assert by.value["SUVbw", "Maximum"] == 10.3814
    assert by.value["Volume", ""] == 33.5824
    assert by.unit["Volume", ""] == "ml"
    assert by.method["Volume", ""] == "Sum of segmented voxel volumes"
    segmentation = dcmread(data / "sr_tid1500/seg.dcm", stop_before_pixels=True).SOPInstanceUID
    mapping = dcmread(data / "sr_tid1500/rwvm.dcm").SOPInstanceUID
    assert by.references["Volume", ""][0] == segmentation
    assert by.segments["Volume", ""] == [1]
    assert by.references["SUVbw", "Mean"] == [segmentation, mapping]


def test_rows_and_columns_of_an_image_library_are_no_measurements(data: Path) -> None:
    assert "Pixel Data Rows" not in set(read(data / "sr_tid1500/sr.dcm").to_frame().quantity)


def test_a_planar_measurement_refers_to_the_image_below_its_region(data: Path) -> None:
    report = read(data / "seg_sm_ann_highdicom/sr_document.dcm")
    (area,) = report.measurements()
    image = dcmread(data / "seg_sm_ann_highdicom/ct_image.dcm", stop_before_pixels=True)
    assert (str(area.quantity), area.value, area.text) == ("Area of defined region", 1.7, "1.7 cm²")
    (reference,) = area.references
    assert reference.sop_instance_uid == image.SOPInstanceUID
    assert reference.series_uid == image.SeriesInstanceUID
    assert reference.study_uid == image.StudyInstanceUID


def test_points_count_from_the_middle_of_the_first_pixel(data: Path) -> None:
    path = data / "seg_sm_ann_highdicom/sr_document.dcm"
    (circle,) = (node for node in read(path).root.walk() if node.type == "SCOORD")
    told = next(e for e in dcmread(path).iterall() if e.keyword == "GraphicData").value
    assert circle.graphic == "CIRCLE"
    assert circle.points == ((told[0] - 0.5, told[1] - 0.5), (told[2] - 0.5, told[3] - 0.5))


def test_evaluations_of_groups_are_rows_without_a_number(data: Path) -> None:
    table = read(data / "seg_sm_ann_highdicom/sr_document_with_multiple_groups.dcm").to_frame()
    numbers = table[table.value.notna()].set_index("quantity")
    assert numbers.value[["Diameter", "Volume"]].tolist() == [10.0, 20.0, 200.0]
    assert numbers.finding["Volume"] == "Vertebra"
    judged = table[table.value.isna()].set_index("quantity").text
    assert judged["Level of Significance"] == "Not significant"


def test_the_phantoms_report_tells_its_sphere() -> None:
    ct = ct_phantom(rows=24, columns=24, slices=6)
    sphere = ct.truth.spheres[0]
    table = read(sr_on(ct)).to_frame().set_index("quantity")
    assert table.value["Diameter"] == 2 * sphere.radius_mm
    assert table.value["Volume"] == sphere.volume_ml
    assert table.unit.to_dict() == {"Diameter": "mm", "Volume": "ml"}
    assert table.references["Volume"][0] in {d.SOPInstanceUID for d in ct.datasets}


def test_names_are_in_the_files_own_characters(data: Path) -> None:
    assert read(data / "pydicom_test_files/test-SR.dcm").observers[0] == "Jörg Riesmeier"


@pytest.mark.parametrize(
    ("charset", "name", "text"),
    [
        ("ISO_IR 192", "Ωμέγα^Ζωή", "Größe 3 µm, 大きさ"),
        ("ISO_IR 126", "Διονυσιος^Α", "Ελληνικά"),
        ("ISO_IR 144", "Люкceмбypг", "Опухоль"),
        ("GB18030", "王^小东", "肿瘤"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", "腫瘍"),
    ],
)
def test_text_of_items_is_in_their_character_set(charset: object, name: str, text: str) -> None:
    items = [
        {"RelationshipType": "CONTAINS", "ValueType": "TEXT", "TextValue": text,
         "ConceptNameCodeSequence": [code("121071", "DCM", text)]},
        {"RelationshipType": "CONTAINS", "ValueType": "PNAME", "PersonName": name,
         "ConceptNameCodeSequence": [code("121008", "DCM", "Person Observer Name")]},
    ]  # fmt: skip
    report = read(made("88.22", "SR", SpecificCharacterSet=charset, ValueType="CONTAINER", ContentSequence=items))
    said, person = report.root.children
    assert (said.value, str(said.name)) == (text, text)
    assert person.value == " ".join(reversed(name.split("=")[0].split("^")))


def test_every_value_type_in_words() -> None:
    def item(kind: str, **values: object) -> dict:
        return {"RelationshipType": "CONTAINS", "ValueType": kind, **values}

    image = {"ReferencedSOPClassUID": "1.2", "ReferencedSOPInstanceUID": "1.2.9", "ReferencedFrameNumber": [2, 3]}
    unit = {"NumericValue": "12.5", "MeasurementUnitsCodeSequence": [code("mm", "UCUM", "millimeter")]}
    items = [
        item("DATE", Date="20250131"),
        item("TIME", Time="0930"),
        item("DATETIME", DateTime="20250131093000"),
        item("UIDREF", UID="1.2.3"),
        item("CODE", ConceptCodeSequence=[code("1", "99X", "yes")]),
        item("NUM", MeasuredValueSequence=[unit]),
        item("NUM", MeasuredValueSequence=[], NumericValueQualifierCodeSequence=[code("1", "DCM", "Not a number")]),
        item("IMAGE", ReferencedSOPSequence=[image]),
        item("SCOORD3D", GraphicType="POINT", GraphicData=[1.0, 2.0, 3.0], ReferencedFrameOfReferenceUID="1.9"),
        item("TCOORD", TemporalRangeType="SEGMENT", ReferencedTimeOffsets=["0.5", "1.5"]),
    ]
    root = read(made("88.34", "SR", ValueType="CONTAINER", ContentSequence=items)).root
    assert [node.value for node in root.children] == [
        "20250131", "0930", "20250131093000", "1.2.3", "yes", "12.5 mm", "Not a number",
        "object 1.2.9 (frames 2, 3)", "point of 1 point", "segment: 0.5, 1.5 s",
    ]  # fmt: skip
    assert root.children[8].points == ((1.0, 2.0, 3.0),)
    assert root.children[8].frame_of_reference == "1.9"


def test_radiation_dose_is_rows_too() -> None:
    dose = {
        "RelationshipType": "CONTAINS", "ValueType": "NUM",
        "ConceptNameCodeSequence": [code("113830", "DCM", "Mean CTDIvol")],
        "MeasuredValueSequence": [
            {"NumericValue": "7.5", "MeasurementUnitsCodeSequence": [code("mGy", "UCUM", "mGy")]}
        ],
    }  # fmt: skip
    acquisition = {
        "RelationshipType": "CONTAINS", "ValueType": "CONTAINER",
        "ConceptNameCodeSequence": [code("113819", "DCM", "CT Acquisition")], "ContentSequence": [dose],
    }  # fmt: skip
    report = read(made("88.67", "SR", ValueType="CONTAINER", ContentSequence=[acquisition]))
    (row,) = report.measurements()
    assert (row.group, str(row.quantity), row.value, row.unit) == ("CT Acquisition", "Mean CTDIvol", 7.5, "mGy")
    assert report.head.kind == "radiation dose report"


def test_a_tree_deeper_than_the_settings_allow_is_refused() -> None:
    item: dict = {"ValueType": "CONTAINER"}
    for _ in range(20):
        item = {"ValueType": "CONTAINER", "ContentSequence": [item]}
    deep = made("88.22", "SR", **item)
    assert len(list(read(deep).root.walk())) == 21
    with pytest.raises(TooLarge):
        read(deep, Settings(max_depth=10))


def test_more_items_than_can_be_held_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs_panel.overlay.documents.report.MAX_NODES", 5)
    with pytest.raises(TooLarge):
        read(made("88.22", "SR", ValueType="CONTAINER", ContentSequence=[{"ValueType": "TEXT"}] * 6))


def test_the_summary_names_measurements_with_their_units(data: Path) -> None:
    facts = dict(summary(read(data / "sr_tid1500/sr.dcm")))
    assert facts["Title"] == "Imaging Measurement Report"
    assert facts["Based on"] == "193 objects of 3 series"
    assert facts["Volume (pharyngeal tonsil (adenoid))"] == "33.5824 ml"
