"""The archive: joins the stages, and delegates. Everything that people do with a PACS begins here."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_panel.corrections import Corrections
from pacs_panel.errors import BadQuery, NotYetShown
from pacs_panel.imaging import Volumes
from pacs_panel.index.current import Rejected
from pacs_panel.keep import session as sessions
from pacs_panel.keep.originals import open_original
from pacs_panel.model import LOCAL, Kept, Principal, Segment
from pacs_panel.organise import Organise
from pacs_panel.pipeline.admit import Import, Progress, admit
from pacs_panel.pipeline.door import Door
from pacs_panel.pipeline.export import FORMATS, export_originals, export_volumes
from pacs_panel.pipeline.inbox import Inbox, follow
from pacs_panel.pipeline.labels import follow as follow_labels
from pacs_panel.pipeline.reindex import references
from pacs_panel.pipeline.telling import Telling
from pacs_panel.pipeline.written import Writer, made, parametric_map, save, segmentation
from pacs_panel.policy import Action
from pacs_panel.receive.report import Report
from pacs_panel.records.values import Session
from pacs_panel.settings import Settings
from pacs_panel.storage.folder import MEMORY, open_folder
from pacs_panel.storage.remote import is_remote
from pacs_panel.volume.cached import number_of
from pacs_panel.volume.received import PREFIX

if TYPE_CHECKING:
    from pacs_panel.index.search import Search
    from pacs_panel.published.writing import Publication


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
        A folder (``/data/pacs`` or ``file:///data/pacs``), ``memory://`` for one that vanishes when it is closed, or
        the ``https://`` address of one that was published (see `Archive.publish`), which can be read only.
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
    if is_remote(url):
        from pacs_panel.published.archive import open_published

        return open_published(str(url), settings=settings, principal=principal)
    temporary = str(url) == MEMORY
    return Archive(open_folder(url, create=create), settings, principal, temporary=temporary)


class Archive(Volumes):
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
        kind: str = "import",
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
        kind : str
            By which door it comes: ``import``, ``upload`` or ``watched folder``.
        executor : concurrent.futures.Executor or dask.distributed.Client, optional
            Where to run; by default ``settings.workers`` processes.
        progress : callable, optional
            Told after every batch.
        """
        self._may("write")
        self.recover()
        follow_labels(self._index, self._records)
        given = (paths,) if isinstance(paths, str | Path) else tuple(paths)
        session = sessions.new_session()
        self._records.begin(Session(session, kind, collection, time.time_ns()))
        telling = Telling(self._records, session)
        report = admit(
            self.root,
            self._index,
            Import(given, collection, in_place),
            self.settings,
            executor=executor,
            session=session,
            progress=progress,
            recorded=lambda arrivals: self._records.refer(references(arrivals)),
            told=telling.now,
        )
        telling.now(report, last=True)
        self._records.finish(session, time.time_ns())
        if report.accepted + report.new_versions:
            self._index.optimize()
        if build:
            self.settle(executor=executor)
        return report

    @contextmanager
    def receiving(self, *, collection: str = "", kind: str = "association", peer: str = "") -> Iterator[Door]:
        """A door for what comes one by one, such as over the network; see `pacs_panel.pipeline.door.Door`."""
        self._may("write")
        session = sessions.new_session()
        self._records.begin(Session(session, kind, collection, time.time_ns(), peer=peer))
        telling = Telling(self._records, session)
        with Door(self.root, self._index, self.settings, collection, session, telling.now) as door:
            yield door
        telling.now(door.report, last=True)
        self._records.finish(session, time.time_ns())

    def watch(
        self, folders: Iterable[str | Path], *, collection: str = "", still: float = 5.0, once: bool = False
    ) -> Iterator[Report]:
        """Take in what arrives in folders, when it has not changed for ``still`` seconds; gives a report for a batch.

        Goes on until it is interrupted or, with ``once``, until all that is there was taken in. A file that was taken
        in or refused is read again only when it has changed, or after a restart.
        """
        self._may("write")
        take = partial(self.ingest, collection=collection, kind="watched folder")
        return follow(Inbox(folders, take, still=still, leave_out=self.root), once=once)

    def may(self, action: Action) -> None:
        """Raise `Denied` unless the principal may act so on anything here."""
        self._may(action)

    @property
    def read_only(self) -> bool:
        """Whether nothing can be changed here, whoever asks: it is a published archive."""
        return False

    @property
    def address(self) -> str:
        """Where it can be opened again: its folder, or where it is published."""
        return str(self.root)

    @property
    def organise(self) -> Organise:
        """Tags, notes, ratings, collections and saved searches."""
        return Organise(self)

    @property
    def corrections(self) -> Corrections:
        """Wrong values, patients that are one, moved studies and series: set right, and undone; see `Corrections`."""
        return Corrections(self)

    def rejected(self) -> Sequence[Rejected]:
        """Objects that a key object selection rejects, so that no search shows them; `corrections.accept` does."""
        return self.corrections.rejected()

    # -- what is made of them ------------------------------------------------------------------------------------------

    def write_segmentation(
        self,
        uid: str,
        labels: Any,
        segments: Iterable[Segment],
        target: str | Path | None = None,
        *,
        stack: int | None = None,
        **how: Any,
    ) -> str:
        """Write labels as a DICOM segmentation of a series, and take it in: it then is one of its `overlays`.

        Parameters
        ----------
        labels : array
            ``(slice, row, column)`` on the grid of the (first) volume of the series: numbers of segments, 0 where there
            is none; or one mask or probability a segment, as `pacs_panel.overlay.write.write_segmentation` takes them.
        segments : iterable of Segment
        target : str or Path, optional
            Write it to this file instead; what is there already is not overwritten.
        **how
            ``description``, ``codes``, ``method``, ``algorithm`` and so on, as that function takes them.

        Returns
        -------
        str
            SOP Instance UID of the new object, in a series of its own.

        Raises
        ------
        ValueError
            Labels, segments and images do not fit together.
        NotYetShown, SeveralStacks
        """
        return self._write(uid, stack, target, segmentation(labels, segments, self.settings, how))

    def write_parametric_map(
        self, uid: str, values: Any, target: str | Path | None = None, *, stack: int | None = None, **how: Any
    ) -> str:
        """Write values, such as of a fit, as a DICOM parametric map on the grid of a series, and take it in.

        Parameters
        ----------
        values : array
            ``(slice, row, column)`` on the grid of the (first) volume of the series, finite.
        target : str or Path, optional
            As of `write_segmentation`.
        **how
            ``label`` and, mostly, ``unit``, as `pacs_panel.overlay.write_map.write_parametric_map` takes them.

        Returns
        -------
        str
            SOP Instance UID of the new object, in a series of its own.
        """
        return self._write(uid, stack, target, parametric_map(values, self.settings, how))

    def _write(self, uid: str, stack: int | None, target: str | Path | None, write: Writer) -> str:
        if target is None:
            self._may("write")
        revision = self.revision(uid)
        content = made(self.root, revision.stacks[number_of(revision, stack)], self.objects(uid), write)
        if target is not None:
            return save(content, Path(target), self.settings)
        with tempfile.TemporaryDirectory() as folder:
            written = save(content, Path(folder, "made.dcm"), self.settings)
            self.ingest(folder)
        return written

    def charts(self, **criteria: Any) -> Any:
        """Charts of what a search of series finds, for a notebook cell; brushing one narrows all others."""
        from pacs_panel.view.charts import overview

        return overview(self.search(**criteria))

    def view(self, uid: str, stack: int | None = None) -> Any:
        """The dashboard's viewer of a series, for a notebook cell."""
        from pacs_panel.view.image.viewer import image_view
        from pacs_panel.view.overlay.stored import StackOverlays
        from pacs_panel.view.presentation import StackPresentations
        from pacs_panel.view.stack import stack_frames

        frames = stack_frames(self, uid, stack)
        revision = frames.meta().revision
        if revision.startswith(PREFIX):  # nothing is built yet that anything could lie over
            return image_view(frames, transport="message")
        of = (str(self.find(uid)["key"]), stack or 0, revision)
        over, states = StackOverlays(self, *of), StackPresentations(self, *of)
        return image_view(frames, transport="message", overlays=over, presentations=states)

    def original(self, kept: Kept) -> BufferedReader:
        """The bytes of an object that `objects` told of, as received, as a seekable file; raises `Damaged`."""
        return open_original(self.root, kept.location)

    def export(self, uid: str, target: str | Path, form: str = "dicom") -> list[Path]:
        """Write a series to files: the received bytes, or its volumes. Corrections are in none of them.

        Parameters
        ----------
        uid : str
            Series Instance UID, or key of a series.
        target : str or Path
            Folder; made where there is none. Nothing in it is overwritten.
        form : str
            ``dicom`` (as received), ``nifti`` (with a BIDS-like sidecar, and b-values), ``nrrd``, ``zarr`` (OME-Zarr),
            or ``png`` (the middle slice).
        """
        if form not in FORMATS:
            raise BadQuery(f"no format {form!r}: one of {', '.join(FORMATS)}")
        if form == "dicom":
            return list(export_originals(self.root, self.objects(uid), Path(target)))
        if not (revision := self.revision(uid)).stacks:
            raise NotYetShown(f"series {uid}: {revision.note}")
        return list(export_volumes(self.root, revision, Path(target), form, self.objects(uid), self.settings))

    def publish(self, folder: str | Path, *searches: Search, **how: Any) -> Publication:
        """Write the series that any of these searches finds, by default all, as a folder for a file server.

        ``originals=True`` adds the received objects, ``prune=True`` removes what is not published any more: see
        `pacs_panel.published.writing.publish`. Names and identifiers of patients are published as they are.
        """
        from pacs_panel.published.writing import publish

        self._may("read")
        with self._reading():
            return publish(self.root, self._index, searches or (self.search(),), Path(folder), self.settings, **how)
