"""The command that hands an archive on as files: `publish`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from pacs_panel.cli.command import Adder, criteria, opened, progress
from pacs_panel.settings import Settings


def add_to(add: Adder) -> None:
    """Add this command."""
    command = add(
        _publish,
        "publish",
        "write what matches as a folder for a web server, with names and identifiers of patients as they are",
        "site",
        "site Modality=CT --originals",
    )
    command.add_argument("folder", type=Path, help="new or empty, or one that was published to; that is renewed")
    command.add_argument("criteria", nargs="*", default=[], metavar="KEYWORD=VALUE", help="as of `search`")
    command.add_argument("--level", choices=("patient", "study", "series"), default="series", help="of the criteria")
    command.add_argument("--text", default="", help="words that may stand anywhere")
    command.add_argument("--originals", action="store_true", help="the received objects, too")
    command.add_argument("--prune", action="store_true", help="remove what is not published any more")


def _publish(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive, progress("series", options) as bar:
        found = archive.search(options.level, **criteria(options.criteria, options.text))
        how = {"originals": options.originals, "prune": options.prune}
        done = archive.publish(options.folder, found, progress=lambda count: bar.update(count - bar.n), **how)
    print(json.dumps(asdict(done), indent=1) if options.json else done)
    return 0
