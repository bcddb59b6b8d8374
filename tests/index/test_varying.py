"""What differs among the images of a series is a list of all they state."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from pacs_panel.index.criteria import criteria
from pacs_panel.index.store import Index
from pacs_panel.index.values import MOST
from tests.index.made import arrival

IMAGES: list[dict[str, Any]] = [
    {"EchoTime": 9.84, "SliceThickness": 3, "ScanningSequence": "SE\\IR", "ContrastBolusAgent": "Omniscan"},
    {"EchoTime": 4.92, "SliceThickness": 3.0, "ScanningSequence": "GR"},
    {"EchoTime": 4.92, "SliceThickness": 3, "ScanningSequence": "SE\\IR", "ContrastBolusAgent": "omniscan, late"},
]
STATED = {
    "EchoTime": "4.92\\9.84",
    "SliceThickness": 3.0,
    "ScanningSequence": "GR\\IR\\SE",
    "ContrastBolusAgent": "Omniscan\\omniscan, late",
    "KVP": None,
}


def fill(index: Index, images: list[dict[str, Any]] | tuple[dict[str, Any], ...] = IMAGES) -> None:
    for number, image in enumerate(images, 1):  # one after the other, as from several imports
        index.add([arrival(number, **image, received=number)])


@pytest.mark.parametrize("images", list(permutations(IMAGES)))
def test_in_whatever_order_they_come(index: Index, images: tuple[dict[str, Any], ...]) -> None:
    fill(index, images)
    (row,) = index.search("series").rows()
    assert {name: row[name] for name in STATED} == STATED


def test_images_that_come_together_say_the_same(index: Index) -> None:
    index.add([arrival(number, **image) for number, image in enumerate(IMAGES, 1)])
    (row,) = index.search("series").rows()
    assert {name: row[name] for name in STATED} == STATED


def test_one_value_stays_as_it_is_stated(index: Index) -> None:
    fill(index, [IMAGES[0], IMAGES[0]])
    (row,) = index.search("series").rows()
    assert (row["EchoTime"], row["ScanningSequence"]) == (9.84, "SE\\IR")


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"EchoTime": 4.92}, 2),
        ({"EchoTime": [9.84, 1]}, 1),
        ({"EchoTime": (5, 20)}, 1),
        ({"EchoTime": (5, 9)}, 0),
        ({"EchoTime": "9-"}, 1),
        ({"EchoTime": [None]}, 1),
        ({"ScanningSequence": "GR"}, 1),
        ({"ContrastBolusAgent": "OMNI*late"}, 1),
    ],
)
def test_any_of_the_values_may_match(index: Index, memory: bool, asked: dict[str, Any], found: int) -> None:
    fill(index)
    index.add([arrival(1, series=2, EchoTime=4.92), arrival(1, series=3)])
    search = index.search("series", criteria("series", **asked))
    search.facets("EchoTime")
    assert (search if memory else replace(search, memory=None)).count() == found


@pytest.mark.parametrize("memory", [True, False])
def test_each_value_is_counted(index: Index, memory: bool) -> None:
    fill(index)
    index.add([arrival(1, series=2, EchoTime=4.92), arrival(1, series=3, EchoTime=0)])
    search = index.search("series") if memory else replace(index.search("series"), memory=None)
    facets = search.facets("EchoTime", "ContrastBolusAgent")
    assert facets["EchoTime"] == [(4.92, 2), (0.0, 1), (9.84, 1)]
    assert dict(facets["ContrastBolusAgent"]) == {None: 2, "Omniscan": 1, "omniscan, late": 1}
    assert search.ranges("EchoTime") == [(0, 0, 1), (4.92, 4.92, 2), (9.84, 9.84, 1)]


@pytest.mark.parametrize("memory", [True, False])
def test_columns_and_order_take_the_lowest(index: Index, memory: bool) -> None:
    fill(index)
    index.add([arrival(1, series=2, EchoTime=5.0), arrival(1, series=3, EchoTime=4.0)])
    search = index.search("series", order=[("EchoTime", "asc")])
    search = search if memory else replace(search, memory=None)
    assert sorted(search.columns("EchoTime")["EchoTime"]) == [4.0, 4.92, 5.0]
    assert [row["EchoTime"] for row in search.rows()] == [4.0, "4.92\\9.84", 5.0]


def test_a_series_of_ever_other_values_keeps_the_first_in_order(index: Index) -> None:
    images = [arrival(number, EchoTime=number / 8) for number in range(1, 3 * MOST)]
    index.add(images[MOST // 2 :])
    index.add(images[: MOST // 2])
    (row,) = index.search("series").rows()
    assert row["EchoTime"].split("\\") == [f"{number / 8:g}" for number in range(1, MOST + 1)]
