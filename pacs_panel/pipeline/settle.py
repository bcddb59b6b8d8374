"""Settle and build: a series whose objects have changed gets a new, published revision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pacs_panel.dicom.kind import Kind, kind
from pacs_panel.errors import Busy, PacsPanelError
from pacs_panel.index.store import Index
from pacs_panel.keep.originals import open_original
from pacs_panel.model import Kept, Revision
from pacs_panel.pipeline.jobs import CRASHED, run
from pacs_panel.pixels import decode
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.faults import reach
from pacs_panel.storage.files import lock
from pacs_panel.volume.build import build, revision_id

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One series to build, from these objects, which are its current ones as of ``change``."""

    root: Path
    series_key: str
    kept: tuple[Kept, ...]
    change: int
    modality: str
    body_part: str
    settings: Settings


def settle(
    root: Path,
    index: Index,
    settings: Settings,
    *,
    series: Iterable[str] | None = None,
    executor: Any = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Revision]:
    """Build and publish every series that has changed since its revision.

    Parameters
    ----------
    series : iterable of str, optional
        Keys; all unsettled series by default.
    progress : callable
        Told the key of each series that is done.

    Returns
    -------
    list of Revision
        Those that were published. A series that another process is building is left to it.
    """
    published = []
    keys = index.unsettled() if series is None else list(series)
    jobs = _jobs(root, index, keys, settings)
    processes = {"workers": settings.workers, "executor": executor, "isolate": _may_crash, "crashed": _crashed}
    for job, revision in run(build_series, jobs, **processes):
        if revision is not None:
            index.publish(revision, job.change)
            reach(settings, "build.published")
            published.append(revision)
        progress(job.series_key)
    return published


def _jobs(root: Path, index: Index, keys: Iterable[str], settings: Settings) -> Iterator[Job]:
    for key in keys:
        change = index.change()
        for row in index.resolve(key, "series"):
            modality, part = (str(row.get(keyword) or "") for keyword in ("Modality", "BodyPartExamined"))
            yield Job(root, key, tuple(index.objects(key)), change, modality, part, settings)


def build_series(job: Job) -> Revision | None:
    """Build one series' revision where it does not exist yet; ``None`` if another process is at it.

    A build goes under its final, unique name, and counts only once the index says so: what a killed build leaves behind
    is overwritten by the next.
    """
    try:
        with lock(job.root / layout.build_lock(job.series_key), wait=False):
            reach(job.settings, "build.started")
            revision = _build(job)
            reach(job.settings, "build.written")
            return revision
    except Busy:
        return None


def _may_crash(job: Job) -> bool:
    """Whether a codec will work on bytes that may be damaged: then it does so in a process of its own."""
    return any(one.image is not None and decode.is_compressed(one.image) for one in job.kept)


def _crashed(job: Job) -> Revision:
    note = f"could not be built: {CRASHED}"
    return Revision(job.series_key, revision_id(_shown(job) or job.kept), "", "", (), note)


def _shown(job: Job) -> list[Kept]:
    return [kept for kept in job.kept if _kind(kept).volume]


def _build(job: Job) -> Revision:
    shown = _shown(job)
    revision = revision_id(shown or job.kept)
    path = layout.revision(job.series_key, revision)
    if not shown:
        note = _kind(job.kept[0]).note if job.kept else "holds no objects"
        return Revision(job.series_key, revision, "", "", (), note)
    opener = partial(open_original, job.root)
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
