"""The index at a million series: pages, facets, text and UIDs through the archive, beside a tenth and a hundredth."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import pacs_panel
from pacs_panel.attributes import BY_KEYWORD
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.store import Index
from pacs_panel.index.values import words
from pacs_panel.model import Digests, Kept, Location
from pacs_panel.storage import layout
from tests.benchmarks import browsing
from tests.benchmarks.measure import ROOT, Row, Scale, quantile, timed

TITLE = "A million series"
NOTES = """
The series of the Imaging Data Commons (PyPI's `idc-index-data`), one object each, written by the index's own functions
and asked through the archive, at a hundredth, a tenth and all of them. Milliseconds, and the exponent of the growth.
The Browse page is served and driven in headless Chromium: filters, pages, orders and levels are clicked.
"""
FACETS = ("Modality", "BodyPartExamined", "Manufacturer", "Collection", "PatientSex")
ASKED = (
    "Modality",
    "BodyPartExamined",
    "Manufacturer",
    "PatientSex",
    "StudyDate",
    "PatientAge",
    "ManufacturerModelName",
)
READ = (
    *("collection_id", "PatientID", "SeriesInstanceUID", "StudyInstanceUID", "PatientAge", "PatientSex", "StudyDate"),
    *("StudyDescription", "BodyPartExamined", "Modality", "SOPClassUID", "TransferSyntaxUID", "Manufacturer"),
    *("ManufacturerModelName", "SeriesDate", "SeriesDescription", "SeriesNumber", "series_size_MB"),
    "PhotometricInterpretation",
)
NEW, NEW_WORD = 1000, "newcomer"
BATCH = 500
HOUR = 3_600_000_000_000  # ns
START = 1_700_000_000_000_000_000  # when the first of them is said to have come, ns since 1970


def real_rows() -> pd.DataFrame:
    """The 1,044,191 series of the Imaging Data Commons, study by study, the studies shuffled, always alike."""
    try:
        table = import_module("idc_index_data").IDC_INDEX_PARQUET_FILEPATH
    except ImportError as error:
        raise RuntimeError("this benchmark needs real rows: uv pip install idc-index-data pyarrow") from error
    rows = pd.read_parquet(table, columns=[*READ])
    studies = pd.factorize(rows["StudyInstanceUID"])[0]
    places = np.random.default_rng(1).permutation(studies.max() + 1)
    return rows.iloc[np.argsort(places[studies], kind="stable")]


def arrivals(rows: pd.DataFrame, first: int = 0) -> Iterator[Arrival]:
    """One object for each series, as an import tells the index of it."""
    names = list(rows.columns)
    for number, row in enumerate(rows.astype(object).where(rows.notna(), None).itertuples(index=False), first):
        yield arrival(dict(zip(names, row, strict=True)), number)


def arrival(row: Mapping[str, Any], number: int) -> Arrival:
    """The first object of a series, made from its row; ``number`` says when it came."""
    study_uid, collection = row["StudyInstanceUID"], row["collection_id"]
    study = layout.study_key(study_uid)
    series = layout.series_key(study, row["SeriesInstanceUID"])
    values = {name: value for name, value in row.items() if name in BY_KEYWORD and value is not None}
    values |= {name: values[name].replace("-", "") for name in ("StudyDate", "SeriesDate") if name in values}
    uid = f"{row['SeriesInstanceUID']}.1"
    kept = Kept(
        sop_instance_uid=uid,
        sop_class_uid=row["SOPClassUID"],
        series_key=series,
        transfer_syntax=row["TransferSyntaxUID"],
        location=Location(f"{series}/pack", 0, int(row["series_size_MB"] * 1e6), in_place=True),
        digests=Digests(f"file {uid}", f"data set {uid}"),
        dataset_offset=132,
        received=START + number * HOUR // 1000,
        current=True,
        image=None,
    )
    patient = layout.patient_key(row["PatientID"], "", collection, study_uid)
    values |= {"SOPInstanceUID": uid, "InstanceNumber": 1}
    return Arrival(kept, values, study, patient, collection, row["Modality"].lower())


def just_come(rows: pd.DataFrame, size: int) -> list[Arrival]:
    """Series that came after ``size`` others: new ones of studies that are there."""
    named = {
        "SeriesInstanceUID": rows["SeriesInstanceUID"] + f".{size}",
        "SeriesDescription": f"{NEW_WORD} {size}",
    }
    return list(arrivals(rows.assign(**named), size))


# -- questions ---------------------------------------------------------------------------------------------------------


def asked(rows: pd.DataFrame, dice: random.Random, number: int) -> dict[str, Any]:
    """Criteria that some row meets, on ``number`` of its attributes."""
    row = rows.iloc[dice.randrange(len(rows))]
    found = {name: row[name] for name in ASKED if isinstance(row[name], str)}
    if "StudyDate" in found:
        found["StudyDate"] = found["StudyDate"].replace("-", "")
    return {name: [found[name]] for name in dice.sample(sorted(found), min(number, len(found)))}


def words_of(rows: pd.DataFrame, dice: random.Random) -> str:
    """One or two words of a row."""
    row = rows.iloc[dice.randrange(len(rows))]
    found = words([row["SeriesDescription"] or "", row["Modality"]])
    return " ".join(dice.sample(found, min(len(found), dice.randint(1, 2))))


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of each question at one size; p95 of those that are asked often."""

    series: int
    seconds: dict[str, float]


def measure(path: Path, rows: pd.DataFrame, size: int, times: int) -> Measured:
    """Ask an archive that holds the first ``size`` of ``rows``; puts some more in."""
    dice, here = random.Random(size), rows.iloc[:size]
    orders = [[("StudyDate", "desc")], [("SeriesDescription", "asc")], [("received", "desc")]]
    found = {"cold": min(timed(partial(first_page, path)) for _ in range(2))}
    with pacs_panel.open_archive(str(path)) as archive:
        archive.search().facets(*FACETS)

        def page() -> object:
            return archive.search(order=dice.choice(orders), **asked(here, dice, 3)).page()

        def facets() -> object:
            return archive.search(**asked(here, dice, 1)).facets(*FACETS)

        def text() -> object:
            return archive.search(text=words_of(here, dice)).page()

        def uid() -> object:
            return archive.find(here["SeriesInstanceUID"].iloc[dice.randrange(size)], "series")

        for name, question in (("page", page), ("facets", facets), ("text", text), ("uid", uid)):
            found[name] = quantile([timed(question) for _ in range(times)], 0.95)
        with Index(path / layout.INDEX) as other:
            more = just_come(here.iloc[:NEW], size)
            for batch in batched(more, BATCH):
                other.add(batch)
        found["new"] = timed(lambda: (archive.search().page(), archive.search().facets(*FACETS)))
        assert archive.search(text=f"{NEW_WORD} {size}").count() == len(more)
    found["browse"] = quantile(browsing.steps(path, max(1, times // 5)), 0.95) / 1000
    return Measured(size, found)


def first_page(path: Path) -> None:
    """In a process of its own."""
    code = "import sys, pacs_panel; pacs_panel.open_archive(sys.argv[1]).search(Modality='CT', text='chest').page()"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, cwd=ROOT)


def run(folder: Path, scale: Scale) -> list[Row]:
    """One archive that grows; asked at three sizes."""
    rows, path = real_rows(), folder / "archive"
    largest = min(scale.of(len(rows), 10_000, 300), len(rows))
    pacs_panel.open_archive(str(path)).close()
    found, done = [], 0
    for size in (max(1, largest // 100), largest // 10, largest):
        load(path / layout.INDEX, rows.iloc[done:size], done)
        found.append(measure(path, rows, size, scale.of(100, 40, 5)))
        done = size
    return [_row(name, what, aim, found) for name, (what, aim) in LINES.items()]


LINES = {
    "page": ("page of a sorted search with three filters, p95", "≤ 100 ms"),
    "facets": ("five facets under a filter, p95", "≤ 100 ms"),
    "text": ("page of a search for one or two words, p95", "≤ 100 ms"),
    "uid": ("a series by its UID, p95", "≤ 5 ms"),
    "new": ("page and facets after 1,000 series came", "≤ 2 s"),
    "browse": ("Browse: from a click to painted rows, p95", "≤ 150 ms"),
    "cold": ("process started, first page of a search", "≤ 2 s"),
}


def _row(name: str, what: str, aim: str, found: list[Measured]) -> Row:
    small, large = found[0], found[-1]
    exponent = math.log(large.seconds[name] / small.seconds[name]) / math.log(large.series / small.series)
    steps = ", ".join(f"{1000 * each.seconds[name]:,.1f}" for each in found)
    return Row(
        f"{what}: of {', '.join(f'{each.series:,}' for each in found)}", f"{steps} ms; n^{exponent:.2f}", "", "", aim
    )


def load(path: Path, rows: pd.DataFrame, first: int = 0) -> None:
    """Write ``rows`` into an index, batch by batch, as imports do."""
    with Index(path) as index:
        for batch in batched(arrivals(rows, first), BATCH):
            index.add(batch)
        index.optimize()
