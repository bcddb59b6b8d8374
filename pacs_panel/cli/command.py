"""What the commands share: their parsers, the archive, rows that are meant, and how answers are printed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pacs_panel.errors import BadQuery, NotFound
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    from pacs_panel.archive import Archive

Command = Callable[[argparse.Namespace, Settings], int]
WHICH = "UID or key of a series, or criteria such as Modality=CT"
RESEARCH = "For research use only; not for diagnosis."


class Adder:
    """Adds commands that share the options every command has."""

    def __init__(self, commands: Any) -> None:
        self._commands = commands

    def __call__(self, run: Command, name: str, summary: str, *examples: str) -> argparse.ArgumentParser:
        """Add one; ``examples`` are what follows its name on lines that work as they stand."""
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


def opened(options: argparse.Namespace, settings: Settings, *, create: bool = False) -> Archive:
    """The archive that the options or settings name."""
    from pacs_panel.archive import open_archive

    return open_archive(options.archive or settings.archive, create=create, settings=settings)


def criteria(pairs: Sequence[str], text: str = "") -> dict[str, Any]:
    """What ``KEYWORD=VALUE`` words ask for, as `Archive.search` takes it."""
    asked: dict[str, Any] = {"text": text} if text else {}
    for pair in pairs:
        keyword, equals, value = pair.partition("=")
        if not equals:
            raise BadQuery(f"{pair!r} is no criterion; write KEYWORD=VALUE, e.g. Modality=CT")
        asked[keyword] = value
    return asked


def rows(archive: Archive, which: Sequence[str], level: Any = "series") -> Iterator[str]:
    """Keys (of objects: UIDs) that UIDs or criteria name; at least one."""
    name = "SOPInstanceUID" if level == "instance" else "key"
    if all("=" in word for word in which):
        found = [str(row[name]) for row in archive.search(level, **criteria(which)).rows()]
        if not found:
            raise NotFound(f"no {level} matches {' '.join(which)}")
        yield from found
    else:
        for uid in which:
            yield str(archive.find(uid, level)[name])


def series(archive: Archive, which: Sequence[str]) -> Iterator[str]:
    """Keys of the series that UIDs or criteria name; at least one."""
    return rows(archive, which, "series")


def one(archive: Archive, which: Sequence[str]) -> str:
    """The UID as given, or the key of the first series that meets the criteria."""
    return next(series(archive, which)) if "=" in which[0] else which[0]


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows under their columns, each as wide as it must be."""
    cells = [tuple("" if row.get(c) is None else str(row[c]) for c in columns) for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in (tuple(columns), *cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def progress(unit: str, options: argparse.Namespace) -> Any:
    """A bar on the terminal; none where JSON is asked for, or nobody watches."""
    from tqdm import tqdm

    return tqdm(unit=f" {unit}", disable=options.json or not sys.stderr.isatty(), leave=False)


def tell(what: str) -> None:
    """Say what goes on, beside what is printed as the answer."""
    print(f"pacs-panel: {what} …", file=sys.stderr, flush=True)
