from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from pacs_panel.errors import BadPixels, NotFound
from pacs_panel.model import Contour, Overlay, Revision
from pacs_panel.view.image.messages import Answers
from pacs_panel.view.overlay.source import ArrayOverlays, OverlaySource, encode_contours, encode_plane, encode_told
from pacs_panel.view.overlay.stored import StackOverlays
from tests.view import scene


def test_what_there_is_travels_with_the_peak_of_doses() -> None:
    source = scene.box_overlays()
    assert isinstance(source, OverlaySource)
    seg, rt, dose = json.loads(encode_told(source))
    assert (seg["kind"], seg["layers"], seg["peak"], seg["segments"][1]["label"]) == ("segmentation", 2, None, "Part 2")
    assert seg["segments"][0]["colour"] == [248, 41, 5]
    assert (rt["missing"], rt["peak"]) == (["1.9"], None)
    assert (dose["kind"], dose["peak"], dose["unit"]) == ("dose", 79.0, "Gy")


def test_what_cannot_be_shown_travels_with_its_reason_and_is_not_asked_for_a_peak() -> None:
    why = Overlay("1.2", "s", "dose", "", layers=0, reason="it is cut short")
    (told,) = json.loads(encode_told(ArrayOverlays({why: []})))
    assert (told["layers"], told["peak"], told["reason"]) == (0, None, "it is cut short")


def test_planes_are_cut_as_those_of_the_image() -> None:
    source = scene.box_overlays()
    layer = source.arrays[source.overlays()[0]][1]
    for axis, index in ((0, 12), (1, 35), (2, 45)):
        np.testing.assert_array_equal(source.plane(scene.SEG, 1, axis, index), layer.take(index, axis))
    for wrong in (("1.1", 0, 0, 0), (scene.SEG, 2, 0, 0), (scene.SEG, 0, 3, 0), (scene.SEG, 0, 0, 24)):
        with pytest.raises(NotFound):
            source.plane(*wrong)


def test_a_plane_travels_as_small_as_it_can() -> None:
    assert encode_plane(np.zeros((9, 9), np.uint16)) == b""
    assert encode_plane(np.array([[1, 300]], ">u2")) == bytes([1, 0, 44, 1])
    assert encode_plane(np.array([[True, False]])) == bytes([1, 0])
    assert encode_plane(np.zeros((1, 2), np.float32)) == bytes(8)  # a dose of 0 is a dose
    with pytest.raises(BadPixels):
        encode_plane(np.zeros((2, 2), np.int64))


def test_contours_travel_with_thousandths_of_a_pixel() -> None:
    told = json.loads(encode_contours([(7, np.array([[1.23456, 2.0], [3.0, 4.0]]), False)]))
    assert told == [{"number": 7, "closed": False, "points": [[1.235, 2.0], [3.0, 4.0]]}]
    [told] = json.loads(encode_contours([Contour(7, np.array([[1.0, 2.0]]), True, "cut", ((3,), (4,)))]))
    assert told == {"number": 7, "points": [[1.0, 2.0]], "closed": True, "how": "cut", "places": [[3], [4]]}


def test_they_are_answered_by_message() -> None:
    answers = Answers(scene.ct(), scene.box_overlays())
    assert len(json.loads(answers({"id": "1", "kind": "overlays"})["bytes"])) == 3
    asked = {"id": "2", "kind": "overlay", "sop": scene.SEG, "layer": 0, "axis": 0, "index": 12}
    plane = np.frombuffer(answers(asked)["bytes"], np.uint8).reshape(64, 80)
    np.testing.assert_array_equal(plane, scene.box_overlays().plane(scene.SEG, 0, 0, 12))
    assert answers({**asked, "index": 0})["total"] == 0
    assert "error" in answers({**asked, "sop": "1.1"})
    contours = answers({"id": "3", "kind": "contours", "sop": scene.RT, "index": 12})
    assert [one["number"] for one in json.loads(contours["bytes"])] == [3, 3, 4]
    assert "error" in Answers(scene.ct())({"id": "4", "kind": "overlays"})


class Archive:
    """Overlays as an archive has them."""

    def __init__(self) -> None:
        self.source = scene.box_overlays()
        self.asked: list[tuple[object, ...]] = []
        self.newest = "rev1"
        self.version = ""

    def revision(self, uid: str) -> Revision:
        return Revision(uid, self.newest, "", "regular", ())

    def overlays(self, uid: str, stack: int | None = None) -> tuple[Overlay, ...]:
        self.asked.append((uid, stack))
        return tuple(replace(one, version=self.version) for one in self.source.overlays())

    def overlay(self, uid: str, sop_instance_uid: str, stack: int | None = None) -> Archive.Opened:
        self.asked.append((uid, sop_instance_uid, stack))
        return self.Opened(self.source, sop_instance_uid, self.version)

    class Opened:
        """One of them."""

        def __init__(self, source: OverlaySource, sop: str, version: str) -> None:
            self.source, self.sop = source, sop
            self.peak = source.peak(sop)
            known = {one.sop_instance_uid: one for one in source.overlays()}
            self.overlay = replace(known[sop], version=version)

        def plane(self, layer: int, axis: int, index: int) -> np.ndarray:
            return self.source.plane(self.sop, layer, axis, index)

        def contours(self, index: int) -> list[Contour]:
            return self.source.contours(self.sop, index)


def test_an_archive_is_asked_each_time() -> None:
    archive = Archive()
    source = StackOverlays(archive, "key", 2)
    assert isinstance(source, OverlaySource)
    assert encode_told(source) == encode_told(archive.source)
    assert source.plane(scene.SEG, 1, 0, 12).max() == 2
    assert len(source.contours(scene.RT, 12)) == 3
    assert archive.asked == [("key", 2), ("key", scene.DOSE, 2), ("key", scene.SEG, 2), ("key", scene.RT, 2)]


REQUESTS = (
    {"id": "1", "kind": "overlays"},
    {"id": "2", "kind": "overlay", "sop": scene.SEG, "layer": 0, "axis": 0, "index": 12},
    {"id": "3", "kind": "contours", "sop": scene.RT, "index": 12},
)


def test_over_images_of_another_revision_nothing_is_drawn() -> None:
    archive, frames = Archive(), scene.ct()
    answers = Answers(frames, StackOverlays(archive, "series", 0, frames.meta().revision))
    assert not any("error" in answers(request) for request in REQUESTS)
    archive.newest = "rev2"  # an image was added: slice 12 may be another one
    assert all("another revision" in answers(request)["error"] for request in REQUESTS)
    with pytest.raises(NotFound, match="another revision"):
        StackOverlays(archive, "series", 0, "rev1").peak(scene.DOSE)
    assert "error" not in Answers(frames, StackOverlays(archive, "series", 0))(REQUESTS[1])


def test_another_version_of_an_object_is_not_drawn_under_the_names_of_the_one_that_was_told() -> None:
    archive = Archive()
    archive.version = "old"
    answers = Answers(scene.ct(), StackOverlays(archive, "series", 0, "rev1"))
    names = [one["name"] for one in json.loads(answers(REQUESTS[0])["bytes"])]
    assert names == [f"{uid}@old" for uid in (scene.SEG, scene.RT, scene.DOSE)]
    asked = [{**REQUESTS[1], "sop": names[0]}, {**REQUESTS[2], "sop": names[1]}]
    assert not any("error" in answers(request) for request in asked)
    archive.version = "new"
    assert all("another one by now" in answers(request)["error"] for request in asked)
