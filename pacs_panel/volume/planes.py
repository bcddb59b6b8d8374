"""The planes of one object into an array: frames, tiles of a mosaic or a large image, colour out of a palette."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from pacs_panel.errors import BadPixels, PacsPanelError
from pacs_panel.model import ImageHeader
from pacs_panel.pixels import decode
from pacs_panel.settings import Settings

Array = np.ndarray


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
    frames = _Frames(file, settings)
    return [frames.into(image, target) for image, target in zip(images, targets, strict=True)]


class _Frames:
    """Frames of one object; a mosaic is at hand for the next of its tiles."""

    def __init__(self, file: BinaryIO, settings: Settings) -> None:
        self.file, self.settings = file, settings
        self._mosaic: Array | None = None

    def into(self, image: ImageHeader, target: Array) -> str:
        """Decode a plane; what hindered it, or nothing."""
        try:
            if image.tiling:
                return self._matrix(image, target)
            if image.frames == 1 and image.samples == 1 and not image.tiles and not image.palette:
                decode.read_into(image, self.file, 0, target, self.settings)
            else:
                target[...] = self._tile(image) if image.tiles else self._frame(image, image.frame)
        except PacsPanelError as error:
            target[...] = 0
            return str(getattr(error, "detail", "") or error)
        return ""

    def _frame(self, image: ImageHeader, number: int) -> Array:
        found = decode.frame(image, self.file, number, self.settings)
        if not image.palette:
            return found
        colours = np.frombuffer(image.palette, np.uint8).reshape(-1, 3)
        return colours[np.minimum(found, len(colours) - 1)]

    def _tile(self, image: ImageHeader) -> Array:
        rows, columns = image.rows, image.columns
        if self._mosaic is None:
            whole = replace(image, rows=rows * image.tiles, columns=columns * image.tiles, frame=0)
            self._mosaic = decode.frame(whole, self.file, 0, self.settings)
        down, across = divmod(image.frame, image.tiles)
        return self._mosaic[down * rows : (down + 1) * rows, across * columns : (across + 1) * columns]

    def _matrix(self, image: ImageHeader, target: Array) -> str:
        """All tiles of a large image, each cut off at the matrix's edge; those that cannot be decoded stay blank."""
        failed = []
        for frame, row, column, rows, columns in image.tiling:
            try:
                tile = self._frame(replace(image, rows=rows, columns=columns), frame)
            except PacsPanelError as error:
                failed.append(str(getattr(error, "detail", "") or error))
                continue
            room = target[row : row + rows, column : column + columns]
            room[...] = tile[: room.shape[0], : room.shape[1]]
        if len(failed) == len(image.tiling):
            raise BadPixels(failed[0] if failed else "there are no tiles")
        return f"{len(failed)} of {len(image.tiling)} tiles: {failed[0]}" if failed else ""
