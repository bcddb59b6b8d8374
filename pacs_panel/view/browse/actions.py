"""What is done with series that were picked in the table: each action says in words what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pacs_panel.errors import Ambiguous, BadQuery, Busy, Denied, NotFound, PacsPanelError

MOST = 10_000  # series that a mark is put on at once
MOST_PICKED = 50_000
WHAT_TO_DO: tuple[tuple[type[Exception], str], ...] = (
    (Denied, "Ask whoever looks after the archive for the right to do this."),
    (Busy, "Something else is writing to the archive; try again in a moment."),
    (Ambiguous, "Open one of the series to see where its UID occurs again."),
    (NotFound, "Some of the series may have been removed; clear the selection and pick again."),
    (BadQuery, "Change what was typed, and try again."),
)
ELSE = "Nothing was changed. If it happens again, the server's log says more."
HandOver = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Picked:
    """Series that were picked: all that a list holds, or some by their keys, and those of some studies."""

    every: bool
    series: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()

    @classmethod
    def said(cls, message: Mapping[str, Any]) -> Picked:
        """From a message of the page."""
        keys = [_keys(message.get(name)) for name in ("series", "studies")]
        return cls(message.get("all") is True, *keys)


def _keys(said: Any) -> tuple[str, ...]:
    return tuple(key for key in said if isinstance(key, str))[:MOST_PICKED] if isinstance(said, list) else ()


@dataclass(frozen=True, slots=True)
class Actions:
    """What can be done with a selection.

    Attributes
    ----------
    archive : Archive
        As whoever asks may see it.
    everything : callable
        The series that the list holds now, as a search; takes further criteria as keywords.
    listed : callable
        What the list shows, as a search of its level and in its order.
    asked : callable
        Its criteria as keywords; ``None`` where they cannot be said so.
    hand_over : callable, optional
        Keeps a search for another page or for a download; gives its token.
    """

    archive: Any
    everything: Callable[..., Any]
    listed: Callable[[], Any]
    asked: Callable[[], dict[str, Any] | None]
    hand_over: HandOver | None = None

    def do(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Do one thing: the answer has its ``words``, and ``error`` and ``hint`` where it failed."""
        act = {
            "tag": self._tag,
            "untag": self._untag,
            "collect": self._collect,
            "freeze": self._freeze,
            "save": self._save,
            "hand": self._hand,
            "names": self._names,
        }.get(str(message.get("action")))
        answer = {"id": message.get("id"), "action": message.get("action")}
        if act is None:
            return answer | {"error": "There is no such action.", "hint": ""}
        try:
            return answer | act(Picked.said(message), message)
        except PacsPanelError as error:
            hint = next((words for kind, words in WHAT_TO_DO if isinstance(error, kind)), ELSE)
            return answer | {"error": _sentence(str(error)), "hint": hint}

    def search(self, picked: Picked) -> Any:
        """What was picked, as one lazy search."""
        if picked.every:
            return self.everything()
        of_studies = self._keys_of(picked.studies)
        return self.archive.search("series", series_key=list(dict.fromkeys([*picked.series, *of_studies])))

    # -- within --------------------------------------------------------------------------------------------------------

    def _keys_of(self, studies: tuple[str, ...]) -> Iterable[str]:
        """The series of studies that the list holds."""
        return [str(row["key"]) for row in self.everything(study_key=list(studies)).rows()] if studies else ()

    def _marked(self, picked: Picked) -> list[str]:
        found = self.search(picked)
        if (count := found.count()) > MOST:
            raise BadQuery(f"{count:,} series are too many to mark one by one; at most {MOST:,}")
        return [str(row["key"]) for row in found.rows()]

    def _tag(self, picked: Picked, message: Mapping[str, Any]) -> dict[str, Any]:
        name, keys = _name(message), self._marked(picked)
        self.archive.organise.tag(keys, name)
        return {"words": f"{_series(len(keys))} tagged “{name}”."}

    def _untag(self, picked: Picked, message: Mapping[str, Any]) -> dict[str, Any]:
        name, keys = _name(message), self._marked(picked)
        self.archive.organise.untag(keys, name)
        return {"words": f"The tag “{name}” was taken from {_series(len(keys))}."}

    def _collect(self, picked: Picked, message: Mapping[str, Any]) -> dict[str, Any]:
        name = _name(message)
        if picked.every and message.get("rule") is True:
            if (asked := self.asked()) is None:
                raise BadQuery("this list cannot be told as a rule; collect it as a list")
            self.archive.organise.collect_by(name, **asked)
            return {"words": f"“{name}” now holds whatever matches, also what arrives later."}
        keys = self._marked(picked)
        self.archive.organise.collect(name, keys)
        return {"words": f"{_series(len(keys))} put into “{name}”."}

    def _freeze(self, picked: Picked, message: Mapping[str, Any]) -> dict[str, Any]:
        name = _name(message)
        found = self.search(picked)
        found.freeze(name)
        return {"words": f"Cohort “{name}” frozen: {_series(found.count())}.", "link": ["cohorts", "Cohorts"]}

    def _save(self, _picked: Picked, message: Mapping[str, Any]) -> dict[str, Any]:
        name = _name(message)
        self.archive.organise.save_search(name, self.listed())
        return {"words": f"Search “{name}” saved."}

    def _hand(self, picked: Picked, _message: Mapping[str, Any]) -> dict[str, Any]:
        if self.hand_over is None:
            raise BadQuery("selections cannot be handed over here")
        found = self.search(picked)
        token = self.hand_over(found)
        return {"words": "", "token": token, "count": found.count(), "query": urlencode({"chosen": token})}

    def _names(self, _picked: Picked, _message: Mapping[str, Any]) -> dict[str, Any]:
        """Names that are there already, to be offered while one is typed."""
        organise = self.archive.organise
        tags = [name for name, _ in organise.tag_counts()]
        lists = [name for name, kind in organise.collections().items() if kind == "list"]
        searches = [saved.name for saved in organise.searches()]
        return {"words": "", "tags": tags[:100], "collections": lists[:100], "searches": searches[:100]}


def _name(message: Mapping[str, Any]) -> str:
    name = message.get("name")
    if not isinstance(name, str) or not name.strip():
        raise BadQuery("give a name")
    return name.strip()


def _series(count: int) -> str:
    return f"{count:,} series"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
