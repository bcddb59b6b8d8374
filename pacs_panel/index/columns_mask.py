"""Criteria over columns in memory: the twin of `pacs_panel.index.clauses.where`, row by row the same.

What no column holds is asked of the index itself, at the level whose fact it is.
"""

from __future__ import annotations

from itertools import batched
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from pacs_panel.attributes import LEVELS, Level
from pacs_panel.index import clauses, schema
from pacs_panel.index.clauses import TEXT_LEVEL, depth
from pacs_panel.index.columns import ABOVE, WORDED, Mask, Table, is_held
from pacs_panel.index.columns_count import Codes
from pacs_panel.index.criteria import Criteria, Criterion, Every


class Masks:
    """Which rows meet what, in the index as it is after one change."""

    connection: Connection

    def __init__(self, tables: dict[Level, Table]) -> None:
        self._tables = tables
        self._criteria: dict[tuple[Level, Criteria], Mask] = {}
        self._single: dict[Criterion | tuple[str, ...], Mask] = {}

    @property
    def held(self) -> int:
        """How many masks are kept."""
        return len(self._criteria) + len(self._single)

    def places(self, level: Level, above: Level, rows: Codes) -> Codes:
        """Where in the table of ``above`` what ``rows`` of ``level`` belong to lies."""
        while level != above:
            rows, level = self._tables[level].parents[rows], ABOVE[level]
        return rows

    def meeting(self, level: Level, asked: Criteria) -> Mask:
        """Rows of ``level``, which is not ``instance``, that meet criteria."""
        if (level, asked) not in self._criteria:
            self._criteria[level, asked] = self._meeting(level, asked)
        return self._criteria[level, asked]

    def _meeting(self, level: Level, asked: Criteria) -> Mask:
        met = self._tables[level].visible.copy()
        below = tuple(c for c in asked.wanted if depth(c.attribute.level) > depth(level))
        for criterion in asked.wanted:
            if criterion not in below:
                met &= self._raised(self._of_own(criterion), criterion.attribute.level, level)
        if asked.text and level == TEXT_LEVEL:
            met &= self._with_words(asked.text)
        text = asked.text if depth(level) < depth(TEXT_LEVEL) else ()
        if below or text:
            met &= self._having(level, Criteria(asked.level, below, text))
        if asked.every is not None:
            met &= self._raised(self._no_other(asked.level, asked.every), asked.level, level)
        return met

    def _no_other(self, level: Level, every: Every) -> Mask:
        """Rows without a series that may be seen and does not meet all."""
        seen = np.zeros(len(self._tables["series"].visible), np.bool_)
        for scope in (Criteria("series"),) if every.scopes is None else every.scopes:
            seen |= self.meeting("series", scope)
        failing = np.flatnonzero(seen & ~self.meeting("series", every.asked)).astype(np.int32)
        met = np.ones(len(self._tables[level].visible), np.bool_)
        met[self.places("series", level, failing)] = False
        return met

    def _having(self, level: Level, rest: Criteria) -> Mask:
        """Rows that have, one level below, what meets the rest."""
        down = LEVELS[depth(level) + 1]
        if down == "instance":
            held = clauses.where(rest, down)
            return self._asked(level, select(schema.series.c.id).join(schema.objects, clauses.LINKS[down]).where(held))
        met = np.zeros(len(self._tables[level].visible), np.bool_)
        met[self._tables[down].parents[self.meeting(down, rest)]] = True
        return met

    def _raised(self, met: Mask, upper: Level, level: Level) -> Mask:
        """A mask of an upper level, seen from ``level``."""
        path = [level]
        while path[-1] != upper:
            path.append(ABOVE[path[-1]])
        for lower in reversed(path[:-1]):
            met = met[self._tables[lower].parents]
        return met

    def _of_own(self, criterion: Criterion) -> Mask:
        """Rows of the attribute's own level that meet one criterion, visible or not."""
        if criterion not in self._single:
            attribute = criterion.attribute
            if is_held(attribute):
                column = self._tables[attribute.level].columns[attribute.keyword]
                self._single[criterion] = column.meets(criterion.tests)[column.codes]
            else:
                own = schema.TABLES[attribute.level].c
                query = select(own.id).where(clauses.criterion_holds(criterion, attribute.level))
                self._single[criterion] = self._asked(attribute.level, query)
        return self._single[criterion]

    def _with_words(self, text: tuple[str, ...]) -> Mask:
        if text not in self._single:
            *whole, beginning = text
            met = self._with_word(beginning, beginning=True)
            for word in whole:
                met &= self._with_word(word, beginning=False)
            self._single[text] = met
        return self._single[text]

    def _with_word(self, word: str, beginning: bool) -> Mask:
        met: Mask | None = None
        for level, table in self._tables.items():
            # What a level has, all below it has: one level after the other, from the patients down.
            met = np.zeros(len(table.visible), np.bool_) if met is None else met[table.parents]
            for attribute in WORDED[level]:
                column = table.columns[attribute.keyword]
                if (values := column.having(word, beginning)).any():
                    met |= values[column.codes]
        assert met is not None
        return met

    def _asked(self, level: Level, query: Any) -> Mask:
        met = np.zeros(len(self._tables[level].visible), np.bool_)
        for ids in batched(self.connection.scalars(query), 20_000):
            met[np.array(ids)] = True
        return met
