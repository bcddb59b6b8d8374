"""The Cohorts page: ``cohorts`` lists them, ``cohorts?name=…`` shows one."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import panel as pn

from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.view.browse.pages import asked
from pacs_panel.view.cohorts.parts import CohortsView
from pacs_panel.view.cohorts.words import criteria_words
from pacs_panel.view.page import Subscribe, follow, shell
from pacs_panel.view.words import day, person

ROWS = 50
TOLD = 50  # differences, or damages, that are listed
HOW = "pacs-panel cohort freeze NAME Modality=CT"
HandOver = Callable[[Any], str]
Act = Callable[[], None]


def in_thread(act: Act) -> None:
    """Do it beside what the page does."""
    threading.Thread(target=act, daemon=True).start()


class CohortList(pn.viewable.Viewer):
    """All cohorts, drawn by `main`."""

    def __init__(self, archive: Any) -> None:
        super().__init__()
        self.archive = archive
        self.main = CohortsView(sizing_mode="stretch_width", margin=0)
        self.put(self.read())

    def __panel__(self) -> pn.viewable.Viewable:
        return self.main

    def read(self) -> dict[str, Any]:
        """The cohorts as of now, the latest first, in whatever thread."""
        try:
            found = [_listed(facts) for facts in reversed(self.archive.cohorts())]
        except PacsPanelError as error:
            return {"state": "error", "title": "The cohorts could not be read", "words": str(error)}
        return {"state": "list", "cohorts": found, "how": HOW}

    def put(self, found: Mapping[str, Any]) -> None:
        """Show what was read."""
        if found != self.main.shown:
            self.main.shown = dict(found)


class CohortPage(pn.viewable.Viewer):
    """One cohort, drawn by `main`.

    Parameters
    ----------
    archive : Archive
        As whoever opened the page may see it.
    name : str
    hand_over : callable, optional
        Takes a search, gives a token under which other pages and downloads find it.
    start : callable, optional
        Does what takes long, beside the page.
    """

    def __init__(
        self, archive: Any, name: str, hand_over: HandOver | None = None, start: Callable[[Act], None] = in_thread
    ) -> None:
        super().__init__()
        self.archive, self.cohort, self._hand_over, self._start = archive, name, hand_over, start
        self._document, self._lock = pn.state.curdoc, threading.RLock()
        self._rows: list[dict[str, Any]] = []
        self._first, self._busy = 0, set[str]()
        self.main = CohortsView(sizing_mode="stretch_width", margin=0)
        self.main.on_msg(lambda event: self.hear(event.data))
        self.read()

    def __panel__(self) -> pn.viewable.Viewable:
        return self.main

    # -- reading -------------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Show what the cohort is; its rows are read when it is on the page."""
        try:
            facts = self.archive.cohort(self.cohort).facts
        except NotFound:
            words = "Cohorts never change, so it never had this name, or lies in another archive."
            self._show(state="missing", title="There is no such cohort", words=words)
        except PacsPanelError as error:
            self._show(state="error", title="This cohort cannot be opened", words=str(error))
        else:
            self._show(
                state="cohort", facts=_listed(facts) | {"part_of": facts.part_of}, commands=_commands(facts.name)
            )

    def read_rows(self) -> None:
        """Show its series, what is gone of them, where they can be handed over to; then what changed since."""
        if self.main.shown["state"] != "cohort":
            return
        try:
            cohort = self.archive.cohort(self.cohort)
            frame = cohort.to_frame().astype(object)
            self._rows = [_row(row) for row in frame.where(frame.notna(), None).to_dict("records")]
        except PacsPanelError as error:
            self._show(trouble=str(error))
            return
        gone = sum(bool(row["gone"]) for row in self._rows)
        asked_for = urlencode({"name": self.cohort})
        tables = [[words, f"manifests/cohort.{words.lower()}?{asked_for}"] for words in ("CSV", "Parquet")]
        links = self._links()
        self._show(
            withheld=cohort.withheld, gone=gone, links=links, tables=tables, stale=False, trouble="", **self._page()
        )
        self.compare()

    def _links(self) -> list[list[str]]:
        """Where the same series, as they are now, can be looked at and fetched."""
        here = [row["key"] for row in self._rows if row["here"]]
        if self._hand_over is None or not here:
            return []
        token = self._hand_over(self.archive.search("series", key=here))
        chosen = urlencode({"chosen": token})
        return [["Browse", f"browse?{chosen}"], ["Charts", f"charts?{chosen}"], ["Download", f"download/{token}.zip"]]

    def _page(self) -> dict[str, Any]:
        rows = self._rows[self._first : self._first + ROWS]
        return {"rows": rows, "first": self._first + 1, "total": len(self._rows)}

    def compare(self) -> None:
        """Find what its criteria would choose now."""

        def act() -> None:
            try:
                found = _difference(self.archive.cohort(self.cohort).diff())
            except PacsPanelError as error:
                found = {"trouble": str(error)}
            self._tell("diff", found)

        self._begin("diff", act)

    def verify(self) -> None:
        """Read all its objects again, and tell how far that is."""

        def progress(count: int) -> None:
            self._tell("verify", {"running": True, "done": count}, last=False)

        def act() -> None:
            try:
                found = _checked(self.archive.cohort(self.cohort).verify(progress=progress))
            except PacsPanelError as error:
                found = {"trouble": str(error)}
            self._tell("verify", found)

        self._begin("verify", act)

    # -- showing and hearing -------------------------------------------------------------------------------------------

    def _begin(self, name: str, act: Act) -> None:
        with self._lock:
            if name in self._busy:
                return
            self._busy.add(name)
        self._show(**{name: {"running": True, "done": 0}})
        self._start(act)

    def _tell(self, name: str, found: dict[str, Any], last: bool = True) -> None:
        """Show in the page's own thread what another one found."""
        if last:
            self._busy.discard(name)
        if self._document is None:
            self._show(**{name: found})
        else:
            self._document.add_next_tick_callback(lambda: self._show(**{name: found}))

    def _show(self, **values: Any) -> None:
        with self._lock:
            self.main.shown = self.main.shown | values

    def put(self, _changed: object = None) -> None:
        """Tell that the archive has changed since the page was read."""
        if self.main.shown["state"] == "cohort" and not self.main.shown.get("stale"):
            self._show(stale=True)

    def hear(self, message: Mapping[str, Any]) -> None:
        """Do what a message from the page says; what makes no sense is left."""
        kind, by = message.get("kind"), message.get("by")
        if self.main.shown["state"] != "cohort":
            return
        if kind == "page" and by in (-1, 1) and 0 <= self._first + by * ROWS < len(self._rows):
            self._first += by * ROWS
            self._show(**self._page())
        elif kind == "verify":
            self.verify()
        elif kind == "diff":
            self.compare()
        elif kind == "again":
            self.read_rows()


