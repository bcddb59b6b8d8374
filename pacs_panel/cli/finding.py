"""Commands that look for things and hand them out: `search`, `header`, `export`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_panel.cli.command import WHICH, Adder, criteria, one, opened, series, table
from pacs_panel.errors import BadQuery, NotFound, PacsPanelError
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    from pacs_panel.archive import Archive

COLUMNS = {
    "patient": ("PatientID", "PatientName", "NumberOfPatientRelatedStudies"),
    "study": ("StudyDate", "PatientID", "StudyDescription", "ModalitiesInStudy", "StudyInstanceUID"),
    "series": ("StudyDate", "PatientID", "Modality", "BodyPartExamined", "SeriesDescription",
               "NumberOfSeriesRelatedInstances", "Verdict", "SeriesInstanceUID"),
    "instance": ("InstanceNumber", "Rows", "Columns", "SOPInstanceUID"),
}  # fmt: skip


def add_to(add: Adder) -> None:
    """Add these commands."""
    command = add(
        _search, "search", "list what matches", "Modality=CT StudyDate=20200101-", "--level study --text phantom"
    )
    command.add_argument(
        "criteria", nargs="*", metavar="KEYWORD=VALUE", help="DICOM keywords; wildcards and ranges work"
    )
    command.add_argument("--level", choices=tuple(COLUMNS), default="series")
    command.add_argument("--text", default="", help="words that may stand anywhere")
    command.add_argument("--named", metavar="NAME", help="a collection, also one by rule, or a saved search, instead")
    command.add_argument("--limit", type=int, default=25, help="most rows to show")

    command = add(_header, "header", "show the full header of an object, or of a series' first", "Modality=CT")
    command.add_argument("which", nargs="+", help=f"UID of an object, {WHICH}")

    command = add(
        _export, "export", "write series to files", "Modality=CT --to out", "Modality=MR --format nifti --to out-nifti"
    )
    command.add_argument("which", nargs="+", help=WHICH)
    command.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="where to; nothing is overwritten")
    command.add_argument(
        "--format", choices=("dicom", "nifti", "nrrd", "zarr", "png"), default="dicom", help="dicom: as received"
    )


def _search(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        found = _asked(archive, options)
        rows = found.page(limit=options.limit).rows
        if options.json:
            print(json.dumps([dict(row) for row in rows], indent=1, ensure_ascii=False))
        else:
            table(rows, COLUMNS[found.level])
            print(f"{len(rows)} of {found.count()} {found.level} rows")
    return 0


def _asked(archive: Archive, options: argparse.Namespace) -> Any:
    """The search that the options ask for, or name."""
    if options.named is None:
        return archive.search(options.level, **criteria(options.criteria, options.text))
    if options.criteria or options.text:
        raise BadQuery("--named stands alone: it has criteria of its own")
    try:
        return archive.organise.saved(options.named)
    except NotFound:
        return archive.organise.collection(options.named)


def _header(options: argparse.Namespace, settings: Settings) -> int:
    from pacs_panel.dicom import full

    with opened(options, settings) as archive:
        header = archive.header(one(archive, options.which))
    if options.json:
        print(json.dumps(header, indent=1, ensure_ascii=False))
        return 0
    for tag, keyword, vr, value, depth in full.rows(header):
        print(f"{'  ' * depth}{tag} {vr} {keyword}: {value}")
    return 0


def _export(options: argparse.Namespace, settings: Settings) -> int:
    failed = 0
    with opened(options, settings) as archive:
        for uid in series(archive, options.which):
            try:
                for path in archive.export(uid, options.to, options.format):
                    print(path)
            except PacsPanelError as error:  # one that a form cannot hold keeps no other from being written
                print(f"pacs-panel: {uid}: {error}", file=sys.stderr)
                failed += 1
    return 2 if failed else 0
