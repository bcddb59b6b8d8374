"""Commands for cohorts, selections kept for good: `cohort list`, `freeze`, `show`, `diff`, `verify`, `export`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_panel.cli.command import Adder, Command, criteria, opened, progress, table
from pacs_panel.errors import BadQuery
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    from pacs_panel.cohort import Cohort, Difference, Facts

FORMATS = ("dicom", "nifti", "nrrd", "zarr", "png", "csv", "parquet")
LISTED = ("name", "level", "series", "objects", "frozen", "by", "hash")
SHOWN = ("PatientID", "Modality", "SeriesDescription", "objects", "revision", "gone", "SeriesInstanceUID")
NAME = "name of the cohort"
HASH = 12  # characters of a hash that a list shows


def add_to(add: Adder) -> None:
    """Add these commands."""
    told = add(_list, "cohort", "freeze a selection for good, and come back to it", "freeze scans Modality=CT", "list")
    within = _Within(told.add_subparsers(required=True, metavar="ACTION"))
    within(_list, "cohort list", "list the cohorts", "")

    command = within(_freeze, "cohort freeze", "keep what matches, under a name", "lungs Modality=CT")
    command.add_argument("name", help="not taken yet; cohorts never change")
    command.add_argument("criteria", nargs="*", default=[], metavar="KEYWORD=VALUE", help="as of `search`")
    command.add_argument("--level", choices=("patient", "study", "series"), default="series")
    command.add_argument("--text", default="", help="words that may stand anywhere")

    command = within(_show, "cohort show", "list the series of a cohort, and what is gone", "lungs")
    command.add_argument("name", help=NAME)

    command = within(_diff, "cohort diff", "say what its criteria find now, or what another cohort has", "lungs")
    command.add_argument("name", help=NAME)
    command.add_argument("other", nargs="?", default=None, help="a cohort to compare with, instead of what is found")

    command = within(_verify, "cohort verify", "read every object of a cohort again, and compare digests", "lungs")
    command.add_argument("name", help=NAME)

    command = within(
        _export, "cohort export", "write a cohort to files, as frozen", "lungs csv list", "lungs nifti volumes"
    )
    command.add_argument("name", help=NAME)
    command.add_argument("format", choices=FORMATS, help="dicom: as received; csv, parquet: the list of objects")
    command.add_argument("target", type=Path, help="a folder; nothing in it is overwritten")
    command.add_argument("--partial", action="store_true", default=False, help="leave out what is not whole")


class _Within:
    """Adds actions within a command; options that all commands have may stand before or after an action's name."""

    def __init__(self, actions: Any) -> None:
        self._actions = actions

    def __call__(self, run: Command, name: str, summary: str, *examples: str) -> argparse.ArgumentParser:
        return Adder(self)(run, name, summary, *examples)

    def add_parser(self, name: str, **how: Any) -> argparse.ArgumentParser:
        """A parser under the last word of a name, without defaults: they would undo what stood before that."""
        action, default = name.partition(" ")[2], argparse.SUPPRESS
        made: argparse.ArgumentParser = self._actions.add_parser(action, argument_default=default, **how)
        return made


def _list(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        found = [_facts(facts) for facts in archive.cohorts()]
    if options.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        table([{**facts, "hash": facts["hash"][:HASH]} for facts in found], LISTED)
    return 0


def _freeze(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        search = archive.search(options.level, **criteria(options.criteria, options.text))
        _tell(search.freeze(options.name), options)
    return 0


def _show(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        cohort = archive.cohort(options.name)
        rows = cohort.to_frame().astype(object)
    rows = rows.where(rows.notna(), None)
    if options.json:
        told = _facts(cohort.facts) | {"withheld": cohort.withheld, "rows": rows.to_dict("records")}
        print(json.dumps(told, indent=1, ensure_ascii=False, default=str))
        return 0
    _tell(cohort, options)
    table(rows.to_dict("records"), SHOWN)
    return 0


def _diff(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        other = archive.cohort(options.other) if options.other else None
        found = archive.cohort(options.name).diff(other)
    print(json.dumps(_difference(found), indent=1) if options.json else found)
    return 0 if found.same else 1


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive, progress("objects", options) as bar:
        found = archive.cohort(options.name).verify(progress=lambda done: bar.update(done - bar.n))
    print(json.dumps(asdict(found), indent=1) if options.json else found)
    return 0 if found.clean else 1


def _export(options: argparse.Namespace, settings: Settings) -> int:
    with opened(options, settings) as archive:
        done = archive.cohort(options.name).export(options.target, options.format, partial=options.partial)
    if not done.paths:
        raise BadQuery("nothing was written: " + ("; ".join(done.left) or "there is nothing of this form"))
    for path in done.paths:
        print(path)
    for left in done.left:
        print(f"left out: {left}")
    return 1 if done.left else 0


def _tell(cohort: Cohort, options: argparse.Namespace) -> None:
    facts = _facts(cohort.facts)
    if options.json:
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    withheld = f", {cohort.withheld} series withheld" if cohort.withheld else ""
    print(f"{facts['name']}: {facts['series']} series, {facts['objects']} objects, frozen {facts['frozen']}{withheld}")
    print(f"hash {facts['hash']}")


def _facts(facts: Facts) -> dict[str, Any]:
    at = datetime.fromtimestamp(facts.at / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC")
    told = {name: value for name, value in asdict(facts).items() if name != "asked"}
    return told | {"frozen": at}


def _difference(found: Difference) -> dict[str, Any]:
    return {name: getattr(found, name).to_dict("records") for name in ("added", "removed", "changed")}
