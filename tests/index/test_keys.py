"""Exact keys as criteria: what people pick is a search like any other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pacs_panel.attributes import LEVELS, Level
from pacs_panel.errors import BadQuery
from pacs_panel.index.criteria import criteria
from pacs_panel.index.matching import matches
from pacs_panel.index.store import Index
from tests.index.made import arrival


@pytest.fixture
def few(index: Index) -> Index:
    index.add(
        [
            arrival(n, series, study, patient=f"P{study % 2}", Modality="CT" if series == 1 else "MR")
            for study in range(4)
            for series in (1, 2)
            for n in (1, 2)
        ]
    )
    return index


def keys(index: Index, level: Level, **asked: object) -> list[str]:
    found = index.search(level, criteria(level, **asked))
    told = [str(row["key"]) for row in found.rows()]
    assert [str(row["key"]) for row in replace(found, memory=None).rows()] == told
    assert found.count() == replace(found, memory=None).count() == len(told)
    return told


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("warm", [False, True])
def test_keys_pick_rows(few: Index, level: Level, warm: bool) -> None:
    if warm:
        few.search().facets("Modality")
    every = keys(few, level)
    picked = every[1:3]
    assert keys(few, level, key=picked) == picked
    assert keys(few, level, key=picked[0]) == picked[:1]
    assert keys(few, level, key=[*picked, "nothing"]) == picked
    assert keys(few, level, key=[]) == []
    assert keys(few, level, key=None) == every
    assert keys(few, level, key="") == []
    assert keys(few, level, key=(every[0], every[1])) == every[:2]


@pytest.mark.parametrize("level", LEVELS)
def test_keys_of_other_levels(few: Index, level: Level) -> None:
    few.search().facets("Modality")
    rows = list(few.search(level).rows())
    for above in ("patient", "study", "series"):
        every = keys(few, above)  # type: ignore[arg-type]
        for key in every:
            under = few.search("series", criteria("series", **{f"{above}_key": key}))
            if LEVELS.index(above) <= LEVELS.index(level):  # type: ignore[arg-type]
                name = "key" if above == level else f"{above}_key"
                wanted = [str(row["key"]) for row in rows if row[name] == key]
            else:
                own = {str(row[f"{level}_key"]) for row in under.rows()}
                wanted = [str(row["key"]) for row in rows if row["key"] in own]
            assert keys(few, level, **{f"{above}_key": [key]}) == wanted
        assert keys(few, level, **{f"{above}_key": []}) == []


@pytest.mark.parametrize("memory", [False, True])
def test_facets_of_picked_studies(few: Index, memory: bool) -> None:
    picked = [str(row["key"]) for row in few.search("study").page(3).rows]
    found = few.search("study", criteria("study", key=picked))
    found = found if memory else replace(found, memory=None)
    assert found.facets("Modality") == {"Modality": [("CT", 3), ("MR", 3)]}


def test_keys_go_with_other_criteria_and_with_a_scope(few: Index) -> None:
    picked = [str(row["key"]) for row in few.search().rows()][:5]
    few.search().facets("Modality")
    for asked, scope in (({"Modality": "MR"}, None), ({}, [criteria(Modality="MR")])):
        found = few.search("series", criteria("series", key=picked, **asked), scope=scope)
        assert 0 < found.count() < 5
        assert {row["Modality"] for row in found.rows()} == {"MR"}
    assert few.search("series", criteria(key=picked), scope=()).count() == 0


def test_memory_rows_meet_keys(few: Index) -> None:
    for level in LEVELS:
        first, second, *_ = few.search(level).rows()
        asked = criteria(level, key=first["key"])
        assert matches(asked, first)
        assert not matches(asked, second)
    row = few.search("series").page(1).rows[0]
    assert matches(criteria(study_key=row["study_key"]), row)
    assert not matches(criteria(study_key=row["key"]), row)


def test_thousands_of_keys(few: Index) -> None:
    every = keys(few, "series")
    assert keys(few, "series", key=[*every, *map(str, range(20_000))]) == every


@pytest.mark.parametrize("value", [1, [1], ["x", None], {"x": 1}.items(), "x" * 2000])
def test_what_is_no_key(value: object) -> None:
    with pytest.raises(BadQuery, match="key"):
        criteria(key=value)