def cohorts_page(archive: Any, subscribe: Subscribe | None = None, hand_over: HandOver | None = None) -> Any:
    """The Cohorts page: a list or, by ``?name=…``, one cohort.

    Parameters
    ----------
    archive : Archive
        As whoever opened the page may see it.
    subscribe : callable, optional
        Has a function called after each change of the archive; what it returns ends that.
    hand_over : callable, optional
        Takes a search, gives a token under which other pages and downloads find it.
    """
    name = asked().get("name", [""])[0]
    if not name:
        every = CohortList(archive)
        follow(subscribe, every.read, every.put)
        return shell("Cohorts – pacs_panel", [every.main], [])
    one = CohortPage(archive, name, hand_over)
    pn.state.onload(one.read_rows)
    follow(subscribe, lambda: None, one.put)
    return shell("Cohort – pacs_panel", [one.main], [])


# -- in words ----------------------------------------------------------------------------------------------------------


def _listed(facts: Any) -> dict[str, Any]:
    return {
        "name": facts.name,
        "href": f"cohorts?{urlencode({'name': facts.name})}",
        "level": facts.level,
        "criteria": [f"part of cohort {facts.part_of[:12]}…"] if facts.part_of else criteria_words(facts.asked),
        "frozen": datetime.fromtimestamp(facts.at / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "by": facts.by,
        "change": facts.change,
        "series": facts.series,
        "objects": facts.objects,
        "hash": facts.hash,
    }


def _commands(name: str) -> list[list[str]]:
    """How to take it out on the command line; each form with what it gives."""
    told = {"dicom": "the very bytes that were frozen", "nifti": "volumes", "zarr": "volumes as OME-Zarr"}
    return [[f"pacs-panel cohort export {shlex.quote(name)} {form} FOLDER", words] for form, words in told.items()]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    here = row.get("study_key") is not None
    key = str(row["series_key"])
    return {
        "key": key,
        "href": f"view?{urlencode({'series': key, 'stack': 0})}" if here else "",
        "here": here,
        "name": person(row.get("PatientName")),
        "id": row.get("PatientID") or "",
        "date": day(row.get("StudyDate")),
        "modality": row.get("Modality") or "",
        "description": row.get("SeriesDescription") or row.get("StudyDescription") or "",
        "objects": int(row["objects"]),
        "size": int(row["bytes"]),
        "revision": str(row["revision"])[:12],
        "uid": row["SeriesInstanceUID"] or key,
        "gone": row["gone"],
    }


def _difference(found: Any) -> dict[str, Any]:
    parts = []
    for name in ("added", "removed", "changed"):
        frame = getattr(found, name)
        told = [
            {
                "href": "" if name == "removed" else f"view?{urlencode({'series': row['series_key'], 'stack': 0})}",
                "uid": row["SeriesInstanceUID"] or row["series_key"],
                "words": row["words"] if name == "changed" else f"{row['objects']} objects",
            }
            for row in frame.head(TOLD).to_dict("records")
        ]
        parts.append({"name": name, "count": len(frame), "series": told})
    return {"same": bool(found.same), "parts": parts}


def _checked(found: Any) -> dict[str, Any]:
    damaged = [f"{each.sop_instance_uid}: {each.reason}" for each in found.damaged[:TOLD]]
    told = [*found.gone[:TOLD], *damaged]
    more = len(found.damaged) + len(found.gone) - len(told)
    return {"clean": found.clean, "objects": found.objects, "size": found.bytes, "told": told, "more": more}
