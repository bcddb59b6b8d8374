"""A cohort to files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pacs_panel.cohort.frozen import Frozen, to_frame, to_parquet
from pacs_panel.cohort.values import Exported
from pacs_panel.errors import PacsPanelError
from pacs_panel.model import Kept, Revision
from pacs_panel.pipeline.export import export_originals, export_volumes
from pacs_panel.settings import Settings

MANIFESTS = ("csv", "parquet")


def write_manifest(frozen: Frozen, target: Path, form: str) -> Path:
    """Write what a cohort holds, without the criteria, to ``target/cohort.<form>``.

    Raises
    ------
    PacsPanelError
        It is there already.
    """
    path = target / f"cohort.{form}"
    if path.exists():
        raise PacsPanelError(f"{path} is there already; export to another folder")
    target.mkdir(parents=True, exist_ok=True)
    facts = replace(frozen.facts, asked="")
    content = to_parquet(Frozen(facts, frozen.rows)) if form == "parquet" else _csv(frozen)
    with path.open("xb") as file:
        file.write(content)
    return path


def _csv(frozen: Frozen) -> bytes:
    return to_frame(frozen.rows).to_csv(index=False, lineterminator="\n").encode()


def refuse_again(target: Path, keys: Iterable[str]) -> None:
    """Raise `PacsPanelError` where something of these series is in the target already."""
    wanted = set(keys)
    there = [path for path in target.iterdir() if path.name[:KEY] in wanted] if target.is_dir() else []
    if there:
        raise PacsPanelError(f"{there[0]} is there already; export to another folder")


KEY = 26  # characters of a key, with which all names of exported files begin


def write(
    root: Path, series: Iterable[tuple[list[Kept], Revision | None]], target: Path, form: str, settings: Settings
) -> Exported:
    """Write series, each by its objects and (but for DICOM) its revision; what cannot be written is told."""
    paths: list[Path] = []
    left: list[str] = []
    for objects, revision in series:
        if form == "dicom":
            paths += export_originals(root, objects, target)
        elif revision is None:
            left.append(f"series {objects[0].series_key}: it had no volumes when it was frozen")
        else:
            try:
                for path in export_volumes(root, revision, target, form, objects, settings):
                    paths.append(path)
            except PacsPanelError as error:
                left.append(f"series {revision.series_key}: {error}")
    return Exported(tuple(paths), tuple(left))
