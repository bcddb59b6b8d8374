"""Documents as blocks, partners as links, and their page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import NotFound
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, seg_on, sr_on, write
from pacs_panel.testing import documents as made
from pacs_panel.view.browse.series import SeriesPage
from pacs_panel.view.document import overlays
from pacs_panel.view.document.blocks import MOST_NODES, MOST_ROWS, table, tree
from pacs_panel.view.document.partners import partners
from pacs_panel.view.document.samples import span

HOSTILE = "<img src=x onerror=alert(1)>"
TURN = np.array([[0.0, -1.0, 0.0, 5.0], [1.0, 0.0, 0.0, -6.5], [0.0, 0.0, 1.0, 7.0], [0.0, 0.0, 0.0, 1.0]])


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    base = tmp_path_factory.mktemp("documents")
    ct = ct_phantom(slices=3, rows=16, columns=20)
    everything = {
        "ct": ct, "sr": sr_on(ct), "pr": made.presentation_on(ct), "ko": made.key_objects_on(ct),
        "pdf": made.pdf_on(ct), "stl": made.stl_on(ct), "maps": made.value_maps_on(ct),
        "reg": made.registration_on(ct, [TURN]), "seg": seg_on(ct, spheres=1),
    }  # fmt: skip
    for name, series in everything.items():
        write(series, base / "in" / name)
    with open_archive(base / "archive", settings=Settings(workers=0)) as opened:
        opened.ingest(base / "in")
        yield opened


def opened(archive: Archive, modality: str) -> SeriesPage:
    return SeriesPage(archive, archive.search(Modality=modality).page().rows[0]["key"])


def blocks(page: SeriesPage, form: str) -> list[dict[str, Any]]:
    return [block for block in page.main[0].shown["blocks"] if block["form"] == form]


def cells(page: SeriesPage, title: str) -> list[dict[str, str]]:
    found = next(block for block in blocks(page, "table") if block["title"] == title)
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def test_a_report_is_a_tree_and_a_table(archive):
    page = opened(archive, "SR")
    (content,) = blocks(page, "tree")
    assert content["root"]["children"]
    report = archive.document(page.series)
    values = [row["Value"] for row in cells(page, "Measurements")]
    assert values == [measurement.text for measurement in report.measurements()]
    assert dict(page.details.shown["document"])["Title"] == report.title
    assert page.details.shown["stacks_are"] == "object"


def test_a_presentation_state_tells_its_window_and_leads_to_its_images(archive):
    page = opened(archive, "PR")
    assert cells(page, "Windows") == [
        {"Name": "lung", "Centre": "−600", "Width": "1500", "Function": "LINEAR", "Images": "all"}
    ]
    assert cells(page, "Texts") == [{"Text": "here", "Layer": "NOTES"}]
    (refers,) = blocks(page, "links")
    ct = archive.search(Modality="CT").page().rows[0]["key"]
    assert [link["href"] for link in refers["links"]] == [f"view?series={ct}&stack=0"]


def test_marked_objects_are_named_with_the_reason(archive):
    page = opened(archive, "KO")
    ct = archive.search(Modality="CT").page().rows[0]
    marked = {row["Object UID"] for row in cells(page, "Marked objects")}
    assert marked == {one.sop_instance_uid for one in archive.objects(ct["key"])[:2]}
    assert [block["text"] for block in blocks(page, "words")] == ["The largest sphere"]


def test_a_pdf_stands_in_the_page_and_can_be_taken_away(archive):
    page = opened(archive, "DOC")
    uid = archive.objects(page.series)[0].sop_instance_uid
    assert blocks(page, "pdf")[0]["href"] == f"documents/{uid}/content"
    assert blocks(page, "download")[0]["href"] == f"documents/{uid}/content?download=1"


def test_a_surface_tells_its_bounds(archive):
    page = opened(archive, "M3D")
    assert dict(page.details.shown["document"])["Triangles"] == "4"
    assert {row["Axis"]: row["Extent"] for row in cells(page, "Bounds in mm")} == {"x": "30", "y": "20", "z": "10"}
    assert not blocks(page, "pdf")


def test_real_world_values_and_registrations_are_tables(archive):
    maps = cells(opened(archive, "RWV"), "Real world values")
    assert [row["Label"] for row in maps] == ["HU", "TABLE"]
    assert (maps[0]["Value"], maps[1]["Value"]) == ("stored × 1 − 1024", "")
    assert (maps[1]["Of stored"], maps[1]["Table"]) == ("1 to 3", "10, 20, 40")
    matrix = cells(opened(archive, "REG"), "Matrix")
    assert [row["shift"] for row in matrix] == ["5", "−6.5", "7", "1"]


def test_a_segmentation_leads_to_its_images_and_lists_its_segments(archive):
    page = opened(archive, "SEG")
    assert [block["title"] for block in blocks(page, "links")] == ["Lies on"]  # what is here is not named twice
    page.read_header()
    assert [row["Segment"] for row in cells(page, "Segments")] == ["Sphere 1"]


def test_images_name_who_refers_to_them(archive):
    shown = opened(archive, "CT").details.shown["partners"]
    assert shown["to"] == []
    assert {link["words"].split(" · ")[0] for link in shown["by"]} == {"SR", "PR", "KO", "DOC", "RWV", "REG", "SEG"}


def test_an_object_that_cannot_be_read_says_so(archive, monkeypatch):
    def document(_uid: str) -> Any:
        raise NotFound("its bytes are gone")

    monkeypatch.setattr(archive, "document", document)
    assert opened(archive, "SR").main[0].shown["words"] == "its bytes are gone"


def test_a_waveform_has_a_plot_for_each_group(data: Path, tmp_path: Path):
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as archive:
        archive.ingest(data / "pydicom_test_files" / "waveform_ecg.dcm")
        page = opened(archive, "ECG")
        plots = blocks(page, "waves")
        groups = archive.document(page.series).groups
        assert [(len(p["channels"]), p["samples"], p["frequency"]) for p in plots] == [
            (12, 10000, 1000),
            (12, 1200, 1000),
        ]
        assert [p["channels"][0]["label"] for p in plots] == [group.channels[0].label for group in groups]
        assert plots[0]["channels"][0]["unit"] == "µV"
        assert plots[1]["href"].endswith("/waveform/1")


# -- partners ----------------------------------------------------------------------------------------------------------


def named(target: str, key: str = "", series: str = "", level: str = "instance", sop_class: str = "") -> Any:
    mention = SimpleNamespace(target=target, level=level, series_uid=series, sop_class_uid=sop_class)
    return SimpleNamespace(source="s", source_key="own", target_key=key, mention=mention)


def test_what_is_missing_is_named_by_series():
    ct = "1.2.840.10008.5.1.4.1.1.2"
    found = [named("1.1", series="1", sop_class=ct), named("1.2", series="1", sop_class=ct), named("own", "own")]
    told = SimpleNamespace(refers_to=found, referred_by=[])
    to, by = partners(SimpleNamespace(references=lambda _key: told), "own")
    assert to == [{"words": "CT image, not here", "more": "2 objects · series 1", "href": ""}]
    assert by == []


def test_what_is_missing_is_named_once_though_one_mention_tells_its_series_and_another_does_not():
    found = [named("1.1"), named("1.2"), named("1.1", series="1"), named("1.3")]
    told = SimpleNamespace(refers_to=found, referred_by=[])
    to, _ = partners(SimpleNamespace(references=lambda _key: told), "own")
    assert [link["more"] for link in to] == ["2 objects · 1.2", "1 object · series 1"]


# -- blocks and samples ------------------------------------------------------------------------------------------------


def test_tables_leave_out_empty_columns_and_say_how_much_is_left():
    (block,) = table("T", ("a", "b", "c"), [(number, "", None) for number in range(MOST_ROWS + 2)])
    assert (block["columns"], len(block["rows"]), block["more"]) == (["a"], MOST_ROWS, 2)
    assert table("T", ("a",), []) == []


def test_a_tree_of_very_many_items_ends():
    def node(children: list[Any]) -> Any:
        one = SimpleNamespace(name=None, type="TEXT", relationship="CONTAINS", value=HOSTILE, children=children)
        one.walk = lambda: iter([one, *children])
        return one

    shown = tree("Content", node([node([]) for _ in range(MOST_NODES + 9)]))
    assert len(shown["root"]["children"]) == MOST_NODES - 1
    assert shown["more"] == 10
    assert shown["root"]["value"] == HOSTILE


def test_a_long_waveform_keeps_its_peaks():
    values = np.zeros((2, 100_000))
    values[0, 61_234], values[1, 17] = 9.0, -4.0
    values[1, 50_000:] = np.nan
    sent = span(values, 0, 100_000, 800)
    assert sent.shape == (2, 1600)
    assert (sent[0].max(), np.nanmin(sent[1])) == (9.0, -4.0)
    assert np.isnan(sent[1, 800:]).all()
    near = span(values, 61_230, 61_240, 800)
    np.testing.assert_array_equal(near[0], values[0, 61_230:61_240])
    assert span(values, 9, 3, 800).shape == (2, 0)


def test_a_dose_lies_on_images_and_not_on_its_plan():
    plan, images = {"words": "RTPLAN", "href": "view"}, {"words": "CT", "href": "view", "verdict": "regular"}
    lies, what = overlays.shown_on("RT dose", [plan, images])
    assert lies["links"] == [images]
    assert what["text"].startswith("A grid of doses")


def test_regions_and_doses_are_told_from_the_header():
    header = {
        "30060020": {"vr": "SQ", "Value": [{"30060022": {"Value": [4]}, "30060026": {"Value": [HOSTILE]}}]},
        "30060080": {"vr": "SQ", "Value": [{"30060084": {"Value": [4]}, "300600A4": {"Value": ["ORGAN"]}}]},
        "30040002": {"vr": "CS", "Value": ["GY"]},
        "3004000E": {"vr": "DS", "Value": [0.001]},
    }
    regions, dose = overlays.listed(header)
    assert regions["rows"] == [["4", HOSTILE, "organ"]]
    assert dose["rows"] == [["Unit", "Gy"]]


@pytest.mark.parametrize("scaling", [{}, {"Value": [0]}, {"Value": ["?"]}])
def test_a_dose_without_its_scaling_says_why_it_is_not_shown(scaling: dict[str, Any]):
    header = {"30040002": {"vr": "CS", "Value": ["GY"]}, "3004000E": {"vr": "DS", **scaling}}
    _, why = overlays.listed(header)
    assert (why["title"], "Dose Grid Scaling" in why["text"]) == ("Why it is not shown", True)
