"""A series' kept objects to one revision: its stacks on disk, a thumbnail, and a manifest.

Plain functions of values, which any process may run.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pacs_panel.dicom.kind import kind
from pacs_panel.errors import PacsPanelError, TooLarge
from pacs_panel.geometry.stack import RULES, stacks
from pacs_panel.model import VERDICTS, ImageHeader, Kept, Location, Passport, Revision, Stack, Tolerance
from pacs_panel.pixels import decode, render
from pacs_panel.pixels.intensity import physical
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.files import sync_folder, write_atomic
from pacs_panel.volume import grid, ome
from pacs_panel.volume import values as meanings
from pacs_panel.volume.values import Values

Array = np.ndarray
Opener = Callable[[Location], BinaryIO]

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
    made = tuple(
        Stack(Passport.from_dict(stack["passport"]), tuple(member["uid"] for member in stack["members"]))
        for stack in data["stacks"]
    )
    return Revision(data["series_key"], data["revision"], data["path"], data["verdict"], made, data["note"])


def _build_stacks(
    kept: Sequence[Kept], opener: Opener, target: Path, settings: Settings, modality: str, body_part: str
) -> tuple[list[Stack], list[str]]:
    """The stacks that could be built, each in the folder of its number, and why others could not."""
    images: dict[str, tuple[Kept, ImageHeader]] = {}
    notes = []
    for one in kept:
        found = kind(one.sop_class_uid, modality, one.image)
        if one.image is not None and found.volume:
            images[one.sop_instance_uid] = (one, one.image)
        else:
            notes.append(f"{found.name}: {found.note}")
    made: list[Stack] = []
    for stack in stacks([image for _, image in images.values()], Tolerance()):
        folder = target / str(len(made))
        members = [images[uid] for uid in stack.members]
        known = modality or ("CT" if members[0][0].sop_class_uid in meanings.CT else "")
        values = meanings.of([image for _, image in members for _ in range(image.frames)], known, body_part)
        try:
            stored = _read(members, values, stack.passport, opener, settings)
        except (PacsPanelError, OSError) as error:
            notes.append(f"a stack of {len(members)} images could not be built: {_reason(error)}")
            continue
        coarse = ome.write(folder, stored, values, stack.passport, stack.members)
        if not made:
            (target / THUMBNAIL).write_bytes(thumbnail(coarse, values, stack.passport))
        made.append(stack)
    return made, notes


def _reason(error: Exception) -> str:
    return f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)


def _read(
    members: Sequence[tuple[Kept, ImageHeader]], values: Values, passport: Passport, opener: Opener, settings: Settings
) -> Array:
    """Stored values of all planes, ``(*extra, slice, row, column)``."""
    shape = (*grid.extra_shape(passport.dimensions), *passport.shape)
    size = math.prod(shape) * values.dtype.itemsize * (1 if values.uniform else 3)
    if size > settings.max_volume_bytes:
        raise TooLarge(f"the array needs {size} bytes, the limit is {settings.max_volume_bytes}")
    out = np.empty(shape, values.dtype)
    planes = iter(out.reshape(-1, *shape[-2:]))
    for one, image in members:
        with ExitStack() as stack:
            try:
                file = stack.enter_context(opener(one.location))
                for frame in range(image.frames):
                    plane = next(planes)
                    if image.frames == 1:
                        decode.read_into(image, file, 0, plane, settings)
                    else:
                        plane[...] = decode.frame(image, file, frame, settings)
            except PacsPanelError as error:
                raise type(error)(f"object {one.sop_instance_uid}: {getattr(error, 'detail', '') or error}") from error
    return out


def thumbnail(image: Array, values: Values, passport: Passport) -> bytes:
    """PNG of the middle slice of a stack, made from its coarsest level ``(*extra, slice, row, column)``."""
    volume = image.reshape(-1, *image.shape[-3:])
    stored = volume[len(volume) // 2, image.shape[-3] // 2]
    shown = physical(stored, values.slopes[0], values.intercepts[0]) if values.uniform else stored
    low, high = values.padding if values.uniform and values.padding else (1, 0)
    mask = (stored >= low) & (stored <= high)
    window = meanings.default_window(meanings.facts(values))
    return render.thumbnail(
        shown,
        spacing=passport.spacing[1:],
        window=window,
        invert=values.photometric == "MONOCHROME1",
        mask=mask if mask.any() else None,
    )


def _manifest(revision: Revision, kept: Mapping[str, Kept]) -> bytes:
    """What is where, and from which objects: plane ``n`` of a stack is frame after frame of its members in order."""

    def member(uid: str) -> dict[str, Any]:
        one = kept[uid]
        frames = one.image.frames if one.image else 0
        return {"uid": uid, "frames": frames, "file": one.digests.file, "dataset": one.digests.dataset}

    listed = [
        {"path": str(number), "passport": stack.passport.to_dict(), "members": [member(uid) for uid in stack.members]}
        for number, stack in enumerate(revision.stacks)
    ]
    data = {
        "format": ome.FORMAT,
        "rules": RULES,
        "series_key": revision.series_key,
        "revision": revision.revision,
        "path": revision.path,
        "verdict": revision.verdict,
        "note": revision.note,
        "stacks": listed,
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
