"""Presentation states of a stack, as a viewer applies them to its images (PS3.3 §A.33, PS3.4 §N.2).

A viewer applies what is told here, and says in words what a state holds beside that. Places are in voxel edges of the
images as they are stored: the outer corner of the first pixel is (0, 0). Planes are numbered as those of a stack, in C
order of ``(*extra dimensions, slice)``.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.geometry.plane import letters
from pacs_panel.model import Kept, Revision, Stack
from pacs_panel.view.document.partners import Both
from pacs_panel.view.source import StoredFrames

Told = dict[str, Any]
SOFTCOPY = "1.2.840.10008.5.1.4.1.1.11."
# Of other classes (blending, volumes) nothing is applied.
PLAIN = {SOFTCOPY + "1": (), SOFTCOPY + "2": (), SOFTCOPY + "3": ("its colours",), SOFTCOPY + "5": ()}
MODALITY = "PR"


@runtime_checkable
class PresentationSource(Protocol):
    """Presentation states of one stack."""

    def presentations(self) -> list[Told]:
        """What there is, each as `told` gives it."""
        ...


class HasPresentations(Protocol):
    """What is asked of an archive here, each time anew: it knows who may see what, and what is newest."""

    def find(self, uid: str) -> Mapping[str, Any]:
        """The row of a series."""
        ...

    def revision(self, uid: str, revision: str | None = None) -> Revision:
        """The current revision of a series."""
        ...

    def open_frames(self, uid: str, stack: int | None = None, revision: str | None = None) -> StoredFrames:
        """Frames of a stack of a revision."""
        ...

    def objects(self, uid: str) -> Sequence[Kept]:
        """The objects of a series."""
        ...

    def references(self, uid: str, level: Literal["series", "instance"] = "series") -> Both:
        """What a series or an object names, and what names it."""
        ...

    def document(self, uid: str) -> Any:
        """What an object without images says."""
        ...


@dataclass(frozen=True, slots=True)
class StackPresentations:
    """The presentation states of a stack of a series, as of now.

    Parameters
    ----------
    archive : HasPresentations
    series : str
        Key of the series.
    stack : int
    revision : str
        That of the images that are shown; where the series is of another one by now, its planes may be others, and
        nothing is given. Empty: of whichever is newest.
    """

    archive: HasPresentations
    series: str
    stack: int = 0
    revision: str = ""

    def presentations(self) -> list[Told]:
        """Those that speak of an image of the stack; see `told`. `NotFound` where the stack is not there any more."""
        newest = self.archive.revision(self.series)
        if self.revision not in ("", newest.revision) or self.stack >= len(newest.stacks):
            raise NotFound(f"series {self.series} is of another revision by now")
        stack = newest.stacks[self.stack]
        facts = self.archive.open_frames(self.series, self.stack, newest.revision).describe()
        images = [kept.image for kept in self.archive.objects(self.series) if kept.sop_instance_uid in stack.members]
        tiled = any(image is None or image.tiles or image.matrix for image in images)
        found = [told(state, stack, facts, tiled) for state in self._states()]
        return sorted((one for one in found if one["planes"]), key=lambda one: (one["label"], one["sop_instance_uid"]))

    def _states(self) -> Iterable[Any]:
        named = {one.source: one.source_key for one in self.archive.references(self.series).referred_by}
        for uid, key in named.items():
            try:
                if self.archive.find(key)["Modality"] != MODALITY:
                    continue
                document = self.archive.document(uid)
            except PacsPanelError:  # it is gone by now, or damaged: its own page says so
                continue
            if hasattr(document, "graphics"):
                yield document


def encode_presentations(source: PresentationSource | None) -> bytes:
    """Presentation states as they travel; none where there is no source."""
    return json.dumps(source.presentations() if source else [], separators=(",", ":")).encode()


def told(state: Any, stack: Stack, facts: Mapping[str, Any], tiled: bool = False) -> Told:
    """A presentation state for one stack, as plain JSON types.

    Parameters
    ----------
    state : PresentationState
        As the archive's ``document`` gives it.
    stack : Stack
    facts : mapping
        As `StoredFrames.describe` gives them.
    tiled : bool
        Whether planes are tiles of the objects' frames, or put together of them: places in frames are not theirs then.

    Returns
    -------
    dict
        ``sop_instance_uid``, ``label``, ``planes`` that it speaks of; ``possible``, whether any of it is applied;
        ``left``, in words what of it is not. ``windows``: the first that holds for a plane counts, either ``center``,
        ``width`` and ``function``, or ``first`` and ``greys`` of a table. ``inverse``, or nothing where it says
        nothing of greys. ``figures`` (``shape``, ``points``, ``filled``, ``colour``), ``texts`` (``text``, ``anchor``,
        ``box``, ``pointing``, ``colour``) and ``shutter`` (``rectangle``, ``circle``, ``polygon``, ``grey``).
        ``view``: how the images are turned, as `pacs_panel.geometry.plane.View` tells it.
    """
    planes = _Planes(stack)
    spoken = planes.of(state.images)
    possible = state.head.sop_class_uid in PLAIN
    left = list(state.unread) + list(PLAIN.get(state.head.sop_class_uid, ()))
    windows, unfit = _windows(state, planes, spoken, facts)
    figures, texts, lost = ([], [], 0) if tiled else _drawn(state, planes, spoken)
    if tiled and (state.graphics or state.labels or state.shutter):
        left.append("its figures and shutter, whose places are those of other frames")
    if lost:
        left.append(f"{lost} figures or texts without a place")
    if state.rotation % 90:
        left.append(f"a rotation by {state.rotation}°")
    if not possible:
        left = [state.head.kind, *left]
    return {
        "sop_instance_uid": state.head.sop_instance_uid,
        "label": state.label or state.text or state.head.description or "without a name",
        "planes": spoken,
        "possible": possible,
        "left": left + unfit + _areas(state, stack),
        "windows": windows,
        "inverse": {"INVERSE": True, "IDENTITY": False}.get(state.shape),
        "figures": figures,
        "texts": texts,
        "shutter": None if tiled else _shutter(state.shutter),
        "view": view(state.rotation, state.flipped, stack),
    }


class _Planes:
    """Which planes of a stack an object's frames are."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.known: dict[str, list[tuple[int, int]]] = {}
        for number, (uid, frame) in enumerate(stack.planes()):
            self.known.setdefault(uid, []).append((frame, number))

    def of(self, images: Iterable[Any]) -> list[int]:
        """Numbers of the planes that references mean."""
        return sorted(
            {
                number
                for image in images
                for frame, number in self.known.get(image.sop_instance_uid, ())
                if not image.frames or frame + 1 in image.frames
            }
        )

    def among(self, images: Sequence[Any], spoken: list[int]) -> list[int]:
        """The same of a part of a state, which speaks of all that the state does where it names nothing."""
        return self.of(images) if images else spoken

    def uid(self, number: int) -> str:
        return self.stack.members[number]


