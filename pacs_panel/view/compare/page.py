"""The Compare page: ``compare?series=<key>&series=<key>…``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import panel as pn

from pacs_panel.errors import Ambiguous, NotFound, NotYetShown, PacsPanelError
from pacs_panel.view.browse.pages import asked
from pacs_panel.view.browse.parts import Note
from pacs_panel.view.browse.series import address
from pacs_panel.view.compare.link import Group, Linked, Links, frames, windows_agree
from pacs_panel.view.compare.parts import Label, LinkBar
from pacs_panel.view.image.viewer import image_view
from pacs_panel.view.overlay.stored import StackOverlays
from pacs_panel.view.page import Subscribe, follow, shell
from pacs_panel.view.presentation import StackPresentations
from pacs_panel.view.source import StackFrames
from pacs_panel.view.stack import stack_frames, title_of
from pacs_panel.view.words import person

MOST = 6
FILL: dict[str, Any] = {"sizing_mode": "stretch_both", "height": None, "min_height": 340, "margin": 0}
GRID = """
:host {
  --across: 1;
  --rows: calc(round(up, var(--count) / var(--across), 1));
  display: grid !important;
  grid-template-columns: repeat(var(--across), minmax(0, 1fr));
  grid-auto-rows: max(430px, calc((100vh - 124px) / var(--rows) - 12px));
  gap: 12px;
  padding: 0 12px 12px;
}
:host(.n1) { --count: 1; }
:host(.n2) { --count: 2; }
:host(.n3) { --count: 3; }
:host(.n4) { --count: 4; }
:host(.n5) { --count: 5; }
:host(.n6) { --count: 6; }
@media (min-width: 1000px) {
  :host(:not(.n1)) { --across: 2; }
}
@media (min-width: 1500px) {
  :host(:is(.n3, .n5, .n6)) { --across: 3; }
}
"""
FRAMED = ":host { border: 1px solid var(--line); border-top: 0; border-radius: 0 0 6px 6px; }"
EMPTY = {
    "title": "Nothing to compare yet",
    "words": "Choose two to six series on Browse, and compare them: they stand side by side here, at one place.",
    "link": ["browse", "Go to Browse"],
}
WORDS = {
    "building": ("Being built", "It stands here as soon as it is ready."),
    "ambiguous": ("Several series have this UID", "Find the one that is meant in the list."),
    "missing": ("There is no such series", "It may have been removed, or the address is incomplete."),
}


@dataclass(eq=False)
class Cell:
    """One series among those that are compared."""

    key: str
    stamp: tuple[str, str]
    box: pn.Column
    label: Label
    linked: Linked | None = None


class Compare(pn.viewable.Viewer):
    """Some series side by side: `bar` says what is linked, `grid` holds them.

    Parameters
    ----------
    archive : Archive
        As whoever opened the page may see it.
    series : sequence of str
        Keys; more than six are not shown.
    """

    def __init__(self, archive: Any, series: Sequence[str]) -> None:
        super().__init__()
        self.archive = archive
        every = list(dict.fromkeys(series))
        self.series, self.left = every[:MOST], len(every[MOST:])
        self.links, self.cells = Links(), list[Cell]()
        self.group = Group(self.links, self._label)
        self.bar = LinkBar(sizing_mode="stretch_width", margin=0)
        self.grid = pn.Column(sizing_mode="stretch_both", margin=0, stylesheets=[GRID])
        self.bar.on_msg(lambda event: self.hear(event.data))
        self.put(self.read())
        members = self.group.members
        self.links.window = len(members) > 1 and bool(members[0].meta.unit) and self._units() == 1
        self.links.param.watch(lambda *_: self._linked(), list(self.links.param)[1:])
        self._linked()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(self.bar, self.grid, sizing_mode="stretch_both", margin=0)

    # -- reading and showing -------------------------------------------------------------------------------------------

    def read(self) -> dict[str, dict[str, Any]]:
        """What is known of each series as of now, in whatever thread."""
        return {key: self._read(key) for key in self.series}

    def _read(self, key: str) -> dict[str, Any]:
        try:
            row = self.archive.find(key)
        except Ambiguous:
            return {"state": "ambiguous"}
        except NotFound:
            return {"state": "missing"}
        except PacsPanelError as error:
            return {"state": "error", "words": str(error)}
        try:
            source = stack_frames(self.archive, str(row["key"]), 0)
            return {"state": "shown", "row": row, "source": source, "name": source.meta().revision}
        except NotYetShown:
            return {"state": "building" if not row["revision"] else "kept", "row": row}
        except PacsPanelError as error:
            return {"state": "kept" if not row["Verdict"] else "error", "row": row, "words": str(error)}

    def put(self, found: Mapping[str, Mapping[str, Any]]) -> None:
        """Show what was read, leaving what has not changed as it stands."""
        before = {cell.key: cell for cell in self.cells}
        self.cells = [self._cell(key, found[key], before.get(key)) for key in self.series if key in found]
        boxes: list[Any] = [cell.box for cell in self.cells] or [
            Note(shown=EMPTY, sizing_mode="stretch_both", margin=0)
        ]
        self.grid.css_classes = [f"n{len(boxes)}"]
        if list(self.grid) != boxes:
            self.grid[:] = boxes
        self.group.put([cell.linked for cell in self.cells if cell.linked])

    def _cell(self, key: str, found: Mapping[str, Any], before: Cell | None) -> Cell:
        stamp = (str(found["state"]), str(found.get("name", "")))
        if before is not None and before.stamp == stamp:
            return before
        label = Label(shown=_label(key, found), sizing_mode="stretch_width", margin=0)
        label.on_msg(lambda _event: self.close(key))
        linked = None
        if found["state"] == "shown":
            state = before.linked.state if before is not None and before.linked else None
            linked = _linked(found["source"], **({"state": state} if state else {}))
            shown = self._images(found, linked)
        else:
            shown = _note(key, found)
        return Cell(key, stamp, pn.Column(label, shown, sizing_mode="stretch_both", margin=0), label, linked)

    def _images(self, found: Mapping[str, Any], linked: Linked) -> Any:
        meta = linked.meta
        built = bool(found["row"]["revision"]) and meta.revision == found["row"]["revision"]
        over = StackOverlays(self.archive, meta.series_key, meta.stack) if built else None
        states = StackPresentations(self.archive, meta.series_key, meta.stack, meta.revision) if built else None
        if not self.cells and meta.views and linked.state.index is None:
            linked.state.layout = meta.views[0].name  # three planes of several series would be small
        source = StackFrames(found["source"].frames, replace(meta, title=()))
        return image_view(source, "http", "", linked.state, over, states, **FILL)

    # -- linking -------------------------------------------------------------------------------------------------------

    def _linked(self) -> None:
        """Tell what is linked, and bring together what now is."""
        members = self.group.members
        count = len(members)
        mixed = len(set(frames(members))) > 1
        switches = [
            _switch("place", "Place", self._places(), self.links.place, count > 1, "L"),
            _switch(
                "relative", "Others by relative position", "", self.links.relative, mixed and self.links.place, "K"
            ),
            _switch("window", "Window", self._windows(), self.links.window, self._pairs(), "W"),
            _switch("zoom", "Zoom and plane", "", self.links.zoom, count > 1, "Z"),
        ]
        links = [each for each in switches if each["name"] != "relative" or mixed] if count > 1 else []
        self.bar.shown = {"title": f"Compare {len(self.cells)} series", "links": links, "notes": self._notes()}
        self.group.bring()

    def _notes(self) -> list[str]:
        left = f"Only {MOST} series fit; {self.left} more of this address are not shown." if self.left else ""
        alone = "Choose another series on Browse to compare this one with." if len(self.cells) == 1 else ""
        return [words for words in (left, alone) if words]

    def _places(self) -> str:
        letters = frames(self.group.members)
        if not any(letters):
            return "one frame of reference"
        return f"{len(set(letters))} frames of reference"

    def _units(self) -> int:
        return len({(member.meta.unit, member.meta.samples) for member in self.group.members})

    def _pairs(self) -> bool:
        members = self.group.members
        return any(windows_agree(a.meta, b.meta) for n, a in enumerate(members) for b in members[n + 1 :])

    def _windows(self) -> str:
        if not self._pairs():
            return "units differ"
        units = {member.meta.unit for member in self.group.members}
        return f"{units.pop() or 'no unit'}" if self._units() == 1 else "where units agree"

    def _label(self) -> None:
        """Tell on each label how it follows."""
        letters = dict(zip(map(id, self.group.members), frames(self.group.members), strict=True))
        for cell in self.cells:
            one = cell.linked
            more = {"frame": letters.get(id(one), ""), "said": one.said} if one else {}
            if any(cell.label.shown.get(name) != value for name, value in more.items()):
                cell.label.shown = {**cell.label.shown, **more}

    # -- hearing -------------------------------------------------------------------------------------------------------

    def hear(self, message: Mapping[str, Any]) -> None:
        """Do what a message from the page says; what makes no sense is left."""
        name, on = message.get("name"), message.get("on")
        if message.get("kind") == "link" and name in ("place", "relative", "window", "zoom") and isinstance(on, bool):
            self.links.param.update(**{name: on})

    def close(self, key: str) -> None:
        """Take a series out of the comparison."""
        self.series = [other for other in self.series if other != key]
        self.put({cell.key: self._as_shown(cell) for cell in self.cells if cell.key != key})
        self._linked()
        if pn.state.location is not None:
            pn.state.location.search = f"?{urlencode([('series', key) for key in self.series])}" if self.series else ""

    def _as_shown(self, cell: Cell) -> dict[str, Any]:
        return {"state": cell.stamp[0], "name": cell.stamp[1]}


def compare_page(archive: Any, subscribe: Subscribe | None = None) -> Any:
    """The Compare page: ``?series=<key>`` two to six times.

    Parameters
    ----------
    archive : Archive
        As whoever opened the page may see it.
    subscribe : callable, optional
        Has a function called after each change of the archive; what it returns ends that.
    """
    compare = Compare(archive, [key for key in asked().get("series", []) if key])
    follow(subscribe, compare.read, compare.put)
    return shell("Compare – pacs_panel", [compare], [])


def _switch(name: str, words: str, about: str, on: bool, able: bool, key: str) -> dict[str, Any]:
    return {"name": name, "words": words, "about": about, "on": on, "able": able, "key": key}


def _linked(source: StackFrames, **state: Any) -> Linked:
    passport = source.frames.describe()["passport"]
    return Linked(source.meta(), str(passport.get("frame_of_reference") or ""), **state)


def _label(key: str, found: Mapping[str, Any]) -> dict[str, Any]:
    row = found.get("row")
    if row is None:
        return {"name": "Series", "id": key, "closable": True}
    return {
        "name": person(row["PatientName"]),
        "id": row["PatientID"] or "",
        "facts": list(title_of(row)),
        "href": address(str(row["key"])),
        "closable": True,
    }


def _note(key: str, found: Mapping[str, Any]) -> Note:
    state = str(found["state"])
    if state in ("kept", "error"):
        kind = found["row"]["Kind"] or "object" if "row" in found else ""
        title = f"No images to compare: {kind}" if state == "kept" else "This series cannot be shown"
        words = "It opens on a page of its own." if state == "kept" else str(found.get("words", ""))
    else:
        title, words = WORDS[state]
    link = [address(key), "Open it"] if "row" in found else ["browse", "Back to Browse"]
    shown = {"state": state, "title": title, "words": words, "link": link}
    return Note(shown=shown, sizing_mode="stretch_both", margin=0, stylesheets=[FRAMED])
