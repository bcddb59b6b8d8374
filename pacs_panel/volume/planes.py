"""Planes that are not frames as they are: tiles of a mosaic or of a large image, colour out of a palette."""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from pacs_panel.errors import BadPixels, PacsPanelError
from pacs_panel.model import ImageHeader
from pacs_panel.pixels.frames import Frames
from pacs_panel.settings import Settings

Array = np.ndarray


def is_frame(image: ImageHeader) -> bool:
    """Whether a plane is one frame of its object, as it is decoded."""
    return not (image.tiling or image.tiles or image.palette)


def fill(images: Sequence[ImageHeader], file: BinaryIO, targets: Sequence[Array], settings: Settings) -> list[str]:
    """Decode planes of one object.

    Parameters
    ----------
    images : sequence of ImageHeader
        Planes of the object, as `pacs_panel.dicom.planes.planes` gives them.
    file : binary file
        The object's whole file.
    targets : sequence of ndarray
        ``(rows, columns)``, or ``(rows, columns, 3)`` in colour; may be views.

    Returns
    -------
    list of str
        For each plane why it could not be decoded, wholly or in part, and is zero there; else empty.
    """
    reasons, mosaic, frames = [], None, None
    for image, target in zip(images, targets, strict=True):
        target[...] = 0
        try:
            if image.tiling:
                reasons.append(_tiled(image, file, target, settings))
                continue
            if image.tiles:
                mosaic = _mosaic(image, file, settings) if mosaic is None else mosaic
                target[...] = _tile(image, mosaic)
            else:
                frames = frames or Frames(image, file, settings)
                target[...] = _coloured(image, frames.read(image.frame))
            reasons.append("")
        except PacsPanelError as error:
            reasons.append(str(getattr(error, "detail", "") or error))
    return reasons


def _coloured(image: ImageHeader, indices: Array) -> Array:
    if not image.palette:
        return indices
    colours = np.frombuffer(image.palette, np.uint8).reshape(-1, 3)
    return colours[np.clip(indices, 0, len(colours) - 1)]


def _mosaic(image: ImageHeader, file: BinaryIO, settings: Settings) -> Array:
    rows, columns = image.rows * image.tiles, image.columns * image.tiles
    return Frames(replace(image, rows=rows, columns=columns), file, settings).read(0)


def _tile(image: ImageHeader, mosaic: Array) -> Array:
    rows, columns = image.rows, image.columns
    down, across = divmod(image.frame, image.tiles)
    return mosaic[down * rows : (down + 1) * rows, across * columns : (across + 1) * columns]


def _tiled(image: ImageHeader, file: BinaryIO, target: Array, settings: Settings) -> str:
    """All tiles of a large image, each cut off at the matrix's edge; why some stay blank."""
    failed = []
    _, _, _, rows, columns = image.tiling[0]
    frames = Frames(replace(image, rows=rows, columns=columns), file, settings)
    for frame, row, column, _, _ in image.tiling:
        try:
            tile = _coloured(image, frames.read(frame))
        except PacsPanelError as error:
            failed.append(str(getattr(error, "detail", "") or error))
            continue
        room = target[row : row + rows, column : column + columns]
        room[...] = tile[: room.shape[0], : room.shape[1]]
    if len(failed) == len(image.tiling):
        raise BadPixels(failed[0])
    reasons = [f"{len(failed)} of {len(image.tiling)} tiles: {failed[0]}"] if failed else []
    if (absent := _absent(image)) > 0:
        reasons.append(f"{absent:.0%} of the image is in no tile" if absent >= 0.01 else "some of it is in no tile")
    return "; ".join(reasons)


def _absent(image: ImageHeader) -> float:
    """Which part of a large image no tile covers, from 0 to 1; tiles, all of one size, may overlap."""
    _, _, _, rows, columns = image.tiling[0]
    begun: dict[int, set[int]] = defaultdict(set)
    for _, row, column, _, _ in image.tiling:
        begun[row].add(column)
    heights = sorted(begun)
    edges = sorted({min(edge, image.rows) for row in heights for edge in (row, row + rows)})
    covered = 0
    for top, bottom in itertools.pairwise(edges):  # in each band the same tiles lie from its top to its bottom
        over = heights[bisect.bisect_right(heights, top - rows) : bisect.bisect_right(heights, top)]
        covered += (bottom - top) * _length(sorted(set().union(*(begun[row] for row in over))), columns, image.columns)
    return 1 - covered / (image.rows * image.columns)


def _length(starts: Sequence[int], each: int, most: int) -> int:
    """How much of ``0 … most`` pieces of one length cover; their starts rise."""
    ends = [*starts, most][1:]
    return sum(max(0, min(start + each, end, most) - start) for start, end in zip(starts, ends, strict=True))
