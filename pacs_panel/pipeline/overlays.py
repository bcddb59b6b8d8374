"""What speaks of the images of a stack: found among kept objects, and opened on the stack's grid."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from pacs_panel.errors import PacsPanelError
from pacs_panel.keep.originals import open_original
from pacs_panel.model import Kept, Stack
from pacs_panel.overlay.frames import OverlayFrames, is_overlay, open_overlay, unopened
from pacs_panel.overlay.grid import Elsewhere
from pacs_panel.overlay.planes import OverlayPlanes
from pacs_panel.overlay.references import match, refers
from pacs_panel.settings import Settings

MODALITIES = ("SEG", "RTSTRUCT", "RTDOSE")
AT_HAND = 8  # stacks whose overlays stay open

Opened = Mapping[str, OverlayFrames]
"""SOP Instance UID to what lies on the stack; empty for the overlay planes of the images themselves."""


class OpenOverlays:
    """Overlays that were opened lately, stack by stack. Threads may share it."""

    def __init__(self, root: Path, settings: Settings, most: int = AT_HAND) -> None:
        self.root, self.settings, self.most = root, settings, most
        self._held: OrderedDict[tuple[Any, ...], Opened] = OrderedDict()
        self._lock = Lock()

    def of(
        self, series_uid: str, stack: Stack, images: Callable[[], Sequence[Kept]], speaking: Iterable[Kept]
    ) -> Opened:
        """What lies on a stack.

        Parameters
        ----------
        series_uid : str
            Series Instance UID of the images.
        images : callable
            Gives the series' objects, if they are needed.
        speaking : iterable of Kept
            Objects that might.
        """
        own = set(stack.members)  # a dose has a volume, too, and does not lie on itself
        others = (kept for kept in speaking if kept.sop_instance_uid not in own)
        candidates = [kept for kept in others if is_overlay(kept.sop_class_uid)]
        name = (series_uid, stack.members, stack.frames, *(kept.digests.dataset for kept in candidates))
        with self._lock:
            if name not in self._held:
                self._held[name] = {**self._planes(stack, images()), **self._lying(series_uid, stack, candidates)}
            self._held.move_to_end(name)
            while len(self._held) > self.most:
                self._held.popitem(last=False)  # its files close with the last who reads them
            return self._held[name]

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            for opened in self._held.values():
                for one in opened.values():
                    one.close()
            self._held.clear()

    def _lying(self, series_uid: str, stack: Stack, candidates: Iterable[Kept]) -> dict[str, OverlayFrames]:
        laid = ((kept.sop_instance_uid, self._laid(series_uid, stack, kept)) for kept in candidates)
        return {uid: opened for uid, opened in laid if opened is not None}

    def _laid(self, series_uid: str, stack: Stack, kept: Kept) -> OverlayFrames | None:
        """One object on the stack, or why it cannot be laid there; nothing of one that is of other images."""
        opener = partial(open_original, self.root, kept.location)
        named = ""
        try:
            with opener() as source:
                referred = refers(source, self.settings)
            objects = stack.objects()
            named = match(referred, objects, series_uid=series_uid)
            if match(referred, objects, stack.passport.frame_of_reference, series_uid):
                return open_overlay(opener, kept, stack, self.settings)
            return None
        except Elsewhere as error:  # what only shares their space may be of other images: it is told beside those
            return unopened(kept, stack, str(error), named) if named else None
        except PacsPanelError as error:
            return unopened(kept, stack, str(error), named)
        except OSError:
            return unopened(kept, stack, "the file that holds it cannot be read", named)

    def _planes(self, stack: Stack, images: Sequence[Kept]) -> dict[str, OverlayFrames]:
        """Overlay planes of the images; some of a series may have them, such as key images, and others not."""
        by_uid = {kept.sop_instance_uid: kept for kept in images}

        def opener(uid: str) -> Any:
            return open_original(self.root, by_uid[uid].location)

        try:
            return {"": OverlayFrames(OverlayPlanes(opener, by_uid, stack, self.settings), stack)}
        except (PacsPanelError, OSError):
            return {}
