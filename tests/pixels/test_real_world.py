"""Maps to the real world by name: what contradicts is told apart, and what was named comes back."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from pacs_panel.model import ImageHeader, RealWorldMap
from pacs_panel.pixels.real_world import bounds, holdings, mapped, named, of_images

SUV = RealWorldMap("SUV", "uptake", "{SUVbw}g/ml", "SUV", 0, 4095, 0.001, 0.0)
TABLE = RealWorldMap("T", "", "1", "", 1, 3, table=(10.0, 20.0, 40.0))


def images(*maps: tuple[RealWorldMap, ...]) -> list[ImageHeader]:
    return [ImageHeader(f"1.{n}", 4, 4, real_world=own) for n, own in enumerate(maps)]


def test_a_map_of_all_images_names_none():
    found = of_images(images((SUV, TABLE), (SUV, TABLE)))
    assert [*found] == ["SUV", "T"]
    assert found["SUV"][0]["planes"] == found["T"][0]["planes"] == []
    assert json.loads(json.dumps(found)) == found


def test_maps_that_differ_from_image_to_image_share_a_name():
    other = replace(SUV, slope=0.002)
    found = of_images(images((SUV,), (other,)))
    assert [[one["slope"], one["planes"]] for one in found["SUV"]] == [[0.001, [["1.0", 1]]], [0.002, [["1.1", 1]]]]


def test_other_ranges_share_a_name_and_contradictions_do_not():
    above = replace(SUV, first=4096, last=8191, slope=0.1)
    assert [*named([(SUV, ()), (above, ())])] == ["SUV"]
    assert [*named([(SUV, ()), (replace(SUV, slope=2.0), ())])] == ["SUV", "SUV 2"]
    assert [*named([(SUV, ()), (replace(SUV, slope=2.0), (("1.0", 0),))])] == ["SUV", "SUV 2"]
    assert [*named([(SUV, (("1.0", 2),)), (replace(SUV, slope=2.0), (("1.0", 0),))])] == ["SUV", "SUV 2"]
    assert [*named([(SUV, (("1.0", 2),)), (replace(SUV, slope=2.0), (("1.1", 0),))])] == ["SUV"]
    assert [*named([(SUV, ()), (replace(SUV, unit="Bq/ml"), ())])] == ["SUV", "SUV (Bq/ml)"]


def test_names_come_back_as_maps():
    given = [(SUV, ()), (TABLE, (("1.0", 2), ("1.1", 0)))]
    assert holdings(json.loads(json.dumps(named(given)))) == given


def test_tables_that_are_too_large_are_emptied():
    large = RealWorldMap("L", first=0, last=1e6, table=(1.0,) * 600_000)
    found = named([(large, ()), (replace(large, label="M"), ())])
    assert (len(found["L"][0]["table"]), found["M"][0]["table"]) == (600_000, [])


def test_a_table_holds_within_its_bounds():
    one = named([(TABLE, ())])["T"][0]
    for kind in (np.uint8, np.uint16, np.int16, np.float32):
        out = mapped(np.array([0, 1, 2, 3, 4], kind), np.asarray(one["table"]), bounds(one))
        np.testing.assert_array_equal(out, [np.nan, 10, 20, 40, np.nan])
    below = {"first": -2.0, "last": None, "slope": None, "table": [5.0, 6.0]}
    np.testing.assert_array_equal(
        mapped(np.array([-3, -2, -1, 0], np.int16), np.array([5.0, 6.0]), bounds(below)), [np.nan, 5, 6, np.nan]
    )
