"""Corrections over what arrives: at any time, in any order, the index is what a new one would be."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pacs_panel.index.arrival import Arrival
from pacs_panel.index.corrected import correct
from pacs_panel.index.criteria import criteria
from pacs_panel.index.store import Index
from pacs_panel.model import Correction
from pacs_panel.storage import layout
from tests.index.made import arrival

LEVELS: tuple[Any, ...] = ("patient", "study", "series", "instance")
PATIENTS = ("P1", "P2", "P3", "P4")


def patient(name: str) -> str:
    return layout.patient_key(name, "", "lung", "")


def study(number: int) -> str:
    return layout.study_key(f"1.2.{number}")


def series(number: int, in_study: int) -> str:
    return layout.series_key(study(in_study), f"1.2.{in_study}.{number}")


def rows(index: Index) -> dict[str, Any]:
    """All that searches tell, apart from the numbers of changes."""
    found: dict[str, Any] = {}
    for level in LEVELS:
        plain = [{k: v for k, v in row.items() if k not in ("change", "content")} for row in index.search(level).rows()]
        found[level] = sorted(plain, key=lambda row: str(row.get("key") or row["SOPInstanceUID"]))
    for word in ("P1", "P2", "P4", "Right", "Other", "Ann"):
        found[f"word {word}"] = sorted(str(row["key"]) for row in index.search("series", criteria(text=word)).rows())
    found["dates"] = [row["key"] for row in index.search("series", order=[("StudyDate", "asc")]).rows()]
    found["patients"] = index.search("study").facets("PatientID")
    with index.columns.counting() as counting:
        found["columns"] = {level: counting.count(level, (criteria(level),)) for level in LEVELS[:3]}
    return found


def made(folder: Path, arrivals: Sequence[Arrival], corrections: Sequence[Correction], size: int) -> dict[str, Any]:
    """What a new index tells."""
    with Index(folder) as index:
        correct(index.database, corrections)
        for start in range(0, len(arrivals), size):
            index.add(arrivals[start : start + size])
        return rows(index)


def fix(number: int, kind: Any, level: Any, keys: Sequence[str], to: str = "", **values: Any) -> Correction:
    return Correction(number, kind, level, tuple(keys), to, values)


def random_arrival(chance: random.Random, received: int) -> Arrival:
    values: dict[str, Any] = {"StudyDate": chance.choice(["20200101", "20210101", ""])}
    values["PatientName"] = chance.choice(["Ann", "Bob^Other", ""])
    values["SeriesDescription"] = chance.choice(["Right", ""])
    number = chance.randint(1, 4)
    who = PATIENTS[number - 1] if chance.random() < 0.8 else chance.choice(PATIENTS)
    return arrival(chance.randint(1, 2), chance.randint(1, 2), number, patient=who, received=received, **values)


def random_correction(chance: random.Random, number: int) -> Correction:
    patients = [patient(name) for name in chance.sample(PATIENTS, 3)]
    a, b = chance.sample(range(1, 5), 2)
    one = series(chance.randint(1, 2), a)
    return chance.choice(
        [
            fix(number, "set", "patient", patients[:1], PatientID=chance.choice(["P1", "P9"]), PatientSex="F"),
            fix(number, "set", "patient", patients[:1], PatientName=chance.choice(["Right^Ann", None])),
            fix(number, "set", "study", [study(a)], StudyDate=chance.choice(["20190101", None])),
            fix(number, "set", "series", [one], SeriesDescription=chance.choice(["Other", None]), SeriesNumber=7),
            fix(number, "merge", "patient", patients[: chance.randint(1, 2)], patients[2]),
            fix(number, "move", "study", [study(a)], patients[0]),
            fix(number, "move", "series", [one], study(b)),
        ]
    )


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_is_what_a_new_index_tells(index: Index, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    arrivals: list[Arrival] = []
    held: list[Correction] = []
    for step in range(1, 25):
        what = chance.random()
        if what < 0.4 or not arrivals:
            batch = [random_arrival(chance, 10 * step + n) for n in range(chance.randint(1, 3))]
            present = index.add(batch)
            arrivals += [one for one in batch if not any(one is again for again in present)]
            continue
        if what < 0.8 or not held:
            held.append(random_correction(chance, step))
        else:
            held.remove(chance.choice(held))
        before = index.change()
        correct(index.database, held)
        assert index.change() > before
        if step % 4 == 0:
            fresh = made(tmp_path / f"{step}.sqlite", arrivals, held, chance.randint(1, 5))
            assert rows(index) == fresh
    correct(index.database, [])
    assert rows(index) == made(tmp_path / "last.sqlite", arrivals, [], len(arrivals))


def test_nothing_changes_where_nothing_is_corrected_anew(index: Index) -> None:
    index.add([arrival()])
    one = fix(1, "set", "patient", [patient("P1")], PatientID="P2")
    correct(index.database, [one])
    before = index.change()
    correct(index.database, [one])
    assert index.change() == before


def test_earlier_values_come_back_when_later_ones_are_undone(index: Index) -> None:
    index.add([arrival(PatientName="Wrong")])
    first = fix(1, "set", "patient", [patient("P1")], PatientName="Nearly", PatientSex="M")
    second = fix(2, "set", "patient", [patient("P1")], PatientName="Right")

    def told(*held: Correction) -> tuple[Any, Any]:
        correct(index.database, held)
        (row,) = index.search("patient").rows()
        return row["PatientName"], row["PatientSex"]

    assert told(first, second) == ("Right", "M")
    assert told(second) == ("Right", None)
    assert told(first) == ("Nearly", "M")
    assert told() == ("Wrong", None)


def test_what_arrives_later_is_corrected(index: Index) -> None:
    index.add([arrival(1), arrival(1, 1, 2, patient="P2")])
    correct(index.database, [fix(1, "merge", "patient", [patient("P1")], patient("P2"))])
    index.add([arrival(2, received=2, PatientName="New"), arrival(1, 1, 3, received=3)])
    (row,) = index.search("patient").rows()
    assert (row["PatientID"], row["PatientName"], row["NumberOfPatientRelatedStudies"]) == ("P2", None, 3)
    correct(index.database, [])
    told = {row["PatientID"]: row["NumberOfPatientRelatedStudies"] for row in index.search("patient").rows()}
    assert told == {"P1": 2, "P2": 1}


def test_followers_are_told_who_vanished_and_came_back(index: Index) -> None:
    index.add([arrival(1), arrival(1, 1, 2, patient="P2")])
    start = index.change()
    correct(index.database, [fix(1, "merge", "patient", [patient("P1")], patient("P2"))])
    assert ("patient", patient("P1"), True) in index.changes_since(start)
    assert ("patient", patient("P2"), False) in index.changes_since(start)
    between = index.change()
    correct(index.database, [])
    assert ("patient", patient("P1"), False) in index.changes_since(between)


def test_a_move_to_what_is_not_there_waits_for_it(index: Index) -> None:
    correct(index.database, [fix(1, "move", "series", [series(1, 1)], study(2))])
    index.add([arrival()])
    assert [row["study_key"] for row in index.search("series").rows()] == [study(1)]
    index.add([arrival(1, 1, 2, patient="P2", received=2, StudyDate="20200101")])
    moved = next(row for row in index.search("series").rows() if row["key"] == series(1, 1))
    assert (moved["study_key"], moved["patient_key"], moved["StudyDate"]) == (study(2), patient("P2"), "20200101")
    assert [row["key"] for row in index.search("study").rows()] == [study(2)]
