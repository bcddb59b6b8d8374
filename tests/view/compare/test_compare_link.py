"""Several viewers: who follows whom, by place, by window and by zoom."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pacs_panel.model import Dimension, Passport
from pacs_panel.view.compare.link import Group, Linked, Links, frames
from pacs_panel.view.compare.page import MOST, Compare
from pacs_panel.view.source import describe


def one(
    frame: str = "1.2", step: float = 2.0, slices: int = 20, *, unit: str = "HU", origin: float = 0.0, **facts: Any
):
    affine = ((1.0, 0, 0, 0.0), (0, 1.0, 0, 0.0), (0, 0, step, origin), (0, 0, 0, 1.0))
    dimensions = facts.pop("dimensions", ())
    passport = Passport("regular", "", (slices, 40, 50), affine, spacing=(step, 1.0, 1.0), dimensions=dimensions)
    given = {"series_key": "k", "revision": "r", "stack": 0, "dtype": "int16", "windows": ((40.0, 400.0, "soft"),)}
    return Linked(describe(passport, **(given | {"unit": unit} | facts)), frame)


def group(*members: Linked, **links: bool) -> Group:
    made = Group(Links(**links))
    made.put(members)
    return made


def test_one_place_is_shown_by_all_of_a_frame_from_the_start():
    a, b = one(step=2.0), one(step=4.0, slices=10)
    group(a, b)
    assert (a.state.index, b.state.index) == ((10, 20, 25), (5, 20, 25))
    b.state.index = (2, 7, 8)
    assert a.state.index == (4, 7, 8)
    a.state.index = (9, 7, 8)  # 18 mm lies midway between 16 and 20
    assert b.state.index in ((4, 7, 8), (5, 7, 8))
    assert a.state.index == (9, 7, 8)  # an answer moves nobody back


def test_what_lies_outside_is_told():
    a, b = one(), one(origin=30.0)
    group(a, b)
    a.state.index = (2, 5, 5)
    assert b.state.index == (0, 5, 5)
    assert "outside" in b.said
    a.state.index = (18, 5, 5)
    assert (b.state.index, b.said) == ((3, 5, 5), "")


def test_another_frame_of_reference_follows_only_if_it_is_asked_to():
    a, b, c = one(), one("9.9", slices=40), one()
    linked = group(a, b, c)
    before = b.state.index
    a.state.index = (4, 10, 10)
    assert (b.state.index, c.state.index) == (before, (4, 10, 10))
    assert "another frame" in b.said
    linked.links.relative = True
    linked.bring()
    assert (b.state.index, b.said) == ((9, 10, 10), "relative position")
    linked.links.place = False
    a.state.index = (0, 0, 0)
    assert (b.state.index, c.state.index) == ((9, 10, 10), (4, 10, 10))


def test_letters_tell_frames_apart():
    assert frames([one(), one(), one("9.9"), one(""), one("")]) == ["A", "A", "B", "C", "D"]
    assert frames([one(), one()]) == ["", ""]


def test_windows_are_shared_where_units_agree():
    a, b, pet = one(), one(), one(unit="Bq/ml")
    group(a, b, pet, window=True)
    assert (b.state.center, b.state.width) == (40.0, 400.0)
    assert pet.state.width is None
    b.state.param.update(center=-600.0, width=1500.0)
    assert (a.state.center, a.state.width, pet.state.width) == (-600.0, 1500.0, None)


def test_windows_stay_apart_unless_linked():
    a, b = one(), one()
    group(a, b)
    a.state.param.update(center=1.0, width=2.0)
    assert b.state.width is None


def test_zoom_and_plane_are_shared():
    a, b = one(), one()
    linked = group(a, b)
    a.state.param.update(zoom=3.0, layout="coronal")
    assert (b.state.zoom, b.state.layout) == (3.0, "coronal")
    linked.links.zoom = False
    a.state.zoom = 1.0
    assert b.state.zoom == 3.0


def test_times_are_shared_where_dimensions_are_the_same():
    times = (Dimension("time", "TemporalPositionIdentifier", (1.0, 2.0, 3.0)),)
    a, b, c = one(dimensions=times), one(dimensions=times), one()
    group(a, b, c)
    a.state.param.update(index=(1, 1, 1), extra=(2,))
    assert (b.state.extra, c.state.extra) == ((2,), ())


def test_who_left_moves_nobody():
    a, b = one(), one()
    linked = group(a, b)
    linked.put([b])
    before = b.state.index
    a.state.index = (0, 0, 0)
    assert b.state.index == before


# -- the page ----------------------------------------------------------------------------------------------------------


def keys(archive: Any, **criteria: Any) -> list[str]:
    return [str(row["key"]) for row in archive.search(**criteria).rows()]


@pytest.mark.slow
def test_a_pet_and_its_ct_stand_at_one_place(demo_archive):
    compare = Compare(demo_archive, keys(demo_archive, PatientID="PP-0004"))
    places = []
    for member in compare.group.members:
        slice_, row, column = member.state.index
        places.append((np.asarray(member.meta.affine) @ (column, row, slice_, 1))[:3])
    assert len(places) == 2
    assert np.all(np.abs(places[0] - places[1]) <= np.max([m.meta.spacing for m in compare.group.members]))
    links = {link["name"]: link for link in compare.bar.shown["links"]}
    assert links["place"]["about"] == "one frame of reference"
    assert (links["window"]["able"], links["window"]["about"]) == (False, "units differ")
    assert "relative" not in links
    label = compare.cells[0].label.shown
    assert label["id"] == "PP-0004"
    assert label["facts"][0] == "2024-09-09"


@pytest.mark.slow
def test_what_cannot_be_compared_is_told_in_its_place(demo_archive):
    (seg, *_), (ct, *_) = keys(demo_archive, Modality="SEG"), keys(demo_archive, PatientID="PP-0002", Modality="CT")
    compare = Compare(demo_archive, [seg, "nothing", ct])
    notes = [cell.box[1].shown["title"] for cell in compare.cells[:2]]
    assert notes == ["No images to compare: segmentation", "There is no such series"]
    assert compare.cells[2].linked is not None
    compare.close("nothing")
    assert [cell.key for cell in compare.cells] == [seg, ct]
    assert compare.grid.css_classes == ["n2"]
    compare.close(seg)
    compare.close(ct)
    assert compare.grid[0].shown["title"] == "Nothing to compare yet"


@pytest.mark.slow
def test_reading_again_leaves_what_has_not_changed(demo_archive):
    compare = Compare(demo_archive, keys(demo_archive, PatientID="PP-0004"))
    before = [cell.box for cell in compare.cells]
    compare.put(compare.read())
    assert [cell.box for cell in compare.cells] == before


def test_more_than_six_are_told_of():
    def find(_uid: str) -> Any:
        from pacs_panel.errors import NotFound

        raise NotFound("x")

    compare = Compare(SimpleNamespace(find=find), [f"k{n}" for n in range(8)] + ["k0"])
    assert len(compare.cells) == MOST
    assert "2 more" in compare.bar.shown["notes"][0]


def test_messages_that_make_no_sense_are_left():
    compare = Compare(SimpleNamespace(), [])
    for message in ({}, {"kind": "link", "name": "name", "on": "x"}, {"kind": "link", "name": "place", "on": 1}):
        compare.hear(message)
    assert compare.links.place is True
    compare.hear({"kind": "link", "name": "place", "on": False})
    assert compare.links.place is False
