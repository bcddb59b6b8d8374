"""The View page: one series, drawn or in the form that suits it, in words, with its partners and its header."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol
from urllib.parse import quote, urlencode

import panel as pn
import param

from pacs_panel.dicom import full
from pacs_panel.errors import Ambiguous, NotFound, NotYetShown, PacsPanelError
from pacs_panel.model import Overlay, Revision
from pacs_panel.view.browse.corrected import corrected, told
from pacs_panel.view.browse.parts import Details, Note
from pacs_panel.view.document import overlays
from pacs_panel.view.document.blocks import links, words
from pacs_panel.view.document.component import DocumentView
from pacs_panel.view.document.forms import form
from pacs_panel.view.document.partners import Both, partners
from pacs_panel.view.image.viewer import image_view
from pacs_panel.view.overlay.stored import StackOverlays, StoredOverlay
from pacs_panel.view.presentation import StackPresentations
from pacs_panel.view.source import StoredFrames
from pacs_panel.view.stack import HasRevision, stack_frames
from pacs_panel.view.words import day, passport_facts, person
from pacs_panel.view.words import state as state_words

BROWSE = ("browse", "Back to Browse")
REFERRING = ("PresentationState", "KeyObjects", "ValueMaps", "Annotations", "Registration", "TreatmentRecord")


class HasUid(Protocol):
    """An object of a series."""

    @property
    def sop_instance_uid(self) -> str:
        """Its UID."""
        ...


class HasOneSeries(Protocol):
    """What is asked of an archive here."""

    def find(self, uid: str) -> Mapping[str, Any]:
        """The row of a series."""
        ...

    def revision(self, uid: str, revision: str | None = None) -> Revision:
        """The current revision of a series."""
        ...

    def received(self, uid: str) -> HasRevision:
        """The stacks of a series that is not built yet."""
        ...

    def open_frames(self, uid: str, stack: int | None = None, revision: str | None = None) -> StoredFrames:
        """Frames of a stack of a revision."""
        ...

    def overlays(self, uid: str, stack: int | None = None) -> tuple[Overlay, ...]:
        """What speaks of a stack of a series."""
        ...

    def overlay(self, uid: str, sop_instance_uid: str, stack: int | None = None) -> StoredOverlay:
        """One of them, opened."""
        ...

    def objects(self, uid: str) -> Sequence[HasUid]:
        """The objects of a series."""
        ...

    def document(self, uid: str) -> Any:
        """What an object without images says."""
        ...

    def references(self, uid: str, level: Literal["series", "instance"] = "series") -> Both:
        """What a series or an object names, and what names it."""
        ...

    def header(self, uid: str) -> dict[str, Any]:
        """The full header of an object, or of a series' first one."""
        ...


