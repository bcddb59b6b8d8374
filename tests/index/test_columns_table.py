"""Found rows as a table: the same from memory as from SQL, and as the rows themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pacs_panel.attributes import BY_KEYWORD, LEVELS, Level, down_to
from pacs_panel.errors import BadQuery
from pacs_panel.index.columns_table import OWN
from pacs_panel.index.criteria import criteria
from pacs_panel.index.store import Index
from pacs_panel.index.values import compared, years
from tests.index.made import arrival
from tests.index.test_columns import fill


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("table") / "index.sqlite") as index:
        fill(index, range(40), 5)
        index.trash("series", str(index.search().page(1).rows[0]["key"]))
        yield index


def plain(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Key to values, ``None`` where there is none."""
    rows = frame.astype(object).where(frame.notna(), None)
    return {row["key"]: row for row in rows.to_dict("records")}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("asked", [{}, {"SliceThickness": "0-"}, {"text": "a"}, {"Modality": "none"}, {"key": []}])
def test_memory_sql_and_rows_agree(many: Index, level: Level, asked: dict) -> None:
    names = [*(a.keyword for a in down_to(level)), *OWN[level]]
    found = many.search(level, criteria(level, **asked))
    told, other = found.columns(*names), replace(found, memory=None).columns(*names)
    pd.testing.assert_frame_equal(told, other)
    assert list(told) == ["key", *names]
    rows = [dict(row) for row in found.rows()]
    for row in rows:
        row["PatientAge"] = row.get("PatientAge") and years(str(row["PatientAge"]))
        for name in ("SliceThickness",) if level in ("series", "instance") else ():  # of several numbers, the lowest
            row[name] = compared(BY_KEYWORD[name], row[name])
    assert plain(told) == {str(row["key"]): {"key": row["key"], **{n: row[n] for n in names}} for row in rows}


def test_kinds_of_columns(index: Index) -> None:
    index.add(
        [
            arrival(1, 1, Modality="CT", SliceThickness=2.5, SeriesNumber=7, StudyDate="20250301", received=10**18),
            arrival(1, 2, Modality="MR", ConvolutionKernel="B30\\B31"),
            arrival(1, 3, Modality="ct"),
        ]
    )
    table = index.search().columns("Modality", "SliceThickness", "SeriesNumber", "StudyDate", "ConvolutionKernel")
    assert list(table["Modality"]) == ["CT", "MR", "ct"]
    assert list(table["Modality"].cat.categories) == ["CT", "MR", "ct"]
    assert table["SliceThickness"].dtype == np.float64
    assert table["SeriesNumber"].dtype == "Int64"
    assert list(table["SeriesNumber"].dropna()) == [7]
    assert list(table["StudyDate"].cat.categories) == ["20250301"]
    assert list(table["ConvolutionKernel"].dropna()) == ["B30\\B31"]
    assert table["key"].dtype == "str"
    assert list(index.search().columns("received", "bytes")["received"]) == [10**18, 1, 1]


def test_nothing_is_told_of_values_that_were_not_found(index: Index) -> None:
    index.add([arrival(1, 1, 1, patient="seen"), arrival(1, 1, 2, patient="hidden")])
    for search in (
        index.search(scope=[criteria(PatientID="seen")]),
        index.search("study", criteria("study", PatientID="seen")),
    ):
        assert list(search.columns("PatientID")["PatientID"].cat.categories) == ["seen"]


def test_without_keywords_there_are_the_keys(many: Index) -> None:
    table = many.search().columns()
    assert list(table) == ["key"]
    assert len(table) == many.search().count()


@pytest.mark.parametrize(("level", "keyword"), [("study", "Modality"), ("patient", "study_key"), ("series", "length")])
def test_columns_that_cannot_be(many: Index, level: Level, keyword: str) -> None:
    with pytest.raises(BadQuery):
        many.search(level).columns(keyword)
