"""The archive: joins the stages, and delegates. Everything that people do with a PACS begins here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_panel.errors import BadQuery, NotFound, NotYetShown
from pacs_panel.keep import session as sessions
from pacs_panel.model import LOCAL, Principal, Revision
from pacs_panel.pipeline.admit import Import, Progress, admit
from pacs_panel.pipeline.export import FORMATS, export_originals, export_volumes
from pacs_panel.pipeline.reindex import references
from pacs_panel.receive.report import Report
from pacs_panel.records.values import Session
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.folder import MEMORY, open_folder
from pacs_panel.upkeep import Upkeep
from pacs_panel.volume.cached import CachedFrames, number_of
from pacs_panel.volume.frames import ZarrFrames

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


class Archive(Upkeep):
    """An open archive, as one principal may see it. Threads may share it.

    Made by `open_archive`. Use it as a context manager, or `close` it.
    """

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
