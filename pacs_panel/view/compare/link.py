"""What moves together: the states of several viewers, linked by place, by window and by zoom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import param

from pacs_panel.view.compare.mapping import Framed, corresponding
from pacs_panel.view.source import StackMeta
from pacs_panel.view.state import ViewState

MOVES = ("index", "extra")
WINDOW = ("center", "width", "table")
SIZE = ("zoom", "layout")


@dataclass(eq=False)
class Linked:
    """One viewer among others.

    Attributes
    ----------
    meta : StackMeta
        What it shows.
    frame : str
        Frame of Reference UID of that.
    state : ViewState
    said : str
        How it follows the viewer that was moved last, where that is worth telling.
    """

    meta: StackMeta
    frame: str = ""
    state: ViewState = field(default_factory=ViewState)
    said: str = ""

    @property
    def framed(self) -> Framed:
        """Where its voxels are."""
        return Framed(self.meta, self.frame)

    @property
    def index(self) -> tuple[int, int, int]:
        """The voxel that is looked at; at first the middle one."""
        slices, rows, columns = self.meta.shape
        return self.state.index or (slices >> 1, rows >> 1, columns >> 1)

    @property
    def window(self) -> tuple[float, float] | None:
        """Centre and width, if they are known here."""
        if self.state.width is not None and self.state.center is not None:
            return self.state.center, self.state.width
        return (self.meta.windows[0][0], self.meta.windows[0][1]) if self.meta.windows else None

    def plane(self, name: str) -> bool:
        """Whether it can show that plane alone."""
        return name == "planes" or any(view.name == name for view in self.meta.views)


class Links(param.Parameterized):
    """What is linked."""

    place = param.Boolean(default=True, doc="The same place, in mm, where frames of reference agree.")
    relative = param.Boolean(default=False, doc="Where they do not, the same share of the way.")
    window = param.Boolean(default=False, doc="The same window, where units agree.")
    zoom = param.Boolean(default=True, doc="The same magnification and plane.")


class Group:
    """Viewers that follow one another.

    Parameters
    ----------
    links : Links
    tell : callable
        Called when what is ``said`` of any of them may have changed.
    """

    def __init__(self, links: Links, tell: Callable[[], None] = lambda: None) -> None:
        self.links, self._tell = links, tell
        self.members: list[Linked] = []
        self._moving = False
        self._last: Linked | None = None

    def put(self, members: Sequence[Linked]) -> None:
        """Have these as members, of which some may be new; they are brought together at once."""
        for one in members:
            if one not in self.members:
                one.state.param.watch(lambda *events, one=one: self._heard(one, events), [*MOVES, *WINDOW, *SIZE])
        self.members = list(members)
        if self._last not in self.members:
            self._last = self.members[0] if self.members else None
        self.bring()

    def bring(self) -> None:
        """Bring all to where the one is that was moved last."""
        if self._last is not None:
            self._follow(self._last, {*MOVES, *WINDOW, *SIZE})

    def _heard(self, one: Linked, events: Sequence[Any]) -> None:
        if not self._moving and one in self.members:
            self._last = one
            self._follow(one, {event.name for event in events})

    def _follow(self, one: Linked, names: set[str]) -> None:
        self._moving = True
        try:
            if one.state.index is None:
                one.state.index = one.index
            for other in self.members:
                if other is not one:
                    other.state.param.update(**self._change(one, other, names))
            one.said = ""
        finally:
            self._moving = False
        self._tell()

    def _change(self, one: Linked, other: Linked, names: set[str]) -> dict[str, Any]:
        change: dict[str, Any] = {}
        if names & {*MOVES}:
            change |= self._moved(one, other)
        if self.links.window and names & {*WINDOW} and windows_agree(one.meta, other.meta) and one.window:
            change |= dict(zip(("center", "width"), one.window, strict=True)) | {"table": None}
        if self.links.zoom and names & {*SIZE} and other.plane(one.state.layout):
            change |= {name: getattr(one.state, name) for name in SIZE}
        return change

    def _moved(self, one: Linked, other: Linked) -> dict[str, Any]:
        if not self.links.place:
            other.said = ""
            return {}
        found = corresponding(one.framed, one.index, other.framed, relative=self.links.relative)
        if found is None:
            other.said = "another frame of reference: does not follow"
            return {}
        other.said = "relative position" if found.how == "relative" else "" if found.inside else OUTSIDE
        same = [d.keyword for d in one.meta.dimensions] == [d.keyword for d in other.meta.dimensions]
        sizes = [len(d.values) for d in one.meta.dimensions] == [len(d.values) for d in other.meta.dimensions]
        extra = {"extra": one.state.extra} if same and sizes and one.state.extra else {}
        return {"index": found.index} | extra


OUTSIDE = "this place lies outside; the nearest is shown"


def windows_agree(one: StackMeta, other: StackMeta) -> bool:
    """Whether one window means the same in both: greys of the same unit."""
    return one.samples == other.samples == 1 and one.unit == other.unit


def frames(members: Sequence[Linked]) -> list[str]:
    """A letter for each, the same for those of one frame of reference; all empty where there is only one frame."""
    groups: list[Linked] = []
    told: list[int] = []
    for one in members:
        which = next((n for n, first in enumerate(groups) if first.framed.shares(one.framed)), len(groups))
        groups += [one] if which == len(groups) else []
        told.append(which)
    return [chr(ord("A") + which) for which in told] if len(groups) > 1 else [""] * len(members)
