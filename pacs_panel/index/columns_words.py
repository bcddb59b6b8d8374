"""Which values have which words: a list of places for each word, and the words in order, so that they are looked up."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_panel.index.columns_count import Codes, Numbers
from pacs_panel.index.values import Value, words

LAST = "\U0010ffff"


class Words:
    """The words of a column's values. Those that came later than the lists were made are looked through.

    Parameters
    ----------
    size : int
        How many values the lists know.
    text : bytes, or an array of them
        The words in order, UTF-8, each on a line.
    ends : array of int
        Where the list of each word ends.
    places : array of int
        The lists one after the other: numbers of values.
    """

    def __init__(self, size: int, text: Any, ends: Numbers, places: Codes) -> None:
        self.size, self.text, self.ends, self.places = size, text, ends, places
        self._lines = b""
        self._line_ends: Numbers = np.zeros(0, np.int64)

    @classmethod
    def of(cls, values: Sequence[Value]) -> Words:
        """The words of ``values``."""
        found: dict[str, list[int]] = defaultdict(list)
        for number, value in enumerate(values):
            for word in dict.fromkeys(words([value])):
                found[word].append(number)
        listed = sorted(found)
        ends = np.cumsum([len(found[word]) for word in listed], dtype=np.int64)
        places = np.fromiter((n for word in listed for n in found[word]), np.int32)
        return cls(len(values), "\n".join(listed).encode(), ends, places)

    @cached_property
    def _words(self) -> list[str]:
        return bytes(self.text).decode().split("\n") if len(self.text) else []

    def having(self, values: Sequence[Value], word: str, beginning: bool) -> NDArray[np.bool_]:
        """For each of ``values``, the known ones first, whether it has a word, or one that begins so."""
        met = np.zeros(len(values), np.bool_)
        first = bisect_left(self._words, word)
        last = bisect_left(self._words, word + LAST, first) if beginning else first
        if not beginning and first < len(self._words) and self._words[first] == word:
            last = first + 1
        if last > first:
            met[self.places[self.ends[first - 1] if first else 0 : self.ends[last - 1]]] = True
        if len(values) > self.size:
            met[self.size :] = self._looked_through(values, word, beginning)
        return met

    def _looked_through(self, values: Sequence[Value], word: str, beginning: bool) -> NDArray[np.bool_]:
        if len(self._line_ends) != len(values) - self.size:
            new = values[self.size + len(self._line_ends) :]
            self._lines += "".join(f" {' '.join(words([value]))} \n" for value in new).encode()
            self._line_ends = np.flatnonzero(np.frombuffer(self._lines, np.uint8) == ord("\n"))
        sought = re.compile(re.escape(f" {word}".encode() if beginning else f" {word} ".encode()))
        hits = np.array([hit.start() for hit in sought.finditer(self._lines)], np.int64)
        met = np.zeros(len(self._line_ends), np.bool_)
        met[np.searchsorted(self._line_ends, hits)] = True
        return met
