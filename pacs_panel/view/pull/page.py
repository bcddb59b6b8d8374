"""The Pull page: ask a peer, see what is here already, pull the rest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import panel as pn

from pacs_panel.errors import PacsPanelError
from pacs_panel.view.page import Subscribe, follow, shell
from pacs_panel.view.pull.parts import PullView
from pacs_panel.view.words import day, person

log = logging.getLogger(__name__)

OFTEN = 500  # ms between two looks at how far the pulls are
FIELDS = ("PatientName", "PatientID", "StudyDate", "Modality", "AccessionNumber")
LONGEST = 64  # characters of a value
UNFORESEEN = "Something unforeseen happened; the server's log says what."
Facts = Mapping[str, str]
Act = Callable[[], None]


@dataclass(frozen=True)
class Ways:
    """What the page is handed, as whoever opened it may use it.

    Attributes
    ----------
    peers : sequence of str
        Names of those that can be asked.
    find : callable
        Peer and what must match, to studies by keyword and whether there are more.
    here : callable
        UIDs of studies to how many of their objects are here.
    begin : callable
        Begins to pull: peer, studies as they were found, and a modality or nothing.
    told : callable
        How far all pulls are, the latest first.
    stop : callable
        Stops the one of a key.
    """

    peers: Sequence[str]
    find: Callable[[str, Facts], tuple[Sequence[Facts], bool]]
    here: Callable[[Sequence[str]], Mapping[str, int]]
    begin: Callable[[str, Sequence[Facts], str], object]
    told: Callable[[], Sequence[Mapping[str, Any]]]
    stop: Callable[[str], None]


def in_thread(act: Act) -> None:
    """Do it beside what the page does."""
    threading.Thread(target=act, daemon=True).start()


class PullPage(pn.viewable.Viewer):
    """What a peer has and what is pulled, drawn by `main`.

    Parameters
    ----------
    ways : Ways
    start : callable, optional
        Does what takes long, beside the page.
    """

    def __init__(self, ways: Ways, start: Callable[[Act], None] = in_thread) -> None:
        super().__init__()
        self._ways, self._start = ways, start
        self._document, self._lock = pn.state.curdoc, threading.RLock()
        self._number, self._peer, self._modality = 0, "", ""
        self._found: dict[str, Facts] = {}
        self.main = PullView(sizing_mode="stretch_width", margin=0)
        self.main.shown = {"peers": list(ways.peers), "finding": False, "trouble": "", "found": None, "pulls": []}
        self.main.on_msg(lambda event: self.hear(event.data))
        self.look()

    def __panel__(self) -> pn.viewable.Viewable:
        return self.main

    def hear(self, message: Mapping[str, Any]) -> None:
        """Do what a message from the page says; what makes no sense is left, what cannot be is told."""
        acts = {"find": self._find, "pull": self._pull, "stop": self._stop}
        if (act := acts.get(str(message.get("kind")))) is None:
            return
        try:
            act(message)
        except PacsPanelError as error:
            self._show(trouble=_sentence(error))

    # -- asking --------------------------------------------------------------------------------------------------------

    def _find(self, message: Mapping[str, Any]) -> None:
        peer, asked = str(message.get("peer")), _asked(message.get("asked"))
        if self.main.shown["finding"] or peer not in self._ways.peers:
            return
        if not asked:
            self._show(trouble="Fill in at least one field: a peer is not asked for all that it has.")
            return
        self._show(finding=True, trouble="", found=None)

        def act() -> None:
            try:
                found, more = self._ways.find(peer, asked)
                told = self._keep(peer, found, asked.get("Modality", "")) | {"more": more}
                self._tell(finding=False, found=told)
            except PacsPanelError as error:
                self._tell(finding=False, trouble=_sentence(error))
            except Exception as error:  # what it says may be what was asked for
                log.warning("%s could not be asked: %s", peer, type(error).__name__)
                self._tell(finding=False, trouble=UNFORESEEN)

        self._start(act)

    def _keep(self, peer: str, found: Sequence[Facts], modality: str) -> dict[str, Any]:
        with self._lock:
            self._number, self._peer, self._modality = self._number + 1, peer, modality
            latest = sorted(found, key=lambda each: each["StudyDate"], reverse=True)
            self._found = {each["StudyInstanceUID"]: each for each in latest}
        return self._read()

    def read(self) -> dict[str, Any] | None:
        """What was found, and what of it is here now, if that can be told; in whatever thread."""
        try:
            return self._read() if self._number else None
        except PacsPanelError:  # the next change, or question, is another chance
            return None

    def _read(self) -> dict[str, Any]:
        with self._lock:
            number, peer, modality, found = self._number, self._peer, self._modality, dict(self._found)
        here = self._ways.here(list(found))
        studies = [_study(facts, here.get(uid, 0)) for uid, facts in found.items()]
        return {"number": number, "peer": peer, "modality": modality, "studies": studies}

    def put(self, found: Mapping[str, Any] | None) -> None:
        """Show what is here after the archive has changed."""
        before = self.main.shown["found"]
        if found and before and before["number"] == found["number"] and before != before | found:
            self._show(found=before | found)

    # -- pulling -------------------------------------------------------------------------------------------------------

    def _pull(self, message: Mapping[str, Any]) -> None:
        uids = message.get("uids")
        if message.get("number") != self._number or not isinstance(uids, list):
            return
        chosen = [self._found[uid] for uid in dict.fromkeys(map(str, uids)) if uid in self._found]
        if chosen:
            self._ways.begin(self._peer, chosen, self._modality if message.get("only") else "")
            self._show(trouble="")
        self.look()

    def _stop(self, message: Mapping[str, Any]) -> None:
        self._ways.stop(str(message.get("key")))
        self.look()

    def look(self) -> None:
        """Show how far the pulls are."""
        pulls = [_pull(each) for each in self._ways.told()]
        if pulls != self.main.shown["pulls"]:
            self._show(pulls=pulls)

    # -- showing -------------------------------------------------------------------------------------------------------

    def _tell(self, **values: Any) -> None:
        """Show in the page's own thread what another one found."""
        if self._document is None:
            self._show(**values)
        else:
            self._document.add_next_tick_callback(lambda: self._show(**values))

    def _show(self, **values: Any) -> None:
        with self._lock:
            self.main.shown = self.main.shown | values


