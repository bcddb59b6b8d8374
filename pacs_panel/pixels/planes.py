"""Many frames into one array, decoded by several threads: codecs work outside the interpreter's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pacs_panel.errors import BadPixels, TooLarge
from pacs_panel.model import ImageHeader
from pacs_panel.pixels.codecs import CODECS
from pacs_panel.pixels.frames import INSIDE_DEFLATED, Frames
from pacs_panel.pixels.source import Source
from pacs_panel.settings import Settings

Array = np.ndarray
Failures = dict[int, BadPixels | TooLarge]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One frame to read.

    Attributes
    ----------
    image : ImageHeader
        Of its object.
    source : callable that opens a binary file, or bytes
        Planes with the *same* source are frames of one object, wherever they stand: it is opened once.
    frame : int
        From 0.
    """

    image: ImageHeader
    source: Source | Callable[[], BinaryIO]
    frame: int = 0


def read_planes(
    planes: Iterable[Plane], out: Array, settings: Settings | None = None, threads: int = 1
) -> dict[int, BadPixels | TooLarge]:
    """Stored values of many frames, plane ``n`` into ``out[n]``.

    Compressed frames are decoded by ``threads`` threads, and few more than that are under way, so memory stays flat;
    uncompressed ones are read straight into the array.

    Parameters
    ----------
    planes : iterable of Plane
    out : ndarray
        ``(planes, rows, columns[, samples])``, of a type that holds the stored values.
    settings : Settings, optional
        Bounds a frame's size.
    threads : int
        That decode at once.

    Returns
    -------
    dict
        Which planes could not be decoded, and why; they are filled with zeros.

    Raises
    ------
    OSError, PacsPanelError
        What a source raises when it is opened or read.
    """
    settings, threads = settings or Settings(), max(1, threads)
    failed: Failures = {}
    waiting: deque[tuple[Frames, Future[None] | None]] = deque()  # no future: the object is done with
    pool = ThreadPoolExecutor(threads)
    try:
        for image, source, wanted in _objects(planes):
            try:
                frames = Frames(image, source, settings)
            except (BadPixels, TooLarge) as error:
                for number, _ in wanted:
                    failed[number], out[number] = error, 0
                continue
            for number, index in wanted:
                if threads > 1 and _is_heavy(image):
                    waiting.append((frames, pool.submit(_read, frames, index, number, out, failed)))
                    _settle(waiting, 2 * threads)
                else:
                    _read(frames, index, number, out, failed)
            waiting.append((frames, None))
            _settle(waiting, 2 * threads)
        _settle(waiting, 0)
    finally:
        pool.shutdown(cancel_futures=True)
        for frames, _ in waiting:
            frames.close()
    return failed


def _objects(
    planes: Iterable[Plane],
) -> Iterator[tuple[ImageHeader, Source | Callable[[], BinaryIO], list[tuple[int, int]]]]:
    """Planes of one source together: its image, itself, and which frame is which plane."""
    groups: dict[int, list[tuple[int, Plane]]] = {}
    for number, plane in enumerate(planes):  # planes, and so their sources, are held: an id is not used again
        groups.setdefault(id(plane.source), []).append((number, plane))
    for group in groups.values():
        first = group[0][1]
        yield first.image, first.source, [(number, plane.frame) for number, plane in group]


def _is_heavy(image: ImageHeader) -> bool:
    return image.transfer_syntax in CODECS or image.pixel_length == INSIDE_DEFLATED


def _read(frames: Frames, index: int, number: int, out: Array, failed: Failures) -> None:
    try:
        frames.read_into(index, out[number])
    except (BadPixels, TooLarge) as error:
        out[number] = 0
        failed[number] = error


def _settle(waiting: deque[tuple[Frames, Future[None] | None]], allowed: int) -> None:
    """Wait for the first frames until few are left, and close objects all of whose frames are read."""
    while len(waiting) > allowed or (waiting and waiting[0][1] is None):
        frames, future = waiting[0]
        if future is None:
            frames.close()
        else:
            future.result()
        waiting.popleft()
