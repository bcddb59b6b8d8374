"""Commands for what people make of an archive: `tag`."""

from __future__ import annotations

import argparse
import json

from pacs_panel.cli.command import WHICH, Adder, opened, rows, table
from pacs_panel.errors import BadQuery
from pacs_panel.settings import Settings


def add_to(add: Adder) -> None:
    """Add these commands."""
    command = add(_tag, "tag", "tag series, or list tags", "", "checked Modality=CT")
    command.add_argument("name", nargs="?", help="the tag; without it, all tags are listed")
    command.add_argument("which", nargs="*", help=WHICH)
    command.add_argument("--level", choices=("patient", "study", "series"), default="series")
    command.add_argument("--remove", action="store_true", help="take the tag back")


def _tag(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        if options.name is None:
            counts = archive.organise.tag_counts(archive.search(options.level))
            if options.json:
                print(json.dumps(dict(counts), indent=1, ensure_ascii=False))
            else:
                table([{"tag": tag, options.level: count} for tag, count in counts], ("tag", options.level))
            return 0
        if not options.which:
            raise BadQuery("say which are meant: a UID or key, or criteria such as Modality=CT")
        change = archive.organise.untag if options.remove else archive.organise.tag
        change(rows(archive, options.which, options.level), options.name, options.level)
    return 0
