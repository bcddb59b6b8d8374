"""The command line: one thin function a command, over `pacs_panel.archive.Archive`.

What a command works with is imported when it runs, so that help, and what is mistyped, is answered at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_panel import __version__
from pacs_panel.errors import BadQuery, NotFound, PacsPanelError
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    from pacs_panel.archive import Archive

Command = Callable[[argparse.Namespace, Settings], int]
COLUMNS = {
    "patient": ("PatientID", "PatientName", "NumberOfPatientRelatedStudies"),
    "study": ("StudyDate", "PatientID", "StudyDescription", "ModalitiesInStudy", "StudyInstanceUID"),
    "series": ("StudyDate", "PatientID", "Modality", "BodyPartExamined", "SeriesDescription",
               "NumberOfSeriesRelatedInstances", "Verdict", "SeriesInstanceUID"),
    "instance": ("InstanceNumber", "Rows", "Columns", "SOPInstanceUID"),
}  # fmt: skip
WHICH = "UID or key of a series, or criteria such as Modality=CT"
RESEARCH = "For research use only; not for diagnosis."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 done with findings, 2 not done."""
    options = build_parser().parse_args(arguments)
    try:
        settings = Settings.load(options.settings)
        return int(options.run(options, settings))
    except PacsPanelError as error:
        print(f"pacs-panel: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads our output, e.g. `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\npacs-panel: interrupted; what was taken in is kept, run it again to go on", file=sys.stderr)
        return 130


# -- commands ----------------------------------------------------------------------------------------------------------


def _import(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings, create=True) as archive, _bar("objects", options) as bar:
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
    with _open(options, settings, create=True) as archive:
        reports = archive.watch(options.paths, collection=options.collection, still=options.still, once=options.once)
        _tell("watching; Ctrl-C ends it")
        for report in reports:
            print(json.dumps(report.to_dict()) if options.json else report, flush=True)
    return 0


def _build(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings) as archive:
        archive.recover()
        print(f"{_build_all(archive, options)} series built")
    return 0


def _build_all(archive: Archive, options: argparse.Namespace) -> int:
    with _bar("series", options) as bar:
        return len(archive.settle(progress=lambda _: bar.update(1)))


def _search(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings) as archive:
        found = archive.search(options.level, **_criteria(options.criteria, options.text))
        rows = found.page(limit=options.limit).rows
        if options.json:
            print(json.dumps([dict(row) for row in rows], indent=1, ensure_ascii=False))
        else:
            _table(rows, COLUMNS[options.level])
            print(f"{len(rows)} of {found.count()} {options.level} rows")
    return 0


def _header(options: argparse.Namespace, settings: Settings) -> int:
    from pacs_panel.dicom import full

    with _open(options, settings) as archive:
        header = archive.header(_one(archive, options.which))
    if options.json:
        print(json.dumps(header, indent=1, ensure_ascii=False))
        return 0
    for tag, keyword, vr, value, depth in full.rows(header):
        print(f"{'  ' * depth}{tag} {vr} {keyword}: {value}")
    return 0


def _export(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings) as archive:
        for uid in _series(archive, options.which):
            for path in archive.export(uid, options.to, options.format):
                print(path)
    return 0


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings) as archive, _bar("objects", options) as bar:
        found = archive.verify(progress=lambda done: bar.update(done - bar.n))
    print(json.dumps(found.to_dict(), indent=1) if options.json else found)
    return 0 if found.clean else 1


def _tag(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings) as archive:
        if options.name is None:
            counts = archive.organise.tag_counts(archive.search(options.level))
            if options.json:
                print(json.dumps(dict(counts), indent=1, ensure_ascii=False))
            else:
                _table([{"tag": tag, options.level: count} for tag, count in counts], ("tag", options.level))
            return 0
        if not options.which:
            raise BadQuery("say which are meant: a UID or key, or criteria such as Modality=CT")
        change = archive.organise.untag if options.remove else archive.organise.tag
        change(_rows(archive, options.which, options.level), options.name, options.level)
    return 0


def _remove(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings) as archive:
        for uid in _rows(archive, options.which, options.level):
            print(f"{uid}: {archive.remove(uid, options.level)} objects put into the trash")
    return 0


