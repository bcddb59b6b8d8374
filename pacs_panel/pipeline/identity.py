"""What a received object is to those that are kept under the same SOP Instance UID."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pacs_panel.dicom import header
from pacs_panel.dicom.equal import difference, same_meaning
from pacs_panel.errors import PacsPanelError
from pacs_panel.keep.originals import read_original
from pacs_panel.model import Digests, Kept
from pacs_panel.pipeline.jobs import alone
from pacs_panel.pipeline.watchdog import PATIENCE, limited, needed
from pacs_panel.pixels import decode
from pacs_panel.receive.report import Outcome
from pacs_panel.settings import Settings


def outcome(
    root: Path, versions: Sequence[Kept], digests: Digests, data: Callable[[], bytes], settings: Settings
) -> tuple[Outcome, str]:
    """Tell whether an object is new, a duplicate, another encoding of a kept version, or a new version.

    Parameters
    ----------
    versions : sequence of Kept
        Kept versions of the same SOP Instance UID.
    digests : Digests
        Of the received object.
    data : callable
        Gives its bytes; called only if digests do not decide.

    Returns
    -------
    outcome : str
    detail : str
        Of a new version: the keywords of the attributes that differ, never their values.
    """
    if not versions:
        return "accepted", ""
    if any(kept.digests.dataset == digests.dataset for kept in versions):
        return "duplicate", ""
    received = data()
    for kept in versions:
        if _equal(root, kept, received, settings):
            return "alternative encoding", ""
    return "new version", _changed(root, versions[0], received, settings)


def _equal(root: Path, kept: Kept, received: bytes, settings: Settings) -> bool:
    try:
        return _compared(same_meaning, read_original(root, kept.location), received, settings)
    except PacsPanelError:
        return False  # what cannot be compared is kept as a version of its own


def _compared[Result](
    compare: Callable[[bytes, bytes, Settings], Result], a: bytes, b: bytes, settings: Settings
) -> Result:
    """``compare(a, b, settings)``; where a codec works on bytes that may be damaged, in a process of its own.

    Raises
    ------
    Crashed
        The codec ended the process, or took so long that it was ended.
    """
    images = [image for data in (a, b) if (image := header.image(io.BytesIO(data), len(data), settings)) is not None]
    if any(decode.is_compressed(image) for image in images):
        seconds = PATIENCE + sum(image.frames * needed(image) for image in images)
        return alone(partial(_apply, compare, settings, seconds), (a, b))
    return compare(a, b, settings)


def _apply[Result](
    compare: Callable[[bytes, bytes, Settings], Result], settings: Settings, seconds: float, pair: tuple[bytes, bytes]
) -> Result:
    with limited(seconds):
        return compare(*pair, settings)


def _differences(a: bytes, b: bytes, settings: Settings) -> list[tuple[str, str, str]]:
    return list(difference(a, b, settings))


def _changed(root: Path, kept: Kept, received: bytes, settings: Settings) -> str:
    try:
        changes = _compared(_differences, read_original(root, kept.location), received, settings)
    except PacsPanelError:
        return "cannot be compared with the version before"
    return ", ".join(keyword for keyword, _, _ in changes) or "pixel data or encoding"
