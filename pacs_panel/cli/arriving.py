"""Commands for what comes in: `import`, `watch`, `build`."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from pacs_panel.cli.command import Adder, opened, progress, tell
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    from pacs_panel.archive import Archive


def add_to(add: Adder) -> None:
    """Add these commands."""
    command = add(
        _import, "import", "take in DICOM from folders, archives and DICOMDIRs", "incoming --collection phantoms"
    )
    command.add_argument("paths", nargs="+", help="folders, files, zip and tar archives, DICOMDIRs")
    command.add_argument("--collection", default="", help="name under which the new series can be found")
    command.add_argument("--in-place", action="store_true", help="record where files lie instead of copying them")
    command.add_argument("--no-build", action="store_true", help="leave building the volumes to `build` or `serve`")

    command = add(_watch, "watch", "take in what arrives in folders", "incoming --once --still 0")
    command.add_argument("paths", nargs="+", metavar="FOLDER")
    command.add_argument("--collection", default="", help="name under which the new series can be found")
    command.add_argument("--still", type=float, default=5, metavar="SECONDS", help="a file must be unchanged so long")
    command.add_argument("--once", action="store_true", help="end when all that is there is taken in")

    add(_build, "build", "build the volumes of all series that have changed", "")


def _import(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings, create=True) as archive, progress("objects", options) as bar:
        report = archive.ingest(
            options.paths,
            collection=options.collection,
            in_place=options.in_place,
            build=False,
            progress=lambda at: bar.update(at.objects - bar.n),
        )
        if not options.no_build:
            _build_all(archive, options)
    print(json.dumps(report.to_dict(), indent=1) if options.json else report)
    return 0


def _watch(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings, create=True) as archive:
        reports = archive.watch(options.paths, collection=options.collection, still=options.still, once=options.once)
        tell("watching; Ctrl-C ends it")
        for report in reports:
            print(json.dumps(report.to_dict()) if options.json else report, flush=True)
    return 0


def _build(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        archive.recover()
        print(f"{_build_all(archive, options)} series built")
    return 0


def _build_all(archive: Archive, options: argparse.Namespace) -> int:
    with progress("series", options) as bar:
        return len(archive.settle(progress=lambda _: bar.update(1)))
