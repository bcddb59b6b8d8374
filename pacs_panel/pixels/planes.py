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
PlaneSource = Source | Callable[[], BinaryIO]
Failures = dict[int, BadPixels | TooLarge]
Waiting = deque[tuple[Frames, Future[None] | PlaneSource]]  # a source in place of a future: the object is done with
KEPT = 16  # objects of several frames that stay open


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
    source: PlaneSource
    frame: int = 0


class PlaneReader:
    """Reads frames of many objects, several at once, in as many steps as one likes.

    Objects of several frames stay open from step to step, the last few: to find the frames, or to inflate all, takes
    its time.

    Parameters
    ----------
    settings : Settings, optional
        Bounds a frame's size.
    threads : int
        That decode at once.
    """

    def __init__(self, settings: Settings | None = None, threads: int = 1) -> None:
        self._settings, self._threads = settings or Settings(), max(1, threads)
        self._kept: dict[int, tuple[Frames, object]] = {}  # by source, which is held: an id is not used again

    def __enter__(self) -> PlaneReader:
        return self

    def __exit__(self, *_: object) -> None:
        while self._kept:
            self._close_oldest()

    def read(self, planes: Iterable[Plane], out: Array) -> Failures:
        """As `read_planes`."""
        failed: Failures = {}
        waiting: Waiting = deque()
        pool = ThreadPoolExecutor(self._threads)
        try:
            for image, source, wanted in _objects(planes):
                try:
                    frames = self._opened(image, source)
                except (BadPixels, TooLarge) as error:
                    for number, _ in wanted:
                        failed[number], out[number] = error, 0
                    continue
                for number, index in wanted:
                    if self._threads > 1 and _is_heavy(image):
                        waiting.append((frames, pool.submit(_read, frames, index, number, out, failed)))
                        self._settle(waiting, 2 * self._threads)
                    else:
                        _read(frames, index, number, out, failed)
                waiting.append((frames, source))
                self._settle(waiting, 2 * self._threads)
            self._settle(waiting, 0)
        finally:
            pool.shutdown(cancel_futures=True)
            for frames, _ in waiting:
                frames.close()
        return failed

    def _opened(self, image: ImageHeader, source: PlaneSource) -> Frames:
        frames, _ = self._kept.pop(id(source), (None, None))
        return frames or Frames(image, source, self._settings)

    def _settle(self, waiting: Waiting, allowed: int) -> None:
        """Wait for the first frames until few are left, and put away objects all of whose frames are read."""
        while len(waiting) > allowed or (waiting and not isinstance(waiting[0][1], Future)):
            frames, last = waiting[0]
            if isinstance(last, Future):
                last.result()
            elif len(frames) == 1:
                frames.close()
            else:
                self._kept[id(last)] = (frames, last)
                if len(self._kept) > KEPT:
                    self._close_oldest()
            waiting.popleft()

    def _close_oldest(self) -> None:
        frames, _ = self._kept.pop(next(iter(self._kept)))
        frames.close()


def read_planes(planes: Iterable[Plane], out: Array, settings: Settings | None = None, threads: int = 1) -> Failures:
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
    with PlaneReader(settings, threads) as reader:
        return reader.read(planes, out)


def _objects(planes: Iterable[Plane]) -> Iterator[tuple[ImageHeader, PlaneSource, list[tuple[int, int]]]]:
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