def _restore(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings) as archive:
        wanted = [(t.key, t.level) for t in archive.trash()] if options.all else [(options.uid, options.level)]
        for uid, level in wanted:
            print(f"{uid}: {archive.restore(uid, level)} objects restored")
    return 0


def _trash(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings) as archive:
        if options.empty:
            return _empty_trash(archive, options)
        rows = [{"level": t.level, "key": t.key, "by": t.by} for t in archive.trash()]
    _table(rows, ("level", "key", "by"))
    return 0


def _empty_trash(archive: Archive, options: argparse.Namespace) -> int:
    if not options.yes:
        if not sys.stdin.isatty():
            raise BadQuery("what is removed for good cannot be brought back; say --yes to go on")
        if input("What is removed for good cannot be brought back. Go on? [y/N] ").strip().lower() not in ("y", "yes"):
            print("nothing was removed")
            return 0
    with _bar("objects", options) as bar:
        done = archive.empty_trash(options.older_than, progress=lambda count: bar.update(count - bar.n))
    print(json.dumps(done.to_dict(), indent=1) if options.json else done)
    return 1 if done.left else 0


def _quarantine(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings) as archive:
        rows = [{"reason": r.reason, "detail": r.detail, "origin": r.origin} for r in archive.quarantine()]
    _table(rows, ("reason", "detail", "origin"))
    return 0


def _status(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings) as archive:
        status = archive.status()
    print(json.dumps(status, indent=1) if options.json else "\n".join(f"{k:>14}  {v}" for k, v in status.items()))
    return 0


def _reindex(options: argparse.Namespace, settings: Settings) -> int:
    with _open(options, settings) as archive, _bar("objects", options) as bar:
        archive.reindex(progress=lambda done: bar.update(done - bar.n))
        print(f"{archive.status()['instances']} objects indexed")
    return 0


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    from pacs_panel.serve.app import serve

    with _open(options, settings) as archive:
        serve(archive, host=options.host, port=options.port, on_ready=_announce)
    return 0


def _demo(options: argparse.Namespace, settings: Settings) -> int:
    from pacs_panel.serve.app import serve
    from pacs_panel.testing.demo_archive import open_demo

    with open_demo(options.folder, settings, _tell) as archive:
        serve(archive, host="127.0.0.1", port=options.port, on_ready=_announce)
    return 0


def _tell(what: str) -> None:
    print(f"pacs-panel: {what} …", file=sys.stderr, flush=True)


def _announce(address: str) -> None:
    print(f"pacs_panel serves at {address}  (Ctrl-C stops it)\n{RESEARCH}", flush=True)


# -- the parser --------------------------------------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each carries an example that works as it stands."""
    parser = argparse.ArgumentParser(prog="pacs-panel", description=f"A PACS for imaging research. {RESEARCH}")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--settings", type=Path, metavar="TOML", help="file with a [settings] table")
    add = _Adder(parser.add_subparsers(required=True, metavar="COMMAND"))
    _add_in_and_out(add)
    _add_care(add)
    _add_serving(add)
    return parser


def _add_in_and_out(add: _Adder) -> None:
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

    command = add(
        _search, "search", "list what matches", "Modality=CT StudyDate=20200101-", "--level study --text phantom"
    )
    command.add_argument(
        "criteria", nargs="*", metavar="KEYWORD=VALUE", help="DICOM keywords; wildcards and ranges work"
    )
    command.add_argument("--level", choices=tuple(COLUMNS), default="series")
    command.add_argument("--text", default="", help="words that may stand anywhere")
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


