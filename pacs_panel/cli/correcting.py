"""The command that sets right what is wrong: `correct`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pacs_panel.cli.command import Adder, criteria, opened, table
from pacs_panel.errors import BadQuery
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    from pacs_panel.archive import Archive
    from pacs_panel.model import Correction

LISTED = ("number", "kind", "level", "keys", "to", "values", "reason", "made", "by")
REJECTED = ("sop_instance_uid", "note", "reason", "accepted")


def add_to(add: Adder) -> None:
    """Add this command."""
    command = add(
        _correct,
        "correct",
        "set right what is wrong, without touching what was received",
        "set PP-0001 PatientID=PP-0002 --level patient --reason 'typing error'",
        "list",
        "undo 1",
        "rejected",
    )
    command.add_argument("action", choices=("list", "rejected", *ACTIONS), help="what to do")
    command.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="set: what, KEYWORD=VALUE …; merge: the patient that stays, the others; move: what, where to;"
        " accept: rejected objects, or what rejects them; undo: numbers",
    )
    command.add_argument("--level", choices=("patient", "study", "series"), default="series", help="of set and move")
    command.add_argument("--reason", default="", help="why, for who reads the list")
    command.add_argument("--undone", action="store_true", help="list those, too, that were undone")


def _correct(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        if options.action in ("list", "rejected"):
            _list(archive, options)
            return 0
        number = ACTIONS[options.action](archive, options.words, options)
    if number is not None:
        print(
            json.dumps({"number": number})
            if options.json
            else f"correction {number}; `correct undo {number}` undoes it"
        )
    return 0


def _list(archive: Archive, options: argparse.Namespace) -> None:
    if options.action == "rejected":
        found: list[dict[str, Any]] = [asdict(one) for one in archive.rejected()]
    else:
        found = [one.to_dict() for one in archive.corrections.list(undone=options.undone)]
    if options.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    elif options.action == "rejected":
        table(found, REJECTED)
    else:
        table([_row(one) for one in archive.corrections.list(undone=options.undone)], _columns(options))


def _columns(options: argparse.Namespace) -> tuple[str, ...]:
    return (*LISTED, "undone") if options.undone else LISTED


def _row(one: Correction) -> dict[str, Any]:
    values = " ".join(f"{keyword}={'' if value is None else value}" for keyword, value in one.values.items())
    times = {"made": _time(one.at), "undone": "" if one.undone is None else f"{_time(one.undone)} by {one.undone_by}"}
    return {**one.to_dict(), "keys": " ".join(one.keys), "values": values, **times}


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1e9, UTC):%Y-%m-%d %H:%M}"


def _set(archive: Archive, words: Sequence[str], options: argparse.Namespace) -> int:
    uid, *pairs = words or [""]
    values = {keyword: value or None for keyword, value in criteria(pairs).items()}
    return archive.corrections.set(uid, options.level, reason=options.reason, **values)


def _merge(archive: Archive, words: Sequence[str], options: argparse.Namespace) -> int:
    into, *others = words or [""]
    return archive.corrections.merge(into, others, reason=options.reason)


def _move(archive: Archive, words: Sequence[str], options: argparse.Namespace) -> int:
    if len(words) != 2:
        raise BadQuery("say what is moved, and to which study (of a study: to which patient)")
    return archive.corrections.move(words[0], options.level, to=words[1], reason=options.reason)


def _accept(archive: Archive, words: Sequence[str], options: argparse.Namespace) -> int:
    return archive.corrections.accept(words, reason=options.reason)


def _undo(archive: Archive, words: Sequence[str], _options: argparse.Namespace) -> None:
    if not words or not all(word.isdecimal() for word in words):
        raise BadQuery("say which, by number; `correct list` tells them")
    for word in words:
        archive.corrections.undo(int(word))


Act = Callable[["Archive", Sequence[str], argparse.Namespace], int | None]
ACTIONS: dict[str, Act] = {"set": _set, "merge": _merge, "move": _move, "accept": _accept, "undo": _undo}
