"""Labels are attributes, in memory as in SQL."""

from __future__ import annotations

import pytest

from pacs_panel.attributes import Level
from pacs_panel.index.criteria import criteria
from pacs_panel.index.labels import Label, count, give, mirror, take
from pacs_panel.index.store import Index
from tests.index.made import arrival
from tests.index.test_columns import assert_same


@pytest.fixture
def few(index: Index) -> Index:
    index.add([arrival(1, series, study, patient=f"P{study}") for study in (1, 2) for series in (1, 2)])
    index.search().facets("Tags")
    return index


def keys(index: Index, level: Level) -> list[str]:
    return [str(row["key"]) for row in index.search(level).rows()]


@pytest.mark.parametrize(("level", "keyword"), [("patient", "PatientTags"), ("study", "StudyTags"), ("series", "Tags")])
def test_tags_of_each_level(few: Index, level: Level, keyword: str) -> None:
    first = keys(few, level)[0]
    give(few.database, [Label(level, "tag", first, "Größe"), Label(level, "tag", first, "a b")])
    for asked in ({keyword: "GRÖSSE"}, {keyword: "a*"}, {keyword: ["a b", "x"]}, {"text": "grosse"}, {keyword: '""'}):
        found = few.search(level, criteria(level, **asked))  # type: ignore[arg-type]
        assert found.count() == (few.search(level).count() - 1 if asked == {keyword: '""'} else 1)
        assert_same(found, keyword, "Modality")
    assert_same(few.search("patient"), keyword)
    take(few.database, "tag", "Größe", [(level, first)])
    assert few.search(level, criteria(level, text="grosse")).count() == 0
    assert few.search(level, criteria(level, **{keyword: "a b"})).count() == 1
    take(few.database, "tag", "a b")
    assert count(few.database) == 0
    assert_same(few.search(level), keyword)


def test_many_names_are_kept_whole(few: Index) -> None:
    first = keys(few, "series")[0]
    names = [f"{n:0100}" for n in range(60)]
    give(few.database, [Label("series", "tag", first, name) for name in names])
    for name in names:
        assert few.search(asked=criteria(Tags=name)).count() == 1
    assert_same(few.search(), "Tags")


def test_labels_are_what_is_told(few: Index) -> None:
    one, two, *_ = keys(few, "series")
    give(few.database, [Label("series", "tag", one, "old"), Label("series", "collection", one, "list")])
    told = [Label("series", "tag", two, "new"), Label("series", "collection", one, "list")]
    mirror(few.database, lambda: told)
    assert dict(few.search().facets("Tags")["Tags"]) == {None: 3, "new": 1}
    assert dict(few.search().facets("Collection")["Collection"]) == {"lung": 4, "list": 1}
    before = few.change()
    mirror(few.database, lambda: told)
    assert few.change() == before


def test_what_is_not_here_yet_comes_with_its_labels(index: Index) -> None:
    one = arrival(1, 1)
    give(index.database, [Label("series", "tag", one.kept.series_key, "early")])
    give(index.database, [Label("series", "collection", one.kept.series_key, "list")])
    index.add([one])
    index.add([arrival(2, 1, collection="late")])
    row = index.search().page().rows[0]
    assert (row["Tags"], row["Collection"], row["ImportCollection"]) == ("early", "lung\\list", "lung")
    assert index.search(asked=criteria(text="early list")).count() == 1


def test_nothing_is_labelled_where_recording_it_fails(few: Index) -> None:
    def refuse() -> None:
        raise KeyError

    before = few.change()
    with pytest.raises(KeyError):
        give(few.database, [Label("series", "tag", keys(few, "series")[0], "x")], first=refuse)
    assert (count(few.database), few.change()) == (0, before)
