"""An open archive as one principal may see it: the one way to its rows and its received bytes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pacs_panel.attributes import Level
from pacs_panel.dicom import full
from pacs_panel.errors import Ambiguous, NotFound
from pacs_panel.index.criteria import criteria, scope
from pacs_panel.index.references import Partners, partners
from pacs_panel.index.search import Search
from pacs_panel.index.store import Index
from pacs_panel.keep.originals import open_original, read_original
from pacs_panel.model import LOCAL, Kept, Principal
from pacs_panel.overlay.documents import Document, document, waveforms
from pacs_panel.pipeline.decoding import Decoding
from pacs_panel.pipeline.overlays import OpenOverlays
from pacs_panel.policy import ALLOW_LOCAL, Action, Rule, authorize
from pacs_panel.records.store import Records
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.volume.frames import VolumeCache

if TYPE_CHECKING:
    import xarray as xr

Row = Mapping[str, Any]


class Scoped:
    """The files of an archive, and who asks. Threads may share it."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        principal: Principal = LOCAL,
        rules: tuple[Rule, ...] = ALLOW_LOCAL,
        *,
        temporary: bool = False,
        shared: tuple[Index, Records, VolumeCache, OpenOverlays, Decoding] | None = None,
    ) -> None:
        self.root, self.settings, self.principal = root, settings, principal
        self._rules, self._temporary = rules, temporary
        self._index, self._records, self._cache, self._overlays, self.decoding = shared or (
            Index(root / layout.INDEX, settings),
            Records(root / layout.RECORDS),
            VolumeCache(settings.cache_bytes),
            OpenOverlays(root, settings),
            Decoding(root, settings),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Archive {self.root.name!r} as {self.principal.name!r}>"

    def close(self) -> None:
        """Let go of the archive's files; a ``memory://`` archive is gone then."""
        self._overlays.close()
        self.decoding.close()
        self._index.close()
        self._records.close()
        if self._temporary:
            shutil.rmtree(self.root, ignore_errors=True)

    def as_(self, principal: Principal, rules: tuple[Rule, ...] | None = None) -> Self:
        """The same archive as somebody else may see it; under other rules, where they are given."""
        shared = (self._index, self._records, self._cache, self._overlays, self.decoding)
        granted = self._rules if rules is None else rules
        return type(self)(self.root, self.settings, principal, granted, shared=shared)

    # -- asking --------------------------------------------------------------------------------------------------------

    def search(
        self, level: Level = "series", *, order: Sequence[tuple[str, str]] | None = None, **keywords: Any
    ) -> Search:
        """Search lazily; see `pacs_panel.index.search.Search`.

        Parameters
        ----------
        level : str
            ``patient``, ``study``, ``series`` or ``instance``.
        order : sequence of (keyword, "asc" or "desc"), optional
        **keywords
            DICOM keywords verbatim, with DICOM matching (PS3.4 §C.2.2.2): a value, a list of values, wildcards ``*``
            and ``?``, ranges ``"20250101-"``; ``text=`` looks everywhere.

        Raises
        ------
        BadQuery
            An unknown keyword, or a value that does not fit it.
        """
        return self._index.search(level, criteria(level, **keywords), order=order, scope=self._scope(level))

    def find(self, uid: str, level: Level = "series") -> Row:
        """The one row that a UID or a key names.

        Raises
        ------
        NotFound
        Ambiguous
            The UID occurs in several places; ``choices`` are the keys to ask by.
        """
        return self._find(uid, level, self._scope(level))

    def _find(self, uid: str, level: Level, scope: Any) -> Row:
        rows = self._index.resolve(uid, level, scope=scope)
        which = "patient of that ID" if level == "patient" else f"{level} {uid}"  # the ID stands in no message
        if not rows:
            raise NotFound(f"there is no {which} here")
        if len(rows) > 1:
            keys = tuple(str(row["key"]) for row in rows)
            raise Ambiguous(f"{which} occurs {len(rows)} times; ask by key: {', '.join(keys)}", keys)
        return rows[0]

    def objects(self, uid: str, *, versions: bool = False) -> list[Kept]:
        """The objects of a series by instance number; with ``versions`` also those that newer ones replaced."""
        return self._index.objects(str(self.find(uid)["key"]), current=not versions)

    def header(self, uid: str) -> dict[str, Any]:
        """The full header of an object, or of a series' first object, as the DICOM JSON model (PS3.18 §F).

        It tells what was received: corrections are not in it.
        """
        with open_original(self.root, self._object(uid).location) as source:
            return full.full(source, self.settings)

    def references(self, uid: str, level: Literal["series", "instance"] = "series") -> Partners:
        """What a series or an object refers to, and what refers to it; what may not be seen counts as missing."""
        key = str(self.find(uid, level)["SOPInstanceUID" if level == "instance" else "key"])
        return partners(self._index.database, level, key, self._scope("instance"))

    def document(self, uid: str) -> Document:
        """What an object without images says, or a series' first object: a report, a waveform, a plan and so on.

        Raises
        ------
        Unreadable, TooLarge
        """
        with open_original(self.root, self._object(uid).location) as source:
            return document(source, self.settings)

    def waveforms(self, uid: str) -> tuple[xr.Dataset, ...]:
        """Waveforms of an object, or of a series' first object: dims ``(time, channel)``, in physical units."""
        with open_original(self.root, self._object(uid).location) as source:
            return waveforms(source, self.settings)

    def read(self, sop_instance_uid: str) -> bytes:
        """The bytes of an object, as received."""
        return read_original(self.root, self._object(sop_instance_uid).location)

    def object(self, sop_instance_uid: str) -> Kept:
        """The current version of an object; raises `NotFound`."""
        if not self._index.resolve(sop_instance_uid, "instance", scope=self._scope("instance")):
            raise NotFound(f"there is no instance {sop_instance_uid} here")
        return self._index.object(sop_instance_uid)

    def _object(self, uid: str) -> Kept:
        if rows := self._index.resolve(uid, "instance", scope=self._scope("instance")):
            return self._index.object(str(rows[0]["SOPInstanceUID"]))
        return self.objects(uid)[0]

    # -- who may -------------------------------------------------------------------------------------------------------

    def _may(self, action: Action) -> None:
        authorize(self._rules, self.principal, action)

    def _scope(self, level: Level, action: Action = "read") -> Any:
        """On what the principal may act, as criteria that are added to every search; ``None`` for everything."""
        granted = authorize(self._rules, self.principal, action)
        if not all(granted):
            return None
        return tuple(scope(level, **allowed) for allowed in granted)
