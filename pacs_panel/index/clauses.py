"""Criteria as SQL: the twin of `pacs_panel.index.criteria.matches`. All values travel as bound parameters."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BinaryExpression,
    Boolean,
    ColumnElement,
    FromClause,
    Text,
    UnaryExpression,
    and_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.sql import operators

from pacs_panel.attributes import LEVELS, Attribute, Level
from pacs_panel.index import schema
from pacs_panel.index.criteria import Between, Criteria, Criterion, Equal, Every, Groups, Like, Missing, Test
from pacs_panel.index.values import MULTIPLE, written

P, T, S, O = (schema.TABLES[level].c for level in LEVELS)  # noqa: E741
VISIBLE: dict[Level, ColumnElement[bool]] = {
    "patient": P.visible,
    "study": T.visible,
    "series": S.visible,
    "instance": O.current,
}
# How a level hangs on the one above.
LINKS: dict[Level, BinaryExpression[Any]] = {
    "study": BinaryExpression(T.patient_key, P.key, operators.eq),
    "series": BinaryExpression(S.study_key, T.key, operators.eq),
    "instance": BinaryExpression(O.series_key, S.key, operators.eq),
}
# What rows repeat of what they belong to, so that no join is needed for it.
REPEATED: dict[tuple[str, Level], ColumnElement[Any]] = {
    ("StudyDate", "series"): S.study_date,
    ("StudyDate", "instance"): S.study_date,
    ("patient_key", "study"): T.patient_key,
    ("patient_key", "series"): S.patient_key,
    ("patient_key", "instance"): S.patient_key,
    ("study_key", "series"): S.study_key,
    ("study_key", "instance"): S.study_key,
    ("series_key", "instance"): O.series_key,
}
TEXT_LEVEL: Level = "series"


def depth(level: Level) -> int:
    """0 for ``patient`` to 3 for ``instance``."""
    return LEVELS.index(level)


def where(criteria: Criteria, at: Level) -> ColumnElement[bool]:
    """What a row of ``at``, joined with what is above it as far as `levels` says, must be."""
    clauses: list[ColumnElement[bool]] = [VISIBLE[at]]
    below: list[Criterion] = []
    for criterion in criteria.wanted:
        if depth(criterion.attribute.level) <= depth(at):
            clauses.append(criterion_holds(criterion, at))
        else:
            below.append(criterion)
    if criteria.text and depth(at) >= depth(TEXT_LEVEL):
        clauses.append(_text(criteria.text))
    if below or (criteria.text and depth(at) < depth(TEXT_LEVEL)):
        clauses.append(_below(criteria, below, at))
    if criteria.every is not None:
        clauses.append(_no_other(criteria.level, criteria.every, at))
    return and_(*clauses)


def _no_other(level: Level, every: Every, at: Level) -> ColumnElement[bool]:
    """What a row of ``at`` belongs to on ``level``, or is, has no series that may be seen and does not meet all."""
    scopes = (Criteria("series"),) if every.scopes is None else every.scopes
    needed = set[Level]().union(*(levels(each, "series") for each in (every.asked, *scopes)))
    fails = func.coalesce(where(every.asked, "series"), false()).is_(false())
    query = select(S[f"{level}_key"]).select_from(tables("series", needed)).where(any_of(scopes, "series"), fails)
    own = schema.TABLES[level].c.key if at == level else REPEATED[f"{level}_key", at]
    return own.not_in(query.correlate(None))


def _below(criteria: Criteria, below: Iterable[Criterion], at: Level) -> ColumnElement[bool]:
    """There is something one level down that meets the criteria of its level, and has below it what meets the rest.

    A UID says which few rows are meant, so these are found first. Otherwise each row looks at what hangs on it.
    """
    down = LEVELS[depth(at) + 1]
    below = tuple(below)
    rest = Criteria(criteria.level, below, criteria.text if depth(at) < depth(TEXT_LEVEL) else ())
    own, upper = schema.TABLES[down], schema.TABLES[at]
    if any(c.attribute.vr == "UI" and c.keyword != "SOPClassUID" and _exact(c) for c in below):
        return LINKS[down].right.in_(select(LINKS[down].left).select_from(own).where(where(rest, down)))
    held = _unindexed(where(rest, down))
    return select(literal(1)).select_from(own).where(LINKS[down], VISIBLE[down], held).correlate(upper).exists()


def _unindexed(clause: ColumnElement[bool]) -> ColumnElement[bool]:
    """The same, but not a reason for SQLite to choose an index.

    Without statistics it would read, for every study, all series of a modality rather than all series of the study.
    """
    return UnaryExpression(clause.self_group(), operator=operators.custom_op("+"), type_=Boolean())


def _exact(criterion: Criterion) -> bool:
    return all(isinstance(test, Equal) for test in criterion.tests)


def levels(criteria: Criteria, at: Level, order: Iterable[Attribute] = ()) -> set[Level]:
    """Levels above ``at`` whose tables the criteria, or an order, need."""
    asked = [c.attribute for c in criteria.wanted] + list(order)
    needed = {a.level for a in asked if depth(a.level) < depth(at) and (a.keyword, at) not in REPEATED}
    if at == "instance" and (criteria.text or needed or any(a.level != at for a in asked) or criteria.every):
        needed.add("series")
    return needed


def tables(at: Level, needed: Iterable[Level]) -> FromClause:
    """The table of ``at``, joined upwards with those of ``needed``."""
    joined: FromClause = schema.TABLES[at]
    needed = set(needed)
    if at == "instance" and needed:
        joined = joined.join(schema.series, LINKS["instance"])
    if "study" in needed:
        joined = joined.join(schema.study, LINKS["series"])
    if "patient" in needed:
        joined = joined.join(schema.patient, (T if at == "study" else S).patient_key == P.key)
    return joined


def columns(attribute: Attribute, at: Level) -> list[ColumnElement[Any]]:
    """Expressions to compare and sort by, as seen from a row of ``at``."""
    repeated = REPEATED.get((attribute.keyword, at))
    return schema.comparable(attribute) if repeated is None else [repeated]


# -- one criterion -----------------------------------------------------------------------------------------------------


def criterion_holds(criterion: Criterion, at: Level) -> ColumnElement[bool]:
    """What one criterion, on an attribute of ``at`` or above, asks of a row of ``at``."""
    attribute = criterion.attribute
    equal = [test.value for test in criterion.tests if isinstance(test, Equal)]
    clauses = [false(), *(_test(attribute, test, at) for test in criterion.tests if not isinstance(test, Equal))]
    if len(equal) > 1 and attribute.keyword not in MULTIPLE:
        values = select(func.json_each(json.dumps(equal)).table_valued("value").c.value)
        clauses += [column.in_(values) for column in columns(attribute, at)]
    else:
        clauses += [_test(attribute, Equal(value), at) for value in equal]
    return or_(*clauses)


def _test(attribute: Attribute, test: Test, at: Level) -> ColumnElement[bool]:
    found = columns(attribute, at)
    if isinstance(test, Missing):
        return shown(attribute, at).is_(None)
    if isinstance(test, Groups):
        return and_(*(_test(attribute, part, at) for part in test.parts))
    if attribute.number and attribute.keyword in MULTIPLE and not isinstance(test, Like):
        return _any_number(shown(attribute, at), test)
    if isinstance(test, Between):
        return _between(found[0], test)
    if attribute.keyword in MULTIPLE:
        return _any_value(found[0], test)
    return or_(*(_is(column, test) for column in found))


def shown(attribute: Attribute, at: Level) -> ColumnElement[Any]:
    """The value as it is stored, seen from a row of ``at``."""
    repeated = REPEATED.get((attribute.keyword, at))
    return schema.TABLES[attribute.level].c[attribute.column] if repeated is None else repeated


def _is(column: ColumnElement[Any], test: Equal | Like) -> ColumnElement[bool]:
    return column == test.value if isinstance(test, Equal) else column.like(_pattern(test.pattern), escape="/")


def _pattern(pattern: str) -> str:
    for special in "/%_":
        pattern = pattern.replace(special, f"/{special}")
    return pattern.replace("*", "%").replace("?", "_")


def _between(column: ColumnElement[Any], test: Between) -> ColumnElement[bool]:
    ends = [column >= test.low] if test.low is not None else []
    ends += [column <= test.high] if test.high is not None else []
    return and_(*ends, column.is_not(None))


def _any_number(column: ColumnElement[Any], test: Equal | Between) -> ColumnElement[bool]:
    """A number, or any of those that backslashes separate, which make a text of the column."""
    several = func.typeof(column) == "text"
    if isinstance(test, Between):
        listed = literal("[") + func.replace(column, "\\", ",") + "]"
        value = func.json_each(listed).table_valued("value").c.value
        inside = select(literal(1)).where(_between(value, test)).exists()
        return case((several, inside), else_=_between(column, test))
    return case(
        (several, _any_value(type_coerce(column, Text), Equal(written(test.value)))), else_=column == test.value
    )


def _any_value(column: ColumnElement[Any], test: Equal | Like) -> ColumnElement[bool]:
    """Any of the values that backslashes separate."""
    if isinstance(test, Equal):
        return func.instr(literal("\\") + column + "\\", f"\\{test.value}\\") > 0
    # As JSON a backslash is two; exchanged for the gap between two strings, the values become a list.
    listed = literal("[") + func.replace(func.json_quote(column), "\\\\", '","') + "]"
    value = func.json_each(listed).table_valued("value").c.value
    return select(literal(1)).where(_is(value, test)).exists()


def _text(asked: tuple[str, ...]) -> ColumnElement[bool]:
    """The series has these words; they hold nothing but letters and digits, so quoting is all that FTS5 needs."""
    query = " AND ".join(f'"{word}"' for word in asked) + "*"
    found = schema.series_text.c
    return S.id.in_(select(found.rowid).where(found.series_text.op("MATCH")(query)))


def alternatives(criteria: Criteria, scopes: Iterable[Criteria] | None) -> tuple[Criteria, ...]:
    """Criteria of which a row must meet one: ``criteria``, taken together with each of ``scopes``."""
    if scopes is None:
        return (criteria,)
    scopes = tuple(scopes)
    every = criteria.every and replace(criteria.every, scopes=scopes)
    return tuple(
        Criteria(criteria.level, criteria.wanted + scope.wanted, scope.text + criteria.text, every) for scope in scopes
    )


def any_of(asked: Iterable[Criteria], at: Level) -> ColumnElement[bool]:
    """A row of ``at`` meets one of ``asked``; where there is none, no row does."""
    return or_(false(), *(where(each, at) for each in asked))
