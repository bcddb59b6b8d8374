"""What a received object is to those that are kept under the same SOP Instance UID."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pacs_panel.dicom.equal import difference, same_meaning
from pacs_panel.errors import PacsPanelError
from pacs_panel.keep.originals import read_original
from pacs_panel.model import Digests, Kept
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
        return same_meaning(read_original(root, kept.location), received, settings)
    except PacsPanelError:
        return False  # what cannot be compared is kept as a version of its own


def _changed(root: Path, kept: Kept, received: bytes, settings: Settings) -> str:
    try:
        changes = difference(read_original(root, kept.location), received, settings)
    except PacsPanelError:
        return "cannot be compared with the version before"
    return ", ".join(keyword for keyword, _, _ in changes) or "pixel data or encoding"
