"""The catalog of a million series: opened, asked for an entry and for a table; and the same published, over http."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import batched
from pathlib import Path
from typing import Any

import pandas as pd

import pacs_panel
from pacs_panel.catalog import open_catalog
from pacs_panel.index import portable
from pacs_panel.index.store import Index
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from tests.benchmarks.measure import Row, Scale, quantile, timed
from tests.benchmarks.scaling import START, real_rows

TITLE = "The catalog of a million series"
NOTES = """
The series of the Imaging Data Commons, put into an index at once, without objects and volumes. The archive is opened as
a catalog from its folder; then it is published, and opened over http from this machine.
"""
OF_STUDY = ("StudyInstanceUID", "StudyDescription", "PatientAge")
OF_SERIES = ("SeriesInstanceUID", "Modality", "SeriesDescription", "BodyPartExamined", "Manufacturer")
COLUMNS = ["SeriesInstanceUID", "Manufacturer", "StudyDate"]


def run(folder: Path, scale: Scale) -> list[Row]:
    """An archive, its catalog, what is published of it, and the catalog of that."""
    rows = real_rows().iloc[: scale.of(2_000_000, 50_000, 300)]
    path, dice = folder / "archive", random.Random(1)
    pacs_panel.open_archive(str(path)).close()
    load(path / layout.INDEX, rows)
    uids = [rows["SeriesInstanceUID"].iloc[dice.randrange(len(rows))] for _ in range(scale.of(200, 100, 5))]
    lines = [_row(f"catalog of {len(rows):,} series opened", timed(lambda: open_catalog(str(path))), "< 1 s")]
    catalog = open_catalog(str(path))
    assert catalog[uids[0]].metadata
    entry = quantile([timed(lambda uid=uid: catalog[uid]) for uid in uids], 0.95)
    lines.append(_row("an entry by its UID, p95", entry, "< 5 ms"))
    table = catalog["series"](Modality="CT", columns=COLUMNS)
    lines.append(_row(f"three columns of {len(table.read()):,} series", timed(table.read)))
    lines.append(_row("the first 100 series of a filter", timed(catalog["series"](Modality="CT", limit=100).read)))
    return lines + _published(folder, path)


def _published(folder: Path, path: Path) -> list[Row]:
    site, settings = folder / "site", Settings(cache=str(folder / "cache"))
    done: list[Any] = []
    with pacs_panel.open_archive(str(path)) as archive:
        lines = [_row("published", timed(lambda: done.append(archive.publish(site))))]
    lines.append(Row("fetched before the first search", f"{done[0].index_bytes / 1e6:,.1f} MB", ""))
    with served(site) as url:
        again = [timed(partial(first_page, url, settings)) for _ in range(2)]
    lines.append(_row("opened over http, first page of a search: the first time", again[0]))
    lines.append(_row("the same from then on", again[1], "< 1 s"))
    return lines


def first_page(url: str, settings: Settings) -> None:
    with pacs_panel.open_archive(url, settings=settings) as archive:
        assert archive.search(Modality="CT").page().rows


def _row(what: str, seconds: float, aim: str = "") -> Row:
    return Row(what, f"{seconds:,.2f} s" if seconds >= 1 else f"{1000 * seconds:,.1f} ms", "", "", aim)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a server of these files."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


# -- rows --------------------------------------------------------------------------------------------------------------


def load(path: Path, rows: pd.DataFrame) -> None:
    """Put series into an index, past all that an import does for objects."""
    tables: dict[str, list[dict[str, Any]]] = {"patient": [], "study": [], "series": []}
    seen: set[str] = set()
    names = list(rows.columns)
    for number, values in enumerate(rows.astype(object).where(rows.notna(), None).itertuples(index=False)):
        for table, row in _rows(dict(zip(names, values, strict=True)), number):
            if row["key"] not in seen:
                seen.add(row["key"])
                tables[table].append(row)
    with Index(path) as index:
        portable.load(index.database, {name: _batches(name, made) for name, made in tables.items()}, START)
        index.optimize()


def _rows(row: Mapping[str, Any], number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    study = layout.study_key(row["StudyInstanceUID"])
    patient = layout.patient_key(row["PatientID"], "", row["collection_id"], row["StudyInstanceUID"])
    date = (str(row["StudyDate"]) if row["StudyDate"] else "").replace("-", "") or None
    at = {"received": START + number, "patient_key": patient, "study_key": study}
    yield "patient", at | {"key": patient, "PatientID": row["PatientID"], "PatientSex": row["PatientSex"]}
    yield "study", at | {"key": study, "StudyDate": date} | {name: row[name] for name in OF_STUDY}
    own = {name: row[name] for name in OF_SERIES} | {"Collection": row["collection_id"]}
    key = layout.series_key(study, row["SeriesInstanceUID"])
    yield "series", at | own | {"key": key, "study_date": date, "first": at["received"], "bytes": 1}


def _batches(table: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[portable.Batch]:
    names = [name for name in portable.columns(table) if name in rows[0]] if rows else []
    for part in batched(rows, portable.SIZE):
        yield {name: [row[name] for row in part] for name in names}
