from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from pacs_panel.attributes import BY_KEYWORD, Level
from pacs_panel.errors import BadQuery
from pacs_panel.index.criteria import Criteria, criteria
from pacs_panel.index.matching import matches
from pacs_panel.index.store import Index
from pacs_panel.index.values import compared
from tests.index.made import arrival

# Pieces of which both the rows and the questions are made: cases, marks that mean something to SQL, DICOM or JSON.
PIECES = [
    *("a", "A", "ä", "Ä", "A\u0308", "ß", "SS", "İ"),
    *("ı", "山田", "%", "_", "/", "'", '"', "["),
    *("^", " ", "1", "-", "{", "k", "\u212a"),
]
ASKED = [*PIECES, "*", "?", "*"]
DATES = ["", "20250101", "20250102", "2025", "20241231", "unknown", "19991231"]
TIMES = ["", "12", "1200", "120000.5", "115959", "1201", "000000"]
TEXTS = ("SeriesDescription", "Modality", "StationName", "PatientID", "StudyDescription", "AccessionNumber")
NAMED = ("PatientName", "ReferringPhysicianName")
SEVERAL = ("ConvolutionKernel", "ScanningSequence")
AGES = ["", "045Y", "006M", "012M", "001Y", "12m", "003W", "200D", "unknown", "Y"]
NUMBERS = ("SliceThickness", "SeriesNumber", "PatientSize")


def rows_for(dice: random.Random) -> dict[str, object]:
    def text() -> str:
        return "".join(dice.choices(PIECES, k=dice.randint(0, 3)))

    return {
        **{keyword: text() for keyword in TEXTS},
        **{keyword: "=".join(text() for _ in range(dice.randint(1, 4))) for keyword in NAMED},
        **{keyword: "\\".join(text() for _ in range(dice.randint(1, 3))) for keyword in SEVERAL},
        **{keyword: dice.choice(["", 0, 1, 2.5, -1, "3.0", "x"]) for keyword in NUMBERS},
        **{keyword: dice.choice(DATES) for keyword in ("StudyDate", "SeriesDate")},
        "PatientAge": dice.choice(AGES),
        **{keyword: dice.choice(TIMES) for keyword in ("StudyTime", "SeriesTime")},
    }


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """120 series of 60 studies of random patients, all values from small sets, some missing."""
    dice = random.Random(7)
    with Index(tmp_path_factory.mktemp("many") / "index.sqlite") as index:
        index.add(
            [
                arrival(
                    n, series, study, **{"patient": f"P{study % 25}", "received": dice.randint(1, 5)} | rows_for(dice)
                )
                for study in range(60)
                for series in range(2)
                for n in range(dice.randint(1, 2))
            ]
        )
        yield index


@pytest.fixture(scope="module")
def series_rows(many: Index) -> list[dict]:
    return list(many.search("series").rows())


def asked_values() -> st.SearchStrategy[tuple[str, object]]:
    text = st.lists(st.sampled_from(ASKED), min_size=1, max_size=4).map("".join)
    name = st.lists(text, min_size=1, max_size=3).map("=".join)
    number = st.sampled_from([0, 1, 2.5, -1, "3", "1-3", "0-"])
    end = st.sampled_from([None, -1, 0, 2, 2.5])
    day = st.sampled_from(["20250101", "2025", "202501", "20250101-", "-20250102", "2024-2025", "20250101-20250101"])
    moment = st.sampled_from(["12", "1200", "120000-1201", "-1159", "12-", "115959-120000"])
    missing = st.sampled_from(['""', "", None])
    age = st.sampled_from(["045Y", "006M", "1Y", "1", 45, "0-1", "6M-", "-012M", "003W-045Y"])
    return st.one_of(
        st.tuples(
            st.sampled_from(TEXTS + SEVERAL), st.one_of(text, missing, st.lists(st.one_of(text, st.none()), max_size=3))
        ),
        st.tuples(st.sampled_from(NAMED), st.one_of(name, missing, st.lists(name, max_size=3))),
        st.tuples(
            st.sampled_from(NUMBERS), st.one_of(number, missing, st.tuples(end, end), st.lists(number, max_size=3))
        ),
        st.tuples(st.sampled_from(["StudyDate", "SeriesDate"]), st.one_of(day, missing, st.lists(day, max_size=2))),
        st.tuples(st.sampled_from(["StudyTime", "SeriesTime"]), st.one_of(moment, missing)),
        st.tuples(st.just("PatientAge"), st.one_of(age, missing, st.tuples(end, end), st.lists(age, max_size=2))),
        st.tuples(st.just("text"), text),
    )