class SeriesPage(pn.viewable.Viewer):
    """One series: its images or its document in `main`, all that is known of it in `details`.

    Parameters
    ----------
    archive : HasOneSeries
    series : str
        Key or UID.
    stack : int
        Of a series without images: which of its objects.
    base : str
        What stands before ``/frames/…`` and ``/documents/…``.
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
        self._object = ""
        self._corrected: Sequence[tuple[str, str]] = ()
        self.put(self.read())

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Row(self.details, self.main)

    # -- reading -------------------------------------------------------------------------------------------------------

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
            key = str(row["key"])
            beside = {"partners": partners(self.archive, key), "corrected": corrected(self.archive, row)}
            return {"row": row, **beside, **self._made(row, key)}
        except PacsPanelError as error:
            return {"state": "error", "row": row, "words": str(error)}

    def _made(self, row: Mapping[str, Any], key: str) -> dict[str, Any]:
        """What has become of the series."""
        try:
            revision = self.archive.revision(key)
        except NotYetShown:
            return {"state": "building", "name": self._received(key)}
        made = {"revision": revision, "name": revision.revision}
        if revision.stacks:
            return {"state": "shown", **made}
        state = state_words(row)[0]
        return made | (self._document(key) if state in ("document", "overlay", "header") else {"state": "kept"})

    def _received(self, key: str) -> str:
        """What has arrived so far; empty where that cannot be drawn."""
        try:
            return self.archive.received(key).revision
        except PacsPanelError:
            return ""

    def _document(self, key: str) -> dict[str, Any]:
        objects = [one.sop_instance_uid for one in self.archive.objects(key)]
        uid = objects[min(self.stack, len(objects) - 1)]
        try:
            document = self.archive.document(uid)
        except PacsPanelError as error:
            return {"state": "unreadable", "words": str(error), "objects": objects, "object": uid}
        return {"state": "document", "objects": objects, "object": uid, "document": document}

    def read_header(self) -> None:
        """Show the header, which is read from the received bytes, and what only the header tells."""
        if "title" not in self.details.shown:
            return
        found: dict[str, Any] = {}
        try:
            found = self.archive.header(self._object or self.series)
            header: dict[str, Any] = {"rows": [list(row) for row in full.rows(found)]}
        except PacsPanelError as error:
            header = {"error": str(error)}
        with self._lock:
            set_right = told(self._corrected, header.get("rows", ()))
            self.details.shown = {**self.details.shown, "header": header, "corrected": set_right}
            view = self.main[0] if len(self.main) else None
            if isinstance(view, DocumentView) and view.shown["kind"] in overlays.KINDS and found:
                view.shown = {**view.shown, "blocks": [*view.shown["blocks"], *overlays.listed(found)]}

    # -- showing -------------------------------------------------------------------------------------------------------

    def put(self, found: Mapping[str, Any]) -> None:
        """Show what was read, where it is not what is shown already."""
        name = found.get("name", "")
        with self._lock:
            if (found["state"], name) == (self._state, self._revision):
                if (told := _partners(found)) != self.details.shown.get("partners"):
                    self.details.shown = {**self.details.shown, "partners": told}
                return
            self._state, self._revision, self._object = found["state"], name, found.get("object", "")
            self._corrected = found.get("corrected", ())
            facts, main = self._drawn(found)
            shown = self._details(found) | {"header": self.details.shown.get("header")}
            self.details.shown = shown | ({"document": [list(pair) for pair in facts]} if facts else {})
            self.main[:] = [main]

    def _drawn(self, found: Mapping[str, Any]) -> tuple[list[tuple[str, str]], Any]:
        """What is said beside, and what stands in the middle."""
        if found["state"] in ("shown", "building"):
            return [], self._images(found)
        if found["state"] != "document":
            return [], _note(found)
        document, row = found["document"], found["row"]
        before = f"{self.base}/" if self.base else ""
        facts, blocks = form(document, f"{before}documents/{quote(found['object'])}")
        kind, to = document.head.kind, found["partners"][0]
        if kind in overlays.KINDS:
            blocks = overlays.shown_on(kind, to) or blocks
        if type(document).__name__ in REFERRING:
            blocks = [*blocks, *links("Refers to", to)]
        elif kind in overlays.KINDS:
            blocks = [*blocks, *links("Refers to", [one for one in to if not one.get("verdict")])]
        title = row["SeriesDescription"] or row["StudyDescription"] or kind
        blocks = blocks or words("What this is", BARE)
        shown = {"kind": kind, "title": title, "blocks": blocks}
        return facts, DocumentView(shown=shown, sizing_mode="stretch_both", margin=0)

    def _images(self, found: Mapping[str, Any]) -> Any:
        key = str(found["row"]["key"])
        try:
            source = stack_frames(self.archive, key, self.stack)
        except PacsPanelError as error:
            building = found["state"] == "building"
            return _note({"state": "building"} if building else {"state": "error", "words": str(error)})
        built = found["state"] == "shown"
        over = StackOverlays(self.archive, key, self.stack) if built else None
        states = StackPresentations(self.archive, key, self.stack, found["name"]) if built else None
        fill: dict[str, Any] = {"sizing_mode": "stretch_both", "height": None, "min_height": 420, "margin": 0}
        fill["stylesheets"] = [".viewer { border-radius: 0 }"]  # it reaches to the page's edges
        return image_view(source, "http", self.base, overlays=over, presentations=states, **fill)

    def _details(self, found: Mapping[str, Any]) -> dict[str, Any]:
        if "row" not in found:
            return {}
        row, revision = found["row"], found.get("revision")
        shown = series_words(row) | {"partners": _partners(found), "corrected": told(found.get("corrected", ()))}
        if found["state"] == "building":
            shown["passport"] = [["Verdict", state_words(row)[1]], ["Why", WORDS["building"][1]]]
        if revision is not None and self.stack < len(revision.stacks):
            shown["passport"] = [list(pair) for pair in passport_facts(revision.stacks[self.stack].passport)]
            shown["stacks"] = [self._choice(row, number, stack) for number, stack in enumerate(revision.stacks)]
        if revision is not None and revision.note and revision.stacks:
            shown["passport"] = [*shown.get("passport", []), ["Note", revision.note]]
        if "objects" in found:
            shown |= {"stacks": self._objects(row, found), "stacks_are": "object"}
        return shown

    def _choice(self, row: Mapping[str, Any], number: int, stack: Any) -> dict[str, Any]:
        slices, rows, columns = stack.passport.shape
        words = f"{number + 1}: {columns} × {rows} × {slices}, {stack.passport.verdict}"
        return {"words": words, "href": address(str(row["key"]), number), "chosen": number == self.stack}

    def _objects(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [
            {
                "words": f"{number + 1}: {uid}",
                "href": address(str(row["key"]), number),
                "chosen": uid == found["object"],
            }
            for number, uid in enumerate(found["objects"])
        ]


def _partners(found: Mapping[str, Any]) -> dict[str, Any]:
    to, by = found.get("partners", ([], []))
    return {"to": to, "by": by}


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
        "Images" if row["Verdict"] else "Objects": row["NumberOfSeriesRelatedInstances"],
        "Born": day(row["PatientBirthDate"]),
        "Sex": row["PatientSex"],
        "Scanner": made_by,
        "Collection": row["Collection"],
        "Series UID": row["SeriesInstanceUID"],
    }
    return {
        "title": row["SeriesDescription"] or row["StudyDescription"] or _capital(row["Kind"] or "series"),
        "who": [person(row["PatientName"]), row["PatientID"] or ""],
        "patient": f"patient?{urlencode({'patient': row['patient_key']})}" if row.get("patient_key") else "",
        "facts": [[what, str(how)] for what, how in facts.items() if how not in (None, "")],
    }


WORDS = {
    "building": ("Being built", "The images are kept; the volume is shown here as soon as it is ready."),
    "ambiguous": ("Several series have this UID", "Find the one that is meant in the list."),
    "missing": ("There is no such series", "It may have been removed, or the address is incomplete."),
    "error": ("This series cannot be shown", ""),
    "unreadable": ("This object cannot be read", ""),
}
BARE = "It states nothing that has a form of its own here; the whole header stands beside."
KEPT = "{} The received bytes are safe and can be exported; the header stands beside."


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
    return f"{_capital(text)}." if text else ""


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