def _windows(state: Any, planes: _Planes, spoken: list[int], facts: Mapping[str, Any]) -> tuple[list[Told], list[str]]:
    """Windows and tables, and what is wrong with those that are left out."""
    found: list[Told] = []
    unfit = set()
    for one in state.windows:
        if not (numbers := planes.among(one.images, spoken)):
            continue
        if not _same_values(state, facts):
            unfit.add("its window, which is of other values than these")
        elif one.table and one.greys:
            first = _signed(one.first) if str(facts["dtype"]).startswith("int") else one.first
            found.append({"planes": numbers, "name": one.explanation, "first": first, "greys": _text(one.greys)})
        elif one.width and one.width > 0 and one.function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
            window = {"center": one.centre, "width": one.width, "function": one.function}
            found.append({"planes": numbers, "name": one.explanation, **window})
        else:
            unfit.add("a table of greys that is damaged" if one.table else "a window that cannot be drawn")
    return found, sorted(unfit)


def _signed(first: int) -> int:
    """The first value of a table for signed images, also where its descriptor was read as unsigned."""
    return first - (1 << 16) if first >= 1 << 15 else first


def _same_values(state: Any, facts: Mapping[str, Any]) -> bool:
    """Whether the state's modality transform is that of the images, so that its windows mean the same values.

    A state without one takes stored values (PS3.4 §N.2.1.1).
    """
    if "a modality table" in state.unread or str(facts["dtype"]).startswith("float"):
        return False
    slope, intercept = state.rescale or (1.0, 0.0)
    near = 1e-4 * min(1.0, abs(slope))  # of a stored step: slopes of doses and counts can be tiny
    same = np.isclose(slope, facts["slope"], rtol=1e-5, atol=0)
    return bool(same and np.isclose(intercept, facts["intercept"], rtol=0, atol=near))