@pytest.mark.slow
@settings(max_examples=250)
@given(asked=st.lists(asked_values(), min_size=1, max_size=2).map(dict))
def test_sql_and_memory_agree(many: Index, series_rows: list[dict], asked: dict) -> None:
    wanted = criteria("series", **asked)
    expected = {row["key"] for row in series_rows if matches(wanted, row)}
    found = many.search("series", wanted)
    assert {row["key"] for row in found.rows()} == expected
    assert found.count() == len(expected)


@settings(max_examples=40)
@given(
    asked=st.lists(asked_values(), min_size=1, max_size=2).map(dict),
    level=st.sampled_from(["patient", "study", "instance"]),
)
@pytest.mark.slow
def test_other_levels_follow_from_the_series(many: Index, series_rows: list[dict], asked: dict, level: Level) -> None:
    """Above: there is such a series; below: it belongs to such a series."""
    wanted = criteria(level, **asked)
    if level == "patient":  # the table of patients holds criteria on studies and series of one and the same study
        expected = {row["patient_key"] for row in series_rows if matches(wanted, row)}
    elif level == "study":
        expected = {row["study_key"] for row in series_rows if matches(wanted, row)}
    else:
        keys = {row["key"] for row in series_rows if matches(wanted, row)}
        expected = {row["key"] for row in many.search("instance").rows() if row["series_key"] in keys}
    found = many.search(level, wanted)
    assert {row["key"] for row in found.rows()} == expected
    assert found.count() == len(expected)


@pytest.mark.slow
@settings(max_examples=40)
@given(asked=st.lists(asked_values(), max_size=1).map(dict))
def test_scope_is_met_together_with_what_is_asked(many: Index, series_rows: list[dict], asked: dict) -> None:
    wanted = criteria("study", **asked)
    scopes = [criteria("series", SeriesNumber=1), criteria("series", SliceThickness=2.5)]
    expected = {
        row["study_key"] for row in series_rows if matches(wanted, row) and any(matches(scope, row) for scope in scopes)
    }
    assert {row["key"] for row in many.search("study", wanted, scope=scopes).rows()} == expected
    assert many.search("study", wanted, scope=[]).count() == 0


# -- order and pages ---------------------------------------------------------------------------------------------------

ORDERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["StudyDate", "SliceThickness", "SeriesNumber", "Modality", "PatientName", "received", "StudyTime"]
        ),
        st.sampled_from(["asc", "desc"]),
    ),
    max_size=3,
    unique_by=lambda pair: pair[0],
)


@pytest.mark.slow
@settings(max_examples=40)
@given(order=ORDERS, size=st.integers(1, 50))
def test_pages_put_together_are_the_list(many: Index, order: list, size: int) -> None:
    found = many.search("series", order=order)
    whole = [row["key"] for row in found.page(1000).rows]
    assert sorted(whole) == sorted({row["key"] for row in many.search("series").rows()})
    assert [row["key"] for row in found.rows(size)] == whole


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("level", ["patient", "study", "series", "instance"])
@pytest.mark.parametrize("keyword", ["PatientSize", "StudyDate", "SliceThickness", "received"])
def test_order_is_by_value_then_key_with_missing_last(many: Index, level: Level, keyword: str, direction: str) -> None:
    order = [(keyword, direction)]
    if keyword != "received" and level in ("patient", "study")[: 1 if BY_KEYWORD[keyword].level == "study" else 2]:
        with pytest.raises(BadQuery, match="below"):
            many.search(level, order=order)
        return
    rows = list(many.search(level, order=order).rows(7))
    down = direction == "desc"
    present = [row for row in rows if row[keyword] is not None]
    absent = [row for row in rows if row[keyword] is None]
    assert rows == present + absent

    def place(row: dict) -> tuple:
        value = row[keyword]
        return (compared(BY_KEYWORD[keyword], value) if keyword == "SliceThickness" else value), row["key"]

    assert present == sorted(present, key=place, reverse=down)
    assert absent == sorted(absent, key=lambda row: row["key"], reverse=down)


def test_text_is_ordered_without_regard_to_case(index: Index) -> None:
    names = ["beta", "Alpha", "ÄTNA", "Gamma", "äther"]
    index.add([arrival(1, n, SeriesDescription=name) for n, name in enumerate(names)])
    rows = index.search("series", order=[("SeriesDescription", "asc")]).rows(2)
    assert [row["SeriesDescription"] for row in rows] == ["Alpha", "beta", "Gamma", "äther", "ÄTNA"]


