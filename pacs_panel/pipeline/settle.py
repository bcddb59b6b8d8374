"""Settle and build: a series whose objects have changed gets a new, published revision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pacs_panel.dicom.kind import Kind, kind
from pacs_panel.errors import Busy, PacsPanelError
from pacs_panel.index.store import Index
from pacs_panel.keep.originals import open_original
from pacs_panel.model import Kept, Revision
from pacs_panel.pipeline.jobs import CRASHED, expendable, run
from pacs_panel.pipeline.watchdog import PATIENCE, Watch, hung, needed
from pacs_panel.pixels import decode
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.faults import reach
from pacs_panel.storage.files import lock
from pacs_panel.volume.build import build, revision_id
from pacs_panel.volume.gather import Opener

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One series to build, from these objects, which are its current ones as of ``change``.

    A worker process that decodes them is ended after ``patience``, in seconds, without a sign of life; see `Watch`.
    """

    root: Path
    series_key: str
    kept: tuple[Kept, ...]
    change: int
    modality: str
    body_part: str
    settings: Settings
    patience: float = PATIENCE


def settle(
    root: Path,
    index: Index,
    settings: Settings,
    *,
    series: Iterable[str] | None = None,
    executor: Any = None,
    patience: float = PATIENCE,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Revision]:
    """Build and publish every series that has changed since its revision.

    Parameters
    ----------
    series : iterable of str, optional
        Keys; all unsettled series by default.
    patience : float
        Seconds after which a decoder that gets nowhere is given up, beside what the size of a frame explains.
    progress : callable
        Told the key of each series that is done.

    Returns
    -------
    list of Revision
        Those that were published. A series that another process is building is left to it.
    """
    published = []
    keys = index.unsettled() if series is None else list(series)
    jobs = _jobs(root, index, keys, settings, patience)
    processes = {"workers": settings.workers, "executor": executor, "isolate": _may_crash, "crashed": _crashed}
    for job, revision in run(build_series, jobs, **processes):
        if revision is not None:
            index.publish(revision, job.change)
            reach(settings, "build.published")
            published.append(revision)
        progress(job.series_key)
    return published


def _jobs(root: Path, index: Index, keys: Iterable[str], settings: Settings, patience: float) -> Iterator[Job]:
    for key in keys:
        change = index.change()
        for row in index.resolve(key, "series"):
            modality, part = (str(row.get(keyword) or "") for keyword in ("Modality", "BodyPartExamined"))
            yield Job(root, key, tuple(index.objects(key)), change, modality, part, settings, patience)


def build_series(job: Job) -> Revision | None:
    """Build one series' revision where it does not exist yet; ``None`` if another process is at it.

    A build goes under its final, unique name, and counts only once the index says so: what a killed build leaves behind
    is overwritten by the next.
    """
    place = job.root / layout.build_lock(job.series_key)
    try:
        with lock(place, wait=False):
            place.write_bytes(b"")  # which tells whether this build hung
            reach(job.settings, "build.started")
            with _opener(job, place) as opener:
                revision = _build(job, opener)
            reach(job.settings, "build.written")
            return revision
    except Busy:
        return None


def _may_crash(job: Job) -> bool:
    """Whether a codec will work on bytes that may be damaged: then it does so in a process of its own."""
    return any(one.image is not None and decode.is_compressed(one.image) for one in job.kept)


def _opener(job: Job, note: Path) -> AbstractContextManager[Opener]:
    """Opens originals; in a process that may be ended for it, also looks whether a decoder hangs."""
    opener = partial(open_original, job.root)
    if not (expendable() and _may_crash(job)):
        return nullcontext(opener)
    longest = max(needed(one.image) for one in job.kept if one.image is not None)
    return Watch(opener, job.patience + longest, note)


def _crashed(job: Job) -> Revision:
    """What is published of a series whose build ended its process, each time that it was tried."""
    hangs = hung(job.root / layout.build_lock(job.series_key))
    reason = f"the decoder got nowhere for {job.patience:g} seconds, and was ended" if hangs else CRASHED
    note = f"could not be built: {reason}"
    return Revision(job.series_key, revision_id(_shown(job) or job.kept), "", "", (), note)


def _shown(job: Job) -> list[Kept]:
    return [kept for kept in job.kept if _kind(kept).volume]


def _build(job: Job, opener: Opener) -> Revision:
    shown = _shown(job)
    revision = revision_id(shown or job.kept)
    path = layout.revision(job.series_key, revision)
    if not shown:
        note = _kind(job.kept[0]).note if job.kept else "holds no objects"
        return Revision(job.series_key, revision, "", "", (), note)
    try:
        target = job.root / path
        what = {"modality": job.modality, "body_part": job.body_part}
        return build(job.series_key, shown, opener, target, job.settings, **what)
    except PacsPanelError as error:
        return Revision(job.series_key, revision, "", "", (), str(error))
    except Exception as error:  # whatever is wrong with one series, the others are still built
        log.exception("series %s could not be built", job.series_key)
        note = f"could not be built ({type(error).__name__}); the log says more"
        return Revision(job.series_key, revision, "", "", (), note)


def _kind(kept: Kept) -> Kind:
    return kind(kept.sop_class_uid, "", kept.image)
