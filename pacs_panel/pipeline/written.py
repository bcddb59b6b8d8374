"""Objects made from the images of a stack: their files are read in the order of its slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from pacs_panel.dicom import header
from pacs_panel.errors import PacsPanelError
from pacs_panel.keep.originals import open_original
from pacs_panel.model import Kept, Segment, Stack
from pacs_panel.overlay.write import write_segmentation
from pacs_panel.overlay.write_map import write_parametric_map
from pacs_panel.settings import Settings

Writer = Callable[[Iterable[BinaryIO], Sequence[int]], bytes]


def segmentation(labels: Any, segments: Iterable[Segment], settings: Settings, how: Mapping[str, Any]) -> Writer:
    """Writes labels: see `pacs_panel.overlay.write.write_segmentation`."""
    chosen = tuple(segments)
    return lambda images, frames: write_segmentation(labels, images, chosen, settings, frames=frames, **how)


def parametric_map(values: Any, settings: Settings, how: Mapping[str, Any]) -> Writer:
    """Writes values: see `pacs_panel.overlay.write_map.write_parametric_map`."""
    return lambda images, frames: write_parametric_map(values, images, settings, frames=frames, **how)


def made(root: Path, stack: Stack, objects: Iterable[Kept], write: Writer) -> bytes:
    """What ``write`` makes of the files of a stack's images.

    Parameters
    ----------
    objects : iterable of Kept
        Those of the series.
    write : callable
        Takes the files of the images of the first volume, in the order of its slices, and, where they are frames of one
        object, the frames' numbers from 0.

    Raises
    ------
    PacsPanelError
        Slices are no images, nor frames, of their own.
    """
    kept = {one.sop_instance_uid: one for one in objects}
    planes = stack.planes()[: stack.passport.shape[0]]
    images = [kept[uid] for uid in dict.fromkeys(uid for uid, _ in planes)]
    return write(_files(root, images), _frames(planes, {one.sop_instance_uid: one for one in images}))


def _frames(planes: Sequence[tuple[str, int]], images: Mapping[str, Kept]) -> tuple[int, ...]:
    """Which frames of the only object the planes are; empty where each is an object."""
    counts = [one.image.frames for one in images.values() if one.image is not None]
    if any(one.image is None or one.image.matrix is not None for one in images.values()):
        raise PacsPanelError("nothing can be written on the tiles of a whole slide")
    if len(images) == len(planes) and set(counts) == {1}:
        return ()
    if len(images) > 1:
        raise PacsPanelError("nothing can be written on slices that are of several multi-frame objects or mosaics")
    if len(planes) > counts[0]:
        raise PacsPanelError("nothing can be written on the tiles of a mosaic")
    return tuple(frame for _, frame in planes)


def _files(root: Path, images: Iterable[Kept]) -> Iterator[BinaryIO]:
    for one in images:
        with open_original(root, one.location) as file:
            yield file


def save(content: bytes, target: Path, settings: Settings) -> str:
    """Write an object to a file that is not there yet; its SOP Instance UID.

    Raises
    ------
    PacsPanelError
        The file is there already: nothing is ever overwritten.
    """
    identity = header.read(BytesIO(content), len(content), settings).identity
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise PacsPanelError(f"{target} is there already; write to another file") from None
    return identity.sop_instance_uid
