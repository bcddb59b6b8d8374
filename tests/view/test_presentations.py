"""Images as presentation states want them: from the object to what a page paints and draws."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from pacs_panel.model import Passport, Stack
from pacs_panel.overlay.documents.presentation import presentation
from pacs_panel.testing import ct_phantom
from pacs_panel.testing.documents import presentation_on
from pacs_panel.view.presentation import told, view
from tests.view import scene
from tests.view.reading import grays, linear, over, painted

FACTS = {"dtype": "int16", "slope": 1.0, "intercept": -1024.0}
ROWS, COLUMNS, SLICES = 16, 20, 4
AFFINE = ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 3.0, 0), (0, 0, 0, 1.0))
PICKER = "select[aria-label='Presentation state']"


@pytest.fixture(scope="module")
def ct() -> Any:
    return ct_phantom(rows=ROWS, columns=COLUMNS, slices=SLICES)


def stack_of(ct: Any, *, reverse: bool = False) -> Stack:
    uids = [str(d.SOPInstanceUID) for d in ct.datasets]
    passport = Passport("regular", "", (SLICES, ROWS, COLUMNS), affine=AFFINE, spacing=(3.0, 1.0, 2.0))
    return Stack(passport, tuple(reversed(uids) if reverse else uids))


def state_of(ct: Any, *, change: Any = None, **options: Any) -> Any:
    (dataset,) = presentation_on(ct, **options).datasets
    if change is not None:
        change(dataset)
    return presentation(dataset)


def facts_of(ct: Any) -> dict[str, Any]:
    first = ct.datasets[0]
    return FACTS | {"slope": float(first.RescaleSlope), "intercept": float(first.RescaleIntercept)}


def test_a_state_is_told_for_the_planes_of_a_stack(ct) -> None:
    found = told(state_of(ct), stack_of(ct, reverse=True), facts_of(ct))
    assert (found["label"], found["planes"], found["possible"], found["left"]) == ("LUNG", [0, 1, 2, 3], True, [])
    (window,) = found["windows"]
    assert (window["planes"], window["center"], window["width"]) == ([0, 1, 2, 3], -600, 1500)
    assert found["inverse"] is False
    triangle, line = found["figures"]
    assert triangle["planes"] == line["planes"] == [3]  # the first image is the last plane of this stack
    assert triangle["points"] == [[2.5, 3.5], [5.5, 3.5], [2.5, 6.5], [2.5, 3.5]]
    assert line["points"] == [[0, 0], [10, 8]]
    (text,) = found["texts"]
    assert (text["text"], text["anchor"], text["box"], text["pointing"]) == ("here", [2.5, 3.5], None, True)


def test_a_window_of_other_values_is_left_out_and_told(ct) -> None:
    found = told(state_of(ct), stack_of(ct), facts_of(ct) | {"intercept": 0.0})
    assert found["windows"] == []
    assert found["left"] == ["its window, which is of other values than these"]
    assert told(state_of(ct), stack_of(ct), facts_of(ct) | {"dtype": "float32"})["windows"] == []


def test_tiny_slopes_are_told_apart(ct) -> None:
    def change(dataset: Any) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "5e-9", "0", "US"

    facts = facts_of(ct) | {"slope": 1e-9, "intercept": 0.0}
    assert told(state_of(ct, change=change), stack_of(ct), facts)["windows"] == []
    assert told(state_of(ct, change=change), stack_of(ct), facts | {"slope": 5e-9})["windows"]


def test_a_table_begins_at_a_signed_value_where_the_images_have_them(ct) -> None:
    def change(dataset: Any) -> None:
        (window,) = dataset.SoftcopyVOILUTSequence
        table = Dataset()
        table.add_new("LUTDescriptor", "US", [3, 65036, 8])
        table.add_new("LUTData", "OW", bytes([0, 0, 128, 0, 255, 0]))
        window.VOILUTSequence = [table]
        for keyword in ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "RescaleType"):
            dataset.pop(keyword, None)
            window.pop(keyword, None)

    def first(dtype: str) -> int:
        facts = facts_of(ct) | {"slope": 1.0, "intercept": 0.0, "dtype": dtype}
        (window,) = told(state_of(ct, change=change), stack_of(ct), facts)["windows"]
        return int(window["first"])

    assert (first("int16"), first("uint16")) == (-500, 65036)


def test_places_in_frames_are_none_in_their_tiles(ct) -> None:
    found = told(state_of(ct), stack_of(ct), facts_of(ct), tiled=True)
    assert (found["figures"], found["texts"], found["shutter"]) == ([], [], None)
    assert found["left"] == ["its figures and shutter, whose places are those of other frames"]
    assert found["windows"]


def test_a_softcopy_window_is_of_the_images_that_it_names(ct) -> None:
    def change(dataset: Any) -> None:
        (window,) = dataset.SoftcopyVOILUTSequence
        window.ReferencedImageSequence = dataset.ReferencedSeriesSequence[0].ReferencedImageSequence[1:2]

    (window,) = told(state_of(ct, change=change), stack_of(ct), facts_of(ct))["windows"]
    assert window["planes"] == [1]


def test_shutters_and_layers_and_what_is_not_applied(ct) -> None:
    def change(dataset: Any) -> None:
        dataset.ShutterShape = ["RECTANGULAR", "CIRCULAR", "POLYGONAL"]
        dataset.ShutterLeftVerticalEdge, dataset.ShutterRightVerticalEdge = 3, 10
        dataset.ShutterUpperHorizontalEdge, dataset.ShutterLowerHorizontalEdge = 2, 8
        dataset.CenterOfCircularShutter, dataset.RadiusOfCircularShutter = [5, 7], 4
        dataset.VerticesOfThePolygonalShutter = [1, 1, 1, 9, 9, 9]
        dataset.ShutterPresentationValue = 0x8000
        dataset.GraphicLayerSequence[0].GraphicLayerRecommendedDisplayCIELabValue = [0xFFFF, 0x8080, 0x8080]
        dataset.DisplayedAreaSelectionSequence[0].DisplayedAreaBottomRightHandCorner = [4, 4]
        dataset.MaskSubtractionSequence = []
        dataset.PresentationLUTShape = "INVERSE"

    found = told(state_of(ct, change=change), stack_of(ct), facts_of(ct))
    assert found["shutter"] == {
        "rectangle": [2, 1, 10, 8],  # columns 3 to 10 and rows 2 to 8, counted from 1, are left open
        "circle": [6.5, 4.5, 4],
        "polygon": [[0.5, 0.5], [8.5, 0.5], [8.5, 8.5]],
        "grey": 128,
    }
    assert found["figures"][0]["colour"] == (255, 255, 255)
    assert found["left"] == ["subtraction", "its displayed area: the whole image is shown"]
    assert found["inverse"] is True


def test_of_blending_states_nothing_is_applied(ct) -> None:
    def change(dataset: Any) -> None:
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.11.4"

    found = told(state_of(ct, change=change), stack_of(ct), facts_of(ct))
    assert (found["possible"], found["left"][0]) == (False, "presentation state")


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_images_are_turned_clockwise_and_then_mirrored(ct, rotation: int, flipped: bool) -> None:
    image = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    wanted = np.rot90(image, -rotation // 90)
    wanted = wanted[:, ::-1] if flipped else wanted
    found = view(rotation, flipped, stack_of(ct))
    drawn = image.T if found["transpose"] else image
    drawn = drawn[:: -1 if found["flip_rows"] else 1, :: -1 if found["flip_columns"] else 1]
    np.testing.assert_array_equal(drawn, wanted)
    turned = rotation in (90, 270)
    assert found["spacing"] == ([2.0, 1.0] if turned else [1.0, 2.0])
    letters = np.array([["", "A", ""], ["R", "", "L"], ["", "P", ""]])
    letters = np.rot90(letters, -rotation // 90)
    letters = letters[:, ::-1] if flipped else letters
    edges = {"top": letters[0, 1], "left": letters[1, 0], "right": letters[1, 2], "bottom": letters[2, 1]}
    assert found["labels"] == edges


# -- in a page ---------------------------------------------------------------------------------------------------------

TABLE = np.linspace(255, 0, 600).astype(np.uint8)
STATE: dict[str, Any] = {
    "sop_instance_uid": "1.2.9",
    "label": "LUNG",
    "planes": list(range(10, 14)),
    "possible": True,
    "left": ["subtraction"],
    "windows": [
        {"planes": [10, 11], "name": "lung", "center": -500.0, "width": 1200.0, "function": "LINEAR_EXACT"},
        {"planes": [12], "name": "curve", "first": -100, "greys": b64encode(TABLE.tobytes()).decode()},
    ],
    "inverse": True,
    "figures": [
        {"planes": [12], "shape": "CIRCLE", "points": [[20, 20], [30, 20]], "filled": False, "colour": [0, 255, 0]},
        {"planes": [12], "shape": "POLYLINE", "points": [[4, 4], [12, 4], [12, 12]], "filled": False, "colour": None},
        {
            "planes": [12],
            "shape": "INTERPOLATED",
            "points": [[40, 4], [50, 9], [60, 4]],
            "filled": False,
            "colour": None,
        },
        {"planes": [12], "shape": "POINT", "points": [[70.5, 50.5]], "filled": False, "colour": None},
        {
            "planes": [11],
            "shape": "ELLIPSE",
            "points": [[10, 20], [30, 20], [20, 15], [20, 25]],
            "filled": True,
            "colour": None,
        },
    ],
    "texts": [
        {"planes": [12], "text": "here\nand <b>there</b>", "anchor": [20.5, 40.5], "box": None, "pointing": True},
        {"planes": [12], "text": "boxed", "anchor": None, "box": [[40, 50], [60, 60]], "pointing": False},
    ],
    "shutter": {"rectangle": [2, 1, 75, 60], "circle": None, "polygon": [], "grey": 64},
    "view": {
        "transpose": False,
        "flip_rows": True,
        "flip_columns": True,
        "spacing": [0.8, 0.8],
        "labels": {"left": "L", "right": "R", "top": "P", "bottom": "A"},
    },
}
STATE["texts"] = [text | {"colour": None} for text in STATE["texts"]]
BLENDED = STATE | {"sop_instance_uid": "1.2.10", "label": "FUSED", "possible": False, "left": ["blending"]}


def choose(page: Any, label: str) -> None:
    page.wait_for_selector('.viewer[data-presentations="ready"]')
    page.locator(PICKER).select_option(label=label)


@pytest.fixture
def shown(show: Any, transport: str) -> Any:
    return show(scene.ct(), transport=transport, presentations=scene.States(STATE, BLENDED))


@pytest.mark.browser
def test_a_chosen_state_is_applied_and_can_be_left(page, shown) -> None:
    values = scene.ct_values().astype(float) - 1024
    painted(page, "axial", 12)
    plain = grays(page, "axial")[..., 0]
    choose(page, "As in presentation state: LUNG")
    page.wait_for_selector('.marks[data-marks="1.2.9|12"]')
    index = np.clip(np.rint(values[12]) + 100, 0, 599).astype(int)
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], 255 - TABLE[index])
    texts = page.locator('[data-plane="axial"] .marks text')
    assert texts.all_text_contents() == ["hereand <b>there</b>", "boxed"]
    assert page.locator(".marks text b").count() == 0  # text is text
    words = page.locator(".presentation").inner_text()
    assert words.startswith("Shown as in presentation state LUNG")
    assert "not applied: subtraction" in words
    assert page.locator('.pane[data-plane="axial"] .edge.left').inner_text() == "L"
    x0, y0 = over(page, "axial", 0, 0)
    x1, y1 = over(page, "axial", 10, 10)
    assert x1 < x0  # mirrored
    assert y1 < y0
    choose(page, "As stored")
    page.wait_for_selector('.marks[data-marks=""]', state="attached")
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], plain)
    assert page.locator('.pane[data-plane="axial"] .edge.left').inner_text() == "R"
    assert page.locator(".presentation").is_hidden()


@pytest.mark.browser
def test_figures_lie_where_they_are_told(page, shown) -> None:
    painted(page, "axial", 12)
    choose(page, "As in presentation state: LUNG")
    page.wait_for_selector('.marks[data-marks="1.2.9|12"]')
    x, y = over(page, "axial", 19.5, 19.5)  # column 20, row 20 in voxel edges
    far, _ = over(page, "axial", 29.5, 19.5)
    box = page.locator('[data-plane="axial"] [data-shape="CIRCLE"]').bounding_box()
    # Of a line without width; the browser may count half a pixel of it.
    assert (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) == pytest.approx((x, y), abs=1.5)
    assert box["width"] == pytest.approx(2 * abs(far - x), abs=3)
    d = page.locator('[data-plane="axial"] [data-shape="INTERPOLATED"]').get_attribute("d")
    assert (d[:6], d.count("C"), d[-4:]) == ("M40 4C", 2, "60 4")


@pytest.mark.browser
def test_a_shutter_covers_what_is_outside_and_nothing_beside_the_image(page, show) -> None:
    circle = {"rectangle": None, "circle": [40, 32, 36], "polygon": [], "grey": 64}  # higher than the image
    show(scene.ct(), transport="message", presentations=scene.States(STATE | {"shutter": circle}))
    choose(page, "As in presentation state: LUNG")
    page.wait_for_selector('.marks[data-marks="1.2.9|12"]')

    def covered(column: float, row: float) -> bool:
        x, y = over(page, "axial", column, row)
        read = """(path, [x, y]) => {
            const at = new DOMPoint(x, y).matrixTransform(path.getScreenCTM().inverse());
            const { width, height } = path.ownerSVGElement;
            const inside = at.x >= 0 && at.y >= 0 && at.x <= width.baseVal.value && at.y <= height.baseVal.value;
            return inside && path.isPointInFill(at);
        }"""
        return bool(page.locator(".shutter path").evaluate(read, [x, y]))

    assert covered(1, 32)
    assert covered(79, 1)
    assert not covered(40, 32)
    assert not covered(40, 0)
    assert not covered(6, 32)


@pytest.mark.browser
def test_each_image_has_its_own_window_until_hands_set_another(page, shown) -> None:
    values = scene.ct_values().astype(float) - 1024
    painted(page, "axial", 12)
    choose(page, "As in presentation state: LUNG")
    page.wait_for_selector('.marks[data-marks="1.2.9|12"]')
    page.locator(".viewer").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_selector('.marks[data-marks="1.2.9|11"]')
    exact = np.floor(np.clip((values[11] + 500) / 1200 + 0.5, 0, 1) * 255 + 0.5).astype(int)
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], 255 - exact)
    assert page.locator("select[aria-label='Window preset']").input_value() == "state"
    page.keyboard.press("2")
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], 255 - linear(values[11], -600, 1500))
    page.keyboard.press("PageUp")  # to an image of which nothing is said
    page.wait_for_selector('.marks[data-marks="1.2.9|1"]')
    painted(page, "axial", 1)
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], linear(values[1], 40, 400))
    assert "does not speak of this image" in page.locator(".presentation").inner_text()
    assert page.locator('[data-plane="axial"] .marks [data-shape]').count() == 0


@pytest.mark.browser
def test_what_cannot_be_applied_is_named_and_not_offered(page, shown) -> None:
    page.wait_for_selector('.viewer[data-presentations="ready"]')
    option = page.locator(f"{PICKER} option", has_text="FUSED")
    assert option.inner_text() == "FUSED: cannot be applied (blending)"
    assert option.is_disabled()


@pytest.mark.browser
def test_without_a_state_there_is_no_picker(page, show) -> None:
    show(scene.ct(), transport="message", presentations=scene.States())
    page.wait_for_selector('.viewer[data-presentations="none"]')
    assert page.locator(PICKER).is_hidden()
