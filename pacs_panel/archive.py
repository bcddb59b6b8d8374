"""The archive: joins the stages, and delegates. Everything that people do with a PACS begins here."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pacs_panel.attributes import Level
from pacs_panel.dicom import full
from pacs_panel.errors import Ambiguous, BadQuery, NotFound, NotYetShown
from pacs_panel.index.criteria import criteria
from pacs_panel.index.search import Search
from pacs_panel.index.store import Index
from pacs_panel.keep import session as sessions
from pacs_panel.keep.originals import open_original, read_original
from pacs_panel.keep.quarantine import Refused, quarantined
from pacs_panel.model import LOCAL, Kept, Principal, Revision
from pacs_panel.pipeline.admit import Import, Progress, admit, recover
from pacs_panel.pipeline.export import FORMATS, export_originals, export_volumes
from pacs_panel.pipeline.reindex import references, reindex
from pacs_panel.pipeline.settle import settle
from pacs_panel.pipeline.trash import remove, restore
from pacs_panel.pipeline.verify import Verification, verify
from pacs_panel.policy import ALLOW_LOCAL, Action, Rule, authorize
from pacs_panel.receive.report import Report
from pacs_panel.records.store import Records
from pacs_panel.records.values import Session, Trashed
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.folder import MEMORY, open_folder
from pacs_panel.volume.cached import CachedFrames, number_of
from pacs_panel.volume.frames import VolumeCache, ZarrFrames

if TYPE_CHECKING:
    import xarray as xr

Row = Mapping[str, Any]


def open_archive(
    url: str | Path,
    *,
    create: bool = True,
    settings: Settings | None = None,
    principal: Principal = LOCAL,
) -> Archive:
    """Open an archive, or make one.

    Parameters
    ----------
    url : str or Path
        A folder (``/data/pacs`` or ``file:///data/pacs``), or ``memory://`` for one that vanishes when it is closed.
    create : bool
        Make the archive where there is none.
    settings : Settings, optional
        From the environment by default.
    principal : Principal, optional
        Who asks.

    Raises
    ------
    ArchiveError
        There is no archive and ``create`` is false; the folder holds something else; its format is of another version.
    """
    settings = settings or Settings.load()
    temporary = str(url) == MEMORY
    return Archive(open_folder(url, create=create), settings, principal, temporary=temporary)


class Archive:
    """An open archive, as one principal may see it. Threads may share it.

    Made by `open_archive`. Use it as a context manager, or `close` it.
    """

    def __init__(
        self,
        root: Path,
        settings: Settings,
        principal: Principal = LOCAL,
        rules: tuple[Rule, ...] = ALLOW_LOCAL,
        *,
        temporary: bool = False,
        shared: tuple[Index, Records, VolumeCache] | None = None,
    ) -> None:
        self.root, self.settings, self.principal = root, settings, principal
        self._rules, self._temporary = rules, temporary
        self._index, self._records, self._cache = shared or (
            Index(root / layout.INDEX, settings),
            Records(root / layout.RECORDS),
            VolumeCache(settings.cache_bytes),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Archive {self.root.name!r} as {self.principal.name!r}>"

    def close(self) -> None:
        """Let go of the archive's files; a ``memory://`` archive is gone then."""
        self._index.close()
        self._records.close()
        if self._temporary:
            shutil.rmtree(self.root, ignore_errors=True)

    def as_(self, principal: Principal) -> Archive:
        """The same archive as somebody else may see it."""
        shared = (self._index, self._records, self._cache)
        return Archive(self.root, self.settings, principal, self._rules, shared=shared)

    # -- in ------------------------------------------------------------------------------------------------------------

    def ingest(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        collection: str = "",
        in_place: bool = False,
        build: bool = True,
        executor: Any = None,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> Report:
        """Take in DICOM from folders, files, zip and tar archives, and DICOMDIRs; then build the volumes.

        May be interrupted at any moment and run again; several may run at once.

        Parameters
        ----------
        paths : path or iterable of paths
        collection : str, optional
            Name under which the new series can be found.
        in_place : bool
            Record where files lie instead of copying them; `verify` notices if they change.
        build : bool
            Build the touched series' volumes before returning.
        executor : concurrent.futures.Executor or dask.distributed.Client, optional
            Where to run; by default ``settings.workers`` processes.
        progress : callable, optional
            Told after every batch.
        """
        self._may("write")
        self.recover()
        given = (paths,) if isinstance(paths, str | Path) else tuple(paths)
        session = sessions.new_session()
        self._records.begin(Session(session, "import", collection, time.time_ns()))
        report = admit(
            self.root,
            self._index,
            Import(given, collection, in_place),
            self.settings,
            executor=executor,
            session=session,
            progress=progress,
            recorded=lambda arrivals: self._records.refer(references(arrivals)),
        )
        self._records.finish(session, time.time_ns())
        if report.accepted + report.new_versions:
            self._index.optimize()
        if build:
            self.settle(executor=executor)
        return report

    def recover(self) -> Report:
        """Finish what interrupted imports left behind; every import begins with it."""
        self._may("write")
        return recover(self.root, self._index, self.settings)

    def settle(self, *, executor: Any = None, progress: Callable[[str], None] = lambda _: None) -> list[Revision]:
        """Build and publish the volumes of every series that has changed since it was last built."""
        self._may("write")
        return settle(self.root, self._index, self.settings, executor=executor, progress=progress)

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
        if not rows:
            raise NotFound(f"there is no {level} {uid} here")
        if len(rows) > 1:
            keys = tuple(str(row["key"]) for row in rows)
            raise Ambiguous(f"{level} {uid} occurs {len(rows)} times; ask by key: {', '.join(keys)}", keys)
        return rows[0]

    def objects(self, uid: str, *, versions: bool = False) -> list[Kept]:
        """The objects of a series by instance number; with ``versions`` also those that newer ones replaced."""
        return self._index.objects(str(self.find(uid)["key"]), current=not versions)

    def header(self, uid: str) -> dict[str, Any]:
        """The full header of an object, or of a series' first object, as the DICOM JSON model (PS3.18 §F)."""
        with open_original(self.root, self._object(uid).location) as source:
            return full.full(source, self.settings)

    def read(self, sop_instance_uid: str) -> bytes:
        """The bytes of an object, as received."""
        return read_original(self.root, self._object(sop_instance_uid).location)

    def _object(self, uid: str) -> Kept:
        if rows := self._index.resolve(uid, "instance", scope=self._scope("instance")):
            return self._index.object(str(rows[0]["SOPInstanceUID"]))
        return self.objects(uid)[0]

    # -- volumes -------------------------------------------------------------------------------------------------------

    def revision(self, uid: str, revision: str | None = None) -> Revision:
        """The current revision of a series, or an older one by its id.

        Raises
        ------
        NotYetShown
            It is not built yet, or nothing of its kind is.
        """
        found = self._index.revision(str(self.find(uid)["key"]), revision)
        if found is None and revision:
            raise NotFound(f"series {uid} has no revision {revision}; ask for its current one")
        if found is None:
            raise NotYetShown(f"series {uid} is kept, its volume is not built yet; `pacs-panel build` builds it")
        return found

    def stack_path(self, uid: str, stack: int | None = None, revision: str | None = None) -> Path:
        """Folder of the OME-Zarr of a stack; ``stack`` may be left out where there is only one. Raises as `volume`."""
        found = self.revision(uid, revision)
        return self.root / layout.stack(found.series_key, found.revision, number_of(found, stack))

    def open_frames(self, uid: str, stack: int | None = None, revision: str | None = None) -> CachedFrames:
        """Planes and volumes of stored values for a viewer; raises as `volume`."""
        return CachedFrames(ZarrFrames(self.stack_path(uid, stack, revision)), self._cache)

    def volume(self, uid: str, stack: int | None = None, level: int = 0) -> xr.Dataset:
        """A series as an `xarray.Dataset`, lazily read.

        Parameters
        ----------
        uid : str
            Series Instance UID, or key of a series.
        stack : int, optional
            Needed where the series holds several.
        level : int
            Resolution; each level halves the one before.

        Returns
        -------
        xarray.Dataset
            ``image`` (``[..., slice, row, column]``, float32, in physical units); coordinates are mm along the array's
            own axes; ``ds.pacs`` knows the affine to LPS mm and the passport.

        Raises
        ------
        NotFound, NotYetShown, SeveralStacks
        """
        from pacs_panel.volume.read import open_stack

        return open_stack(self.stack_path(uid, stack), level)

    def volumes(self, uid: str, level: int = 0) -> tuple[xr.Dataset, ...]:
        """All stacks of a series, the largest first; see `volume`."""
        return tuple(self.volume(uid, stack, level) for stack in range(len(self.revision(uid).stacks)))

    def thumbnail(self, uid: str) -> bytes:
        """PNG of a series' middle slice.

        Raises
        ------
        NotYetShown
        """
        revision = self.revision(uid)
        path = self.root / layout.thumbnail(revision.series_key, revision.revision)
        if not revision.stacks or not path.exists():
            raise NotYetShown(f"series {uid}: {revision.note}")
        return path.read_bytes()

    def view(self, uid: str, stack: int | None = None) -> Any:
        """The dashboard's viewer of a series, for a notebook cell."""
        from pacs_panel.view.image.viewer import image_view
        from pacs_panel.view.stack import stack_frames

        return image_view(stack_frames(self, uid, stack), transport="message")

    def export(self, uid: str, target: str | Path, form: str = "dicom") -> list[Path]:
        """Write a series to files: the received bytes, or its volumes.

        Parameters
        ----------
        uid : str
            Series Instance UID, or key of a series.
        target : str or Path
            Folder; made where there is none. Nothing in it is overwritten.
        form : str
            ``dicom`` (as received), ``nifti``, ``zarr`` (OME-Zarr), or ``png`` (the middle slice).
        """
        if form not in FORMATS:
            raise BadQuery(f"no format {form!r}: one of {', '.join(FORMATS)}")
        if form == "dicom":
            return list(export_originals(self.root, self.objects(uid), Path(target)))
        if not (revision := self.revision(uid)).stacks:
            raise NotYetShown(f"series {uid}: {revision.note}")
        return list(export_volumes(self.root, revision, Path(target), form))

    # -- looking after it ----------------------------------------------------------------------------------------------

    def verify(self, *, executor: Any = None, progress: Callable[[int], None] = lambda _: None) -> Verification:
        """Re-hash everything that is kept."""
        self._may("administer")
        return verify(self.root, self._index, self.settings, executor=executor, progress=progress)

    def remove(self, uid: str, level: Level = "series") -> int:
        """Put a study, a series or an object into the trash; gives the number of object versions."""
        scope = self._scope(level, "remove")
        key = str(self._find(uid, level, scope)["SOPInstanceUID" if level == "instance" else "key"])
        return remove(self._index, self._records, level, key, self.principal, self.settings)

    def trash(self) -> list[Trashed]:
        """What is in the trash."""
        self._may("remove")
        return self._records.trashed()

    def restore(self, uid: str, level: Level = "series") -> int:
        """Take out of the trash what `remove` put there; ``uid`` is what was removed, or its key."""
        self._may("remove")
        return restore(self._index, self._records, level, uid)

    def imports(self) -> list[Session]:
        """Imports that were begun, oldest first; one without an end runs, or was interrupted."""
        self._may("administer")
        return self._records.sessions()

    def quarantine(self) -> list[Refused]:
        """What was refused, and why."""
        self._may("administer")
        return list(quarantined(self.root))

    def status(self) -> dict[str, Any]:
        """Counts, bytes, and what waits to be done."""
        self._may("read")
        waiting = {"unbuilt": len(self._index.unsettled()), "quarantined": sum(1 for _ in quarantined(self.root))}
        return {"archive": self.root.name, "format": layout.FORMAT_VERSION, **self._index.status(), **waiting}

    def change(self) -> int:
        """The number of the latest change; it grows with every one, in whichever process."""
        self._may("read")
        return self._index.change()

    def reindex(self, progress: Callable[[int], None] = lambda _: None) -> Report:
        """Make the index anew from what is kept and recorded, then publish the volumes again."""
        self._may("administer")
        self.recover()
        report = reindex(self.root, self._index, self._records, self.settings, progress)
        self.settle()
        return report

    # -- who may -------------------------------------------------------------------------------------------------------

    def _may(self, action: Action) -> None:
        authorize(self._rules, self.principal, action)

    def _scope(self, level: Level, action: Action = "read") -> Any:
        """On what the principal may act, as criteria that are added to every search; ``None`` for everything."""
        granted = authorize(self._rules, self.principal, action)
        if not all(granted):
            return None
        return tuple(criteria(level, **allowed) for allowed in granted)
