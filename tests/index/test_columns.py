"""Counts, facets and pages from memory are those of SQL, which `Search` gives where it has no columns."""

from __future__ import annotations

import os
import pickle
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_panel.attributes import LEVELS, Level
from pacs_panel.errors import BadQuery
from pacs_panel.index import columns_file, columns_follow
from pacs_panel.index.columns import HELD
from pacs_panel.index.criteria import Criteria, criteria
from pacs_panel.index.labels import Label, give
from pacs_panel.index.purge import in_series, purge
from pacs_panel.index.search import Search
from pacs_panel.index.store import Index
from tests.index.made import arrival
from tests.index.test_search import asked_values, rows_for

UPPER: tuple[Level, ...] = LEVELS[:3]
KEYWORDS = (
    *("Modality", "SeriesDescription", "ConvolutionKernel", "StudyDate", "PatientSize", "PatientID", "ImageType"),
    *("PatientAge", "Tags", "Collection", "Objects"),
)
ORDERS: list[tuple[Level, Sequence[tuple[str, str]]]] = [
    ("series", []),
    ("series", [("SeriesDescription", "desc"), ("StudyDate", "asc")]),
    ("series", [("SliceThickness", "asc"), ("received", "desc"), ("PatientID", "desc")]),
    ("series", [("received", "asc")]),
    ("series", [("PatientName", "asc")]),
    ("series", [("PatientAge", "desc"), ("Tags", "asc")]),
    ("study", [("StudyDescription", "desc"), ("PatientID", "asc")]),
    ("study", [("StudyDate", "desc")]),
    ("patient", [("PatientID", "asc")]),
]


def fill(index: Index, studies: range, seed: int) -> None:
    dice = random.Random(seed)

    def told(study: int) -> dict[str, Any]:
        image = dice.choice(["ORIGINAL\\PRIMARY", "DERIVED"])
        came = {"patient": f"P{study % 17}", "received": dice.randint(1, 5), "collection": dice.choice("AB")}
        return {"ImageType": image, **came, **rows_for(dice)}

    index.add(
        [
            arrival(n, series, study, **told(study))
            for study in studies
            for series in range(dice.randint(1, 3))
            for n in range(dice.randint(1, 2))
        ]
    )


