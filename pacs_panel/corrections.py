"""Corrections: a wrong Patient ID, two patients that are one, a series in the wrong study, a rejection.

What was received is never touched: `Archive.header`, `Archive.read` and every export tell it as it came. Searches and
pages tell what holds. A correction is a record, so it survives every reindex; it holds for objects that arrive later,
too, and can be undone by its number.

Keys stay what they are: that of a patient is made of the Patient ID that was received, and so on. Tags, notes and
ratings hang on keys, so those of a patient that was merged into another are not seen until that is undone, and those of
a study or series go with it wherever it is moved. What is in the trash stays there; a cohort keeps what it froze. A
merge or move has no effect while the patient or study to which it leads has no objects of its own, as when these were
removed for good.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pacs_panel.attributes import BY_KEYWORD, Attribute, Level, at_level
from pacs_panel.errors import BadQuery, NotFound
from pacs_panel.index.corrected import correct
from pacs_panel.index.criteria import criteria
from pacs_panel.index.current import Rejected, rejected
from pacs_panel.index.values import MULTIPLE, Value, clean
from pacs_panel.model import Correction, CorrectionKind
from pacs_panel.policy import Action
from pacs_panel.scoped import Scoped
from pacs_panel.storage import layout
from pacs_panel.storage.files import lock

LONGEST = {"LO": 64, "SH": 16, "CS": 16, "PN": 194, "AS": 4}  # characters of a value (PS3.5 §6.2)
LONGEST_REASON = 1000
FORMS = {
    "CS": re.compile(r"[A-Z0-9_ ]+"),
    "AS": re.compile(r"\d{3}[DWMY]"),
    "TM": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?"),
}
SEXES = frozenset("MFO")
MEASURED = frozenset({"SliceThickness", "SpacingBetweenSlices", "PixelSpacing"})  # volumes are made by them
ABOVE: dict[Level, Level] = {"series": "study", "study": "patient"}


@dataclass(frozen=True, slots=True)
class Corrections:
    """What is set right in an archive, as one principal may see and do it.

    Things are named as for `Archive.find`: by UID or key, patients by Patient ID or key. Whoever corrects a patient or
    a study must be allowed to write to all that is in it.

    Raises
    ------
    NotFound
        There is no such thing, or not all of it may be written to.
    Ambiguous
        The name fits several; ask by key.
    BadQuery
        A correction that cannot be; values are not repeated in what it says.
    Denied

    Examples
    --------
    >>> number = archive.corrections.set("P1", "patient", PatientID="P2", reason="typing error")  # doctest: +SKIP
    >>> archive.corrections.merge(into="P3", patients=["P2"])  # doctest: +SKIP
    >>> archive.corrections.move(study_uid, "study", to="P4")  # doctest: +SKIP
    >>> archive.corrections.undo(number)  # doctest: +SKIP
    """

    archive: Scoped

    def set(self, uid: str, level: Level = "series", *, reason: str = "", **values: object) -> int:
        """Give a patient, a study or a series other values; gives the number of the correction.

        A Patient ID that another patient has, too, does not make them one: see `merge`.

        Parameters
        ----------
        uid : str
        level : str
        reason : str, optional
        **values
            By keyword; ``None`` or ``""``: it has none. Attributes of the level itself, other than UIDs and what the
            archive tells (counts, collection, verdict) or measures (spacing and thickness of slices).
        """
        checked = {keyword: _value(keyword, level, value) for keyword, value in values.items()}
        if not checked:
            raise BadQuery("say what is right: KEYWORD=VALUE, e.g. PatientID")
        return self._note("set", level, [self._whole(uid, level)], reason, values=checked)

    def merge(self, into: str, patients: str | Iterable[str], *, reason: str = "") -> int:
        """Make patients one: their studies, and those that arrive later, are those of ``into``, whose values hold."""
        to = self._whole(into, "patient")
        keys = [self._whole(uid, "patient") for uid in ((patients,) if isinstance(patients, str) else patients)]
        if not keys or to in keys:
            raise BadQuery("name the patient that stays, and others that become one with it")
        return self._note("merge", "patient", keys, reason, to)

    def move(self, uid: str, level: Level = "series", *, to: str, reason: str = "") -> int:
        """Take a series to another study, or a study to another patient."""
        if level not in ABOVE:
            raise BadQuery("a series can be moved to a study, and a study to a patient")
        key, target = self._whole(uid, level), self._whole(to, ABOVE[level])
        if self.archive._find(key, level, None)[f"{ABOVE[level]}_key"] == target:
            raise BadQuery(f"the {level} is there already")
        return self._note("move", level, [key], reason, target)

    def accept(self, uid: str | Iterable[str], *, reason: str = "") -> int:
        """Show what was rejected: objects by SOP Instance UID, or all that a note rejects by that of the note."""
        asked = dict.fromkeys((uid,) if isinstance(uid, str) else uid)
        waiting = [one for one in self.rejected("write") if not one.accepted]
        keys = [one.sop_instance_uid for one in waiting if one.sop_instance_uid in asked or one.note in asked]
        if not asked or not all(any(name in (one.sop_instance_uid, one.note) for one in waiting) for name in asked):
            raise NotFound("there is no such rejected object here")
        return self._note("accept", "instance", keys, reason)

    def rejected(self, action: Action = "read") -> Sequence[Rejected]:
        """What was rejected by a key object selection, and is hidden unless it was accepted; see `Rejected`.

        Who may not act on all is told what is rejected by notes on which he may.
        """
        with self.archive._index.database.read() as connection:
            found = rejected(connection)
        if self.archive._scope("instance", action) is None:
            return found
        notes = {note for note in {one.note for one in found} if self._all("instance", note, action)}
        return [one for one in found if one.note in notes]

    def list(self, uid: str | None = None, level: Level = "series", *, undone: bool = False) -> Sequence[Correction]:
        """Corrections in the order in which they were made and hold: of one patient, study or series, or all.

        With ``undone`` also those that were taken back. Who may not read all sees those of what he may read.
        """
        found = self.archive._records.corrections(undone)
        if uid is not None:
            key = self._key(uid, level, "read")
            found = [each for each in found if (each.level == level and key in each.keys) or key == each.to]
        return [each for each in found if self._touches(each, "read")]

    def undo(self, number: int) -> None:
        """Take one back, and no other: what holds then is what the others make of what was received."""
        found = next((each for each in self.archive._records.corrections() if each.number == number), None)
        if found is None or not self._touches(found, "write"):
            self.archive._may("write")
            raise NotFound(f"there is no correction {number}, or it is undone already")
        with lock(self.archive.root / layout.admit_lock()):
            self.archive._records.undo(number, time.time_ns(), self.archive.principal.name)
            self._hold()

    # -- within --------------------------------------------------------------------------------------------------------

    def _note(
        self, kind: CorrectionKind, level: Level, keys: Iterable[str], reason: str, to: str = "", values: Any = None
    ) -> int:
        reason = reason.strip()
        if len(reason) > LONGEST_REASON:
            raise BadQuery(f"a reason is text of at most {LONGEST_REASON} characters")
        at, by = time.time_ns(), self.archive.principal.name
        made = Correction(0, kind, level, tuple(dict.fromkeys(keys)), to, values or {}, reason, at, by)
        with lock(self.archive.root / layout.admit_lock()):
            number: int = self.archive._records.correct(made)
            self._hold()
        return number

    def _hold(self) -> None:
        correct(self.archive._index.database, self.archive._records.corrections())

    def _key(self, uid: str, level: Level, action: Action) -> str:
        row = self.archive._find(uid, level, self.archive._scope(level, action))
        return str(row["SOPInstanceUID" if level == "instance" else "key"])

    def _whole(self, uid: str, level: Level) -> str:
        """Key of what may be written to, with all that is in it."""
        if level not in ("patient", "study", "series"):
            raise BadQuery("level: one of patient, study, series")
        key = self._key(uid, level, "write")
        if not self._all(level, key, "write"):
            raise NotFound(f"there is no such {level} here, all of which you may correct")
        return key

    def _all(self, level: Level, key: str, action: Action) -> bool:
        """Whether something is there, and the principal may act on all of it."""
        scope = self.archive._scope("instance", action)
        asked = criteria("instance", **{"SOPInstanceUID" if level == "instance" else f"{level}_key": [key]})
        count = self.archive._index.search("instance", asked).count()
        return bool(count) and (
            scope is None or self.archive._index.search("instance", asked, scope=scope).count() == count
        )

    def _touches(self, correction: Correction, action: Action) -> bool:
        """Whether all that a correction is about, as far as it is seen, is what the principal may act on."""
        if self.archive._scope("series", action) is None:
            return True
        concerned: Iterator[tuple[Level, str]] = ((correction.level, key) for key in correction.keys)
        if correction.kind == "merge":  # what became one with another is seen there
            concerned = iter([("patient", correction.to)])
        return all(self._all(level, key, action) for level, key in concerned)


def _value(keyword: str, level: Level, value: object) -> Value:
    """A value as it is kept; errors do not repeat it."""
    attribute = BY_KEYWORD.get(keyword)
    possible = [a.keyword for a in at_level(level) if _correctable(a)] if level != "instance" else []
    if attribute is None or keyword not in possible:
        raise BadQuery(f"{keyword} cannot be corrected at level {level}: one of {', '.join(possible)}")
    if value is None or value == "":
        return None
    cleaned = clean(attribute, value)
    if cleaned is None or not _fits(attribute, value, cleaned):
        raise BadQuery(f"{keyword}: this is no value of {attribute.vr} (PS3.5 §6.2)")
    return cleaned


def _correctable(attribute: Attribute) -> bool:
    return not attribute.ours and attribute.vr != "UI" and attribute.keyword not in MEASURED


def _fits(attribute: Attribute, given: object, value: str | float) -> bool:
    if attribute.number:
        return not isinstance(given, bool)
    if not isinstance(given, str) or not isinstance(value, str) or not given.isprintable():
        return False
    if attribute.vr == "DA":
        return _is_date(value)
    values = value.split("\\") if attribute.keyword in MULTIPLE else [value]
    form, longest = FORMS.get(attribute.vr), LONGEST.get(attribute.vr, 64)
    if attribute.keyword == "PatientSex" and value not in SEXES:
        return False
    return all(
        0 < len(each) <= longest and "\\" not in each and (form is None or form.fullmatch(each) is not None)
        for each in values
    )


def _is_date(value: str) -> bool:
    try:
        return len(value) == 8 and value.isdigit() and bool(datetime.strptime(value, "%Y%m%d"))
    except ValueError:
        return False
