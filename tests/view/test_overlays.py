"""What lies over the images, in a real browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pacs_panel.model import Contour, Overlay
from pacs_panel.view.image.viewer import ImageViewer
from pacs_panel.view.overlay.source import ArrayOverlays
from tests.view import scene
from tests.view.conftest import Show
from tests.view.reading import drawn, grays, over, overlay_pixels, painted, readout

pytestmark = pytest.mark.browser

FIRST = (248, 41, 5)  # the colour of Part 1


def boxes(page: Any, plane: str) -> np.ndarray:
    """Which pixels are covered."""
    return overlay_pixels(page, plane)[..., 3] > 0


def test_labels_lie_where_they_are(page: Any, show: Show, transport: str) -> None:
    source = scene.box_overlays()
    show(scene.ct(), transport=transport, overlays=source)
    drawn(page, "axial", 12)
    layers = source.arrays[source.overlays()[0]]
    for plane, axis, index in (("axial", 0, 12), ("coronal", 1, 32), ("sagittal", 2, 40)):
        drawn(page, plane, index)
        one, other = (layer.take(index, axis) > 0 for layer in layers)
        pixels = overlay_pixels(page, plane)
        np.testing.assert_array_equal(pixels[..., 3] > 0, one | other)
        assert abs(pixels[one & ~other][:, :3] - FIRST).max() <= 4
        assert set(pixels[one & ~other][:, 3]) == {77}  # 30 %
    assert page.locator("canvas[data-over=axial]").evaluate(SAME_PLACE)
    page.mouse.move(*over(page, "axial", 45, 35))
    assert readout(page)[:3] == [f"{int(scene.ct_values()[12, 35, 45]) - 1024} HU", "Part 1", "Part 2"]
    # The next slice has its own, and a slice without any has none of it.
    page.mouse.wheel(0, 3 * 120)
    painted(page, "axial", 15)
    drawn(page, "axial", 15)
    assert page.locator("canvas[data-over=axial]").is_hidden()
    assert readout(page)[1].startswith("LPS")


SAME_PLACE = "over => over.style.transform === over.parentElement.querySelector('[data-plane]').style.transform"


def test_segments_are_listed_filtered_and_hidden(page: Any, show: Show) -> None:
    labels = scene.balls((24, 64, 80), 100)
    seg = Overlay(scene.SEG, "s", "segmentation", "A hundred parts", scene.segments(100), notes=("Made up.",))
    show(scene.ct(), overlays=ArrayOverlays({seg: labels}))
    drawn(page, "axial", 12)
    np.testing.assert_array_equal(boxes(page, "axial"), labels[12] > 0)
    assert page.locator(".segments li").count() == 100
    assert "Made up." in str(page.locator(".card").text_content())
    number = int(np.bincount(labels[12].ravel())[1:].argmax()) + 1
    page.get_by_role("button", name="None").click()
    drawn(page, "axial", 12)
    assert not boxes(page, "axial").any()
    page.get_by_label("Filter the list").fill(f"part {number}")
    listed = page.locator(".segments li:visible")
    names = [text.strip() for text in listed.all_text_contents()]
    assert f"Part {number}" in names
    assert all(name.startswith(f"Part {number}") for name in names)
    listed.get_by_text(f"Part {number}", exact=True).click()
    drawn(page, "axial", 12)
    np.testing.assert_array_equal(boxes(page, "axial"), labels[12] == number)
    page.get_by_label("Drawn as").select_option("outline")
    drawn(page, "axial", 12)
    assert page.locator("canvas[data-over=axial]").is_hidden()
    assert page.locator("canvas[data-lines=axial]").is_visible()
    page.locator(".viewer").focus()
    page.keyboard.press("o")
    assert page.locator("[data-act=overlays]").text_content() == "Hidden 1"
    assert page.locator("canvas[data-lines=axial]").is_hidden()
    page.locator("[data-act=overlays]").click()
    assert page.locator(".overlays").is_hidden()


def test_fractions_are_the_less_transparent_the_more(page: Any, show: Show) -> None:
    fraction = np.linspace(0, 1, 80, dtype=np.float32) * np.ones((24, 64, 1), np.float32)
    few = Overlay(scene.SEG, "s", "segmentation", "Probabilities", scene.segments(9), layers=9, unit="probability")
    show(scene.ct(), overlays=ArrayOverlays({few: [fraction, *[0 * fraction] * 8]}))
    drawn(page, "axial", 12)
    pixels = overlay_pixels(page, "axial")[30]
    assert abs(pixels[:, 3] - 0.3 * 255 * fraction[12, 30]).max() <= 1
    assert page.locator(".card").get_by_text("8 / 9").is_visible()  # each is a plane of its own, so not all at once
    assert page.get_by_label("Drawn as").count() == 0
    page.mouse.move(*over(page, "axial", 40, 30))
    assert readout(page)[1] == f"Part 1 {fraction[12, 30, 40]:.3g}"


def test_contours_are_lines_and_a_dose_is_a_wash(page: Any, show: Show, transport: str) -> None:
    show(scene.ct(spacing=(3.0, 0.8, 0.4)), transport=transport, overlays=scene.box_overlays())
    drawn(page, "axial", 12)
    cards = {kind: page.locator(f".card[data-kind={kind}]") for kind in ("segmentation", "structures", "dose")}
    cards["segmentation"].locator(".head input").uncheck()
    cards["structures"].locator(".head input").check()
    drawn(page, "axial", 12)
    drawn(page, "coronal", 32)
    assert "Refers to 1 object not here." in str(cards["structures"].text_content())
    ring, hole, outside, edge = (on_lines(page, *place) for place in ((13, 20), (20, 20), (50, 20), (10, 20)))
    assert ring[:2] == [255, 255]
    assert ring[3] == 77
    assert hole == outside == [0, 0, 0, 0]
    assert edge[3] > 150
    for column, name in ((13, ["Ring"]), (20, [])):
        page.mouse.move(*over(page, "axial", column, 20))
        assert [text for text in readout(page) if text == "Ring"] == name
    cards["structures"].locator(".head input").uncheck()
    cards["dose"].locator(".head input").check()
    drawn(page, "axial", 12)
    np.testing.assert_array_equal(boxes(page, "axial")[30], np.arange(80) >= 0.2 * 79)
    assert "20 % · 15.8 Gy" in str(cards["dose"].text_content())
    page.get_by_label("Threshold").fill("50")
    drawn(page, "axial", 12)
    np.testing.assert_array_equal(boxes(page, "axial")[30], np.arange(80) >= 0.5 * 79)
    page.mouse.move(*over(page, "axial", 45, 21))
    assert readout(page)[1] == "45 Gy"
    page.mouse.move(*over(page, "axial", 2, 21))
    assert readout(page)[1].startswith("LPS")
    assert grays(page, "axial")[21, 45, 0] == grays(page, "axial")[21, 45, 1]  # the image itself is as it was


def test_contours_that_overlap_in_part_are_one_area(page: Any, show: Show, transport: str) -> None:
    one, other, hole = (
        np.array([(x, y), (x + size, y), (x + size, y + size), (x, y + size)], float)
        for x, y, size in ((10, 10, 20), (20, 15, 20), (22, 18, 6))
    )
    both = [Contour(1, one, True, "add"), Contour(1, other, True, "add"), Contour(1, hole, True, "cut")]
    either = [(2, part + np.array([40, 0]), True) for part in (one, other)]
    regions = Overlay(scene.RT, "r", "structures", "Contours", scene.segments(2))
    nothing = np.zeros(scene.ct_values().shape, np.uint8)
    show(scene.ct(), transport=transport, overlays=ArrayOverlays({regions: nothing}, {(scene.RT, 12): both + either}))
    drawn(page, "axial", 12)
    alpha = [on_lines(page, *place)[3] for place in ((13, 13), (29, 28), (25, 25.5), (25, 21), (37, 32), (35, 12))]
    assert alpha == [77, 77, 77, 0, 77, 0]
    assert [on_lines(page, column, 21)[3] for column in (53, 65, 75)] == [77, 0, 77]
    for (column, row), name in (((28, 27), ["Part 1"]), ((25, 21), []), ((65, 21), []), ((53, 21), ["Part 2"])):
        page.mouse.move(*over(page, "axial", column, row))
        assert [text for text in readout(page) if text.startswith("Part")] == name


def test_what_belongs_to_one_time_is_drawn_at_that_time(page: Any, show: Show, transport: str) -> None:
    labels = [np.zeros((8, 32, 32), np.uint8) for _ in range(2)]
    labels[0][:, 4:10, 4:10], labels[1][:, 20:26, 20:26] = 1, 1
    places = (((1,),), ((2,), (3,)))
    seg = Overlay(scene.SEG, "s", "segmentation", "Moving", scene.segments(1), layers=2, places=places)
    square = np.array([(14, 2), (20, 2), (20, 8), (14, 8)], float)
    rt = Overlay(scene.RT, "r", "structures", "Once", scene.segments(1), places=(((2,),),))
    lines = {(scene.RT, 4): [Contour(1, square, True, places=((2,),))]}
    show(
        scene.over_time(),
        transport=transport,
        overlays=ArrayOverlays({seg: labels, rt: np.zeros_like(labels[0])}, lines),
    )
    page.locator(f".card[data-sop='{scene.RT}'] .head input").check()
    elsewhere = page.locator(".card .trouble", has_text="Does not belong to the images that are shown")
    for time, shown in enumerate((None, labels[0], labels[1], labels[1], None)):
        page.get_by_label("time", exact=True).fill(str(time))
        painted(page, "axial", 4, str(time))
        page.wait_for_selector(
            f'canvas[data-over="axial"][data-painted^="4|"][data-painted$="|{time}"]', state="attached"
        )
        covers = page.locator("canvas[data-over=axial]")
        assert covers.is_visible() == (shown is not None)
        if shown is not None:
            np.testing.assert_array_equal(boxes(page, "axial"), shown[4] > 0)
        assert on_lines(page, 17, 5)[3] == (77 if time == 2 else 0)
        assert elsewhere.count() == (shown is None) + (time != 2)


def on_lines(page: Any, column: float, row: float) -> list[int]:
    """What the lines' canvas holds at a voxel's centre."""
    x, y = over(page, "axial", column, row)
    read = """(canvas, [x, y]) => {
        const box = canvas.getBoundingClientRect();
        return [...canvas.getContext("2d").getImageData(Math.round(x - box.left), Math.round(y - box.top), 1, 1).data];
    }"""
    return list(page.locator("canvas[data-lines=axial]").evaluate(read, [x - 0.5, y - 0.5]))


def test_an_answer_lost_on_the_way_is_asked_for_again(page: Any, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    send, lost = ImageViewer._send_msg, set()

    def lose_the_first(viewer: ImageViewer, message: dict[str, Any]) -> None:
        if message.get("id") in lost:
            send(viewer, message)
        lost.add(message.get("id"))

    monkeypatch.setattr(ImageViewer, "_send_msg", lose_the_first)
    show(scene.ct(), transport="message", overlays=scene.box_overlays())
    for plane, index in (("axial", 12), ("coronal", 32), ("sagittal", 40)):
        drawn(page, plane, index)
    assert len(lost) >= 3 + 1 + 2 * 3  # planes of the image, the list of what lies over it, and two layers of it


class Broken(ArrayOverlays):
    """Overlays that cannot be read."""

    def plane(self, sop_instance_uid: str, layer: int, axis: int, index: int) -> np.ndarray:
        return super().plane("1.1", layer, axis, index)


def test_what_cannot_be_had_is_told(page: Any, show: Show, transport: str, allow_errors: list[str]) -> None:
    allow_errors.append("404")
    show(scene.ct(), transport=transport, overlays=Broken(scene.box_overlays().arrays), size=(500, 900))
    page.locator("[data-act=overlays]").click()
    page.locator(".trouble", has_text="could not be loaded").first.wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 500
    panel, viewer = (page.locator(part).bounding_box() for part in (".overlays", ".viewer"))
    assert panel["x"] >= viewer["x"]
    assert panel["x"] + panel["width"] <= viewer["x"] + viewer["width"]
    assert all(pane.bounding_box()["height"] > 60 for pane in page.locator(".pane").all())


def test_what_cannot_be_opened_is_listed_with_the_reason(page: Any, show: Show) -> None:
    boxes = scene.box_overlays().arrays
    matched = "refers to 6 of the 6 images"
    why = Overlay("1.2", "s", "structures", "", layers=0, matched=matched, reason="it is cut short")
    show(scene.ct(), overlays=ArrayOverlays({why: [], **boxes}))
    drawn(page, "axial", 12)
    card = page.locator(".card.without")
    assert card.locator("input").is_disabled()
    assert not card.locator("input").is_checked()
    assert [part.strip() for part in card.locator("p").all_text_contents()] == [
        "It is cut short.",
        "Refers to 6 of the 6 images.",
    ]
    assert card.locator(".head").inner_text().split("\n") == ["Cannot be shown", "structure set"]
    page.locator(".viewer").press("o")  # all away, and all back: it stays as it is
    page.locator(".viewer").press("o")
    assert card.locator("p").count() == 2
