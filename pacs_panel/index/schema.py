"""Tables of the index. Columns for attributes are made from `pacs_panel.attributes`.

Text is compared without regard to case. SQLite's own ``lower`` knows ASCII only, so a column of text has a neighbour
``<keyword>_folded`` that is filled just where more is needed; `comparable` is the expression over both, and what
indexes are made of. It costs next to nothing to store and runs without leaving SQLite.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from sqlalchemy import (
    DDL,
    Boolean,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    cast,
    column,
    func,
    literal_column,
    table,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeEngine, UserDefinedType

from pacs_panel.attributes import AGE, ATTRIBUTES, BY_KEYWORD, Attribute, Level, at_level
from pacs_panel.index.values import MULTIPLE, WHOLE, shadow_columns

metadata = MetaData()


class Numbers(UserDefinedType[Any]):
    """A number, or as text several that backslashes separate."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """As SQL: text that is no number stays text."""
        return "REAL"


def _columns(level: Level) -> list[Column[Any]]:
    columns: list[Column[Any]] = []
    for attribute in at_level(level):
        columns.append(Column(attribute.column, _type(attribute)))
        shadow = Float if attribute.vr == AGE else Text
        columns += [Column(name, shadow) for name in shadow_columns(attribute)]
    return columns


def _type(attribute: Attribute) -> type[TypeEngine[Any]]:
    if not attribute.number:
        return Text
    if attribute.keyword in MULTIPLE:
        return Numbers
    return Integer if attribute.vr in WHOLE else Float


def _change() -> Column[Any]:
    return Column("change", Integer, nullable=False, index=True)


def _visible() -> Column[Any]:
    return Column("visible", Boolean, nullable=False, default=False)


def _stated() -> Column[Any]:
    """As JSON, what the received objects state where a correction holds instead; null where none does."""
    return Column("stated", Text)


patient = Table(
    "patient",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("received", Integer, nullable=False),
    _change(),
    _visible(),
    _stated(),
    *_columns("patient"),
)

study = Table(
    "study",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("patient_key", Text, nullable=False, index=True),
    Column("stated_patient", Text, nullable=False, index=True),
    Column("received", Integer, nullable=False),
    _change(),
    _visible(),
    _stated(),
    *_columns("study"),
)

# `first` and `received`: arrival of its earliest and latest object. `content`: the change that last altered its set of
# current objects; `settled`: the published revision is made of that set. `study_date` repeats the study's, so that one
# index both filters and sorts.
series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("study_key", Text, nullable=False, index=True),
    Column("patient_key", Text, nullable=False, index=True),
    Column("stated_study", Text, nullable=False, index=True),
    Column("study_date", Text),
    Column("first", Integer, nullable=False),
    Column("received", Integer, nullable=False, index=True),
    _change(),
    Column("content", Integer, nullable=False, default=0),
    Column("settled", Boolean, nullable=False, default=False),
    _visible(),
    _stated(),
    Column("bytes", Integer, nullable=False, default=0),
    Column("revision", Text),
    *_columns("series"),
)

objects = Table(
    "object",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("series_key", Text, nullable=False),
    Column("study_key", Text, nullable=False),
    Column("patient_key", Text, nullable=False),
    Column("pack", Text, nullable=False),
    Column("offset", Integer, nullable=False),
    Column("length", Integer, nullable=False),
    Column("in_place", Boolean, nullable=False),
    Column("dataset_offset", Integer, nullable=False),
    Column("file_digest", Text, nullable=False, index=True),
    Column("dataset_digest", Text, nullable=False),
    Column("received", Integer, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("trashed", Boolean, nullable=False),
    Column("damaged", Text),
    Column("collection", Text),
    *_columns("instance"),
    Column("image", Text),  # last, for it is long: the columns before it are read without it
)

pack = Table(
    "pack",
    metadata,
    Column("id", Text, primary_key=True),
    Column("series_key", Text, nullable=False, index=True),
    Column("sealed", Boolean, nullable=False),
)

revision = Table(
    "revision",
    metadata,
    Column("series_key", Text, primary_key=True),
    Column("revision", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("stacks", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("created", Integer, nullable=False),
)

# What object versions name, by UID: `target` is an instance, series or study (`level`), here or not.
reference = Table(
    "reference",
    metadata,
    Column("source", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("level", Text, nullable=False),
    Column("sop_class", Text, nullable=False),
    Column("series", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What hides its target, by the beginning of its role; spelled out, so that the index below is used.
rejects = func.substr(reference.c.role, literal_column("1"), literal_column("8")) == literal_column("'Rejected'")

# What people set right, as the records hold it, so that it is applied to whatever arrives.
correction = Table("correction", metadata, Column("number", Integer, primary_key=True), Column("body", Text))

# What people say of patients, studies and series, as the records hold it: tags, and collections that are lists.
label = Table(
    "label",
    metadata,
    Column("level", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    sqlite_with_rowid=False,
)

# One row: the latest change, and the one with which the index was made or cleared; earlier identifiers mean nothing.
change = Table(
    "change", metadata, Column("number", Integer, primary_key=True), Column("since", Integer, nullable=False)
)

tombstone = Table(
    "tombstone",
    metadata,
    Column("level", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _change(),
)

# FTS5, whose words come folded from `pacs_panel.index.values.words`: the tokenizer only has to split at blanks.
series_text = table("series_text", column("rowid", Integer), column("series_text", Text), column("words", Text))
FTS = DDL("CREATE VIRTUAL TABLE series_text USING fts5(words, tokenize='ascii', prefix='2 3', detail='none')")

TABLES: dict[Level, Table] = {"patient": patient, "study": study, "series": series, "instance": objects}


def comparable(attribute: Attribute) -> list[ColumnElement[Any]]:
    """Expressions of which any may match the attribute's folded value; the first one also sorts."""
    columns = TABLES[attribute.level].c
    own: ColumnElement[Any] = columns[attribute.column]
    names = shadow_columns(attribute)
    if attribute.number and attribute.keyword in MULTIPLE:
        return [cast(own, Float)]  # of several, the first
    if not names:
        return [own]
    if attribute.vr == AGE:
        return [columns[names[0]]]
    return [func.coalesce(columns[names[0]], func.lower(own)), *(columns[name] for name in names[1:])]


