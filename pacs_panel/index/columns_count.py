"""What the numbers of a column's values mean, and how often each occurs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_panel.attributes import Attribute
from pacs_panel.index.values import MULTIPLE, Value, compared, several

Codes = NDArray[np.int32]
Numbers = NDArray[np.int64]


class Numbered(dict[Value, int]):
    """Values to numbers in the order of their first appearance; ``None`` is 0."""

    def __init__(self, values: Iterable[Value] = ()) -> None:
        super().__init__({None: 0})
        for value in values:
            self[value]  # numbers it

    def __missing__(self, value: Value) -> int:
        number = self[value] = len(self)
        return number


class Meanings:
    """The values that numbers stand for.

    Spellings of one text share a label, by which values are compared, ordered and counted. Values that hold several
    are counted by their parts.

    Attributes
    ----------
    values : list
        By number.
    labels : dict
        Folded text or value, to its number.
    label_of : array of int, (values,)
    """

    def __init__(self, attribute: Attribute) -> None:
        self.several = attribute.keyword in MULTIPLE
        self._attribute = attribute
        self.values: list[Value] = []
        self.labels = Numbered()
        self.label_of: Numbers = np.zeros(0, np.int64)
        self._parts = Numbered()
        self._part_labels = Numbered()
        self._part_label: Numbers = np.zeros(0, np.int64)
        self._ends: Numbers = np.zeros(1, np.int64)
        self._part_of: Numbers = np.zeros(0, np.int64)
        self._ranks: dict[str, Numbers] = {}

    def learn(self, values: list[Value]) -> None:
        """Take in values that got the next numbers."""
        labels = (compared(self._attribute, value) for value in values)
        found = np.fromiter(map(self.labels.__getitem__, labels), np.int64, len(values))
        self.label_of = np.concatenate([self.label_of, found])
        self.values += values
        self._ranks.clear()
        if self.several:
            parts = (dict.fromkeys(several(self._attribute, value)) for value in values)
            split = [[self._parts[one] for one in each] for each in parts]
            new = list(self._parts)[len(self._part_label) :]
            folded = [self._part_labels[compared(self._attribute, one)] for one in new]
            self._part_label = np.concatenate([self._part_label, np.array(folded, np.int64)])
            ends = np.cumsum([len(each) for each in split]) + self._ends[-1]
            self._ends = np.concatenate([self._ends, ends])
            self._part_of = np.concatenate([self._part_of, np.array([n for each in split for n in each], np.int64)])

    def numbers(self) -> NDArray[np.float64]:
        """The parts of values that hold several numbers; NaN is the missing one."""
        return np.array([np.nan if one is None else one for one in self._parts], np.float64)

    def with_any(self, met: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """For each number of a value, whether any of its parts is among those that are ``met``."""
        return np.logical_or.reduceat(met[self._part_of], self._ends[:-1]) if len(self.values) else met[:0]

    def order(self, down: bool) -> Numbers:
        """For each number its place among the labels in order; what is missing comes last either way."""
        ranks = self._ranked("labels", self.labels)[self.label_of]
        last = len(self.labels) - 1
        return np.where(ranks == last, last, last - 1 - ranks) if down else ranks

    def ranks(self) -> Numbers:
        """For each number the place of its value among all in order."""
        return self._ranked("values", self.values)

    def tally(self, codes: Codes, owners: Codes | None, limit: int) -> list[tuple[Value, int]]:
        """Values with how many rows have each, the most frequent first; missing ones last among equals.

        Parameters
        ----------
        codes : array, (rows,)
            Numbers of the values of the rows that are counted.
        owners : array, (rows,), optional
            What each row belongs to: counted instead of the rows, once for each label.
        limit : int
        """
        present = np.bincount(codes, minlength=len(self.values))
        if self.several:
            names, ranks = list(self._parts), self._ranked("parts", self._parts)
            parts = self._split(np.flatnonzero(present))[1]
            shown = _first_of(parts, ranks, self._part_label, len(self._part_labels))
            counts = self._count_parts(codes, owners, present)
        else:
            names, ranks, size = self.values, self._ranked("values", self.values), len(self.labels)
            shown = _first_of(np.flatnonzero(present), ranks, self.label_of, size)
            if owners is None:
                counts = _sums(self.label_of, present, size)
            else:
                counts = _distinct(self.label_of[codes], owners, size)
        found = np.flatnonzero(counts)
        ordered = found[np.lexsort((ranks[shown[found]], -counts[found]))][:limit]
        return [(names[shown[label]], int(counts[label])) for label in ordered]

    def _count_parts(self, codes: Codes, owners: Codes | None, present: Numbers) -> Numbers:
        size = len(self._part_labels)
        of, parts = self._split(np.arange(len(present)) if owners is None else codes)
        labels = self._part_label[parts]
        if owners is not None:
            return _distinct(labels, owners[of], size)
        if size != len(self._parts):  # two spellings of one may stand in one value
            of, labels = np.divmod(np.unique(of * size + labels), size)
        return _sums(labels, present[of], size)

    def _split(self, codes: NDArray[Any]) -> tuple[Numbers, Numbers]:
        """Parts of each of ``codes``: the place in ``codes``, and the part."""
        starts, ends = self._ends[codes], self._ends[codes + 1]
        lengths = ends - starts
        of = np.repeat(np.arange(len(codes)), lengths)
        within = np.arange(len(of)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return of, self._part_of[starts[of] + within]

    def _ranked(self, name: str, values: Iterable[Value]) -> Numbers:
        """Place of each value in order; ``None``, which is the first of ``values``, comes last."""
        if name not in self._ranks:
            listed = list(values)
            ordered = sorted(range(1, len(listed)), key=listed.__getitem__)  # type: ignore[arg-type]
            ranks = np.full(len(listed), len(ordered), np.int64)
            ranks[ordered] = np.arange(len(ordered))
            self._ranks[name] = ranks
        return self._ranks[name]


def _first_of(present: Numbers, ranks: Numbers, label_of: Numbers, size: int) -> Numbers:
    """For each label the first in order of what is present."""
    backwards = present[np.argsort(-ranks[present])]
    first = np.zeros(size, np.int64)
    first[label_of[backwards]] = backwards  # of several the last assignment stays
    return first


def _sums(labels: Numbers, counts: Numbers, size: int) -> Numbers:
    return np.bincount(labels, weights=counts, minlength=size).astype(np.int64)


def _distinct(labels: Numbers, owners: Codes, size: int) -> Numbers:
    """For each label, how many different owners."""
    most = int(owners.max(initial=0)) + 1
    pairs = owners.astype(np.int64) * size + labels
    if most * size <= 1 << 24:
        there = np.zeros(most * size, np.bool_)
        there[pairs] = True
        return there.reshape(most, size).sum(axis=0, dtype=np.int64)
    return np.bincount(np.unique(pairs) % size, minlength=size)
