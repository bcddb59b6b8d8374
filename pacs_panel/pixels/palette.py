"""Palettes: indices to colours (PS3.3 §C.7.6.3.1.5, §C.7.6.3.1.6, §C.7.9, §C.7.6.19).

Pure functions of what the Palette Color Lookup Table attributes hold; nothing here reads a data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pacs_panel.errors import BadPixels

Array = np.ndarray
MAX_ENTRIES = 1 << 16
DISCRETE, LINEAR, INDIRECT = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """Colours of stored values from ``first`` on.

    Attributes
    ----------
    colours : ndarray of uint8
        ``(entries, 3)`` RGB.
    first : int
        Stored value of the first entry.
    """

    colours: Array
    first: int = 0


def palette(
    descriptors: Sequence[Sequence[int]],
    tables: Sequence[bytes],
    *,
    segmented: bool = False,
    signed: bool = False,
    order: str = "<",
) -> Palette:
    """A palette out of its attributes.

    Parameters
    ----------
    descriptors : three sequences of 3 ints
        Red, Green and Blue Palette Color Lookup Table Descriptor: entries (0 is 65536), first value mapped, bits.
    tables : three bytes
        Lookup Table Data, or Segmented Lookup Table Data, of the same colours.
    segmented : bool
        The tables are segmented (PS3.3 §C.7.9.2).
    signed : bool
        Pixel Representation is 1, so that the first value mapped is signed, too.
    order : str
        Byte order of 16-bit entries, ``<`` or ``>``.

    Raises
    ------
    BadPixels
        The attributes contradict one another, or a table has no entries.
    """
    if len(descriptors) != 3 or len(tables) != 3 or any(len(d) != 3 for d in descriptors):
        raise BadPixels("a palette needs three descriptors of three numbers, and three tables")
    if len({(d[0] or MAX_ENTRIES, d[1]) for d in descriptors}) != 1:
        raise BadPixels("the palette's descriptors differ")
    count, first = descriptors[0][0] or MAX_ENTRIES, descriptors[0][1]
    if signed and first >= 1 << 15:
        first -= 1 << 16
    channels = []
    for (_, _, bits), data in zip(descriptors, tables, strict=True):
        if segmented:
            channels.append(_eight_bits(expand(data, count, bits, order), bits))
        else:
            channels.append(_eight_bits(_entries(data, count, bits, order), bits))
    return Palette(np.stack(channels, axis=-1), first)


def rgb(stored: Array, colours: Palette) -> Array:
    """Colours of indices: ``(..., 3)`` uint8 RGB; beyond the palette's ends its first and last colour are meant."""
    last = len(colours.colours) - 1
    return colours.colours[np.clip(stored.astype(np.int64) - colours.first, 0, last)]


def supplemental(stored: Array, greys: Array, colours: Palette) -> Array:
    """A grey image some of whose values are colours (PS3.3 §C.7.6.19, §C.8.16.2.1.1.1).

    Parameters
    ----------
    stored : ndarray of int
        ``(rows, columns)`` stored values; those from the palette's first on are colours.
    greys : ndarray of uint8
        The same image as a window shows it.

    Returns
    -------
    ndarray of uint8
        ``(rows, columns, 3)`` RGB.
    """
    coloured = (stored >= colours.first)[..., None]
    return np.where(coloured, rgb(stored, colours), greys[..., None])


def expand(data: bytes, count: int, bits: int, order: str = "<") -> Array:
    """Entries of a segmented table (PS3.3 §C.7.9.2).

    Segments are discrete (values), linear (a line from the entry before to a value) or indirect (other segments again,
    by byte offset).

    Returns
    -------
    ndarray of uint16
        ``count`` entries.

    Raises
    ------
    BadPixels
        Segments are damaged, or give another number of entries.
    """
    width = 1 if bits == 8 else 2
    words = np.frombuffer(data, f"{order}u{width}", len(data) // width).tolist()
    out: list[int] = []
    _segments(words, 0, None, out, count, width)
    if len(out) != count:
        raise BadPixels(f"a segmented palette gives {len(out)} entries, its descriptor says {count}")
    return np.array(out, np.uint16)


def _segments(words: list[int], position: int, wanted: int | None, out: list[int], count: int, width: int) -> None:
    """Append the entries of segments from a position on; ``wanted`` of them, or all (for an indirect one: copies)."""
    done = 0
    while len(out) < count and (done < wanted if wanted is not None else position + 1 < len(words)):
        kind, length = words[position : position + 2] if position + 1 < len(words) else (-1, 0)
        body = words[position + 2 :][: {DISCRETE: length, LINEAR: 1, INDIRECT: 4 // width}.get(kind, 0)]
        if not length:
            raise BadPixels("a segment of the palette is empty")
        if kind == DISCRETE and len(body) == length:
            out.extend(body)
        elif kind == LINEAR and body and out:
            out.extend(_line(out[-1], body[0], length))
        elif kind == INDIRECT and len(body) == 4 // width and wanted is None:
            offset = sum(word << 8 * width * place for place, word in enumerate(body))
            if offset % width or offset // width >= position:
                raise BadPixels("a segment of the palette refers to what is not before it")
            _segments(words, offset // width, length, out, count, width)
        else:
            raise BadPixels("the segments of the palette are damaged")
        position += 2 + len(body)
        done += 1
    if len(out) > count:
        raise BadPixels(f"a segmented palette gives more than the {count} entries of its descriptor")


def _line(before: int, last: int, length: int) -> list[int]:
    return [round(before + (last - before) * step / length) for step in range(1, length + 1)]


def _entries(data: bytes, count: int, bits: int, order: str) -> Array:
    """Entries of a plain table: bytes where there are no more than that, else 16-bit words."""
    if len(data) >= 2 * count:
        return np.frombuffer(data, f"{order}u2", count)
    if bits == 8 and len(data) >= count:
        swapped = np.frombuffer(data, "u2").byteswap().tobytes() if order == ">" and len(data) % 2 == 0 else data
        return np.frombuffer(swapped, np.uint8, count)
    raise BadPixels(f"the palette has {len(data)} bytes, its descriptor says {count} entries of {bits} bits")


def _eight_bits(entries: Array, bits: int) -> Array:
    """Entries of 8 or 16 bits to 8; 16-bit tables that hold 8-bit values are known from several writers."""
    deep = bits > 8 and int(entries.max()) > 0xFF
    return (entries >> 8 if deep else np.minimum(entries, 0xFF)).astype(np.uint8)
