"""Objects laid over images, without an archive."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset

from pacs_panel.dicom import header
from pacs_panel.geometry.stack import stacks
from pacs_panel.model import Digests, Kept, Location, Stack
from pacs_panel.overlay.frames import OverlayFrames, open_overlay
from pacs_panel.settings import Settings
from pacs_panel.testing import PhantomSeries, encode

SETTINGS = Settings()


def kept_of(content: bytes) -> Kept:
    """The facts of an object, as an archive keeps them."""
    read = header.read(BytesIO(content), len(content), SETTINGS)
    found = read.identity
    where = Location("pack", 0, len(content))
    digests = Digests("", "")
    return Kept(
        found.sop_instance_uid,
        found.sop_class_uid,
        "series",
        found.transfer_syntax,
        where,
        digests,
        read.dataset_offset,
        0,
        True,
        read.image,
    )


def stack_of(*contents: bytes) -> Stack:
    """The first stack of some images."""
    images = [kept.image for kept in map(kept_of, contents) if kept.image is not None]
    return stacks(images)[0]


def phantom_stack(series: PhantomSeries) -> Stack:
    return stack_of(*map(encode, series.datasets))


def lay(content: bytes | Path | Dataset, stack: Stack, opened: list[int] | None = None) -> OverlayFrames:
    """An object on the images of a stack; ``opened`` counts how often its file is opened."""
    if isinstance(content, Dataset):
        content = encode(content)
    data = content.read_bytes() if isinstance(content, Path) else content

    def opener() -> BinaryIO:
        if opened is not None:
            opened.append(1)
        return BytesIO(data)

    return open_overlay(opener, kept_of(data), stack, SETTINGS)
