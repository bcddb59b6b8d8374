"""Cohorts beside one another, and beside somebody's own table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pacs_panel.cohort.frozen import Row
from pacs_panel.errors import BadQuery

if TYPE_CHECKING:
    import pandas as pd

TOLD = 20  # series that are named one by one
ON = ("PatientID", "StudyInstanceUID")
SERIES = ("series_key", "StudyInstanceUID", "SeriesInstanceUID")
Series = Mapping[str, Row]  # by SOP Instance UID


# -- difference --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between two selections; ``str`` says it in words.

    Attributes
    ----------
    added, removed : pandas.DataFrame
        Series that only the later, or only the earlier one has, with their revision and number of ``objects``.
    changed : pandas.DataFrame
        Series of both that are not the same: how many objects were ``added``, ``removed`` or are ``other`` ones under
        the same UID, ``revision`` and ``revision_before``, and ``words``.
    """

    added: pd.DataFrame
    removed: pd.DataFrame
    changed: pd.DataFrame

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return self.added.empty and self.removed.empty and self.changed.empty

    def __str__(self) -> str:
        if self.same:
            return "no difference"
        lines = [f"{len(self.added)} series added, {len(self.removed)} removed, {len(self.changed)} changed"]
        for what, frame in (("added", self.added), ("removed", self.removed)):
            lines += [f"  {what}: {_name(row)}, {_number(row['objects'], 'object')}" for row in _first(frame)]
        lines += [f"  changed: {_name(row)}: {row['words']}" for row in _first(self.changed)]
        more = sum(max(0, len(frame) - TOLD) for frame in (self.added, self.removed, self.changed))
        return "\n".join([*lines, *([f"  and {more} more"] if more else [])])


def difference(before: Iterable[Row], after: Iterable[Row]) -> Difference:
    """What must happen to ``before`` to make it ``after``."""
    import pandas as pd

    earlier, later = by_series(before), by_series(after)
    added = [_facts(later[key]) for key in later if key not in earlier]
    removed = [_facts(earlier[key]) for key in earlier if key not in later]
    changed = [_change(earlier[key], later[key]) for key in later if key in earlier and later[key] != earlier[key]]
    facts = [*SERIES, "revision", "objects"]
    columns = [*SERIES, "added", "removed", "other", "revision_before", "revision", "words"]
    return Difference(
        pd.DataFrame(added, columns=facts), pd.DataFrame(removed, columns=facts), pd.DataFrame(changed, columns=columns)
    )


def by_series(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """Rows by series key, then by SOP Instance UID, both in the order of the rows."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.series_key, {})[row.SOPInstanceUID] = row
    return found


def first(series: Series) -> Row:
    """A row of a series, for what all its rows say."""
    return next(iter(series.values()))


def _facts(series: Series) -> dict[str, Any]:
    row = first(series)
    return {**{name: getattr(row, name) for name in SERIES}, "revision": row.revision, "objects": len(series)}


def _change(before: Series, after: Series) -> dict[str, Any]:
    common = before.keys() & after.keys()
    other = [uid for uid in common if before[uid].file_digest != after[uid].file_digest]
    encoded = sum(before[uid].dataset_digest == after[uid].dataset_digest for uid in other)
    counts = {"added": len(after.keys() - common), "removed": len(before.keys() - common), "other": len(other)}
    said = [f"{_number(counts[what], 'object')} {what}" for what in ("added", "removed") if counts[what]]
    if len(other) > encoded:
        said.append(f"{_number(len(other) - encoded, 'object')} in another version")
    if encoded:
        said.append(f"{_number(encoded, 'object')} with the same data set in another file")
    then, now = first(before), first(after)
    if not now.revision:
        said.append("its volumes are not built yet")
    elif (then.revision, then.stacks) != (now.revision, now.stacks):
        said.append("other volumes" if any(counts.values()) else "other volumes of the same objects")
    names = {name: getattr(now, name) for name in SERIES}
    revisions = {"revision_before": then.revision, "revision": now.revision}
    return {**names, **counts, **revisions, "words": "; ".join(said)}


def _name(row: Mapping[str, Any]) -> str:
    return f"series {row['SeriesInstanceUID'] or row['series_key']}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _first(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = frame.head(TOLD).to_dict("records")
    return rows


# -- somebody's own table ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Joined:
    """A cohort's series with the columns of a table beside them; ``str`` says what did not match.

    Attributes
    ----------
    on : str
    frame : pandas.DataFrame
        The series that have a row in the table, one row each. Where both have a column of one name, the table's is
        ``<name>_table``.
    without : pandas.DataFrame
        The series that have none.
    unused : pandas.DataFrame
        The rows of the table for which there is no series.
    """

    on: str
    frame: pd.DataFrame
    without: pd.DataFrame
    unused: pd.DataFrame

    def __str__(self) -> str:
        told = [
            f"{len(self.frame)} series joined by {self.on}",
            f"{len(self.without)} series without a row in the table",
            f"{_number(len(self.unused), 'row')} of the table without a series",
        ]
        return "; ".join(told)


def join(series: pd.DataFrame, table: pd.DataFrame, on: str) -> Joined:
    """Put a table with one row for each patient or study beside a table of series.

    Values are compared as text, blanks around them left out of account. What is empty matches nothing.

    Raises
    ------
    BadQuery
        ``on`` is something else or no column of the table, or the table has several rows for one value.
    """
    if on not in ON:
        raise BadQuery(f"join: on {' or '.join(ON)}")
    if on not in table.columns:
        raise BadQuery(f"join: the table has no column {on}")
    left, right = _text(series[on]), _text(table[on])
    twice = right[right.notna() & right.duplicated()]
    if len(twice):
        raise BadQuery(
            f"join: the table has several rows for {twice.nunique()} of its values of {on}; leave it one each"
        )
    rows = table.drop(columns=on).assign(**{MATCH: right})[right.notna()]
    found = left.isin(right.dropna())
    frame = series.assign(**{MATCH: left})[found].merge(rows, on=MATCH, how="left", suffixes=("", "_table"))
    used = right.isin(left.dropna())
    return Joined(on, frame.drop(columns=MATCH), series[~found].reset_index(drop=True), table[~used])


MATCH = "_pacs_panel_match"


def _text(values: pd.Series[Any]) -> pd.Series[Any]:
    """Values as text without blanks around it, ``None`` where there is none."""
    import pandas as pd

    plain = [None if pd.isna(value) else str(value).strip() or None for value in values]
    return pd.Series(plain, index=values.index, dtype=object)
