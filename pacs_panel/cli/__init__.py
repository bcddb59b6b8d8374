"""The command line: one thin function a command, over `pacs_panel.archive.Archive`.

What a command works with is imported when it runs, so that help, and what is mistyped, is answered at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pacs_panel import __version__
from pacs_panel.cli import arriving, cohorts, correcting, finding, keeping, network, organising, publishing, serving
from pacs_panel.cli.command import RESEARCH, Adder
from pacs_panel.errors import PacsPanelError
from pacs_panel.settings import Settings


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


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each carries an example that works as it stands."""
    parser = argparse.ArgumentParser(prog="pacs-panel", description=f"A PACS for imaging research. {RESEARCH}")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--settings", type=Path, metavar="TOML", help="file with a [settings] table")
    add = Adder(parser.add_subparsers(required=True, metavar="COMMAND"))
    for part in (arriving, finding, organising, correcting, cohorts, keeping, publishing, network, serving):
        part.add_to(add)
    return parser
