"""A published archive, open: everything that reads an archive reads this one, over http(s)."""

from __future__ import annotations

from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, Self

from pacs_panel.archive import Archive
from pacs_panel.attributes import Level
from pacs_panel.cohort import Cohort
from pacs_panel.cohort.frozen import Facts
from pacs_panel.errors import ArchiveError, BadQuery, NotFound, NotPublished, NotYetShown, ReadOnly
from pacs_panel.index.references import Partners
from pacs_panel.model import LOCAL, Kept, Principal
from pacs_panel.overlay.frames import OverlayFrames
from pacs_panel.pipeline.decoding import Decoding
from pacs_panel.pipeline.export import FORMATS, export_volumes
from pacs_panel.pipeline.overlays import OpenOverlays
from pacs_panel.policy import Action, Rule
from pacs_panel.published.description import CATALOG, NAME, Description
from pacs_panel.published.fetching import Fetched, describe
from pacs_panel.published.index import PublishedIndex
from pacs_panel.records.store import Records
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.http import Remote, remote_at
from pacs_panel.storage.remote import RemotePath
from pacs_panel.volume.frames import VolumeCache
from pacs_panel.volume.received import Received


def open_published(
    url: str, *, settings: Settings, principal: Principal = LOCAL, headers: Mapping[str, str] | None = None
) -> PublishedArchive:
    """Open the archive that is published at an address.

    Parameters
    ----------
    url : str
        Of its folder, or of ``published.json`` or ``catalog.yml`` in that.
    headers : mapping, optional
        Sent with every request.

    Raises
    ------
    ArchiveError
        There is none, or one of another version; the address carries credentials.
    Damaged
        Its index is not as it was published.
    Unreachable
        The server does not answer, or its certificate is not trusted.
    """
    for name in (NAME, CATALOG):
        url = url.removesuffix(f"/{name}")
    remote = remote_at(url, tuple((headers or {}).items()))
    described = describe(remote)
    return PublishedArchive(remote, described, settings, principal)


