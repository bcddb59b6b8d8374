"""Overlay planes of the images themselves: groups 60xx, packed apart or in unused bits (PS3.3 §C.9.2, PS3.5 §8.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from pacs_panel.dicom import values
from pacs_panel.dicom.scan import scan
from pacs_panel.errors import BadPixels, NotYetShown, PacsPanelError
from pacs_panel.model import Contour, ImageHeader, Kept, Overlay, Place, Segment, Stack
from pacs_panel.overlay import colours, layers, tree
from pacs_panel.overlay.grid import Grid, grid_of
from pacs_panel.overlay.layers import EVERYWHERE, Layer
from pacs_panel.pixels import decode
from pacs_panel.settings import Settings

Array = np.ndarray
GROUPS = tuple(range(0x6000, 0x6020, 2))
ROWS, COLUMNS, FRAMES, DESCRIPTION, TYPE, ORIGIN, FIRST_FRAME = 0x10, 0x11, 0x15, 0x22, 0x40, 0x50, 0x51
BITS_ALLOCATED, BIT_POSITION, LABEL, DATA = 0x100, 0x102, 0x1500, 0x3000
WANTED = frozenset(group << 16 | element for group in GROUPS for element in (ROWS, LABEL, DESCRIPTION, TYPE))
TYPES = {"G": "graphics", "R": "region of interest"}


@dataclass(frozen=True, eq=False)
class Plane:
    """One overlay plane of one object.

    ``bits`` are ``(frames, rows, columns)``; ``origin`` is the ``(row, column)`` in the image, from 0, of the first;
    ``first`` is the first frame of the image, from 0, to which it applies; ``bit`` that of the pixels that holds it,
    0 where ``bits`` do.
    """

    bits: Array
    origin: tuple[int, int] = (0, 0)
    first: int = 0
    bit: int = 0


class OverlayPlanes:
    """Overlay planes of a stack's images; one layer for each group that any of them has, and each time of the stack.

    An image that cannot be read is named in the notes, by its number.

    Parameters
    ----------
    opener : callable
        Opens the file of the image with a SOP Instance UID.
    images : mapping of str to Kept
        The members of the stack.
    stack : Stack

    Raises
    ------
    NotYetShown
        None of the images has an overlay plane.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self, opener: Callable[[str], BinaryIO], images: Mapping[str, Kept], stack: Stack, settings: Settings
    ) -> None:
        self.opener, self.images, self.settings = opener, images, settings
        self.grid = grid_of(stack)
        self._images = _by_plane(self.grid)
        groups: dict[int, tuple[str, str]] = {}
        looked_at, unread = [uid for uid in dict.fromkeys(stack.members) if uid in images], 0
        for uid in looked_at:
            try:
                groups = self._groups(uid) | groups
            except (PacsPanelError, OSError):
                unread += 1
        if not groups:
            raise NotYetShown("the images have no overlay planes")
        self.groups = tuple(sorted(groups))
        segments = tuple(
            Segment(number, groups[group][0] or f"Overlay {number}", colours.from_palette(number - 1), groups[group][1])
            for number, group in enumerate(self.groups, 1)
        )
        # Groups of one place after the other, so that the group of a layer is the remainder.
        places = sorted({place for frames in self.grid.places.values() for place in frames.values()})
        each = [frozenset([place]) for place in places] if len(places) > 1 else [EVERYWHERE]
        self._only = tuple(places[:1])
        notes = (f"{unread} of {len(looked_at)} images could not be read, and may have planes, too.",)
        self.layers = tuple(Layer((one.number,), place) for place in each for one in segments)
        self.overlay = Overlay(
            sop_instance_uid="",
            series_key=images[looked_at[0]].series_key,
            kind="planes",
            title="Overlay planes",
            segments=segments,
            layers=len(self.layers),
            matched="are part of the images themselves",
            notes=notes if unread else (),
            places=layers.told(self.layers),
        )

    def _groups(self, uid: str) -> dict[int, tuple[str, str]]:
        """Groups that an image has, each with its label and type."""
        with self.opener(uid) as source:
            found = scan(source, source.seek(0, 2), WANTED, self.settings).elements
        made = {}
        for group in GROUPS:
            if group << 16 | ROWS in found:
                label, text, kind = (
                    values.text(found.get(group << 16 | element, (b"", b"")), "LO")
                    for element in (LABEL, DESCRIPTION, TYPE)
                )
                made[group] = (label or text, TYPES.get(kind, kind))
        return made

    def section(self, layer: int, index: int) -> Array:
        """One slice: ``(rows, columns)``, the layer's number (from 1) where a bit is set."""
        out = np.zeros(self.grid.shape[1:], np.uint8)
        number, places = self.layers[layer].numbers[0], self.layers[layer].places or self._only
        for uid, frame in (self._images[index, place] for place in places if (index, place) in self._images):
            if uid in self.images:
                self._paint(uid, frame, number, out)
        return out

    def volume(self, layer: int) -> Array:
        """A whole layer: ``(slices, rows, columns)``."""
        return np.stack([self.section(layer, index) for index in range(self.grid.shape[0])])

    def close(self) -> None:
        """Nothing is open."""

    def contours(self, index: int) -> list[Contour]:
        """None."""
        return []

    def segments(self, layer: int) -> tuple[Segment, ...]:
        """The group of a layer."""
        return (self.overlay.segments[self.layers[layer].numbers[0] - 1],)

    def _paint(self, uid: str, frame: int, number: int, out: Array) -> None:
        image = self.images[uid].image
        with self.opener(uid) as source:
            plane = read(source, self.groups[number - 1], image, self.settings)
            if plane is None:
                return
            if plane.bit and image is not None:
                bits = embedded(image, source, frame, plane.bit, self.settings)
            elif plane.first <= frame < plane.first + len(plane.bits):
                bits = plane.bits[frame - plane.first]
            elif len(plane.bits) == 1 and plane.first == 0:
                bits = plane.bits[0]
            else:
                return
        top, left = plane.origin
        rows, columns = (
            slice(max(0, start), max(0, min(whole, start + size)))
            for start, size, whole in zip(plane.origin, bits.shape, out.shape, strict=True)
        )
        part = bits[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        out[rows, columns][part != 0] = number


def _by_plane(grid: Grid) -> dict[tuple[int, Place], tuple[str, int]]:
    """The image (SOP Instance UID, frame) of each slice and place."""
    return {
        (index, grid.places[uid][frame]): (uid, frame)
        for uid, frames in grid.slices.items()
        for frame, index in frames.items()
    }


def read(source: BinaryIO, group: int, image: ImageHeader | None, settings: Settings) -> Plane | None:
    """One overlay plane of an object; ``None`` where it hasn't that group.

    Raises
    ------
    BadPixels
        The plane is shorter than its size says, or nowhere.
    """
    found = tree.read(source, settings, expected=image.pixel_offset if image else 0)

    def numbers(element: int, vr: str) -> list[int]:
        value = found.root.get(group << 16 | element)
        return [int(number) for number in values.numbers((b"", value), vr, found.little)] if value else []

    if group << 16 | ROWS not in found.root:
        return None
    size = [*numbers(ROWS, "US"), *numbers(COLUMNS, "US")]
    frames = max(1, next(iter(numbers(FRAMES, "IS")), 1))
    origin = numbers(ORIGIN, "SS")
    row, column = (origin[0] - 1, origin[1] - 1) if len(origin) == 2 else (0, 0)
    first = max(0, next(iter(numbers(FIRST_FRAME, "US")), 1) - 1)
    data = found.root.get(group << 16 | DATA)
    if data is None:
        bit = next(iter(numbers(BIT_POSITION, "US")), 0)
        if not bit:
            raise BadPixels("an overlay plane has neither data nor a bit of the pixels")
        return Plane(np.zeros((0, 0, 0), np.uint8), (row, column), 0, bit)
    count = frames * size[0] * size[1] if len(size) == 2 else 0
    if not count or len(data) * 8 < count:
        raise BadPixels(f"an overlay plane needs {count} bits and has {len(data) * 8}")
    raw = np.frombuffer(data, np.uint8)
    if not found.little and found.root and len(raw) % 2 == 0:
        raw = raw.reshape(-1, 2)[:, ::-1].reshape(-1)  # words of 16 bits
    bits = np.unpackbits(raw, bitorder="little")[:count]
    return Plane(bits.reshape(frames, size[0], size[1]), (row, column), first)


def embedded(image: ImageHeader, source: BinaryIO, frame: int, bit: int, settings: Settings) -> Array:
    """An overlay plane in a bit of the pixels that holds no part of the value (retired in 2004)."""
    if not 0 < bit < image.bits_allocated or image.samples != 1:
        raise BadPixels(f"bit {bit} of {image.bits_allocated} cannot hold an overlay plane")
    whole = replace(image, bits_stored=image.bits_allocated, high_bit=image.bits_allocated - 1, signed=False)
    pixels = decode.frame(whole, source, frame, settings)
    return np.asarray((pixels >> pixels.dtype.type(bit)) & 1, np.uint8)