@cache
def fingerprint() -> int:
    """A number that changes with the tables, for ``PRAGMA user_version``."""
    dialect = sqlite.dialect()
    text = "".join(str(CreateTable(each).compile(dialect=dialect)) for each in metadata.sorted_tables)
    text += str(FTS) + "".join(sorted(_SHAPES)) + repr(ATTRIBUTES)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1 | 1


def _index(name: str, *columns: Any, only: ColumnElement[bool] | None = None) -> None:
    _SHAPES.append(name)
    Index(name, *columns, sqlite_where=only)


_SHAPES: list[str] = []

for _keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "AccessionNumber", "SeriesInstanceUID"):
    _attribute = BY_KEYWORD[_keyword]
    _index(f"by_{_keyword}", comparable(_attribute)[0], TABLES[_attribute.level].c.key)
# Narrow ones, each in the order in which series are listed: the date decides, the key breaks ties.
for _keyword in ("Modality", "BodyPartExamined", "ImportCollection"):
    _index(f"by_{_keyword}", comparable(BY_KEYWORD[_keyword])[0], series.c.study_date, series.c.key)
_index("by_study_date", series.c.study_date, series.c.key)
_index("by_SOPInstanceUID", objects.c.SOPInstanceUID)
_index("by_series", objects.c.series_key, objects.c.current, objects.c.length)
_index("superseded", objects.c.series_key, only=~objects.c.current)
_index("by_target", reference.c.target)
_index("rejecting", reference.c.target, only=rejects)
_index("by_label", label.c.kind, label.c.name)
_index("damaged", objects.c.damaged, only=objects.c.damaged.is_not(None))
_index("unsettled", series.c.content, series.c.key, only=~series.c.settled)
for _corrected in (patient, study, series):
    _index(f"corrected_{_corrected.name}", _corrected.c.key, only=_corrected.c.stated.is_not(None))
_index("moved_study", study.c.key, only=study.c.patient_key != study.c.stated_patient)
_index("moved_series", series.c.key, only=series.c.study_key != series.c.stated_study)
_index("unsealed", pack.c.series_key, only=~pack.c.sealed)