def test_a_page_goes_on_after_its_last_row_was_removed(index: Index) -> None:
    index.add([arrival(1, n, SeriesNumber=n) for n in range(6)])
    found = index.search("series", order=[("SeriesNumber", "asc")])
    page = found.page(3)
    assert page.next is not None
    index.trash("series", page.next)
    assert [row["SeriesNumber"] for row in found.page(3, page.next).rows] == [3, 4, 5]
    assert found.page(3, page.next).next is None


def test_bad_pages(index: Index) -> None:
    for limit in (0, -1, 10_001):
        with pytest.raises(BadQuery, match="limit"):
            index.search().page(limit)
    with pytest.raises(BadQuery, match="start again"):
        index.search().page(after="nowhere")
    with pytest.raises(BadQuery, match="asc"):
        index.search(order=[("StudyDate", "up")])
    with pytest.raises(BadQuery, match="StudyDate"):
        index.search(order=[("StudyDat", "asc")])
    with pytest.raises(BadQuery, match="level"):
        index.search("visit")  # type: ignore[arg-type]


def test_an_empty_index(index: Index) -> None:
    found = index.search("study")
    assert (found.count(), found.page().rows, found.page().next, found.facets("Modality")) == (
        0,
        (),
        None,
        {"Modality": []},
    )
    assert list(found.to_frame().columns[:2]) == ["key", "patient_key"]


def test_to_frame(many: Index) -> None:
    frame = many.search("series", criteria(SeriesNumber=1)).to_frame()
    assert len(frame) == many.search("series", criteria(SeriesNumber=1)).count() > 0
    assert set(frame["SeriesNumber"]) == {1}
    assert {"key", "study_key", "patient_key", "revision", "received", "PatientID", "StudyDate"} <= set(frame.columns)


# -- facets ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["patient", "study", "series", "instance"])
@pytest.mark.parametrize("keyword", ["Modality", "StudyDate", "SeriesNumber", "ScanningSequence", "PatientSize"])
def test_a_facet_counts_what_choosing_it_gives(many: Index, level: Level, keyword: str) -> None:
    asked = criteria(level, SliceThickness=(0, 2.5), StudyDate="20250101")
    facet = many.search(level, asked).facets(keyword)[keyword]
    assert [count for _, count in facet] == sorted((count for _, count in facet), reverse=True)
    for value, count in facet:
        if isinstance(value, str) and (set("*?") & set(value) or value in ("2025", "unknown", "")):
            continue  # as a question it would mean more than itself
        rest = {"SliceThickness": (0, 2.5), "StudyDate": "20250101"} | {keyword: [value]}
        assert many.search(level, criteria(level, **rest)).count() == count, value


def test_facets_of_series(index: Index) -> None:
    parts = ["CHEST", "Chest", "HEAD", "", "HEAD", "CHEST"]
    index.add(
        [arrival(1, n, BodyPartExamined=part, ScanningSequence="SE\\IR" if n else "SE") for n, part in enumerate(parts)]
    )
    facets = index.search("series").facets("BodyPartExamined", "ScanningSequence")
    assert facets["BodyPartExamined"] == [("CHEST", 3), ("HEAD", 2), (None, 1)]
    assert facets["ScanningSequence"] == [("SE", 6), ("IR", 5)]
    narrowed = index.search("series", criteria(BodyPartExamined="HEAD")).facets("BodyPartExamined", "Modality", limit=2)
    assert narrowed == {"BodyPartExamined": [("CHEST", 3), ("HEAD", 2)], "Modality": [("CT", 2)]}


def test_facets_agree_with_the_rows(many: Index, series_rows: list[dict]) -> None:
    facet = many.search("series").facets("SeriesNumber")["SeriesNumber"]
    assert dict(facet) == Counter(row["SeriesNumber"] for row in series_rows)


# -- names, text, UIDs -------------------------------------------------------------------------------------------------


