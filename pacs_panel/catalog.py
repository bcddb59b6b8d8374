"""An archive as an intake catalog: tables of studies, series and cohorts, and every series as a volume under its UID.

A reader opens the archive for as long as it reads; of an open archive, a catalog reads as that archive's principal.
Series are entries that are made when they are asked for, so that the size of an archive costs a catalog nothing. What a
table is asked for, rows and columns, is asked of the archive's search: no more than that is read.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from intake import BaseData, BaseReader, Catalog, DataDescription, ReaderDescription

from pacs_panel.archive import Archive, open_archive
from pacs_panel.attributes import Level
from pacs_panel.cohort import Facts
from pacs_panel.errors import BadQuery, NotFound
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

ARCHIVE = "archive"  # the name under which the entries of a catalog refer to their archive
COHORT = "cohort:"  # begins the name of a cohort's entry
PAGE = 1000  # rows that are read at a time
TOLD = ("Modality", "SeriesDescription", "StudyDate", "StudyInstanceUID", "Verdict")


class UnknownEntry(NotFound, KeyError):
    """The catalog has no such entry, or the principal may not see it."""

    __str__ = Exception.__str__  # a KeyError's would put the sentence in quotation marks


# -- what is read ------------------------------------------------------------------------------------------------------


class ArchiveData(BaseData):
    """An archive, by its address.

    Parameters
    ----------
    url : str, optional
        As for `pacs_panel.open_archive`, so also of a published archive; a relative folder counts from the working
        directory.
    otherwise : str, optional
        What to open where ``url`` is empty; the settings' own archive where this is empty, too.
    metadata : dict, optional
    """

    structure: ClassVar[set[str]] = {"catalog"}

    def __init__(self, url: str | None = None, otherwise: str = "", metadata: dict[str, Any] | None = None) -> None:
        self.url, self.otherwise = url, otherwise
        self._archive: Archive | None = None
        super().__init__(metadata)

    @contextmanager
    def opened(self) -> Iterator[Archive]:
        """The archive, open; closed again unless it was given open."""
        if self._archive is not None:
            yield self._archive
            return
        with self.open() as archive:
            yield archive

    def open(self) -> Archive:
        """The archive, opened anew."""
        settings = Settings.load()
        return open_archive(self.url or self.otherwise or settings.archive, create=False, settings=settings)


class OpenArchive(DataDescription):
    """Describes an archive that is open already: read here as it is, and by its address from a file."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(ArchiveData.qname(), {"url": archive.address})
        self._archive = archive

    def to_data(self, user_parameters: dict[str, Any] | None = None, **kwargs: Any) -> ArchiveData:
        """The archive, in the hands of the principal who opened it."""
        data: ArchiveData = super().to_data(user_parameters, **kwargs)
        data._archive = self._archive
        return data


# -- readers -----------------------------------------------------------------------------------------------------------


class _Table(BaseReader):
    implements: ClassVar[set[type]] = {ArchiveData}
    output_instance = "pandas:DataFrame"
    level: ClassVar[Level]

    def _read(
        self, data: ArchiveData, columns: Sequence[str] | None = None, limit: int | None = None, **keywords: Any
    ) -> pd.DataFrame:
        with data.opened() as archive:
            return _table(archive.search(self.level, **keywords), columns, limit)


def _table(found: Any, columns: Sequence[str] | None, limit: int | None) -> pd.DataFrame:
    """What a search finds: all of it, some columns, or the first rows in order."""
    import pandas as pd

    if isinstance(columns, str):
        raise BadQuery("columns: give a list of keywords")
    names = None if columns is None else list(dict.fromkeys(columns))
    if limit is None:
        whole: pd.DataFrame = found.to_frame() if names is None else found.columns(*_without_key(names))[names]
        return whole
    if limit < 1:
        raise BadQuery("limit: at least 1")
    rows = list(islice(found.rows(min(limit, PAGE)), limit))
    if rows and (unknown := [name for name in names or () if name not in rows[0]]):
        raise BadQuery(f"columns: rows of this level have no {', '.join(unknown)}")
    return pd.DataFrame.from_records(rows, columns=names) if rows else found.to_frame().reindex(columns=names)


