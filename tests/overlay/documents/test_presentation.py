"""Presentation states, against states that are made to be known, and turned images against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from pacs_panel.overlay.documents import summary
from pacs_panel.testing import ct_phantom
from pacs_panel.testing.documents import presentation_on
from tests.overlay.documents.reading import made, read

ROWS, COLUMNS = 16, 20


@pytest.fixture(scope="module")
def ct():
    return ct_phantom(rows=ROWS, columns=COLUMNS, slices=4)


def test_what_it_shows_and_how(ct) -> None:
    state = read(presentation_on(ct))
    assert [r.sop_instance_uid for r in state.images] == [d.SOPInstanceUID for d in ct.datasets]
    assert {r.series_uid for r in state.images} == {ct.series_uid}
    (window,) = state.windows
    assert (window.centre, window.width, window.explanation, window.function) == (-600, 1500, "lung", "LINEAR")
    assert (state.label, state.shape, state.layers) == ("LUNG", "IDENTITY", ("NOTES",))
    assert (state.rotation, state.flipped) == (0, False)
    (area,) = state.areas
    assert (area.top_left, area.bottom_right) == ((0, 0), (COLUMNS - 1, ROWS - 1))


def test_figures_are_in_pixels_that_count_from_the_middle_of_the_first(ct) -> None:
    state = read(presentation_on(ct))
    triangle, line = state.graphics
    assert triangle.points == ((2, 3), (5, 3), (2, 6), (2, 3))
    assert (triangle.filled, triangle.layer, triangle.shape) == (True, "NOTES", "POLYLINE")
    assert [r.sop_instance_uid for r in triangle.images] == [ct.datasets[0].SOPInstanceUID]
    image = ct.datasets[0].SOPInstanceUID
    assert state.on_image(triangle.points, triangle.units, image) == triangle.points
    assert state.on_image(line.points, line.units, image) == ((-0.5, -0.5), (9.5, 7.5))
    (label,) = state.labels
    assert (label.text, label.anchor, label.box) == ("here", (2, 3), None)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_point_of_the_display_is_the_pixel_that_is_shown_there(ct, rotation: int, flipped: bool) -> None:
    state = read(presentation_on(ct, rotation=rotation, flipped=flipped))
    assert (state.rotation, state.flipped) == (rotation, flipped)
    row, column = np.indices((ROWS, COLUMNS))
    shown = np.rot90(np.stack([column, row], -1), -rotation // 90)  # clockwise
    shown = shown[:, ::-1] if flipped else shown
    height, width = shown.shape[:2]
    for y, x in ((0, 0), (3, 5), (height - 1, width - 2)):
        place = ((x + 0.5) / width, (y + 0.5) / height)
        (found,) = state.on_image((place,), "DISPLAY", ct.datasets[0].SOPInstanceUID)
        assert found == pytest.approx(shown[y, x])


def test_a_point_of_an_area_that_is_not_told_has_no_place() -> None:
    state = read(made("11.1", "PR"))
    assert state.on_image(((0.5, 0.5),), "DISPLAY", "1.2") is None


def test_colour_pseudo_colour_and_blending_states() -> None:
    image = {"ReferencedSOPClassUID": "1.2", "ReferencedSOPInstanceUID": "1.2.9"}
    series = [{"SeriesInstanceUID": "1.2.8", "ReferencedImageSequence": [image]}]
    blending = [
        {"BlendingPosition": "UNDERLYING", "ReferencedSeriesSequence": series},
        {"BlendingPosition": "SUPERIMPOSED", "ReferencedSeriesSequence": series},
    ]
    state = read(made("11.4", "PR", BlendingSequence=blending, PaletteColorLookupTableUID="1.2.840.10008.1.5.1"))
    assert state.blending == ("underlying: 1 images", "superimposed: 1 images")
    assert state.palette == "1.2.840.10008.1.5.1"
    assert [r.series_uid for r in state.images] == ["1.2.8", "1.2.8"]
    assert read(made("11.2", "PR")).head.kind == "presentation state"


def test_tables_instead_of_windows_are_told() -> None:
    tables = [{"VOILUTSequence": [{"LUTExplanation": "bone"}]}]
    (window,) = read(made("11.1", "PR", SoftcopyVOILUTSequence=tables)).windows
    assert (window.table, window.explanation, window.centre) == (True, "bone", None)


def test_the_summary(ct) -> None:
    facts = dict(summary(read(presentation_on(ct, rotation=90, flipped=True))))
    assert facts["Window (centre / width)"] == "-600 / 1500 lung"
    assert facts["Turned"] == "turned by 90°, mirrored"
    assert facts["Shows"] == "4 objects of 1 series"
    assert facts["Drawn"] == "2 figures, 1 text"
    assert facts["Text 1"] == "here"