def label(index: Index) -> None:
    """Tags and lists for some."""
    dice = random.Random(4)
    for level in UPPER:
        keys = [str(row["key"]) for row in index.search(level).rows()]
        for name in ("good", "GOOD", "Bad", "Größe"):
            give(index.database, [Label(level, "tag", key, name) for key in dice.sample(keys, len(keys) // 3)])
    give(index.database, [Label("series", "collection", key, "a") for key in dice.sample(keys, len(keys) // 2)])


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("columns") / "index.sqlite") as index:
        fill(index, range(50), 3)
        index.search().facets("Modality")
        label(index)
        yield index


def assert_same(found: Search, *keywords: str) -> None:
    """What memory says is what SQL says."""
    other = replace(found, memory=None)
    assert found.facets(*keywords) == other.facets(*keywords)
    assert found.memory is not None
    assert found.memory.ready
    assert found.count() == other.count()
    assert list(found.rows(7)) == list(other.rows(7))


@settings(max_examples=30, deadline=None)
@given(
    level=st.sampled_from(UPPER),
    asked=st.lists(asked_values(), max_size=3).map(dict),
    image=st.sampled_from([None, None, "DERIVED"]),
    scope=st.sampled_from([None, (), ("A",), ("A", "B")]),
    limit=st.sampled_from([2, 100]),
    matching=st.sampled_from(["any", "all"]),
    tags=st.sampled_from([None, None, "good", "*o*", ["bad", None]]),
)
def test_memory_and_sql_agree(
    many: Index,
    level: Level,
    asked: dict,
    image: str | None,
    scope: tuple | None,
    limit: int,
    matching: str,
    tags: object,
) -> None:
    scopes = None if scope is None else [criteria(level, Collection=name) for name in scope]
    how = {"matching": matching} if level != "series" else {}
    found = many.search(level, criteria(level, ImageType=image, Tags=tags, **how, **asked), scope=scopes)
    other = replace(found, memory=None)
    assert found.facets(*KEYWORDS, limit=limit) == other.facets(*KEYWORDS, limit=limit)
    assert found.count() == other.count()
    assert found.page(5) == other.page(5)
    for keyword in ("PatientAge", "StudyDate", "PatientSize"):
        assert found.ranges(keyword, 3) == other.ranges(keyword, 3)


@pytest.mark.parametrize("level", UPPER)
def test_every_column(many: Index, level: Level) -> None:
    keywords = [attribute.keyword for upper in UPPER for attribute in HELD[upper]]
    assert len(keywords) > 40
    assert_same(many.search(level), *keywords)


@pytest.mark.parametrize(("level", "order"), ORDERS)
def test_pages_follow_one_another(many: Index, level: Level, order: Sequence[tuple[str, str]]) -> None:
    for asked in (criteria(level), criteria(level, SliceThickness="0-"), criteria(level, text="a")):
        assert_same(many.search(level, asked, order=order))


def test_keys_that_begin_alike_are_told_apart(index: Index) -> None:
    fill(index, range(3), 1)
    index.search().facets("Modality")
    for table in index.columns._tables.values():
        table.keys = table.keys.copy()
        table.keys[1:] = [b"aaaaaaaa" + key for key in table.keys.astype("S18")[1:]]
    keys = [index.columns._tables["series"].keys[row] for row in _ids(index)]
    assert keys == sorted(set(keys), reverse=True)


def _ids(index: Index) -> list[int]:
    with index.columns.counting() as counting:
        asked = (Criteria("series"),)
        found = counting.first("series", asked, (("Kind", "desc"),), 3, None)
        while len(more := counting.first("series", asked, (("Kind", "desc"),), 3, found[-1])):
            found += more
        return found


def test_what_changes_is_followed(index: Index) -> None:
    fill(index, range(5), 1)
    assert_same(index.search(), *KEYWORDS)
    rows = list(index.search("series").rows())
    fill(index, range(3, 9), 2)  # some of it belongs to studies that are there
    assert_same(index.search(), *KEYWORDS)
    index.trash("series", str(rows[0]["key"]))
    index.trash("patient", str(rows[-1]["patient_key"]))
    for level in UPPER:
        assert_same(index.search(level), *KEYWORDS)
    index.restore("patient", str(rows[-1]["patient_key"]))
    for level in UPPER:
        assert_same(index.search(level), *KEYWORDS)


def test_a_purged_series_goes_though_its_removal_was_not_followed(index: Index) -> None:
    index.add([arrival(1, 1, study, patient=f"P{study}") for study in range(4)])
    assert index.search().facets("Modality") == {"Modality": [("CT", 4)]}
    key = str(index.search(asked=criteria(PatientID="P2")).page().rows[0]["key"])
    index.trash("series", key)
    purge(index, key, [row.id for row in in_series(index, key)], {"new": "old"}, {}, ())
    for level in UPPER:
        assert index.search(level).facets("Modality") == {"Modality": [("CT", 3)]}


def test_a_cleared_index_is_counted_anew(index: Index) -> None:
    fill(index, range(9), 1)
    assert_same(index.search(), *KEYWORDS)
    index.clear()
    fill(index, range(2, 4), 1)
    for level in UPPER:
        assert_same(index.search(level), *KEYWORDS)


def test_counts_of_one_call_are_of_one_moment_while_others_write(index: Index) -> None:
    stop = threading.Event()

    def write() -> None:
        for study in range(60):
            index.add([arrival(1, 1, study, patient=f"P{study}"), arrival(1, 2, study, patient=f"P{study}")])
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    totals: list[int] = []
    while not stop.is_set() or not totals:
        facets = index.search().facets("Modality", "Collection", "PatientID", limit=1000)
        sums = {sum(count for _, count in facet) for facet in facets.values()}
        (total,) = sums
        assert total % 2 == 0
        totals.append(total)
    writer.join()
    assert totals == sorted(totals)
    assert index.search().count() == 120


def test_a_reader_follows_a_writer_in_another_place(index: Index) -> None:
    with pickle.loads(pickle.dumps(index)) as reader:
        for study in range(3):
            index.add([arrival(1, 1, study)])
            found = pickle.loads(pickle.dumps(reader.search()))
            assert reader.search().facets("Modality") == found.facets("Modality") == {"Modality": [("CT", study + 1)]}


def test_a_place_that_is_not_in_the_list(many: Index) -> None:
    with pytest.raises(BadQuery, match="after"):
        many.search().page(5, after="nowhere")


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(index: Index) -> Index:
    fill(index, range(6), 1)
    index.columns.save()
    assert columns_file.beside(index.database.path).exists()
    return index


def test_a_later_process_starts_from_the_file(saved: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    with Index(saved.database.path) as later, monkeypatch.context() as patch:
        patch.setattr(columns_follow, "_refresh", None)  # which would read the rows
        assert later.columns.ready
        for level in UPPER:
            assert_same(later.search(level, criteria(level, text="a")), *KEYWORDS)


def test_what_came_after_the_file_counts(saved: Index) -> None:
    fill(saved, range(4, 12), 5)
    with Index(saved.database.path) as later:
        for level in UPPER:
            assert_same(later.search(level, criteria(level, text="a")), *KEYWORDS)


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "text", "foreign", "newer"])
def test_a_file_that_cannot_be_used_is_left_aside(saved: Index, tmp_path: Path, harm: str) -> None:
    file = columns_file.beside(saved.database.path)
    content = file.read_bytes()
    middle = len(content) // 2
    if harm in ("foreign", "newer"):
        with Index(tmp_path / "other.sqlite") as other:
            fill(other, range(40, 50), 9)
            other.columns.save()
            foreign = columns_file.beside(other.database.path)
            if harm == "newer":
                mark = other.columns._mark
                assert mark is not None
                newer = replace(mark, since=saved.columns._mark.since, change=mark.change + 10**9)  # type: ignore[union-attr]
                columns_file.write(other.database.path, newer, other.columns._tables)
            content = foreign.read_bytes()
    flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    harmed = {"cut": content[:middle], "flipped": flipped, "empty": b"", "text": b"columns"}
    file.write_bytes(harmed.get(harm, content))
    with Index(saved.database.path) as later:
        assert_same(later.search(), *KEYWORDS)


def test_a_folder_that_cannot_be_written_to_keeps_no_file(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("read-only")

    fill(index, range(2), 1)
    monkeypatch.setattr(os, "replace", refuse)
    index.columns.save()
    assert [path.name for path in index.database.path.parent.iterdir() if "columns" in path.name] == []
    assert_same(index.search(), "Modality")


def test_a_large_index_leaves_a_file_when_it_is_tidied(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.add([arrival(1, n) for n in range(5)])
    index.optimize()
    assert not columns_file.beside(index.database.path).exists()
    monkeypatch.setattr("pacs_panel.index.store.WORTH_A_FILE", 5)
    index.optimize()
    assert columns_file.beside(index.database.path).exists()