def _without_key(names: Sequence[str]) -> list[str]:
    return [name for name in names if name != "key"]  # which is always there


class Studies(_Table):
    """Studies as a table.

    Arguments are those of `Archive.search`, e.g. ``StudyDate="20250101-"``, and ``columns``, a list of keywords (of
    text they are categorical, as `Search.columns` gives them), and ``limit``, the most rows, the first in order.
    """

    level = "study"


class SeriesTable(_Table):
    """Series as a table; arguments are as those of `Studies`, e.g. ``Modality="CT", columns=["Manufacturer"]``."""

    level = "series"


class Volume(BaseReader):
    """A series as an `xarray.Dataset`; arguments are those of `Archive.volume`."""

    implements: ClassVar[set[type]] = {ArchiveData}
    output_instance = "xarray:Dataset"

    def _read(self, data: ArchiveData, series_uid: str, stack: int | None = None, level: int = 0) -> xr.Dataset:
        with data.opened() as archive:  # the arrays are files of their own: they can be read when it is closed
            return archive.volume(series_uid, stack, level)


class Cohorts(BaseReader):
    """The cohorts of an archive as a table: name, content hash, when, by whom, how many series and objects."""

    implements: ClassVar[set[type]] = {ArchiveData}
    output_instance = "pandas:DataFrame"

    def _read(self, data: ArchiveData) -> pd.DataFrame:
        import pandas as pd

        with data.opened() as archive:
            rows = [asdict(facts) for facts in archive.cohorts()]
        columns = [each.name for each in fields(Facts) if each.name != "asked"]
        return pd.DataFrame(rows, columns=columns)


class CohortTable(BaseReader):
    """One cohort's series as a table, as `Cohort.to_frame` gives it; with ``objects``, the manifest of its objects."""

    implements: ClassVar[set[type]] = {ArchiveData}
    output_instance = "pandas:DataFrame"

    def _read(self, data: ArchiveData, cohort: str, objects: bool = False) -> pd.DataFrame:
        with data.opened() as archive:
            found = archive.cohort(cohort)
            return found.manifest() if objects else found.to_frame()


class ByUid(BaseReader):
    """The whole catalog of an archive: what `open_catalog` gives, for a catalog in a file."""

    implements: ClassVar[set[type]] = {ArchiveData}
    output_instance = "pacs_panel.catalog:ArchiveCatalog"

    def _read(self, data: ArchiveData) -> ArchiveCatalog:
        if data._archive is not None:
            return open_catalog(data._archive)
        return _catalog(_of_address(data), data.to_entry())


# -- the catalog -------------------------------------------------------------------------------------------------------


