"""A series' kept objects to one revision: its stacks on disk, a thumbnail, and a manifest.

Plain functions of values, which any process may run.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pacs_panel.errors import PacsPanelError
from pacs_panel.geometry.stack import RULES, stacks
from pacs_panel.model import VERDICTS, ImageHeader, Kept, Passport, Revision, Stack, Tolerance
from pacs_panel.pixels import render
from pacs_panel.pixels.intensity import physical
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.files import sync_folder, write_atomic
from pacs_panel.volume import ome, pet
from pacs_panel.volume import values as meanings
from pacs_panel.volume.gather import Opener, Pixels, PlaneKey, gather, marked
from pacs_panel.volume.values import Values

Array = np.ndarray
Planes = Mapping[PlaneKey, tuple[Kept, ImageHeader]]

MANIFEST, THUMBNAIL = "manifest.json", "thumbnail.png"


def revision_id(kept: Sequence[Kept]) -> str:
    """Name of what `build` makes of these objects: the same, in any order, as long as objects and rules are."""
    return layout.key("revision", RULES, str(ome.FORMAT), *sorted(one.digests.dataset for one in kept))


def build(
    series_key: str,
    kept: Sequence[Kept],
    opener: Opener,
    target: Path,
    settings: Settings,
    *,
    modality: str = "",
    body_part: str = "",
) -> Revision:
    """Write the volumes of a series.

    A finished revision at ``target`` is returned as it is; what an interrupted build left there is removed first. The
    manifest is written last and made durable: where it is, all is. A stack that cannot be built (damaged, too large)
    is left out, with its reason in the revision's note.

    Parameters
    ----------
    series_key : str
    kept : sequence of Kept
        The series' current objects.
    opener : callable
        Opens the bytes of one object as a file of its own.
    target : Path
        Folder of the revision: final, and of this revision alone. Stack ``n`` is written to ``target/n``.
    settings : Settings
    modality, body_part : str, optional
        Of the series; they tell unit and presets of windows. A CT is known by its SOP class, too.

    Returns
    -------
    Revision
    """
    if (done := published(target)) is not None:
        return done
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    made, notes = _build_stacks(kept, opener, target, settings, modality, body_part)
    verdicts = [stack.passport.verdict for stack in made]
    identifier = revision_id(kept)
    revision = Revision(
        series_key=series_key,
        revision=identifier,
        path=layout.revision(series_key, identifier),
        verdict=max(verdicts, key=VERDICTS.index, default=""),
        stacks=tuple(made),
        note="; ".join(dict.fromkeys(notes)),
    )
    _sync(target)
    write_atomic(target / MANIFEST, _manifest(revision, {one.sop_instance_uid: one for one in kept}))
    return revision


def published(target: Path) -> Revision | None:
    """The finished revision in a folder; ``None`` where there is none, or one that was interrupted."""
    try:
        data = json.loads((target / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if data["format"] != ome.FORMAT:
        return None
    made = tuple(Stack.from_dict(stack) for stack in data["stacks"])
    return Revision(data["series_key"], data["revision"], data["path"], data["verdict"], made, data["note"])


def _build_stacks(
    kept: Sequence[Kept], opener: Opener, target: Path, settings: Settings, modality: str, body_part: str
) -> tuple[list[Stack], list[str]]:
    """The stacks that could be built, each in the folder of its number, and why others could not."""
    planes, notes = gather(kept, opener, settings)
    made: list[Stack] = []
    waiting = list(stacks([image for _, image in planes.values()], Tolerance()))
    while waiting:
        stack = waiting.pop(0)
        folder = target / str(len(made))
        members = [planes[plane] for plane in stack.planes()]
        known = modality or ("CT" if members[0][0].sop_class_uid in meanings.CT else "")
        values = meanings.of([image for _, image in members], known, body_part)
        values = replace(values, pet=pet.facts(members, opener, settings))
        try:
            stack, values = _write(folder, planes, values, stack, opener, settings)
        except PacsPanelError as error:
            what = "a level of a slide" if isinstance(error, _NoLevel) else f"a stack of {len(members)} images"
            notes.append(f"{what} could not be built: {error}")
            shutil.rmtree(folder, ignore_errors=True)
            waiting = _largest_first([*_rest(stack, error, planes), *waiting])
            continue
        if not made:
            # A mean of values that stand for colours stands for another colour.
            image = ome.middle(folder, stack.passport, values.samples, level=0 if values.supplemental else -1)
            (target / THUMBNAIL).write_bytes(thumbnail(image, values, stack.passport))
        made.append(stack)
    return made, notes


class _NoLevel(PacsPanelError):
    """An object whose pixels were to be a level of a stack cannot be decoded; ``uid`` tells which."""

    def __init__(self, uid: str, error: PacsPanelError) -> None:
        super().__init__(str(error))
        self.uid = uid


def _rest(stack: Stack, error: PacsPanelError, planes: Planes) -> tuple[Stack, ...]:
    """What else is made of a stack that could not be built: of its objects without the one that was in the way."""
    bad = {error.uid} if isinstance(error, _NoLevel) else set(stack.members)
    levels = [(own.sop_instance_uid, frame) for own in stack.passport.levels for frame in own.frames]
    good = [planes[plane][1] for plane in (*stack.planes(), *levels) if plane[0] not in bad]
    return stacks(good, Tolerance())


def _largest_first(waiting: Sequence[Stack]) -> list[Stack]:
    return sorted(waiting, key=lambda stack: -len(stack.members) * math.prod(stack.passport.shape[1:]))


def _write(
    folder: Path, planes: Planes, values: Values, stack: Stack, opener: Opener, settings: Settings
) -> tuple[Stack, Values]:
    """Write a stack, in memory that does not grow with it; what is known of it then.

    Which images are blank is known once all are decoded, but has a say in each level's means. So a stack with blank
    ones, which is rare, is written once more.
    """
    known: dict[int, str] = {}
    reasons: list[str] = []
    members = [planes[plane] for plane in stack.planes()]
    while True:
        told = marked(stack, known, reasons) if known or reasons else stack
        values = replace(values, blank=frozenset(known))
        pixels = Pixels(members, values, stack.passport, opener, settings)
        levels = _levels(stack.passport, planes, values, opener, settings)
        ome.write(folder, pixels.slabs(), values, told, {uid: _slabs(uid, level) for uid, level in levels.items()})
        found = [reason for level in levels.values() for reason in level.blank.values()]
        if pixels.blank.keys() <= known.keys() and found == reasons:
            return told, values
        known |= pixels.blank
        reasons = found
        shutil.rmtree(folder)


def _levels(
    passport: Passport, planes: Planes, values: Values, opener: Opener, settings: Settings
) -> dict[str, Pixels]:
    """The pixels of each object that is a level, plane by plane those of the stack."""
    made = {}
    for own in passport.levels:
        members = [planes[own.sop_instance_uid, frame] for frame in own.frames]
        made[own.sop_instance_uid] = Pixels(members, values, replace(passport, shape=own.shape), opener, settings)
    return made


def _slabs(uid: str, level: Pixels) -> Iterator[ome.Slab]:
    try:
        yield from level.slabs()
    except PacsPanelError as error:
        raise _NoLevel(uid, error) from error


def thumbnail(stored: Array, values: Values, passport: Passport) -> bytes:
    """PNG of one image ``(row, column[, sample])`` of a stack's array called ``image``."""
    grey = values.uniform and values.samples == 1
    shown = physical(stored, values.slopes[0], values.intercepts[0]) if grey else stored
    low, high = values.padding if values.uniform and values.padding else (1, 0)
    mask = (stored >= low) & (stored <= high)
    facts = meanings.facts(values)
    palette = meanings.supplemental(facts)
    return render.thumbnail(
        shown,
        spacing=passport.spacing[1:],
        window=meanings.default_window(facts),
        invert=values.photometric == "MONOCHROME1",
        mask=mask if mask.any() else None,
        colours=None if palette is None else (stored, palette),
    )


def _manifest(revision: Revision, kept: Mapping[str, Kept]) -> bytes:
    """What is where, and from which objects: plane ``n`` of a stack is frame ``frames[n]`` of object ``members[n]``."""
    levels = [own.sop_instance_uid for stack in revision.stacks for own in stack.passport.levels]
    uids = dict.fromkeys([*(uid for stack in revision.stacks for uid in stack.members), *levels])
    data = {
        "format": ome.FORMAT,
        "rules": RULES,
        "series_key": revision.series_key,
        "revision": revision.revision,
        "path": revision.path,
        "verdict": revision.verdict,
        "note": revision.note,
        "stacks": [{"path": str(number), **stack.to_dict()} for number, stack in enumerate(revision.stacks)],
        "objects": {uid: {"file": kept[uid].digests.file, "dataset": kept[uid].digests.dataset} for uid in uids},
    }
    return json.dumps(data).encode()


def _sync(folder: Path) -> None:
    """Make all files below a folder durable."""
    for place, _, names in os.walk(folder):
        for name in names:
            fd = os.open(Path(place, name), os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        sync_folder(Path(place))
    sync_folder(folder.parent)
