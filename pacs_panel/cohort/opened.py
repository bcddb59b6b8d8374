"""A cohort, opened: everything it gives is of the very bytes and revisions that were frozen.

What is gone (removed, or of a revision that is not kept any more) is told by name, and never replaced by what came
after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_panel.cohort import frozen as files
from pacs_panel.cohort.asked import from_text
from pacs_panel.cohort.compare import Difference, Joined, by_series, difference, first, join
from pacs_panel.cohort.frozen import Frozen, Row, freeze
from pacs_panel.cohort.select import select, series_of
from pacs_panel.cohort.values import Checked, Exported, Source
from pacs_panel.cohort.writing import MANIFESTS, refuse_again, write, write_manifest
from pacs_panel.errors import Ambiguous, BadQuery, Denied, NotFound
from pacs_panel.index.criteria import Criteria
from pacs_panel.index.freezing import present
from pacs_panel.index.search import Search
from pacs_panel.model import Kept, Revision
from pacs_panel.pipeline.export import FORMATS
from pacs_panel.pipeline.jobs import run
from pacs_panel.pipeline.verify import BATCH, Check, Damage, examine
from pacs_panel.storage import layout
from pacs_panel.storage.files import lock
from pacs_panel.volume.build import published
from pacs_panel.volume.cached import number_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

TOLD = 5  # of what is gone, in an error


class Cohort:
    """Series that were frozen together; see `Cohorts.cohort`.

    Attributes
    ----------
    facts : Facts
        Name, content hash, change number, time and so on, of the whole.
    withheld : int
        Series that are not in `rows`, for the principal may not see them, or they are gone.
    """

    def __init__(self, frozen: Frozen, source: Source, withheld: int = 0) -> None:
        self.facts, self.rows, self.withheld = frozen.facts, frozen.rows, withheld
        self._source = source

    def __repr__(self) -> str:
        told = f"{len(self._series)} series, {len(self.rows)} objects, hash {self.facts.hash[:12]}"
        return f"<Cohort {self.facts.name!r}: {told}{f', {self.withheld} series withheld' if self.withheld else ''}>"

    def __len__(self) -> int:
        """The number of series."""
        return len(self._series)

    @property
    def name(self) -> str:
        """Its name; empty where it was not frozen by itself."""
        return self.facts.name

    @property
    def hash(self) -> str:
        """SHA-256 of what it holds: the same for the same selection, wherever it was made."""
        return self.facts.hash

    @property
    def frozen(self) -> datetime:
        """When it was made."""
        return datetime.fromtimestamp(self.facts.at / 1e9, UTC)

    @property
    def criteria(self) -> Criteria:
        """What was asked for.

        Raises
        ------
        Denied
            Series are withheld: the criteria may tell of them.
        """
        if not self.facts.asked:
            raise Denied("the criteria of this cohort may name what you may not see")
        return from_text(self.facts.asked)

    # -- tables --------------------------------------------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """One row a series: as frozen, with the attributes that the archive tells of it now.

        Returns
        -------
        pandas.DataFrame
            ``series_key``, UIDs, ``revision``, ``stacks``, ``objects`` and ``bytes`` as frozen; ``gone``, which says
            in words what is missing of it (else empty); then the columns of a search, empty for a series that is gone.
        """
        import pandas as pd

        gone = self.gone()
        now = self.visible()
        rows = [self._told(key, series, gone.get(key, "")) for key, series in self._series.items()]
        frozen = pd.DataFrame(rows, columns=[*rows[0]] if rows else ["series_key"])
        shown = self._source.index.search("series", scope=()).to_frame().columns
        taken = {*frozen.columns, "key"}
        more = pd.DataFrame([now.get(key, {}) for key in self._series], columns=[c for c in shown if c not in taken])
        return pd.concat([frozen, more], axis=1)

    def _told(self, key: str, series: dict[str, Row], gone: str) -> dict[str, Any]:
        row = first(series)
        return {
            "series_key": key,
            "StudyInstanceUID": row.StudyInstanceUID,
            "SeriesInstanceUID": row.SeriesInstanceUID,
            "revision": row.revision,
            "stacks": row.stacks,
            "objects": len(series),
            "bytes": sum(each.length for each in series.values()),
            "gone": gone,
        }

    def manifest(self) -> pd.DataFrame:
        """One row an object, exactly as frozen: UIDs, revision and digests, nothing of a patient."""
        self._source.scope()
        return files.to_frame(self.rows)

    def join(self, table: pd.DataFrame, on: str = "PatientID") -> Joined:
        """Its series with the columns of a table of one's own beside them; see `Joined`.

        Examples
        --------
        >>> joined = cohort.join(clinical, on="PatientID")  # doctest: +SKIP
        >>> print(joined)  # doctest: +SKIP
        >>> old = cohort.only(joined.frame.query("age > 60")["series_key"])  # doctest: +SKIP
        """
        return join(self.to_frame(), table, on)

    def only(self, series: Iterable[str]) -> Cohort:
        """Some of its series, by UID or key: a cohort without a name, until it is frozen.

        Raises
        ------
        NotFound
            It holds no such series.
        """
        keys = {self._key(name) for name in series}
        rows = (row for row in self.rows if row.series_key in keys)
        about = {name: getattr(self.facts, name) for name in ("level", "asked", "change", "at", "by")}
        made = freeze(rows, name="", part_of=self.facts.part_of or self.facts.hash, **about)
        return Cohort(made, self._source, self.withheld)

    def freeze(self, name: str) -> Cohort:
        """Keep what `only` chose, under a name; as of the change of the cohort that it is a part of.

        Raises
        ------
        BadQuery
            The name is taken, or there is nothing to keep.
        NotFound
            Something is gone.
        """
        self._whole(self._series)
        part = self if self.facts.part_of else self.only(self._series)
        facts = replace(part.facts, name=files.checked_name(name), at=time.time_ns())
        kept: Cohort = self._source.keep(facts, part.rows)
        return kept

    # -- what is there -------------------------------------------------------------------------------------------------

    def visible(self) -> dict[str, dict[str, Any]]:
        """By key, the archive's rows of those of its series that are there and may be seen now."""
        uids = (first(series).SeriesInstanceUID for series in self._series.values())
        found = series_of(self._source.index, "SeriesInstanceUID", uids, self._source.scope())
        return {str(row["key"]): row for row in found if row["key"] in self._series}

    def gone(self) -> dict[str, str]:
        """What is missing of it now, in words, by series key; nothing where all is there."""
        return dict(self._gone(self._series))

    def _gone(self, keys: Iterable[str], volumes: bool = True) -> Iterator[tuple[str, str]]:
        there = self.visible()
        found = present(self._source.index.database, there)
        for key in keys:
            series = self._series[key]
            missing = [uid for uid, row in series.items() if (uid, row.file_digest) not in found]
            if key not in there:
                yield key, "removed from the archive, or in the trash"
            elif missing:
                named = ", ".join(missing[:TOLD]) + (", …" if len(missing) > TOLD else "")
                yield key, f"{len(missing)} of its {len(series)} objects removed, or in the trash: {named}"
            elif volumes and first(series).stacks and self._published(key) is None:
                yield key, f"its revision {first(series).revision} is not kept any more"

    def _whole(self, keys: Iterable[str], volumes: bool = True) -> None:
        """Refuse to go on without what is gone."""
        if told := self._in_words(dict(self._gone(keys, volumes))):
            more = f"; and {len(told) - TOLD} more" if len(told) > TOLD else ""
            raise NotFound(f"not as frozen any more: {'; '.join(told[:TOLD])}{more}")

    def _in_words(self, gone: dict[str, str]) -> list[str]:
        return [f"series {first(self._series[key]).SeriesInstanceUID or key}: {words}" for key, words in gone.items()]

    def _published(self, key: str) -> Revision | None:
        return published(self._source.root / layout.revision(key, first(self._series[key]).revision))

    @cached_property
    def _series(self) -> dict[str, dict[str, Row]]:
        return by_series(self.rows)

    def _key(self, name: str) -> str:
        if name in self._series:
            return name
        keys = [key for key, series in self._series.items() if first(series).SeriesInstanceUID == name]
        if not keys:
            raise NotFound(f"series {name} is not in this cohort")
        if len(keys) > 1:
            raise Ambiguous(f"series {name} occurs {len(keys)} times; ask by key: {', '.join(keys)}", tuple(keys))
        return keys[0]

    # -- volumes -------------------------------------------------------------------------------------------------------

    def revision(self, uid: str) -> Revision:
        """The revision of a series that was frozen, whichever is current now.

        Raises
        ------
        NotFound
            It is not in the cohort; or it, or something of it, is gone.
        """
        key = self._key(uid)
        self._whole([key])
        row = first(self._series[key])
        found = self._published(key) if row.stacks else None
        return found or Revision(key, row.revision, "", "", (), "it had no volumes when it was frozen")

    def volume(self, uid: str, stack: int | None = None, level: int = 0, *, physical: bool = True) -> xr.Dataset:
        """A series as `xarray.Dataset`, of the very revision that was frozen; else as `Archive.volume`.

        Maps to the real world are those that the images state themselves: what other objects say may change.

        Raises
        ------
        NotFound, NotYetShown, SeveralStacks
        """
        from pacs_panel.volume.read import open_stack

        revision = self.revision(uid)
        number = number_of(revision, stack)
        path = self._source.root / layout.stack(revision.series_key, revision.revision, number)
        about = {"series": revision.series_key, "revision": revision.revision, "stack": number}
        return open_stack(path, level, physical).assign_attrs(about)

    def volumes(self, uid: str, level: int = 0) -> tuple[xr.Dataset, ...]:
        """All stacks of a series, the largest first; see `volume`."""
        return tuple(self.volume(uid, stack, level) for stack in range(len(self.revision(uid).stacks)))

    # -- then and now --------------------------------------------------------------------------------------------------

    def diff(self, other: Cohort | Search | None = None) -> Difference:
        """What must happen to this cohort to make it another, or what a search finds; see `Difference`.

        Parameters
        ----------
        other : Cohort or Search, optional
            By default what its own criteria find now.

        Raises
        ------
        BadQuery
            It was not chosen by criteria alone, or they are withheld, so there must be something to compare with; or
            the search is of another archive.
        """
        scope = self._source.scope()
        if isinstance(other, Cohort):
            return difference(self.rows, other.rows)
        if other is None:
            if self.facts.part_of or not self.facts.asked:
                raise BadQuery("these series were not chosen by known criteria; give what to compare them with")
            asked = self.criteria
            other = self._source.index.search(asked.level, asked, scope=scope)
        elif other.database.path != self._source.index.database.path:
            raise BadQuery("this is a search of another archive: freeze it there, then compare the cohorts")
        return difference(self.rows, select(self._source.index, other).rows)

    def verify(self, *, executor: Any = None, progress: Callable[[int], None] = lambda _: None) -> Checked:
        """Read every object again: its bytes must have the frozen digest; and see that every revision is there."""
        count = size = 0
        damaged = []
        with self._reading():
            gone = self._in_words(self.gone())
            checks = (Check(self._source.root, part) for part in batched(self._objects(self.visible()), BATCH))
            for check, found in run(examine, checks, workers=self._source.settings.workers, executor=executor):
                for kept, reason in zip(check.kept, found, strict=True):
                    count += 1
                    size += kept.location.length
                    if reason:
                        damaged.append(Damage(kept.sop_instance_uid, kept.series_key, reason))
                progress(count)
        return Checked(count, size, tuple(damaged), tuple(gone))

    def _objects(self, keys: Iterable[str]) -> Iterator[Kept]:
        """The object versions that were frozen, as far as they are there."""
        for key in keys:
            series = self._series[key]
            for kept in self._source.index.objects(key, current=False):
                row = series.get(kept.sop_instance_uid)
                if row is not None and row.file_digest == kept.digests.file:
                    yield kept

    def _reading(self) -> AbstractContextManager[None]:
        return lock(self._source.root / layout.reindex_lock(), shared=True)

    # -- out -----------------------------------------------------------------------------------------------------------

    def export(self, target: str | Path, form: str = "dicom", *, partial: bool = False) -> Exported:
        """Write its series to files, or the list of what it holds.

        Parameters
        ----------
        target : str or Path
            Folder; made where there is none. Nothing in it is overwritten.
        form : str
            As of `Archive.export`: ``dicom`` gives the very bytes that were frozen, ``nifti``, ``nrrd``, ``zarr`` and
            ``png`` their volumes. ``csv`` and ``parquet`` write `manifest` as ``cohort.csv`` or ``cohort.parquet``.
        partial : bool
            Leave out series of which something is gone, instead of refusing.

        Returns
        -------
        Exported
            What could not be written is told in its ``left``: series without volumes, stacks that a form cannot hold.

        Raises
        ------
        NotFound
            Something is gone.
        PacsPanelError
            Something of it is in the target already.
        """
        if form in MANIFESTS:
            part = self.only(self._series) if self.withheld else self
            return Exported((write_manifest(Frozen(part.facts, part.rows), Path(target), form),))
        if form not in FORMATS:
            raise BadQuery(f"no format {form!r}: one of {', '.join((*FORMATS, *MANIFESTS))}")
        volumes = form != "dicom"
        with self._reading():
            gone = dict(self._gone(self._series, volumes))
            if gone and not partial:
                self._whole(self._series, volumes)
            keys = [key for key in self._series if key not in gone]
            refuse_again(Path(target), keys)
            series = ((list(self._objects([key])), self._published(key) if volumes else None) for key in keys)
            written = write(self._source.root, series, Path(target), form, self._source.settings)
        return replace(written, left=(*self._in_words(gone), *written.left))