class PublishedArchive(Archive):
    """A published archive, as it was when it was opened. Threads may share it.

    It is opened by `pacs_panel.open_archive`, and read as `pacs_panel.archive.Archive` is: searches run on the local
    disk, values come slab by slab from the server. Whatever would change it raises `ReadOnly`; what was left out when
    it was published raises `NotPublished`.

    Attributes
    ----------
    description : Description
    """

    root: RemotePath

    def __init__(self, remote: Remote, described: Description, settings: Settings, principal: Principal) -> None:
        self.description, self._remote = described, remote
        self._states: list[PublishedIndex] = []
        super().__init__(RemotePath(remote=remote), settings, principal, shared=self._open(described, settings))

    def _open(self, described: Description, settings: Settings) -> Any:
        root = RemotePath(remote=self._remote)
        fetched = Fetched(self._remote, described, settings)
        index = PublishedIndex(fetched, root, settings)
        self._states.append(index)
        own = Records(fetched.folder / layout.RECORDS)  # nobody writes to it
        return (index, own, VolumeCache(settings.cache_bytes), OpenOverlays(root, settings), Decoding(root, settings))

    def __repr__(self) -> str:
        return f"<Archive published at {self._remote.url} as {self.principal.name!r}>"

    @property
    def read_only(self) -> bool:
        """It is."""
        return True

    @property
    def address(self) -> str:
        """Where it is published."""
        return self._remote.url

    def as_(self, principal: Principal, rules: tuple[Rule, ...] | None = None) -> Self:
        """The same archive as somebody else may see it; under other rules, where they are given."""
        other, granted = object.__new__(type(self)), self._rules if rules is None else rules
        other.__dict__ |= self.__dict__ | {"principal": principal, "_rules": granted, "_states": []}
        return other

    def close(self) -> None:
        """Let go of what was fetched; it stays on the disk for the next time."""
        super().close()
        for state in self._states:
            state.close()

    def refresh(self) -> bool:
        """Turn to what is published now; gives whether that is something else.

        Searches and volumes that were opened before remain as they were.
        """
        described = describe(self._remote)
        if described.id != self.description.id:
            raise ArchiveError(f"another archive is published at {self._remote.url} by now; open it anew")
        if described.hash == self.description.hash:
            return False
        self._index, self._records, self._cache, self._overlays, _ = self._open(described, self.settings)
        self.description = described
        return True

    # -- what is not there ---------------------------------------------------------------------------------------------

    def _may(self, action: Action) -> None:
        if action != "read":
            raise ReadOnly(f"{self._remote.url} is a published archive: it can be read, not changed")
        super()._may(action)

    def _scope(self, level: Level, action: Action = "read") -> Any:
        if action != "read":
            self._may(action)
        return super()._scope(level, action)

    def _originals(self, what: str) -> None:
        if not self.description.originals:
            raise NotPublished(f"{what} needs the received objects, which are not published; ask whoever published it")

    def cohorts(self) -> list[Facts]:
        """None: cohorts are not published."""
        self._may("read")
        return []

    def cohort(self, name: str) -> Cohort:
        """Raises `NotPublished`."""
        raise NotPublished("cohorts are not published; their manifests can be handed on as files")

    def publish(self, *arguments: Any, **keywords: Any) -> Any:
        """Raises `ReadOnly`: its source is published, not what was published."""
        raise ReadOnly(f"{self._remote.url} is published already; copy its folder to publish it elsewhere")

    # -- what is asked otherwise ---------------------------------------------------------------------------------------

    def references(self, uid: str, level: Any = "series") -> Partners:
        """See `Archive.references`."""
        self._fetched.ensure_objects()
        return super().references(uid, level)

    def original(self, kept: Kept) -> BufferedReader:
        """See `Archive.original`."""
        self._originals("reading an object")
        return super().original(kept)

    def _object(self, uid: str) -> Kept:
        self._originals("reading an object")
        return super()._object(uid)

    def received(self, uid: str) -> Received:
        """See `Archive.received`."""
        self._originals("a series without a volume")
        return super().received(uid)

    def _opened(self, uid: str, stack: int | None) -> Mapping[str, OverlayFrames]:
        self._originals("what lies on images")
        return super()._opened(uid, stack)

    def _speaking(self, uid: str, *modalities: str) -> list[Kept]:
        if not self.description.originals or not self.search(Modality=list(modalities)).count():
            return []
        return super()._speaking(uid, *modalities)

    def export(self, uid: str, target: str | Path, form: str = "dicom") -> list[Path]:
        """See `Archive.export`; without originals, ``dicom`` is refused, and ``nifti`` has no sidecar."""
        if form == "zarr":
            raise BadQuery(f"fetch the folder {self.stack_path(uid)} from the server, or write volume(uid) by xarray")
        if form == "dicom" or self.description.originals:
            self._originals("DICOM")
            return super().export(uid, target, form)
        if form not in FORMATS:
            raise BadQuery(f"no format {form!r}: one of {', '.join(FORMATS)}")
        if not (revision := self.revision(uid)).stacks:
            raise NotYetShown(f"series {uid}: {revision.note}")
        return list(export_volumes(self.root, revision, Path(target), form, (), self.settings))

    def thumbnail(self, uid: str) -> bytes:
        """See `Archive.thumbnail`; in one request."""
        revision = self.revision(uid)
        if not revision.stacks:
            raise NotYetShown(f"series {uid}: {revision.note}")
        try:
            return (self.root / layout.thumbnail(revision.series_key, revision.revision)).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"series {uid} has no thumbnail at {self._remote.url}") from None

    def status(self) -> dict[str, Any]:
        """Counts of what was published, its format, and change number."""
        self._may("read")
        told = self.description
        names = {"patient": "patients", "study": "studies", "series": "series", "object": "instances"}
        counts = {name: told.tables[table].rows for table, name in names.items()}
        return {"archive": self._remote.url, "published": told.at, **counts, "change": told.change, "hash": told.hash}

    @property
    def _fetched(self) -> Fetched:
        index = self._index
        assert isinstance(index, PublishedIndex)
        return index.fetched
