"""Single frames and objects for whoever asks over the network, decoded where a damaged one can do no harm."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np

from pacs_panel.dicom.planes import planes
from pacs_panel.errors import BadPixels, NotYetShown
from pacs_panel.keep.originals import open_original
from pacs_panel.model import ImageHeader, Kept
from pacs_panel.pipeline.jobs import CRASHED, Processes
from pacs_panel.pipeline.watchdog import PATIENCE, limited, needed
from pacs_panel.pixels import decode, frame_bytes, render
from pacs_panel.pixels.intensity import (
    Shown,
    inverted,
    mapped,
    padding_mask,
    physical,
    tables,
    windows,
)
from pacs_panel.pixels.palette import Palette, supplemental
from pacs_panel.pixels.transcode import transcode
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.remote import RemotePath
from pacs_panel.volume.planes import fill

Array = np.ndarray


class Decoding:
    """Codecs work in processes of their own, which are started when first wanted; with ``settings.workers`` 0, here."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self._root, self._settings = root, settings
        self._pool = Processes(max(1, settings.workers))
        self._lock = Lock()

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            self._pool.shutdown()

    def transcoded(self, kept: Kept) -> IO[bytes]:
        """The object in Explicit VR Little Endian, as a file that vanishes when it is closed."""
        spool = None
        if not isinstance(self._root, RemotePath):
            spool = self._root / layout.spool()
            spool.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix="transcoded-", dir=spool, delete=False) as file:
            path = Path(file.name)
        try:
            self._run(kept, kept.image.frames if kept.image else 1, partial(_transcode, self._root, kept, path))
            return path.open("rb")
        finally:
            path.unlink()

    def frame(self, kept: Kept, index: int) -> bytes:
        """One frame without compression, in little endian."""
        return self._run(kept, 1, partial(_frame, self._root, kept, index))

    def picture(self, kept: Kept, index: int, modality: str, view: render.View) -> bytes:
        """One frame as a PNG or JPEG file."""
        return self._run(kept, 1, partial(_picture, self._root, kept, index, modality, view))

    def _run[Result](self, kept: Kept, frames: int, work: Callable[[Settings], Result]) -> Result:
        image = kept.image
        if image is None or not self._settings.workers or not decode.is_compressed(image):
            return work(self._settings)
        with self._lock:
            future = self._pool.submit(_limited, work, self._settings, PATIENCE + frames * needed(image))
        try:
            return future.result()
        except BrokenExecutor:
            raise BadPixels(CRASHED) from None


def _limited[Result](work: Callable[[Settings], Result], settings: Settings, seconds: float) -> Result:
    with limited(seconds):
        return work(settings)


def _transcode(root: Path, kept: Kept, target: Path, settings: Settings) -> None:
    with open_original(root, kept.location) as source, target.open("wb") as file:
        transcode(source, kept, file, settings)


def _frame(root: Path, kept: Kept, index: int, settings: Settings) -> bytes:
    image = _image(kept)
    frame_bytes.check_frame(image, index)
    with open_original(root, kept.location) as source:
        return frame_bytes.uncompressed(image, source, index, settings)


def _image(kept: Kept) -> ImageHeader:
    if kept.image is None:
        raise NotYetShown(f"object {kept.sop_instance_uid} has no pixels")
    return kept.image


def _picture(root: Path, kept: Kept, index: int, modality: str, view: render.View, settings: Settings) -> bytes:
    image = _image(kept)
    frame_bytes.check_frame(image, index)
    with open_original(root, kept.location) as source:
        found = planes(image, source, settings)
        plane = found[index] if len(found) == image.frames else image
        if plane.tiles or plane.tiling:  # a frame is asked for, not a tile of it or all of them
            plane = image
        colour = plane.samples > 1 or bool(plane.palette)
        shape = (plane.rows, plane.columns, max(3, plane.samples))[: 2 + colour]
        stored = np.zeros(shape, np.uint8 if plane.palette else decode.dtype(plane))
        (reason,) = fill([replace(plane, frame=index)], source, [stored], settings)
    if reason:
        raise BadPixels(reason)
    picture = render.greys(stored) if colour else _greys(plane, stored, modality, view.window)
    return render.encode(render.fitted(picture, view.size, view.region), view.form, view.quality)


def _greys(plane: ImageHeader, stored: Array, modality: str, window: Shown | None) -> Array:
    values = mapped(stored, plane.table) if plane.table else physical(stored, plane.slope, plane.intercept)
    own: tuple[Shown, ...] = (*windows(plane, modality), *tables(plane))
    shown = window or (own[0] if own else None)
    grey = render.greys(values, shown, inverted(plane), padding_mask(plane, stored))
    if plane.supplemental is None:
        return grey
    first, colours = plane.supplemental
    return supplemental(stored, grey, Palette(np.frombuffer(colours, np.uint8).reshape(-1, 3), first))