class Entries(dict[str, ReaderDescription]):
    """The entries that have names, and those of series and cohorts, each made when it is asked for.

    A series is asked for by UID or key, a cohort by ``cohort:`` and its name. Going through it gives those with names
    only, so that writing a catalog to a file stays cheap.

    Parameters
    ----------
    archive : Archive
        Where they are looked up; it stays open meanwhile.
    data : ArchiveData, optional
        The address by which another process can open it.
    """

    def __init__(self, archive: Archive, data: ArchiveData | None = None) -> None:
        readers: dict[str, type[BaseReader]] = {"studies": Studies, "series": SeriesTable, "volume": Volume}
        readers |= {"cohorts": Cohorts, "cohort": CohortTable}
        super().__init__({name: _describe(name, reader) for name, reader in readers.items()})
        self.archive, self._data = archive, data
        self._seen: tuple[str, Mapping[str, Any]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self._data is None:
            raise TypeError("the catalog of an open archive stays in its process; open one by its address there")
        return (_of_address, (self._data,))

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        if not isinstance(name, str) or name == ARCHIVE:
            return False
        return self._is_cohort(name) if name.startswith(COHORT) else self._is_series(name)

    def __missing__(self, uid: str) -> ReaderDescription:
        if uid.startswith(COHORT):
            return self._cohort(uid)
        seen, self._seen = self._seen, None  # intake asks whether there is an entry, then for it
        row = seen[1] if seen is not None and seen[0] == uid else self.archive.find(uid)
        told = {keyword: row[keyword] for keyword in TOLD if row[keyword]}
        return _describe(uid, Volume, told, series_uid=uid)

    def _cohort(self, entry: str) -> ReaderDescription:
        name = entry.removeprefix(COHORT)
        facts = self.archive.cohort(name).facts
        told = {each: getattr(facts, each) for each in ("hash", "change", "at", "series", "objects")}
        return _describe(entry, CohortTable, told, cohort=name)

    def _is_cohort(self, entry: str) -> bool:
        try:
            self._cohort(entry)
        except NotFound:
            return False
        return True

    def _is_series(self, name: str) -> bool:
        rows = self.archive.search("series").named(name)
        self._seen = (name, rows[0]) if len(rows) == 1 else None
        return bool(rows)


class ArchiveCatalog(Catalog):
    """A catalog of one archive: ``studies``, ``series``, ``volume``, ``cohorts``, ``cohort``, and what they list.

    That is each series by its UID or key, and each cohort by ``cohort:`` and its name. Going through it gives the five
    names; ``catalog["series"].read()`` lists the series, and ``catalog["cohorts"].read()`` the cohorts.
    """

    def __getitem__(self, name: str) -> Any:
        """The reader (for ``archive``: the data) of that name.

        Raises
        ------
        UnknownEntry
        Ambiguous
            The UID occurs in several places; ``choices`` are the keys to ask by.
        """
        try:
            return super().__getitem__(name)
        except KeyError:
            known = ", ".join(self.aliases)
            raise UnknownEntry(f"no entry {name}: ask for {known}, for a series by its UID, or cohort:NAME") from None


def open_catalog(archive: Archive | str | Path) -> ArchiveCatalog:
    """The catalog of an archive.

    Parameters
    ----------
    archive : Archive, str or Path
        An open archive, which is read as its principal may see it, and stays yours to close; or an address.

    Returns
    -------
    ArchiveCatalog

    Raises
    ------
    ArchiveError
        There is no archive at the address.

    Examples
    --------
    >>> catalog = open_catalog("pacs-archive")  # doctest: +SKIP
    >>> catalog["series"](Modality="CT").read()  # doctest: +SKIP
    >>> catalog[series_uid].read()  # doctest: +SKIP
    >>> catalog["cohort:lung"].read()  # doctest: +SKIP
    """
    if isinstance(archive, Archive):
        return _catalog(Entries(archive), OpenArchive(archive))
    data = ArchiveData(str(archive))
    return _catalog(_of_address(data), data.to_entry())


def _of_address(data: ArchiveData) -> Entries:
    """Entries of an archive that is opened for them, and closed when nobody has them any more."""
    archive = data.open()
    entries = Entries(archive, data)
    weakref.finalize(entries, archive.close)
    return entries


def _catalog(entries: Entries, description: DataDescription) -> ArchiveCatalog:
    return ArchiveCatalog(entries, aliases={name: name for name in entries}, data={ARCHIVE: description})


def _describe(
    name: str, reader: type[BaseReader], metadata: dict[str, Any] | None = None, **arguments: Any
) -> ReaderDescription:
    described = ReaderDescription(
        reader.qname(),
        {"data": f"{{data({ARCHIVE})}}", **arguments},
        metadata=metadata,
        output_instance=reader.output_instance,
    )
    described._tok = name  # intake's own name for an entry; without it, it would be a hash
    return described
