"""Charts beside searches: what brushes leave is what a search finds, and an address or a token says it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import numpy as np

from pacs_panel.serve.selections import Selections
from pacs_panel.view.browse.state import BrowseState
from pacs_panel.view.charts.board import counted
from pacs_panel.view.charts.measures import searched
from pacs_panel.view.charts.selection import Selection


def test_what_brushes_leave_is_what_a_search_finds(demo_archive: Any) -> None:
    found = demo_archive.search()
    rows = counted(found.columns(*searched()))
    keys = found.columns()["key"].to_numpy()
    assert rows.rows == found.count()
    rng = np.random.default_rng(1)
    for keyword, each in rows.charts.items():
        for _ in range(6):
            chosen = rng.choice(len(each.labels), rng.integers(1, min(len(each.labels), 5) + 1), replace=False)
            rows.brush(keyword, chosen.tolist())
            again = demo_archive.search(**rows.criteria())
            expected = set(keys[rows.selected()])
            assert {row["key"] for row in again.rows()} == expected, (keyword, rows.criteria())
        rows.brush(keyword)


def selection(archive: Any, state: BrowseState | None = None, **more: Any) -> Selection:
    return Selection(archive, state or BrowseState(), **more)


def test_brushed_criteria_as_an_address(demo_archive: Any) -> None:
    state = BrowseState()
    state.toggle("Modality", "CT")
    state.toggle("Modality", "MR")
    kept = Selections()
    there = selection(demo_archive, state, hand_over=kept.put)
    assert there.browse({}) == "browse?Modality=CT&Modality=MR"
    brushed = {"Modality": ["CT"], "StudyDate": ["20240101-20241231"]}
    address = there.browse(brushed)
    assert address == "browse?Modality=CT&since=2024-01-01&until=2024-12-31"
    back = BrowseState()
    back.take(parse_qs(address.partition("?")[2]))
    expected = {row["key"] for row in there.search(brushed).rows()}
    assert {row["key"] for row in demo_archive.search(**back.criteria()).rows()} == expected


def test_what_no_address_can_say_is_handed_over(demo_archive: Any) -> None:
    kept = Selections()
    state = BrowseState(text="phantom")
    there = selection(demo_archive, state, hand_over=kept.put)
    address = there.browse({"PixelSpacing": ["0.5-0.9999999999999999"]})
    assert address is not None
    assert re.fullmatch(r"browse\?chosen=[\w-]+", address)
    handed = kept.get(address.partition("=")[2])
    assert handed is not None
    assert handed.count() == demo_archive.search(text="phantom", PixelSpacing=["0.5-0.9999999999999999"]).count()
    assert selection(demo_archive).browse({"PixelSpacing": ["0.5-1"]}) is None


def test_a_selection_that_was_handed_over_can_be_narrowed(demo_archive: Any) -> None:
    keys = [row["key"] for row in demo_archive.search(Modality=["CT", "MR"]).rows()][:5]
    handed = demo_archive.search(key=keys)
    there = selection(demo_archive, handed=handed)
    assert {row["key"] for row in there.search().rows()} == set(keys)
    expected = {row["key"] for row in handed.rows() if row["Modality"] == "CT"}
    assert {row["key"] for row in there.search({"Modality": ["CT"]}).rows()} == expected
