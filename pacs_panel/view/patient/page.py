"""The Patient page: ``patient?patient=<key>``."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

import panel as pn

from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.view.browse.pages import asked
from pacs_panel.view.page import Subscribe, follow, shell
from pacs_panel.view.patient import remarks
from pacs_panel.view.patient.history import differences, history, is_object, who
from pacs_panel.view.patient.parts import History

MOST_HEADERS = 40  # studies whose headers are read to see whether they agree
MISSING = ("There is no such patient", "They may have been removed, or the address is incomplete.")


class PatientPage(pn.viewable.Viewer):
    """One patient, drawn by `main`.

    Parameters
    ----------
    archive : Archive
        As whoever opened the page may see it.
    key : str
        Of the patient. A Patient ID is none.
    """

    def __init__(self, archive: Any, key: str) -> None:
        super().__init__()
        self.archive, self.key = archive, key
        self.main = History(sizing_mode="stretch_width", margin=0)
        self.main.on_msg(lambda event: self.hear(event.data))
        self._lock, self._changed = threading.Lock(), 0
        self.put(self.read())

    def __panel__(self) -> pn.viewable.Viewable:
        return self.main

    # -- reading -------------------------------------------------------------------------------------------------------

    def read(self) -> dict[str, Any]:
        """Who it is and what there is, as of now, in whatever thread."""
        as_of = self._changed
        try:
            row = self.archive.find(self.key, "patient")
            if row["key"] != self.key:
                raise NotFound("a patient is asked for by key")
            studies, series = (self._below(level) for level in ("study", "series"))
            speaks_of = {str(each["key"]): self._targets(each) for each in series if is_object(each)}
            told = history(studies, series, speaks_of)
            return {
                "state": "shown",
                "who": who(row),
                "studies": told,
                **self._remarks(studies, series),
                "as_of": as_of,
            }
        except NotFound:
            return {"state": "missing", "title": MISSING[0], "words": MISSING[1]}
        except PacsPanelError as error:
            return {"state": "error", "title": "This patient cannot be shown", "words": str(error)}

    def read_differences(self) -> None:
        """Tell what studies say differently of the patient, which is read from the received bytes."""
        studies = [study for study in self.main.shown.get("studies", []) if study["series"]][:MOST_HEADERS]
        headers: dict[str, Mapping[str, Any]] = {}
        for study in studies:
            try:
                name = study["date"] or "without a date"
                name = name if name not in headers else f"{name} ({study['time'] or len(headers) + 1})"
                headers[name] = self.archive.header(study["series"][0]["key"])
            except PacsPanelError:
                continue
        self._show(differs=differences(headers))

    def _below(self, level: str) -> list[Mapping[str, Any]]:
        return list(self.archive.search(level, patient_key=self.key).rows())

    def _targets(self, row: Mapping[str, Any]) -> list[str]:
        try:
            named = self.archive.references(str(row["key"])).refers_to
        except PacsPanelError:
            return []
        return list(dict.fromkeys(one.target_key for one in named if one.target_key and one.mention.level != "study"))

    def _remarks(self, studies: Iterable[Mapping[str, Any]], series: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        keys = {
            "patient": [self.key],
            "study": [row["key"] for row in studies],
            "series": [row["key"] for row in series],
        }
        found: dict[str, dict[str, Any]] = {}
        for level, those in keys.items():
            found |= remarks.read(self.archive.organise, those, level)
        return {"remarks": found, "known": sorted({tag for said in found.values() for tag in said["tags"]})}

    # -- showing and hearing -------------------------------------------------------------------------------------------

    def put(self, found: Mapping[str, Any]) -> None:
        """Show what was read; not what was read before its user changed something, as that is told of, too."""
        now = dict(found)
        if now.pop("as_of", self._changed) != self._changed:
            return
        kept = {"differs", "said", "key"} & self.main.shown.keys()
        self._show(**({name: self.main.shown[name] for name in kept} | {"key": self.key} | now), anew=True)

    def _show(self, *, anew: bool = False, **values: Any) -> None:
        with self._lock:
            shown = values if anew else self.main.shown | values
            if shown != self.main.shown:
                self.main.shown = shown

    def hear(self, message: Mapping[str, Any]) -> None:
        """Do what a message from the page says of something of this patient; what makes no sense is left."""
        key, level = str(message.get("key")), str(message.get("level"))
        known = self.main.shown.get("remarks", {})
        if key not in known:
            return
        said = ""
        try:
            remarks.change(self.archive.organise, key, level, message)
            self._changed += 1
        except PacsPanelError as error:
            said = str(error)
        try:
            now = known | remarks.read(self.archive.organise, [key], level)
        except PacsPanelError as error:
            now, said = known, str(error)
        tags = sorted({tag for each in now.values() for tag in each["tags"]} | {*self.main.shown.get("known", [])})
        self._show(remarks=now, known=tags, said={key: said} if said else {})


def patient_page(archive: Any, subscribe: Subscribe | None = None) -> Any:
    """The Patient page: ``?patient=<key>``.

    Parameters
    ----------
    archive : Archive
        As whoever opened the page may see it.
    subscribe : callable, optional
        Has a function called after each change of the archive; what it returns ends that.
    """
    shown = PatientPage(archive, asked().get("patient", [""])[0])
    pn.state.onload(shown.read_differences)
    follow(subscribe, shown.read, shown.put)
    return shell("Patient – pacs_panel", [shown.main], [])