def _add_care(add: _Adder) -> None:
    add(_verify, "verify", "read everything again and compare digests", "")

    command = add(_tag, "tag", "tag series, or list tags", "", "checked Modality=CT")
    command.add_argument("name", nargs="?", help="the tag; without it, all tags are listed")
    command.add_argument("which", nargs="*", help=WHICH)
    command.add_argument("--level", choices=("patient", "study", "series"), default="series")
    command.add_argument("--remove", action="store_true", help="take the tag back")

    command = add(_remove, "remove", "put series into the trash", "Modality=MR")
    command.add_argument("which", nargs="+", help=WHICH)
    command.add_argument("--level", choices=("study", "series", "instance"), default="series")

    command = add(_trash, "trash", "list what is in the trash, or empty it", "", "--empty --older-than 30 --yes")
    command.add_argument("--empty", action="store_true", help="remove for good what is there")
    command.add_argument("--older-than", type=float, default=0, metavar="DAYS", help="only what is there for so long")
    command.add_argument("--yes", action="store_true", help="do not ask")

    command = add(_restore, "restore", "take out of the trash", "--all")
    command.add_argument("uid", nargs="?", help="what was removed: its UID or key")
    command.add_argument("--level", choices=("study", "series", "instance"), default="series")
    command.add_argument("--all", action="store_true", help="all that is there")

    add(_quarantine, "quarantine", "list what was refused, and why", "")
    add(_status, "status", "say what is there, and what waits", "", "--json")
    add(_reindex, "reindex", "make the index anew from what is kept", "")


def _add_serving(add: _Adder) -> None:
    command = add(_serve, "serve", "serve the dashboard on this machine", "--port 5006")
    command.add_argument(
        "--host", default="127.0.0.1", help="a loopback address; others need sign-in, which is to come"
    )
    command.add_argument("--port", type=int, default=5006, help="0 takes a free one")

    command = add(_demo, "demo", "build the demo archive once, and serve it", "--port 5006")
    command.add_argument("--folder", type=Path, default=Path("demo-archive"), help="where the demo archive lies")
    command.add_argument("--port", type=int, default=5006, help="0 takes a free one")


class _Adder:
    """Adds commands that share the options every command has."""

    def __init__(self, commands: Any) -> None:
        self._commands = commands

    def __call__(self, run: Command, name: str, summary: str, *examples: str) -> argparse.ArgumentParser:
        lines = "\n".join(f"  pacs-panel {name} {example}".rstrip() for example in examples)
        parser: argparse.ArgumentParser = self._commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example:\n{lines}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument(
            "--archive", metavar="FOLDER", help="the archive (default: PACS_PANEL_ARCHIVE, or pacs-archive)"
        )
        parser.add_argument("--json", action="store_true", help="print JSON where there is something to list")
        parser.set_defaults(run=run)
        return parser


# -- helpers -----------------------------------------------------------------------------------------------------------


def _open(options: argparse.Namespace, settings: Settings, *, create: bool = False) -> Archive:
    from pacs_panel.archive import open_archive

    return open_archive(options.archive or settings.archive, create=create, settings=settings)


def _criteria(pairs: Sequence[str], text: str = "") -> dict[str, Any]:
    criteria: dict[str, Any] = {"text": text} if text else {}
    for pair in pairs:
        keyword, equals, value = pair.partition("=")
        if not equals:
            raise BadQuery(f"{pair!r} is no criterion; write KEYWORD=VALUE, e.g. Modality=CT")
        criteria[keyword] = value
    return criteria


def _rows(archive: Archive, which: Sequence[str], level: Any = "series") -> Iterator[str]:
    """Keys (of objects: UIDs) that UIDs or criteria name; at least one."""
    name = "SOPInstanceUID" if level == "instance" else "key"
    if all("=" in word for word in which):
        found = [str(row[name]) for row in archive.search(level, **_criteria(which)).rows()]
        if not found:
            raise NotFound(f"no {level} matches {' '.join(which)}")
        yield from found
    else:
        for uid in which:
            yield str(archive.find(uid, level)[name])


def _series(archive: Archive, which: Sequence[str]) -> Iterator[str]:
    return _rows(archive, which, "series")


def _one(archive: Archive, which: Sequence[str]) -> str:
    return next(_series(archive, which)) if "=" in which[0] else which[0]


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows under their columns, each as wide as it must be."""
    cells = [tuple("" if row.get(c) is None else str(row[c]) for c in columns) for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in (tuple(columns), *cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _bar(unit: str, options: argparse.Namespace) -> Any:
    from tqdm import tqdm

    return tqdm(unit=f" {unit}", disable=options.json or not sys.stderr.isatty(), leave=False)
