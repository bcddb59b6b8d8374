"""Corrections: seen at once, undone one by one, as if they had always held; what was received stays as it came."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from pacs_panel.archive import Archive
from pacs_panel.errors import Ambiguous, BadQuery, Denied, NotFound
from pacs_panel.model import Correction, Principal
from pacs_panel.policy import Action, Rule
from tests.archive.made import changed, ct, frames, opened, put

PATIENTS = ("P1", "P1", "P2", "P3")


@pytest.fixture
def series(archive: Archive, tmp_path: Path) -> list[str]:
    """Series UIDs, each in a study of its own: two of a patient, and one of each of two others."""
    uids = []
    for seed, patient in enumerate(PATIENTS):
        one = ct(2, seed=seed)
        own = {"PatientID": patient, "PatientName": f"Name^{patient}", "StudyInstanceUID": study(seed)}
        archive.ingest(put(tmp_path / f"in{seed}", *(changed(d, **own) for d in one.datasets)), build=False)
        uids.append(one.series_uid)
    archive.settle()
    return uids


def study(seed: int) -> str:
    return f"2.25.10{seed}"


def told(archive: Archive, *keywords: str, level: Any = "series") -> list[tuple[Any, ...]]:
    return sorted(tuple(row[keyword] for keyword in keywords) for row in archive.search(level).rows())


def patients(archive: Archive) -> dict[Any, Any]:
    return {row["PatientID"]: row["NumberOfPatientRelatedStudies"] for row in archive.search("patient").rows()}


def assert_as_anew(archive: Archive) -> None:
    """Making the index anew changes nothing."""
    archive.settle()
    before = frames(archive)
    archive.reindex()
    assert frames(archive) == before


def test_a_wrong_patient_id(archive: Archive, series: list[str]) -> None:
    key = archive.find("P2", "patient")["key"]
    change = archive.change()
    number = archive.corrections.set("P2", "patient", PatientID="P9", PatientName="Right^Ann", reason=" typing error ")
    assert archive.change() > change
    assert patients(archive) == {"P1": 2, "P3": 1, "P9": 1}
    assert [row["SeriesInstanceUID"] for row in archive.search(PatientID="P9").rows()] == [series[2]]
    assert archive.search(PatientID="P2").count() == archive.search(text="P2").count() == 0
    assert archive.search(text="right ann").count() == 1
    assert archive.find("P9", "patient")["key"] == key
    assert archive.header(series[2])["00100020"]["Value"] == ["P2"]
    (one,) = archive.corrections.list("P9", "patient")
    assert (one.number, one.kind, one.reason, one.by) == (number, "set", "typing error", "local")
    assert_as_anew(archive)
    archive.corrections.undo(number)
    assert patients(archive) == {"P1": 2, "P2": 1, "P3": 1}
    assert archive.search(text="right").count() == 0
    assert archive.corrections.list() == []
    (again,) = archive.corrections.list(undone=True)
    assert (again.number, again.undone_by) == (number, "local")
    with pytest.raises(NotFound):
        archive.corrections.undo(number)
    assert_as_anew(archive)


def test_patients_become_one_and_two_again(archive: Archive, series: list[str], tmp_path: Path) -> None:
    before = frames(archive)
    archive.organise.note("P2", "of P2", "patient")
    number = archive.corrections.merge(into="P1", patients=["P2", "P3"])
    assert patients(archive) == {"P1": 4}
    assert {row[0] for row in told(archive, "PatientName")} == {"Name^P1"}
    with pytest.raises(NotFound):
        archive.find("P2", "patient")
    later = [changed(d, PatientID="P2", StudyInstanceUID=study(7)) for d in ct(2, seed=7).datasets]
    archive.ingest(put(tmp_path / "later", *later), build=False)
    assert patients(archive) == {"P1": 5}
    assert_as_anew(archive)
    archive.corrections.undo(number)
    assert patients(archive) == {"P1": 2, "P2": 2, "P3": 1}
    assert [note.value for note in archive.organise.notes("P2", "patient")] == ["of P2"]
    archive.remove(study(7), "study")
    assert frames(archive, ["PatientName", "received"]) == _without(before, "PatientName", "received")


def _without(found: dict[str, list[dict[str, Any]]], *names: str) -> dict[str, list[dict[str, Any]]]:
    return {
        level: sorted(({k: v for k, v in row.items() if k not in names} for row in rows), key=repr)
        for level, rows in found.items()
    }


def test_studies_and_series_move(archive: Archive, series: list[str]) -> None:
    first = archive.corrections.move(study(2), "study", to="P1")
    second = archive.corrections.move(series[3], to=study(2))
    assert patients(archive) == {"P1": 3}
    assert told(archive, "SeriesInstanceUID", "StudyInstanceUID", "PatientID") == sorted(
        (uid, study(min(seed, 2)), "P1") for seed, uid in enumerate(series)
    )
    assert archive.find(study(2), "study")["NumberOfStudyRelatedInstances"] == 4
    with pytest.raises(NotFound):
        archive.find(study(3), "study")
    with pytest.raises(BadQuery, match="already"):
        archive.corrections.move(series[3], to=study(2))
    assert_as_anew(archive)
    archive.corrections.undo(first)
    assert patients(archive) == {"P1": 2, "P2": 1}
    archive.corrections.undo(second)
    assert patients(archive) == {"P1": 2, "P2": 1, "P3": 1}
    assert_as_anew(archive)


def test_what_was_removed_stays_removed_when_a_correction_is_undone(archive: Archive, series: list[str]) -> None:
    number = archive.corrections.move(series[3], to=study(2))
    assert archive.remove(study(2), "study") == 4
    assert patients(archive) == {"P1": 2}
    assert_as_anew(archive)
    archive.corrections.undo(number)
    assert patients(archive) == {"P1": 2}
    assert_as_anew(archive)
    assert archive.restore(series[3]) == 2
    assert patients(archive) == {"P1": 2, "P3": 1}
    assert_as_anew(archive)


def test_what_was_removed_together_comes_back_together(archive: Archive, series: list[str]) -> None:
    archive.corrections.merge(into="P1", patients="P2")
    before = frames(archive)
    assert archive.remove("P1", "patient") == 6
    assert patients(archive) == {"P3": 1}
    assert archive.restore("P1", "patient") == 6
    assert frames(archive) == before
    assert archive.trash() == []


def test_purging_the_patient_that_stays_leaves_the_other_as_received(archive: Archive, series: list[str]) -> None:
    archive.corrections.merge(into="P3", patients=["P2"])
    archive.corrections.set("P3", "patient", PatientSex="F")
    archive.remove(series[3])
    assert patients(archive) == {"P1": 2, "P3": 1}
    archive.empty_trash()
    assert patients(archive) == {"P1": 2, "P2": 1}
    assert_as_anew(archive)


def test_purging_a_part_keeps_what_is_corrected(archive: Archive, series: list[str]) -> None:
    archive.corrections.move(series[0], to=study(2))
    archive.corrections.set("P2", "patient", PatientID="P9")
    archive.corrections.set(series[0], SeriesDescription="said anew")
    archive.remove(archive.objects(series[0])[0].sop_instance_uid, "instance")
    archive.remove(series[2])
    archive.empty_trash()
    row = archive.find(series[0])
    assert (row["SeriesDescription"], row["NumberOfSeriesRelatedInstances"]) == ("said anew", 1)
    assert row["StudyInstanceUID"] == study(0)  # for the study that it was moved to is gone for good
    assert_as_anew(archive)


@pytest.mark.parametrize("seed", range(2))
def test_any_sequence_holds_over_a_reindex(archive: Archive, series: list[str], seed: int) -> None:
    chance, before, numbers = random.Random(seed), frames(archive), []

    def key(level: Any) -> str:
        return str(chance.choice([row["key"] for row in archive.search(level).rows()]))

    for _ in range(12):
        what = chance.choice(["set", "set", "merge", "study", "series", "undo"])
        try:
            if what == "set":
                level, keyword = chance.choice(
                    [("patient", "PatientID"), ("study", "StudyDate"), ("series", "Laterality")]
                )
                value = {"PatientID": f"P{chance.randint(1, 5)}", "StudyDate": "20010203", "Laterality": "L"}[keyword]
                numbers.append(archive.corrections.set(key(level), level, **{keyword: value}))  # type: ignore[arg-type]
            elif what == "merge":
                numbers.append(archive.corrections.merge(into=key("patient"), patients=[key("patient")]))
            elif what == "undo":
                archive.corrections.undo(numbers.pop(chance.randrange(len(numbers))) if numbers else 0)
            else:
                to = key("patient" if what == "study" else "study")
                numbers.append(archive.corrections.move(key(what), what, to=to))  # type: ignore[arg-type]
        except (BadQuery, NotFound):
            continue
    assert_as_anew(archive)
    for number in chance.sample(numbers, len(numbers)):
        archive.corrections.undo(number)
    assert frames(archive) == before


@pytest.mark.parametrize(
    ("level", "values"),
    [
        ("patient", {}),
        ("patient", {"StudyDate": "20200101"}),
        ("series", {"PatientID": "P9"}),
        ("series", {"SeriesInstanceUID": "1.2.3"}),
        ("series", {"SliceThickness": 3}),
        ("series", {"Collection": "x"}),
        ("series", {"Nonsense": "x"}),
        ("series", {"SeriesNumber": "many"}),
        ("series", {"Modality": "mr"}),
        ("patient", {"PatientSex": "X"}),
        ("patient", {"PatientID": "P\x001"}),
        ("patient", {"PatientID": "P" * 65}),
        ("patient", {"PatientID": "P\\Q"}),
        ("patient", {"PatientBirthDate": "20230229"}),
        ("study", {"StudyTime": "2561"}),
        ("study", {"PatientAge": "47"}),
        ("instance", {"InstanceNumber": 1}),
    ],
)
def test_what_cannot_be_is_refused(archive: Archive, series: list[str], level: Any, values: dict[str, Any]) -> None:
    uid = {"patient": "P1", "study": study(0)}.get(level, series[0])
    with pytest.raises(BadQuery):
        archive.corrections.set(uid, level, **values)
    assert archive.corrections.list() == []


def test_values_that_fit(archive: Archive, series: list[str]) -> None:
    archive.corrections.set(
        "P1", "patient", PatientName="Name^P1=名^前", PatientBirthDate="1980.01.31", PatientSex=None
    )
    row = archive.find("P1", "patient")
    assert (row["PatientName"], row["PatientBirthDate"], row["PatientSex"]) == ("Name^P1=名^前", "19800131", None)
    archive.corrections.set(study(0), "study", StudyTime="123456.5", PatientAge="047Y", PatientWeight=71.5)
    row = archive.find(study(0), "study")
    assert (row["StudyTime"], row["PatientAge"], row["PatientWeight"]) == ("123456.5", "047Y", 71.5)
    assert archive.search("patient", PatientName="名*").count() == 1
    assert_as_anew(archive)


def test_two_of_the_same_id_are_told_apart_by_key(archive: Archive, series: list[str]) -> None:
    archive.corrections.set("P2", "patient", PatientID="P1")
    with pytest.raises(Ambiguous) as error:
        archive.corrections.merge(into="P1", patients=["P3"])
    a, b = error.value.choices
    archive.corrections.merge(into=a, patients=[b])
    assert patients(archive) == {"P1": 3, "P3": 1}
    with pytest.raises(BadQuery):
        archive.corrections.merge(into="P1", patients=["P1"])


def test_only_what_may_be_written_whole_is_corrected(archive: Archive, series: list[str]) -> None:
    own: frozenset[Action] = frozenset({"read", "write"})
    rules = (
        Rule("ann", own, {"SeriesInstanceUID": [series[0], series[2]]}),
        Rule("bob", frozenset({"read"})),
        Rule("eve", own),
    )

    def at(role: str) -> Archive:
        who = Principal(role, frozenset({role}))
        return archive.as_(who, rules)

    ann, bob, eve = at("ann"), at("bob"), at("eve")
    with pytest.raises(Denied):
        bob.corrections.set("P1", "patient", PatientSex="F")
    with pytest.raises(NotFound):
        ann.corrections.set("P1", "patient", PatientSex="F")
    with pytest.raises(NotFound):
        ann.corrections.merge(into="P2", patients=["P1"])
    mine = ann.corrections.set("P2", "patient", PatientSex="F")
    other = eve.corrections.set("P3", "patient", PatientSex="F")
    assert [one.number for one in bob.corrections.list()] == [mine, other]
    assert [one.number for one in ann.corrections.list()] == [mine]
    with pytest.raises(NotFound):
        ann.corrections.undo(other)
    with pytest.raises(Denied):
        bob.corrections.undo(mine)
    ann.corrections.undo(mine)
    eve.corrections.undo(other)


def test_one_that_was_cut_short_holds_after_a_recover(archive: Archive, series: list[str]) -> None:
    key = str(archive.find("P2", "patient")["key"])
    archive._records.correct(Correction(0, "set", "patient", (key,), values={"PatientID": "P9"}))
    assert patients(archive) == {"P1": 2, "P2": 1, "P3": 1}
    archive.recover()
    assert patients(archive) == {"P1": 2, "P9": 1, "P3": 1}


def test_another_process_sees_it(archive: Archive, series: list[str]) -> None:
    with opened(archive.root) as other:
        number = archive.corrections.merge(into="P1", patients=["P2"])
        assert patients(other) == {"P1": 3, "P3": 1}
        other.corrections.undo(number)
    assert patients(archive) == {"P1": 2, "P2": 1, "P3": 1}