def test_names_in_any_script_and_case(index: Index) -> None:
    names = ["Äneas^Rüdiger", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Люкceмбypг", "Διονυσιος", "قباني^لنزار"]
    index.add([arrival(1, 1, n, patient=f"P{n}", PatientName=name) for n, name in enumerate(names)])
    for asked, name in [
        ("äneas*", names[0]),
        ("ÄNEAS^RÜDIGER", names[0]),
        ("山田*", names[1]),
        ("やまだ^*", names[1]),
        ("yamada^tarou", names[1]),
        ("ЛЮК*", names[2]),
        ("διονυσιοΣ", names[3]),
        ("قباني*", names[4]),
    ]:
        for level in ("patient", "study", "series", "instance"):
            assert [row["PatientName"] for row in index.search(level, criteria(level, PatientName=asked)).rows()] == [
                name
            ]
    for asked, name in [
        ("aneas", names[0]),
        ("rüdi", names[0]),
        ("太郎", names[1]),
        ("люк", names[2]),
        ("διονυσ", names[3]),
    ]:
        assert [row["PatientName"] for row in index.search("series", criteria(text=asked)).rows()] == [name]


@pytest.mark.parametrize(
    "text", ['"', "a OR b*", "NEAR(a b)", "words:a", "a AND", "- *", "^a", "'; DROP TABLE series", "(", "\0", "NOT a"]
)
def test_free_text_has_no_syntax(index: Index, text: str) -> None:
    index.add([arrival(SeriesDescription="zzz")])
    assert index.search("series", criteria(text=text)).count() in (0, 1)


def test_free_text_follows_changes(index: Index) -> None:
    index.add([arrival(1, 1, received=1, StudyDescription="thorax"), arrival(1, 2, received=1)])
    assert index.search("series", criteria(text="thorax")).count() == 2
    index.add([arrival(2, 1, received=2, StudyDescription="abdomen")])
    assert index.search("series", criteria(text="thorax")).count() == 0
    assert index.search("series", criteria(text="abdo")).count() == 2
    assert index.search("study", criteria("study", text="ct abdo")).count() == 1


def test_one_series_uid_in_two_studies(index: Index) -> None:
    index.add([arrival(1, 1, 1, SeriesInstanceUID="9.9"), arrival(1, 1, 2, SeriesInstanceUID="9.9")])
    keys = {arrival(1, 1, 1).kept.series_key, arrival(1, 1, 2).kept.series_key}
    assert {row["key"] for row in index.resolve("9.9", "series")} == keys
    for key in keys:
        assert [row["key"] for row in index.resolve(key, "series")] == [key]
    assert index.resolve("nothing", "series") == []
    assert len(index.resolve("1.2.1", "study")) == len(index.resolve("P1", "patient")) == 1
    assert index.resolve("1.2.1.1.1", "instance")[0]["series_key"] in keys
    assert (
        index.resolve("9.9", "series", scope=Criteria("series", criteria(StudyInstanceUID="1.2.1").wanted))[0][
            "StudyInstanceUID"
        ]
        == "1.2.1"
    )


def test_thousands_of_values_in_one_list(index: Index) -> None:
    index.add([arrival(1, n) for n in range(5)])
    asked = criteria(SeriesInstanceUID=[f"1.2.1.{n}" for n in range(3, 50_000)])
    assert index.search("series", asked).count() == 2


@pytest.mark.parametrize(
    ("level", "asked", "used"),
    [
        ("series", {}, ["by_study_date"]),
        ("series", {"Modality": "CT"}, ["by_Modality"]),
        ("series", {"SeriesInstanceUID": "1.2.1.1"}, ["by_SeriesInstanceUID"]),
        ("series", {"SOPInstanceUID": "1.2.1.1.1"}, ["by_SOPInstanceUID"]),
        ("study", {"Modality": "CT"}, ["by_StudyDate", "ix_series_study_key"]),
        ("study", {"SeriesInstanceUID": "1.2.1.1"}, ["by_SeriesInstanceUID"]),
        ("instance", {"SOPInstanceUID": "1.2.1.1.1"}, ["by_SOPInstanceUID"]),
        ("instance", {"SeriesInstanceUID": "1.2.1.1"}, ["by_SeriesInstanceUID", "by_series "]),
    ],
)
def test_pages_use_the_indexes(index: Index, level: Level, asked: dict, used: list[str]) -> None:
    """Without statistics already: a new archive has none."""
    plan = plans(index, lambda: index.search(level, criteria(level, **asked)).page(25))
    assert [name for name in used if name not in plan + " "] == []


def test_counting_and_listing_a_series_use_the_index(index: Index) -> None:
    assert "by_series " in plans(index, lambda: index.objects("x"))
    plan = plans(index, lambda: index.add([arrival()]))
    assert "COVERING INDEX by_series " in plan
    assert "SCAN object" not in plan
    assert "unsettled" in plans(index, index.unsettled)


def plans(index: Index, work: Callable[[], object]) -> str:
    """How SQLite goes about the statements of ``work``."""
    seen: list[tuple[str, Any]] = []

    def note(connection: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "json_each" in statement or statement.startswith("SELECT"):
            seen.append((statement, parameters))

    engine = index.database._engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    steps = []
    with sqlite3.connect(index.database.path) as connection:
        for statement, parameters in seen:
            given = parameters[0] if isinstance(parameters, list) else parameters
            steps += [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement, given)]
    return "\n".join(steps)
