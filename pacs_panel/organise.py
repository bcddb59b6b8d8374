"""What people make of an archive: tags, notes, ratings, collections and saved searches.

All of it lies in the records, by the keys of patients, studies and series, so it survives every reindex; tags and lists
are attributes of what they are on besides. Names are shared by all who may read; searches compare them as other text,
without regard to case.
"""

from __future__ import annotations

import json
import time
import unicodedata
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pacs_panel.attributes import Level
from pacs_panel.cohort.asked import from_text, to_text
from pacs_panel.errors import BadQuery, NotFound
from pacs_panel.index.criteria import criteria
from pacs_panel.index.engine import Database
from pacs_panel.index.labels import LABELLED, Label, give, take, tell
from pacs_panel.index.search import MOST_ROWS, Search
from pacs_panel.policy import Action
from pacs_panel.records.values import Mark, MarkKind, Saved, SavedKind
from pacs_panel.scoped import Scoped

LONGEST_NAME = 100
LONGEST_NOTE = 10_000
RATINGS = range(1, 6)
MARKED: tuple[Level, ...] = ("patient", "study", "series")
UID: dict[Level, str] = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID"}


@dataclass(frozen=True, slots=True)
class Organise:
    """Tags, notes, ratings, collections and saved searches of an archive, as one principal may see and make them.

    ``uid`` is, as for `Archive.find`, a UID or a key (of a patient, a Patient ID or a key).

    Raises
    ------
    NotFound
        From all that take a ``uid``: there is no such thing, or the principal may not act on it.
    BadQuery
        A name, a note or a rating that cannot be.
    Denied
    """

    archive: Scoped

    # -- tags, notes, ratings ------------------------------------------------------------------------------------------

    def tag(self, uid: str | Iterable[str], name: str, level: Level = "series") -> None:
        """Give a tag to one, or to several: all or none. It is searched as ``Tags``, ``StudyTags``, ``PatientTags``."""
        self._label("tag", _several(uid), _name(name), level)

    def untag(self, uid: str | Iterable[str], name: str, level: Level = "series") -> None:
        """Take a tag back, from all or none; `NotFound` where it was not given."""
        self._unlabel("tag", _several(uid), _name(name), level)

    def tags(self, uid: str, level: Level = "series") -> list[str]:
        """Names of the tags of one patient, study or series; `marks` tells who gave them and when."""
        return sorted(mark.name for mark in self.marks("tag", uid, level))

    def tag_counts(self, found: Search | None = None) -> list[tuple[str, int]]:
        """Each tag, the most frequent first, with how many rows of a search carry it; by default, of all series."""
        found = found or self.archive.search()
        keyword = LABELLED[_level(found.level), "tag"]
        counts: Counter[str] = Counter()
        for text, rows in found.columns(keyword)[keyword].value_counts().items():
            counts.update(dict.fromkeys(str(text).split("\\"), int(rows)))
        return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))

    def note(self, uid: str, text: str, level: Level = "series") -> str:
        """Add a note; gives its id."""
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_NOTE:
            raise BadQuery(f"a note is text of 1 to {LONGEST_NOTE} characters")
        identity = uuid.uuid4().hex
        self._mark("note", [uid], identity, level, text)
        return identity

    def unnote(self, uid: str, note: str, level: Level = "series") -> None:
        """Take a note back by its id."""
        self._unmark("note", [uid], note, level)

    def notes(self, uid: str, level: Level = "series") -> list[Mark]:
        """Notes, oldest first: ``value`` is the text, ``name`` the id."""
        return self.marks("note", uid, level)

    def rate(self, uid: str, rating: int, level: Level = "series") -> None:
        """Rate from 1 to 5; everybody has one rating, and a new one takes its place."""
        if isinstance(rating, bool) or not isinstance(rating, int) or rating not in RATINGS:
            raise BadQuery(f"a rating is a whole number from {RATINGS[0]} to {RATINGS[-1]}")
        self._mark("rating", [uid], self.archive.principal.name, level, str(rating))

    def unrate(self, uid: str, level: Level = "series") -> None:
        """Take one's own rating back."""
        self._unmark("rating", [uid], self.archive.principal.name, level)

    def ratings(self, uid: str, level: Level = "series") -> dict[str, int]:
        """The ratings, by who gave them."""
        return {mark.name: int(mark.value) for mark in self.marks("rating", uid, level)}

    def marks(self, kind: MarkKind, uid: str, level: Level = "series") -> list[Mark]:
        """What was said of one patient, study or series, by whom and when, oldest first."""
        return self._records.marks(kind, level=_level(level), key=self._row(uid, level, "read")[0])

    def marks_of(self, kind: MarkKind, keys: Iterable[str], level: Level = "series") -> dict[str, list[Mark]]:
        """`marks` of several at once, by key; what may not be seen is left out."""
        rows = self.archive.search(_level(level), key=list(keys)).rows(MOST_ROWS)
        found: dict[str, list[Mark]] = {str(row["key"]): [] for row in rows}
        for mark in self._records.marks(kind, level=level):
            if mark.key in found:
                found[mark.key].append(mark)
        return found

    def search(
        self,
        level: Level = "series",
        *,
        tags: str | Iterable[str] = (),
        order: Sequence[tuple[str, str]] | None = None,
        **keywords: Any,
    ) -> Search:
        """Search among the patients, studies or series that carry all these tags; else as `Archive.search`."""
        found = self.archive.search(level, order=order, **keywords)
        keyword = LABELLED[_level(level), "tag"]
        asked = [criteria(level, **{keyword: [_name(name)]}) for name in _several(tags)]
        wanted = found.criteria.wanted + tuple(criterion for each in asked for criterion in each.wanted)
        return replace(found, criteria=replace(found.criteria, wanted=wanted))

    # -- collections ---------------------------------------------------------------------------------------------------

    def collect(self, name: str, uids: Iterable[str]) -> None:
        """Put series into a collection that is a list, all of them or none; it is made by its first member."""
        self._label("collection", _several(uids), _name(name), "series")

    def uncollect(self, name: str, uids: Iterable[str] | None = None) -> None:
        """Take series out of a list; without ``uids``, drop the whole collection. The series themselves stay."""
        name = _name(name)
        if uids is not None:
            self._unlabel("collection", _several(uids), name, "series")
            return
        self._everywhere("write")
        if name in self._records.saved("collection"):
            self._records.unsave("collection", name)
        else:
            take(self._database, "collection", name, first=partial(self._records.unmark, "collection", name))

    def collect_by(self, name: str, **keywords: Any) -> None:
        """Make, or change, a collection by rule: the series that match whenever it is asked for."""
        self._save("collection", name, self.archive.search(**keywords))

    def collection(self, name: str, *, order: Sequence[tuple[str, str]] | None = None) -> Search:
        """The series of a collection: by rule, or else those on its list and those that were imported under this name.

        Raises
        ------
        NotFound
        """
        name = _name(name)
        if (rule := self._records.saved("collection").get(name)) is not None:
            return self._found(rule, order)
        found = self.archive.search(order=order, Collection=[name])
        if not found.count():
            raise NotFound("there is no collection of that name")
        return found

    def collections(self) -> dict[str, str]:
        """Names of the collections that people made: each ``list`` or ``rule``, in the order of names."""
        seen = {
            one
            for text in self.archive.search().columns("Collection")["Collection"].cat.categories
            for one in text.split("\\")
        }
        lists = {mark.name for mark in self._records.marks("collection")} & seen
        kinds = dict.fromkeys(lists, "list") | dict.fromkeys(self._records.saved("collection"), "rule")
        return dict(sorted(kinds.items()))

    def rules(self) -> list[str]:
        """Names of the collections by rule."""
        self.archive.search()
        return sorted(self._records.saved("collection"))

    # -- saved searches ------------------------------------------------------------------------------------------------

    def save_search(self, name: str, found: Search) -> None:
        """Keep what a search asks and its order, to be asked again; takes the place of one of the same name."""
        self._save("search", name, found)

    def unsave_search(self, name: str) -> None:
        """Forget a saved search."""
        self._everywhere("write")
        self._records.unsave("search", _name(name))

    def saved(self, name: str) -> Search:
        """A saved search, asked anew by the principal.

        Raises
        ------
        NotFound
        Damaged
            It was saved by another version of this software, and no longer fits.
        """
        saved = self._records.saved("search").get(_name(name))
        if saved is None:
            raise NotFound("there is no saved search of that name")
        return self._found(saved)

    def searches(self) -> list[Saved]:
        """The saved searches, with who saved them and when, in the order of names."""
        self.archive.search()
        return list(self._records.saved("search").values())

    # -- within --------------------------------------------------------------------------------------------------------

    @property
    def _records(self) -> Any:
        return self.archive._records

    def _row(self, uid: str, level: Level, action: Action) -> tuple[str, str]:
        """Key and UID."""
        return self._rows([uid], level, action)[0]

    def _rows(self, uids: Iterable[str], level: Level, action: Action) -> list[tuple[str, str]]:
        """Key and UID of each: keys, which may be many, are asked for at once."""
        scope, names = self.archive._scope(_level(level), action), list(uids)
        found = self.archive._index.search(level, criteria(level, key=names if len(names) > 1 else []), scope=scope)
        by_key = {str(row["key"]): row for row in found.rows(MOST_ROWS)} if len(names) > 1 else {}
        rows = (by_key.get(name) or self.archive._find(name, level, scope) for name in names)
        return [(str(row["key"]), str((row[UID[level]] if level in UID else None) or "")) for row in rows]

    @property
    def _database(self) -> Database:
        return self.archive._index.database

    def _marks(self, kind: MarkKind, uids: Iterable[str], name: str, level: Level, value: str = "") -> list[Mark]:
        at, by = time.time_ns(), self.archive.principal.name
        rows = self._rows(uids, level, "write")
        return [Mark(kind, level, key, name, value, uid, at, by) for key, uid in rows]

    def _mark(self, kind: MarkKind, uids: Iterable[str], name: str, level: Level, value: str = "") -> None:
        marks = self._marks(kind, uids, name, level, value)
        tell(self._database, [(mark.level, mark.key) for mark in marks], first=partial(self._records.mark, marks))

    def _unmark(self, kind: MarkKind, uids: Iterable[str], name: str, level: Level) -> None:
        things = self._things(uids, level)
        tell(self._database, things, first=partial(self._records.unmark, kind, name, things))

    def _label(self, kind: MarkKind, uids: Iterable[str], name: str, level: Level) -> None:
        marks = self._marks(kind, uids, name, level)
        labels = [Label(mark.level, mark.kind, mark.key, mark.name) for mark in marks]
        give(self._database, labels, first=partial(self._records.mark, marks))

    def _unlabel(self, kind: MarkKind, uids: Iterable[str], name: str, level: Level) -> None:
        things = self._things(uids, level)
        take(self._database, kind, name, things, first=partial(self._records.unmark, kind, name, things))

    def _things(self, uids: Iterable[str], level: Level) -> list[tuple[Level, str]]:
        return [(level, key) for key in dict.fromkeys(key for key, _ in self._rows(uids, level, "write"))]

    def _everywhere(self, action: Action) -> None:
        """What concerns all is for those who may act on everything, as it does not belong to any one series."""
        if self.archive._scope("series", action) is not None:
            raise NotFound("there is nothing of that name on which you may act")

    def _save(self, kind: SavedKind, name: str, found: Search) -> None:
        self._everywhere("write")
        order, by = json.dumps(found.order), self.archive.principal.name
        self._records.save(Saved(kind, _name(name), to_text(found.criteria), order, time.time_ns(), by))

    def _found(self, saved: Saved, order: Sequence[tuple[str, str]] | None = None) -> Search:
        asked = from_text(saved.criteria)
        kept = [(keyword, direction) for keyword, direction in json.loads(saved.order)]
        return replace(self.archive.search(asked.level, order=kept if order is None else order), criteria=asked)


def _several(given: str | Iterable[str]) -> Iterable[str]:
    return (given,) if isinstance(given, str) else given


def _level(level: Level) -> Level:
    if level not in MARKED:
        raise BadQuery(f"level: one of {', '.join(MARKED)}")
    return level


def _name(name: str) -> str:
    """A name in one spelling (Unicode NFC, without spaces around it); such as a criterion can ask for."""
    text = unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""
    if not 0 < len(text) <= LONGEST_NAME or not text.isprintable() or set(text) & set('*?\\"'):
        raise BadQuery(f'a name is 1 to {LONGEST_NAME} printable characters other than * ? \\ "')
    return text
