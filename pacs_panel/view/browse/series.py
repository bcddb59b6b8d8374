"""The View page: one series, drawn, in words, and with its header."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

import panel as pn
import param

from pacs_panel.dicom import full
from pacs_panel.errors import Ambiguous, NotFound, NotYetShown, PacsPanelError
from pacs_panel.model import Revision
from pacs_panel.view.browse.parts import Details, Note
from pacs_panel.view.image.viewer import image_view
from pacs_panel.view.source import StoredFrames
from pacs_panel.view.stack import stack_frames
from pacs_panel.view.words import day, passport_facts, person

BROWSE = ("browse", "Back to Browse")


class HasOneSeries(Protocol):
    """What is asked of an archive here."""

    def find(self, uid: str) -> Mapping[str, Any]:
        """The row of a series."""
        ...

    def revision(self, uid: str, revision: str | None = None) -> Revision:
        """The current revision of a series."""
        ...

    def open_frames(self, uid: str, stack: int | None = None, revision: str | None = None) -> StoredFrames:
        """Frames of a stack of a revision."""
        ...

    def header(self, uid: str) -> dict[str, Any]:
        """The full header of a series' first object."""
        ...


class SeriesPage(pn.viewable.Viewer):
    """One series: its images in `main`, all that is known of it in `details`.

    Parameters
    ----------
    archive : HasOneSeries
    series : str
        Key or UID.
    stack : int
    base : str
        What stands before ``/frames/…``.
    """

    archive = param.Parameter(doc="What is looked into.")
    series = param.String(doc="Key or UID of the series.")
    stack = param.Integer(default=0, bounds=(0, None))
    base = param.String(default="")

    def __init__(self, archive: HasOneSeries, series: str, stack: int = 0, base: str = "") -> None:
        super().__init__(archive=archive, series=series, stack=stack, base=base)
        self.main = pn.Column(sizing_mode="stretch_both", min_height=420, margin=0)
        self.details = Details(sizing_mode="stretch_width", margin=0)
        self._lock, self._revision, self._state = threading.Lock(), "", ""
        self.put(self.read())

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Row(self.details, self.main)

    def read(self) -> dict[str, Any]:
        """What is known of the series as of now, in whatever thread: ``state``, and what goes with it."""
        try:
            row = self.archive.find(self.series)
        except Ambiguous as error:
            return {"state": "ambiguous", "choices": error.choices}
        except NotFound:
            return {"state": "missing"}
        except PacsPanelError as error:
            return {"state": "error", "words": str(error)}
        try:
            revision = self.archive.revision(str(row["key"]))
        except NotYetShown:
            return {"state": "building", "row": row}
        return {"state": "shown" if revision.stacks else "kept", "row": row, "revision": revision}

    def put(self, found: Mapping[str, Any]) -> None:
        """Show what was read, where it is not what is shown already."""
        revision = found["revision"].revision if "revision" in found else ""
        with self._lock:
            if (found["state"], revision) == (self._state, self._revision):
                return
            self._state, self._revision = found["state"], revision
            self.details.shown = self._details(found) | {"header": self.details.shown.get("header")}
            self.main[:] = [self._images(found)]

    def read_header(self) -> None:
        """Show the header, which is read from the received bytes."""
        if "title" not in self.details.shown:
            return
        try:
            header: dict[str, Any] = {"rows": [list(row) for row in full.rows(self.archive.header(self.series))]}
        except PacsPanelError as error:
            header = {"error": str(error)}
        with self._lock:
            self.details.shown = {**self.details.shown, "header": header}

    def _images(self, found: Mapping[str, Any]) -> Any:
        if found["state"] != "shown":
            return _note(found)
        try:
            source = stack_frames(self.archive, str(found["row"]["key"]), self.stack)
        except PacsPanelError as error:
            return _note({"state": "error", "words": str(error)})
        fill: dict[str, Any] = {"sizing_mode": "stretch_both", "height": None, "min_height": 420, "margin": 0}
        return image_view(source, "http", self.base, **fill)

    def _details(self, found: Mapping[str, Any]) -> dict[str, Any]:
        if "row" not in found:
            return {}
        row, revision = found["row"], found.get("revision")
        shown = series_words(row)
        if revision is not None and self.stack < len(revision.stacks):
            shown["passport"] = [list(pair) for pair in passport_facts(revision.stacks[self.stack].passport)]
            shown["stacks"] = [self._choice(row, number, stack) for number, stack in enumerate(revision.stacks)]
        if revision is not None and revision.note and revision.stacks:
            shown["passport"] = [*shown.get("passport", []), ["Note", revision.note]]
        return shown

    def _choice(self, row: Mapping[str, Any], number: int, stack: Any) -> dict[str, Any]:
        slices, rows, columns = stack.passport.shape
        words = f"{number + 1}: {columns} × {rows} × {slices}, {stack.passport.verdict}"
        return {"words": words, "href": address(str(row["key"]), number), "chosen": number == self.stack}


def address(key: str, stack: int = 0) -> str:
    """Where a series is shown, relative to the other pages."""
    return f"view?{urlencode({'series': key, 'stack': stack})}"


def series_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """Who and what a series is, in pairs of words."""
    made_by = " ".join(str(row[k]) for k in ("Manufacturer", "ManufacturerModelName") if row[k])
    facts = {
        "Kind": row["Kind"],
        "Study": " · ".join(str(part) for part in (day(row["StudyDate"]), row["StudyDescription"]) if part),
        "Modality": row["Modality"],
        "Body part": row["BodyPartExamined"],
        "Images": row["NumberOfSeriesRelatedInstances"],
        "Born": " · ".join(str(part) for part in (day(row["PatientBirthDate"]), row["PatientSex"]) if part),
        "Scanner": made_by,
        "Collection": row["Collection"],
        "Series UID": row["SeriesInstanceUID"],
    }
    return {
        "title": row["SeriesDescription"] or row["StudyDescription"] or f"{row['Kind'] or 'Series'}",
        "who": [person(row["PatientName"]), row["PatientID"] or ""],
        "facts": [[what, str(how)] for what, how in facts.items() if how not in (None, "")],
    }


WORDS = {
    "building": ("Being built", "The images are kept; they are shown here as soon as they are ready."),
    "ambiguous": ("Several series have this UID", "Find the one that is meant in the list."),
    "missing": ("There is no such series", "It may have been removed, or the address is incomplete."),
    "error": ("This series cannot be shown", ""),
}
KEPT = "{} The received bytes are safe and can be exported; the header stands beside. A view of this kind is to come."


def _note(found: Mapping[str, Any]) -> Note:
    state = found["state"]
    if state == "kept":
        title = f"Kept, not yet shown: {found['row']['Kind'] or 'object'}"
        words = KEPT.format(_sentence(found["revision"].note))
    else:
        title, words = WORDS[state]
        words = found.get("words", words)
    shown = {"state": state, "title": title, "words": words, "link": BROWSE}
    return Note(shown=shown, sizing_mode="stretch_both", margin=0)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
