"""Commands that care for what is kept: `verify`, `remove`, `trash`, `restore`, `quarantine`, `status`, `reindex`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from pacs_panel.cli.activity import words
from pacs_panel.cli.command import WHICH, Adder, opened, progress, rows, table
from pacs_panel.errors import BadQuery
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    from pacs_panel.archive import Archive


def add_to(add: Adder) -> None:
    """Add these commands."""
    add(_verify, "verify", "read everything again and compare digests", "")

    command = add(_remove, "remove", "put series into the trash", "Modality=MR")
    command.add_argument("which", nargs="+", help=WHICH)
    command.add_argument("--level", choices=("study", "series", "instance"), default="series")

    command = add(_trash, "trash", "list what is in the trash, or empty it", "", "--empty --older-than 30 --yes")
    command.add_argument("--empty", action="store_true", help="remove for good what is there")
    command.add_argument("--older-than", type=float, default=0, metavar="DAYS", help="only what is there for so long")
    command.add_argument("--even-frozen", action="store_true", help="also what a cohort names; it then is not whole")
    command.add_argument("--yes", action="store_true", help="do not ask")

    command = add(_restore, "restore", "take out of the trash", "--all")
    command.add_argument("uid", nargs="?", help="what was removed: its UID or key")
    command.add_argument("--level", choices=("study", "series", "instance"), default="series")
    command.add_argument("--all", action="store_true", help="all that is there")

    add(_quarantine, "quarantine", "list what was refused, and why", "")

    add(_status, "status", "say what is there, and what waits", "", "--json")

    add(_reindex, "reindex", "make the index anew from what is kept", "")


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive, progress("objects", options) as bar:
        found = archive.verify(progress=lambda done: bar.update(done - bar.n))
    print(json.dumps(found.to_dict(), indent=1) if options.json else found)
    return 0 if found.clean else 1


def _remove(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        for uid in rows(archive, options.which, options.level):
            print(f"{uid}: {archive.remove(uid, options.level)} objects put into the trash")
    return 0


def _trash(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        if options.empty:
            return _empty_trash(archive, options)
        found = [{"level": t.level, "key": t.key, "by": t.by} for t in archive.trash()]
    table(found, ("level", "key", "by"))
    return 0


def _empty_trash(archive: Archive, options: argparse.Namespace) -> int:
    if not options.yes:
        if not sys.stdin.isatty():
            raise BadQuery("what is removed for good cannot be brought back; say --yes to go on")
        if input("What is removed for good cannot be brought back. Go on? [y/N] ").strip().lower() not in ("y", "yes"):
            print("nothing was removed")
            return 0
    with progress("objects", options) as bar:
        how = {"even_frozen": options.even_frozen, "progress": lambda count: bar.update(count - bar.n)}
        done = archive.empty_trash(options.older_than, **how)
    print(json.dumps(done.to_dict(), indent=1) if options.json else done)
    return 1 if done.left else 0


def _restore(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        wanted = [(t.key, t.level) for t in archive.trash()] if options.all else [(options.uid, options.level)]
        for uid, level in wanted:
            print(f"{uid}: {archive.restore(uid, level)} objects restored")
    return 0


def _quarantine(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        found = [{"reason": r.reason, "detail": r.detail, "origin": r.origin} for r in archive.quarantine()]
    table(found, ("reason", "detail", "origin"))
    return 0


def _status(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        status = archive.status()
        now = None if archive.read_only else archive.activity()
    if options.json:
        print(json.dumps(status | ({"activity": now.to_dict()} if now else {}), indent=1))
        return 0
    print("\n".join(f"{k:>14}  {v}" for k, v in status.items()))
    if now:
        print("\n".join(words(now)))
    return 0


def _reindex(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive, progress("objects", options) as bar:
        archive.reindex(progress=lambda done: bar.update(done - bar.n))
        print(f"{archive.status()['instances']} objects indexed")
    return 0