def pull_page(ways: Ways, subscribe: Subscribe | None = None) -> Any:
    """The Pull page.

    Parameters
    ----------
    ways : Ways
        To the peers, as whoever opened the page may ask them.
    subscribe : callable, optional
        Has a function called after each change of the archive; what it returns ends that.
    """
    shown = PullPage(ways)
    follow(subscribe, shown.read, shown.put)
    if pn.state.curdoc is not None:
        pn.state.add_periodic_callback(shown.look, period=OFTEN)
    return shell("Pull – pacs_panel", [shown.main], [])


# -- in words ----------------------------------------------------------------------------------------------------------


def _asked(said: object) -> dict[str, str]:
    """What must match, of what the page says.

    Raises
    ------
    PacsPanelError
        A value is too long, or no plain text.
    """
    values = {name: str(said.get(name, "")).strip() for name in FIELDS} if isinstance(said, Mapping) else {}
    for name, value in values.items():
        if len(value) > LONGEST or not value.isprintable() or "\\" in value:
            raise PacsPanelError(f"{name} must be at most {LONGEST} plain characters without a backslash")
    values |= {"Modality": values["Modality"].upper()} if values else {}
    return {name: value for name, value in values.items() if value}


def _study(facts: Facts, here: int) -> dict[str, Any]:
    count = facts["NumberOfStudyRelatedInstances"]
    objects = int(count) if count.isdecimal() else None
    return {
        "uid": facts["StudyInstanceUID"],
        "name": person(facts["PatientName"]),
        "id": facts["PatientID"],
        "date": day(facts["StudyDate"]),
        "modalities": facts["ModalitiesInStudy"].replace("\\", ", "),
        "description": facts["StudyDescription"],
        "accession": facts["AccessionNumber"],
        "objects": objects,
        "here": here,
        "all": objects is not None and 0 < objects <= here,
    }


def _pull(told: Mapping[str, Any]) -> dict[str, Any]:
    began = datetime.fromtimestamp(told["began"], UTC).strftime("%Y-%m-%d %H:%M UTC")
    problem = _sentence(told["problem"]) if told["problem"] else ""
    href = f"browse?{urlencode({'chosen': told['chosen']})}" if told["chosen"] else ""
    reasons = [[str(reason), count] for reason, count in told["reasons"]]
    names = ("key", "peer", "state", "studies", "expected", "found", "here", "accepted", "refused", "stopping")
    return {name: told[name] for name in names} | {
        "began": began,
        "problem": problem,
        "href": href,
        "reasons": reasons,
        "failed": sum(count for _, count in reasons),
    }


def _sentence(error: object) -> str:
    words = str(error)
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith('.') else '.'}"