def _drawn(state: Any, planes: _Planes, spoken: list[int]) -> tuple[list[Told], list[Told], int]:
    """Figures and texts, the lowest layer first; and how many have no place."""
    colours = dict(state.layer_colours)
    order = {name: number for number, name in enumerate(state.layers)}
    figures: list[Told] = []
    texts: list[Told] = []
    lost = 0
    for one in sorted(state.graphics, key=lambda graphic: order.get(graphic.layer, -1)):
        look = {"shape": one.shape, "filled": one.filled, "colour": colours.get(one.layer)}
        for numbers, (points,) in _placed(state, planes, planes.among(one.images, spoken), [(one.points, one.units)]):
            lost += points is None
            figures += [{**look, "planes": numbers, "points": points}] if points else []
    for one in sorted(state.labels, key=lambda label: order.get(label.layer, -1)):
        look = {"text": one.text, "pointing": one.pointing, "colour": colours.get(one.layer)}
        parts = [((one.anchor,) if one.anchor else (), one.units), (one.box or (), one.box_units)]
        for numbers, (anchor, box) in _placed(state, planes, planes.among(one.images, spoken), parts):
            lost += not anchor and not box
            place = {"anchor": anchor[0] if anchor else None, "box": box or None}
            texts += [{**look, "planes": numbers, **place}] if anchor or box else []
    return figures, texts, lost


def _placed(
    state: Any, planes: _Planes, numbers: list[int], parts: list[tuple[Sequence[Any], str]]
) -> Iterable[tuple[list[int], list[list[list[float]] | None]]]:
    """Points on images, in voxel edges; planes on which they are at the same places come together."""
    groups: dict[Any, list[int]] = {}
    for number in numbers:
        places = tuple(state.on_image(tuple(points), units, planes.uid(number)) for points, units in parts)
        groups.setdefault(places, []).append(number)
    for places, found in groups.items():
        yield found, [None if p is None else [[x + 0.5, y + 0.5] for x, y in p] for p in places]


def _areas(state: Any, stack: Stack) -> list[str]:
    """What is said of the displayed area, where it is not just the whole image fitted to the screen."""
    _, rows, columns = stack.passport.shape
    for area in state.areas:
        across = sorted((area.top_left[0], area.bottom_right[0]))
        down = sorted((area.top_left[1], area.bottom_right[1]))
        if across != [0, columns - 1] or down != [0, rows - 1] or area.size not in ("", "SCALE TO FIT"):
            return ["its displayed area: the whole image is shown"]
    return []


def _shutter(shutter: Any) -> Told | None:
    if shutter is None:
        return None
    circle = shutter.circle
    return {
        "rectangle": [edge + 0.5 for edge in shutter.rectangle] if shutter.rectangle else None,
        "circle": [circle[0] + 0.5, circle[1] + 0.5, circle[2]] if circle else None,
        "polygon": [[x + 0.5, y + 0.5] for x, y in shutter.polygon],
        "grey": shutter.grey,
    }


def view(rotation: int, flipped: bool, stack: Stack) -> Told:
    """How images are drawn that are turned clockwise, then mirrored left to right (PS3.3 §C.10.6).

    Returns
    -------
    dict
        ``transpose``, ``flip_rows``, ``flip_columns``, ``spacing`` and ``labels`` of a
        `pacs_panel.geometry.plane.View`; no letters where the patient's directions are not known.
    """
    quarter = rotation // 90 % 4 if rotation % 90 == 0 else 0
    transpose, flip_rows, flip_columns = quarter in (1, 3), quarter in (2, 3), quarter in (1, 2)
    flip_columns ^= flipped
    _, rows, columns = stack.passport.spacing
    labels = {}
    if stack.passport.affine is not None:
        steps = np.asarray(stack.passport.affine)[:3, :2].T  # along columns, along rows
        right, down = steps[::-1] if transpose else steps
        right, down = right * (1 - 2 * flip_columns), down * (1 - 2 * flip_rows)
        edges = {"left": -right, "right": right, "top": -down, "bottom": down}
        labels = {edge: letters(direction) for edge, direction in edges.items()}
    return {
        "transpose": transpose,
        "flip_rows": flip_rows,
        "flip_columns": flip_columns,
        "spacing": [columns, rows] if transpose else [rows, columns],
        "labels": labels,
    }


def _text(data: bytes) -> str:
    return b64encode(data).decode()
