"""Ranges that a page draws: each a criterion that finds what it counts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from pacs_panel.attributes import BY_KEYWORD
from pacs_panel.errors import BadQuery
from pacs_panel.index.bands import bands
from pacs_panel.index.criteria import criteria
from pacs_panel.index.store import Index
from tests.index.made import arrival


def divided(keyword: str, values: list, most: int = 20) -> list:
    return bands(BY_KEYWORD[keyword], [(value, 1) for value in values], most)


def test_few_values_are_ranges_of_their_own() -> None:
    assert divided("MagneticFieldStrength", [3.0, 1.5, None]) == [(1.5, 1.5), (3, 3)]
    assert divided("PatientAge", ["012M", "001Y", "006M"]) == [(0.5, 0.5), (1, 1)]
    assert divided("StudyDate", ["20250102", "unknown", None]) == [("20250102", "20250102")]
    assert divided("SliceThickness", [None]) == divided("StudyDate", []) == []


def test_whole_numbers_leave_nothing_between() -> None:
    assert divided("SeriesNumber", [*range(100)], 10) == [(n, n + 9) for n in range(0, 100, 10)]


def test_what_lies_far_out_does_not_widen_the_ranges() -> None:
    found = divided("SliceThickness", [*(n / 100 for n in range(100, 500)), 1000.0], 10)
    assert found[0][0] == 1
    assert found[-1][1] == 1000
    assert [low for low, _ in found] == [1 + n / 2 for n in range(8)]
    assert all(high < low for (_, high), (low, _) in pairwise(found))


@pytest.mark.parametrize(
    ("days", "count", "first", "last"),
    [
        (["20250103", "20250105", "20250104"], 3, ("20250103", "20250103"), ("20250105", "20250105")),
        (["20240131", "20250215", "20240707"], 14, ("20240101", "20240131"), ("20250201", "20250228")),
        (["20220131", "20250215", "20240707"], 14, ("20220101", "20220331"), ("20250101", "20250331")),
        (["20120131", "20250215", "20240707"], 14, ("20120101", "20121231"), ("20250101", "20251231")),
        (["19240131", "20250215", "20240707"], 11, ("19200101", "19291231"), ("20200101", "20291231")),
    ],
)
def test_dates(days: list, count: int, first: tuple, last: tuple) -> None:
    found = divided("StudyDate", days)
    assert len(found) in (count, count - 1)
    assert (found[0], found[-1]) == (first, last)


def test_text_has_no_ranges(index: Index) -> None:
    with pytest.raises(BadQuery, match="text"):
        index.search().ranges("Modality")


@pytest.mark.parametrize("memory", [True, False])
def test_ranges_count_what_choosing_them_gives(index: Index, memory: bool) -> None:
    index.add(
        [
            arrival(1, n, n // 3, SliceThickness=n / 7 if n % 11 else None, PatientAge=f"{n % 90:03}Y", Modality="CT")
            for n in range(200)
        ]
    )
    asked = {"Modality": "CT", "SliceThickness": (3, 9)}
    for level in ("series", "study"):
        found = index.search(level, criteria(level, **asked))
        found = found if memory else replace(found, memory=None)
        ranges = found.ranges("SliceThickness", 8)
        assert 4 <= len(ranges) <= 10
        for low, high, count in ranges:
            assert count == index.search(level, criteria(level, SliceThickness=(low, high))).count() > 0
        if level == "series":
            assert sum(count for _, _, count in ranges) == index.search(asked=criteria(SliceThickness="0-")).count()
    ages = index.search(asked=criteria(PatientAge=(0, 30))).ranges("PatientAge", 10)
    assert [low for low, _, _ in ages] == [*range(0, 90, 10)]


def test_all_series_or_any(index: Index) -> None:
    index.add(
        [
            arrival(1, 1, 1, patient="P1", Modality="CT"),
            arrival(1, 2, 1, patient="P1", Modality="CT"),
            arrival(1, 1, 2, patient="P1", Modality="MR"),
            arrival(1, 1, 3, patient="P2", Modality="CT"),
            arrival(1, 2, 3, patient="P2", Modality="MR", SeriesDescription="knee"),
            arrival(1, 1, 4, patient="P3", Modality="CT"),
            arrival(1, 2, 4, patient="P3", Modality=None),
            arrival(1, 1, 5, patient="P4", Modality="CT", collection="open"),
            arrival(1, 2, 5, patient="P4", Modality="MR", collection="shut"),
        ]
    )
    index.search().facets("Modality")

    def found(level: str, scope: object = None, **asked: object) -> list[str]:
        search = index.search(level, criteria(level, **asked), scope=scope)  # type: ignore[arg-type]
        names = sorted(str(row.get("StudyInstanceUID", row["PatientID"])) for row in search.rows())
        assert search.count() == replace(search, memory=None).count() == len(names)
        assert search.facets("Modality", "PatientID") == replace(search, memory=None).facets("Modality", "PatientID")
        return names

    assert found("study", Modality="CT") == ["1.2.1", "1.2.3", "1.2.4", "1.2.5"]
    assert found("study", Modality="CT", matching="all") == ["1.2.1"]
    assert found("study", Modality=["CT", "MR"], matching="all") == ["1.2.1", "1.2.2", "1.2.3", "1.2.5"]
    assert found("study", text="knee", matching="all") == []
    assert found("study", matching="all") == [f"1.2.{n}" for n in range(1, 6)]
    assert found("patient", Modality=["CT", "MR"], matching="all") == ["P1", "P2", "P4"]
    assert found("patient", Modality="CT", PatientID="P?", matching="all") == []
    seen = [criteria("study", Collection="open"), criteria("study", Collection="lung", Modality="MR")]
    assert found("study", seen, Modality="CT", matching="all") == ["1.2.5"]  # the other series may not be seen
    with pytest.raises(BadQuery, match="matching"):
        criteria("series", matching="all")
    with pytest.raises(BadQuery, match="matching"):
        criteria("study", matching="some")
