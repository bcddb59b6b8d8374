"""Files that are alike: the images of a series differ in their values, and hardly in where these lie.

A walk over elements is led by the bytes of their headers alone. Where another file has the same bytes at the same
places, the walk would go the same way: its values are cut out without walking, and are certain all the same. Any other
file is walked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct

MOST = 64  # layouts that are remembered: lengths of a few values vary within a series
TAIL = 12  # bytes that a walk wants to see after the last header, so as not to ask whether the file ends

Raw = tuple[bytes, bytes]
"""VR (empty where implicit) and value of one element, as they stand in the file."""
Place = tuple[int, bytes, int, int]
"""Tag, VR, position and length of a value."""
Make = Callable[[Mapping[int, Raw], Mapping[int, Raw]], object]


@dataclass(slots=True)
class Trail:
    """What a walk looked at.

    Attributes
    ----------
    fixed : list of (int, int)
        Position and length of all bytes that led it.
    places : list of Place
        Values that it kept, in the order of their positions; those that it left out have no length.
    """

    fixed: list[tuple[int, int]] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)


class Layout[Result]:
    """Where the elements of a file lie, up to its pixel data.

    Parameters
    ----------
    data : bytes
        The file's first ones, beyond all that ``trail`` tells of.
    trail : Trail
        Of the whole walk.
    meta : int
        How many of its places are file meta information.
    make : callable
        Makes a result from the values of file meta information and data set, by tag.
    """

    def __init__(
        self,
        data: bytes,
        trail: Trail,
        meta: int,
        make: Callable[[Mapping[int, Raw], Mapping[int, Raw]], Result],
    ) -> None:
        self._headers = _cutter(trail.fixed)
        self._same = self._headers.unpack_from(data)
        self._values = _cutter([(position, length) for _, _, position, length in trail.places])
        self._tags = tuple(tag for tag, *_ in trail.places)
        self._vrs = tuple(vr for _, vr, *_ in trail.places)
        self._meta, self._make = meta, make
        self._end = self._headers.size
        self._last = data[self._end - 8 : self._end]

    def read(self, data: bytes) -> Result | None:
        """What a walk over a file would find that begins with ``data``; ``None`` where its layout is another."""
        end = self._end
        if data[end - 8 : end] != self._last or len(data) < end + TAIL:
            return None
        if self._headers.unpack_from(data) != self._same:
            return None
        tags, n = self._tags, self._meta
        raws = list(zip(self._vrs, self._values.unpack_from(data), strict=True))
        meta = dict(zip(tags[:n], raws[:n], strict=True))
        return self._make(meta, dict(zip(tags[n:], raws[n:], strict=True)))


class Layouts[Result]:
    """Layouts that were met last, the latest first. Threads may share it: to lose one costs a walk, no more."""

    def __init__(self) -> None:
        self.known: tuple[Layout[Result], ...] = ()
        self._trails: tuple[int, ...] = ()

    def read(self, data: bytes) -> Result | None:
        """What the layout that fits finds; ``None`` where none does."""
        for number, layout in enumerate(self.known):
            found = layout.read(data)
            if found is not None:
                if number:
                    self.learn(layout)
                return found
        return None

    def again(self, trail: Trail) -> bool:
        """Whether a walk before left such a trail: what comes but once is not worth learning."""
        mark = hash(tuple(trail.fixed))
        known = mark in self._trails
        if not known:
            self._trails = (mark, *self._trails)[:MOST]
        return known

    def learn(self, layout: Layout[Result]) -> None:
        """Try this one first from now on."""
        self.known = (layout, *(each for each in self.known if each is not layout))[:MOST]


def _cutter(pieces: Sequence[tuple[int, int]]) -> Struct:
    """What cuts pieces, given by position and length and in order, out of bytes that begin at 0."""
    parts, at = ["<"], 0
    for position, length in pieces:
        parts.append(f"{position - at}x{length}s")
        at = position + length
    return Struct("".join(parts))
