"""Columns of the index in memory: for every value a small number, so that NumPy counts a million rows in milliseconds.

Rows lie at the place that their identifier says; place 0, and places of rows that are gone, are not visible.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_panel.attributes import LEVELS, Attribute, Level, at_level
from pacs_panel.index.columns_count import Codes, Meanings, Numbered, Numbers
from pacs_panel.index.columns_words import Words
from pacs_panel.index.criteria import Between, Equal, Missing, Test
from pacs_panel.index.matching import holds
from pacs_panel.index.values import MULTIPLE, Value

Mask = NDArray[np.bool_]
Keys = NDArray[np.bytes_]
KEY = np.dtype("S26")

ABOVE: dict[Level, Level] = {"study": "patient", "series": "study"}


def is_held(attribute: Attribute) -> bool:
    """Whether the attribute is compared, ordered and counted here. UIDs and times are not: nearly each is another one.

    Names of persons are not either, for they compare by group; but their words are.
    """
    return attribute.level != "instance" and attribute.vr not in ("UI", "TM", "PN")


HELD: dict[Level, tuple[Attribute, ...]] = {
    level: tuple(a for a in at_level(level) if is_held(a) or a.text) for level in LEVELS[:3]
}
WORDED: dict[Level, tuple[Attribute, ...]] = {level: tuple(a for a in HELD[level] if a.text) for level in LEVELS[:3]}


@dataclass(frozen=True, eq=False)
class Stored:
    """A column as a file holds it; each part is read when it is needed. Values are JSON, without the missing one."""

    codes: Any
    values: Any
    words: Words | None = None


class Column:
    """One attribute: the number of its value for each row, and what the numbers mean.

    Values are never forgotten: new ones get the next number.
    """

    def __init__(self, attribute: Attribute, stored: Stored | None = None) -> None:
        self.attribute = attribute
        self.codes: Codes = np.zeros(1, np.int32) if stored is None else stored.codes
        self._stored = stored
        self._numbers = Numbered() if stored is None else None
        self._words = None if stored is None else stored.words
        self._values: list[Value] = []
        self._meanings = Meanings(attribute)
        self._met: dict[tuple[Test, ...], Mask] = {}

    @property
    def values(self) -> list[Value]:
        """The values by number."""
        if self._numbers is None:
            if not self._values and self._stored is not None:
                self._values = [None, *json.loads(bytes(self._stored.values))]
        elif len(self._values) != len(self._numbers):
            self._values += list(self._numbers)[len(self._values) :]
        return self._values

    @property
    def meanings(self) -> Meanings:
        """What the numbers mean."""
        if len(self._meanings.values) != len(self.values):
            self._meanings.learn(self.values[len(self._meanings.values) :])
        return self._meanings

    def put(self, rows: Numbers, values: Sequence[Value]) -> None:
        """Give ``rows`` their values."""
        if self._numbers is None:
            self._numbers = Numbered(self.values[1:])
        if self.codes.dtype != np.int32 or not self.codes.flags.writeable:
            self.codes = self.codes.astype(np.int32)
        found = map(self._numbers.__getitem__, values)
        self.codes[rows] = np.fromiter(found, np.int32, len(values))

    def meets(self, tests: tuple[Test, ...]) -> Mask:
        """For each number of a value, whether any of ``tests`` holds."""
        known = self._met.get(tests)
        if known is None or len(known) != len(self.values):
            if len(self._met) > 100:
                self._met.clear()
            known = self._met[tests] = self._meeting(tests)
        return known

    def _meeting(self, tests: tuple[Test, ...]) -> Mask:
        meanings = self.meanings
        if self.attribute.number and self.attribute.keyword in MULTIPLE:  # they share labels with their lowest
            return meanings.with_any(_within(meanings.numbers(), tests))
        met = np.zeros(len(meanings.labels), np.bool_)
        for test in tests:
            if isinstance(test, Missing):
                met[0] = True
            elif isinstance(test, Equal) and self.attribute.keyword not in MULTIPLE:
                if (number := meanings.labels.get(test.value)) is not None:
                    met[number] = True
            else:
                held = (holds(self.attribute, test, value) for value in meanings.labels)
                met |= np.fromiter(held, np.bool_, len(met))
        return met[meanings.label_of]

    @property
    def words(self) -> Words:
        """The words of the values."""
        if self._words is None:
            self._words = Words.of(self.values)
        return self._words

    def having(self, word: str, beginning: bool) -> Mask:
        """For each number of a value, whether it has a word, or one that begins so."""
        return self.words.having(self.values, word, beginning)


def _within(numbers: NDArray[np.float64], tests: tuple[Test, ...]) -> Mask:
    """Which numbers, of which NaN is the missing one, any of ``tests`` holds for."""
    met = np.zeros(len(numbers), np.bool_)
    for test in tests:
        if isinstance(test, Missing):
            met |= np.isnan(numbers)
        elif isinstance(test, Equal):
            met |= numbers == float(test.value)
        elif isinstance(test, Between):
            low = -np.inf if test.low is None else float(test.low)
            met |= (numbers >= low) & (numbers <= (np.inf if test.high is None else float(test.high)))
    return met


# -- tables ------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Table:
    """Rows of one level.

    Attributes
    ----------
    columns : dict
        By keyword.
    visible : array of bool
    parents : array of int
        Places in the table above.
    received : array of int
        Time of arrival, ns since 1970.
    keys : array of bytes
    sizes : array of int
        Bytes of the objects of a series; 0 on other levels.
    """

    columns: dict[str, Column]
    visible: Mask = field(default_factory=lambda: np.zeros(1, np.bool_))
    parents: Codes = field(default_factory=lambda: np.zeros(1, np.int32))
    received: Numbers = field(default_factory=lambda: np.zeros(1, np.int64))
    keys: Keys = field(default_factory=lambda: np.zeros(1, KEY))
    sizes: Numbers = field(default_factory=lambda: np.zeros(1, np.int64))

    def own(self) -> None:
        """Make arrays that lie in a file such as can be written to."""
        for name in ("visible", "parents", "received", "keys", "sizes"):
            if not (array := getattr(self, name)).flags.writeable:
                setattr(self, name, array.astype(np.int32) if name == "parents" else array.copy())

    def grow(self, size: int) -> None:
        """Make room for places below ``size``, and some more where there was too little."""
        if size <= len(self.visible):
            return
        more = max(size, len(self.visible) * 5 // 4) - len(self.visible)
        self.visible = np.pad(self.visible, (0, more))
        self.parents = np.pad(self.parents.astype(np.int32), (0, more))
        self.received = np.pad(self.received, (0, more))
        self.sizes = np.pad(self.sizes, (0, more))
        self.keys = np.concatenate([self.keys, np.zeros(more, KEY)])
        for column in self.columns.values():
            column.codes = np.pad(column.codes, (0, more))


def empty_tables() -> dict[Level, Table]:
    """Tables without rows."""
    return {level: Table({a.keyword: Column(a) for a in HELD[level]}) for level in LEVELS[:3]}
