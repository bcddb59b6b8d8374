"""Columns of the index in memory: for every value a small number, so that NumPy counts a million rows in milliseconds.

Rows lie at the place that their identifier says; place 0, and places of rows that are gone, are not visible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pacs_panel.attributes import LEVELS, Attribute, Level, at_level
from pacs_panel.index.columns_count import Codes, Meanings, Numbered, Numbers
from pacs_panel.index.criteria import Equal, Missing, Test, holds
from pacs_panel.index.values import MULTIPLE, Value, words

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


class Column:
    """One attribute: the number of its value for each row, and what the numbers mean.

    Values are never forgotten: new ones get the next number.
    """

    def __init__(
        self, attribute: Attribute, values: Iterable[Value] = (), codes: Codes | None = None, lines: bytes = b""
    ) -> None:
        self.attribute = attribute
        self.codes: Codes = np.zeros(1, np.int32) if codes is None else codes
        self._numbers = Numbered(values)
        self._meanings = Meanings(attribute)
        self._met: dict[tuple[Test, ...], Mask] = {}
        self._lines, self._ends = lines, _line_ends(lines)

    @property
    def meanings(self) -> Meanings:
        """What the numbers mean."""
        if len(self._meanings.values) != len(self._numbers):
            self._meanings.learn(list(self._numbers)[len(self._meanings.values) :])
        return self._meanings

    def put(self, rows: Numbers, values: Sequence[Value]) -> None:
        """Give ``rows`` their values."""
        found = map(self._numbers.__getitem__, values)
        self.codes[rows] = np.fromiter(found, np.int32, len(values))

    def meets(self, tests: tuple[Test, ...]) -> Mask:
        """For each number of a value, whether any of ``tests`` holds."""
        known = self._met.get(tests)
        if known is None or len(known) != len(self._numbers):
            if len(self._met) > 100:
                self._met.clear()
            known = self._met[tests] = self._meeting(tests)
        return known

    def _meeting(self, tests: tuple[Test, ...]) -> Mask:
        meanings = self.meanings
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

    # -- words ---------------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> bytes:
        """The words of each value as one line, each word between blanks."""
        if len(self._ends) != len(self._numbers):
            new = list(self._numbers)[len(self._ends) :]
            self._lines += "".join(f" {' '.join(words([value]))} \n" for value in new).encode()
            self._ends = _line_ends(self._lines)
        return self._lines

    def having(self, word: str, beginning: bool) -> Mask:
        """For each number of a value, whether it has a word, or one that begins so."""
        lines = self.lines
        sought = re.compile(re.escape(f" {word}".encode() if beginning else f" {word} ".encode()))
        hits = np.array([hit.start() for hit in sought.finditer(lines)], np.int64)
        met = np.zeros(len(self._ends), np.bool_)
        met[np.searchsorted(self._ends, hits)] = True
        return met


def _line_ends(lines: bytes) -> Numbers:
    return np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n"))


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
    """

    columns: dict[str, Column]
    visible: Mask = field(default_factory=lambda: np.zeros(1, np.bool_))
    parents: Codes = field(default_factory=lambda: np.zeros(1, np.int32))
    received: Numbers = field(default_factory=lambda: np.zeros(1, np.int64))
    keys: Keys = field(default_factory=lambda: np.zeros(1, KEY))

    def grow(self, size: int) -> None:
        """Make room for places below ``size``, and some more where there was too little."""
        if size <= len(self.visible):
            return
        more = max(size, len(self.visible) * 5 // 4) - len(self.visible)
        self.visible = np.pad(self.visible, (0, more))
        self.parents = np.pad(self.parents, (0, more))
        self.received = np.pad(self.received, (0, more))
        self.keys = np.concatenate([self.keys, np.zeros(more, KEY)])
        for column in self.columns.values():
            column.codes = np.pad(column.codes, (0, more))


def empty_tables() -> dict[Level, Table]:
    """Tables without rows."""
    return {level: Table({a.keyword: Column(a) for a in HELD[level]}) for level in LEVELS[:3]}
