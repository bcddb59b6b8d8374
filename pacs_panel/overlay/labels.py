"""Frames of a segmentation to labels on the images' grid, and segments to layers in which they don't overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from pacs_panel.errors import NotYetShown
from pacs_panel.model import Contour, ImageHeader, Kept, Overlay, Segment, Stack
from pacs_panel.overlay import layers, references, segmentation
from pacs_panel.overlay.grid import Elsewhere, grid_of
from pacs_panel.overlay.lattice import Lattice, Pasted, place
from pacs_panel.overlay.layers import Layer, Places, layered
from pacs_panel.pixels import decode
from pacs_panel.pixels.source import need
from pacs_panel.settings import Settings

Array = np.ndarray
Opener = Callable[[], BinaryIO]
TRUSTED = 256 << 20  # bytes of frames above which a statement that segments don't overlap is not checked


class Labels:
    """A segmentation on the images' grid, read frame by frame as it is asked for; `close` it.

    Parameters
    ----------
    opener : callable
        Opens the segmentation's file.
    kept : Kept
        Its facts, of which the image header, the UID and the series' key are used.
    stack : Stack
        The images.

    Raises
    ------
    NotYetShown
        It is of another frame of reference, of a whole slide, or has no frame that can be placed.
    NotDicom, Unreadable, TooLarge, BadPixels
    """

    def __init__(self, opener: Opener, kept: Kept, stack: Stack, settings: Settings) -> None:
        if kept.image is None:
            raise NotYetShown("the segmentation holds no pixels")
        self.image: ImageHeader = kept.image
        self.settings, self.grid = settings, grid_of(stack)
        self.pixels = decode.Frames(kept.image, opener, settings)
        with opener() as source:
            self.found = self._read(source)
            matched = references.match(self.found.referred, stack.objects(), self.grid.frame_of_reference)
            if not matched:
                raise Elsewhere("the segmentation refers to other images, in another frame of reference")
            self.placement = place(self.found, (self.image.rows, self.image.columns), self.grid)
            if not (self.placement.slices or self.placement.lattices):
                raise Elsewhere(f"the segmentation has no place on these images. {' '.join(self.placement.notes)}")
            self.places = self._places()
            self.layers = tuple(self._layers(source))
        self._lattice_layer: tuple[int, int, Array] | None = None
        self.overlay = self._overlay(kept, stack, matched)

    def _read(self, source: BinaryIO) -> segmentation.Segmentation:
        found = segmentation.read(source, self.settings, self.image.pixel_offset)
        if len(found.frames) < self.image.frames:
            raise NotYetShown("the segmentation says of fewer frames where they lie than it holds")
        self.beyond = len(found.frames) - self.image.frames
        return replace(found, frames=found.frames[: self.image.frames])

    # -- what there is -------------------------------------------------------------------------------------------------

    @property
    def dtype(self) -> np.dtype:
        """Of the values: whole numbers for labels, floating point for fractions."""
        if self.found.kind == "FRACTIONAL":
            return np.dtype(np.float32)
        top = max(segment.number for segment in self.found.segments)
        if self.found.kind == "LABELMAP" and self.image.bits_allocated > 8:
            return np.dtype(np.uint16)
        return np.dtype(np.uint8 if top < 256 else np.uint16)

    def _places(self) -> tuple[Places, ...]:
        """Where each frame holds along the extra dimensions: with the images it names, else those the object names."""
        named = self.grid.places_of((uid, ()) for uid in self.found.referred.instances)
        return tuple(
            self.grid.places_of(frame.sources) if any(uid in self.grid.places for uid, _ in frame.sources) else named
            for frame in self.found.frames
        )

    def _layers(self, source: BinaryIO) -> Iterator[Layer]:
        """Segments in layers, apart for each place that frames belong to."""
        numbers = [segment.number for segment in self.found.segments]
        places = layers.ordered(self.places)
        size = self.image.rows * self.image.columns * self.image.frames // 8
        whole = self.found.kind == "LABELMAP" or (self.found.overlapping == "NO" and size > TRUSTED)
        conflicts = {} if whole or self.found.kind == "FRACTIONAL" else self._conflicts(source)
        for each in places:
            if self.found.kind == "FRACTIONAL":
                yield from (Layer((number,), each) for number in numbers)
            elif whole:
                yield Layer(tuple(numbers), each)
            else:
                pairs = zip(self.found.frames, self.places, strict=True)
                held = {frame.segment for frame, where in pairs if where == each} if len(places) > 1 else set(numbers)
                found = layered([number for number in numbers if number in held], conflicts.get(each, ()))
                yield from (Layer(layer, each) for layer in found)

    def _conflicts(self, source: BinaryIO) -> dict[Places, set[tuple[int, int]]]:
        """Pairs of segments that share a pixel of a plane, by the place of their frames."""
        found: dict[Places, set[tuple[int, int]]] = {}
        for frames in self.placement.groups():
            for each in layers.ordered(self.places[frame] for frame in frames):
                here = [frame for frame in frames if self.places[frame] == each]
                if len({self.found.frames[frame].segment for frame in here}) > 1:
                    found.setdefault(each, set()).update(self._overlaps(source, here))
        return found

    def _overlaps(self, source: BinaryIO, frames: list[int]) -> set[tuple[int, int]]:
        union: Array | None = None
        seen: list[tuple[int, Array]] = []
        found: set[tuple[int, int]] = set()
        for frame in frames:
            mask, number = self._bits(source, frame), self.found.frames[frame].segment
            if union is None:
                union = mask.copy()
            else:
                if np.bitwise_and(union, mask).any():
                    pairs = ((other, number) for other, known in seen if (known & mask).any())
                    found |= {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}
                union |= mask
            seen.append((number, mask))
        return found

    def _bits(self, source: BinaryIO, frame: int) -> Array:
        """A frame's pixels, eight a byte where they lie so in the file."""
        image, bits = self.image, self.image.rows * self.image.columns
        if image.bits_allocated == 1 and image.pixel_length > 0 and bits % 64 == 0:
            data = need(source, image.pixel_offset + frame * bits // 8, bits // 8)
            return np.frombuffer(data, np.uint64)
        return np.packbits(self.pixels.read(frame) != 0)

    def _overlay(self, kept: Kept, stack: Stack, matched: str) -> Overlay:
        fraction = (self.found.fraction or "fraction") if self.found.kind == "FRACTIONAL" else ""
        return Overlay(
            sop_instance_uid=kept.sop_instance_uid,
            series_key=kept.series_key,
            version=kept.digests.dataset,
            kind="segmentation",
            title=self.found.title,
            segments=self.found.segments,
            layers=len(self.layers),
            matched=matched,
            missing=tuple(references.missing(self.found.referred, stack.objects())),
            unit=fraction,
            notes=tuple(self._notes()),
            places=layers.told(self.layers),
        )

    def _notes(self) -> list[str]:
        notes = [*self.placement.notes, *layers.notes(self.layers, self.grid)]
        if self.beyond:
            notes.append(
                f"Describes {self.beyond} frames beyond its Number of Frames, {self.image.frames}; those are not shown."
            )
        if self.found.kind != "LABELMAP":
            shown = {frame.segment for frame in self.found.frames}
            empty = [segment.label for segment in self.found.segments if segment.number not in shown]
            unnamed = shown - {segment.number for segment in self.found.segments}
            notes += [f"Without any frame: {', '.join(empty)}."] if empty else []
            notes += [f"{len(unnamed)} segments have frames but no description."] if unnamed else []
        if len(self.layers) > len(set(self.places)) and self.found.kind == "BINARY":
            notes.append(f"Segments overlap; they are in {len(self.layers)} layers.")
            if self.found.overlapping == "NO":
                notes.append("The object says that they don't.")
        return notes

    # -- pixels --------------------------------------------------------------------------------------------------------

    def section(self, layer: int, index: int) -> Array:
        """Labels, or fractions from 0 to 1, of one slice: ``(rows, columns)``."""
        out = np.zeros(self.grid.shape[1:], self.dtype)
        self._paste(layer, self.placement.slices.get(index, []), out)
        for number, lattice in enumerate(self.placement.lattices):
            self._sample(layer, number, lattice, index, out)
        return out

    def volume(self, layer: int) -> Array:
        """A whole layer: ``(slices, rows, columns)``."""
        out = np.zeros(self.grid.shape, self.dtype)
        for index, pasted in self.placement.slices.items():
            self._paste(layer, pasted, out[index])
        for number, lattice in enumerate(self.placement.lattices):
            for index in range(len(out)):
                self._sample(layer, number, lattice, index, out[index])
        self._lattice_layer = None
        return out

    def _paste(self, layer: int, pasted: Iterable[Pasted], out: Array) -> None:
        for one in pasted:
            if not self._in(layer, one.frame):
                continue
            (top, rows), (left, columns) = (
                _common(start, size, whole)
                for start, size, whole in zip(
                    (one.row, one.column), (self.image.rows, self.image.columns), out.shape, strict=True
                )
            )
            self._paint(one.frame, out[rows, columns], (top, left))

    def _in(self, layer: int, frame: int) -> bool:
        if self.places[frame] != self.layers[layer].places:
            return False
        return self.found.kind == "LABELMAP" or self.found.frames[frame].segment in self.layers[layer].numbers

    def _paint(self, frame: int, out: Array, origin: tuple[slice, slice]) -> None:
        """One frame into (a part of) a slice; the layers see to it that nothing is painted over."""
        pixels = self.pixels.read(frame)[origin]
        if self.found.kind == "FRACTIONAL":
            np.maximum(out, pixels * np.float32(1 / self.found.maximum), out=out)
        elif self.found.kind == "LABELMAP":
            np.copyto(out, pixels, where=pixels != self.found.background, casting="unsafe")
        else:
            label = out.dtype.type(self.found.frames[frame].segment)
            np.maximum(out, (pixels != 0) * label, out=out)

    def _sample(self, layer: int, number: int, lattice: Lattice, index: int, out: Array) -> None:
        """Nearest neighbour out of a lattice; what lies more than half a voxel beyond it stays as it is."""
        assert self.grid.planes is not None
        points = self.grid.planes.points(index)
        plane, above = lattice.planes.nearest(points)
        near = np.abs(above) <= lattice.planes.step / 2 * (1 + 1e-6)
        if not near.any():
            return
        at = np.floor(lattice.planes.pixels(points, plane) + (0.5 + 1e-6)).astype(np.intp)
        column, row = at[..., 0], at[..., 1]
        inside = near & (column >= 0) & (column < self.image.columns) & (row >= 0) & (row < self.image.rows)
        if inside.any():
            values = self._lattice(layer, number, lattice)[plane[inside], row[inside], column[inside]]
            out[inside] = np.maximum(out[inside], values)

    def _lattice(self, layer: int, number: int, lattice: Lattice) -> Array:
        """One layer on the planes of a lattice; the last one is kept at hand."""
        if self._lattice_layer is None or self._lattice_layer[:2] != (layer, number):
            shape = (len(lattice.frames), self.image.rows, self.image.columns)
            values = np.zeros(shape, self.dtype)
            for plane, frames in enumerate(lattice.frames):
                self._paste(layer, [Pasted(frame) for frame in frames], values[plane])
            self._lattice_layer = (layer, number, values)
        return self._lattice_layer[2]

    def close(self) -> None:
        """Close the file; nothing can be read any more."""
        self.pixels.close()

    def contours(self, index: int) -> list[Contour]:
        """None: a segmentation is drawn by its pixels."""
        return []

    def segments(self, layer: int) -> tuple[Segment, ...]:
        """The segments of a layer."""
        wanted = set(self.layers[layer].numbers)
        return tuple(segment for segment in self.found.segments if segment.number in wanted)


def _common(start: int, size: int, whole: int) -> tuple[slice, slice]:
    """What part of ``size`` pixels that begin at ``start`` lies within ``whole``, and where there."""
    first, last = max(0, start), min(whole, start + size)
    last = max(first, last)
    return slice(first - start, last - start), slice(first, last)
