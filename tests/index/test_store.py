from __future__ import annotations

import pickle
import random
from pathlib import Path

import pytest

from pacs_panel.errors import ArchiveError, NotFound
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.criteria import criteria
from pacs_panel.index.store import Index
from pacs_panel.model import Dimension, Gap, ImageHeader, Passport, Revision, Stack
from tests.index.made import arrival


def only(index: Index, level: str, **asked: object) -> dict:
    (row,) = index.search(level, criteria(level, **asked)).rows()
    return row


def test_what_was_added_comes_back(index: Index) -> None:
    image = ImageHeader(
        "1.2.1.1.1",
        4,
        5,
        position=(1.0, 2.0, 3.0),
        spacing=(0.5, 0.25),
        windows=((40.0, 400.0, "ü"),),
        order={"EchoTime": 2.5},
    )
    one = arrival(image=image, received=7)
    assert index.add([one]) == []
    assert index.object("1.2.1.1.1") == one.kept
    assert index.objects(one.kept.series_key) == [one.kept]
    assert index.versions(["1.2.1.1.1", "9.9"]) == {"1.2.1.1.1": [one.kept]}
    assert list(index.all_objects()) == [one.kept]
    uid, file = one.kept.sop_instance_uid, one.kept.digests.file
    assert index.known({file: uid, "other": uid, "third": "9.9"}) == ({file}, {uid: [one.kept]})


def test_objects_come_by_instance_number(index: Index) -> None:
    index.add([arrival(n) for n in (10, 2, 1)])
    assert [kept.location.offset for kept in index.objects(arrival().kept.series_key)] == [1000, 2000, 10000]


def test_unknown_object_is_not_found(index: Index) -> None:
    with pytest.raises(NotFound):
        index.object("1.2.3")


def test_counts_and_aggregates(index: Index) -> None:
    index.add(
        [arrival(n, 1) for n in (1, 2, 3)] + [arrival(1, 2, Modality="SEG"), arrival(1, 1, study=2, Modality="MR")]
    )
    index.add([arrival(4, 1)])
    series = only(index, "series", SeriesInstanceUID="1.2.1.1")
    assert (series["NumberOfSeriesRelatedInstances"], series["bytes"]) == (4, 3600)
    assert (series["Collection"], series["Kind"]) == ("lung", "image")
    study = only(index, "study", StudyInstanceUID="1.2.1")
    assert study["NumberOfStudyRelatedSeries"] == 2
    assert study["NumberOfStudyRelatedInstances"] == 5
    assert study["ModalitiesInStudy"] == "CT\\SEG"
    assert only(index, "patient")["NumberOfPatientRelatedStudies"] == 2
    status = index.status()
    assert {k: status[k] for k in ("patients", "studies", "series", "instances", "bytes")} == {
        "patients": 1, "studies": 2, "series": 3, "instances": 6, "bytes": 5400
    }  # fmt: skip


def test_series_keeps_the_first_and_study_and_patient_take_the_newest(index: Index) -> None:
    index.add([arrival(1, received=5, SeriesDescription="five", StudyDescription="five", PatientSex="M")])
    index.add(
        [
            arrival(
                2, received=9, SeriesDescription="nine", StudyDescription="nine", PatientSex="", BodyPartExamined="HEAD"
            )
        ]
    )
    index.add([arrival(3, received=2, SeriesDescription="two", StudyDescription="two", PatientBirthDate="19700101")])
    row = only(index, "series")
    assert (row["SeriesDescription"], row["BodyPartExamined"]) == ("two", "HEAD")
    assert row["StudyDescription"] == "nine"
    assert (row["PatientSex"], row["PatientBirthDate"]) == ("M", "19700101")  # absence replaces nothing
    assert row["received"] == 9


def test_empty_and_impossible_values_are_missing(index: Index) -> None:
    index.add(
        [arrival(SeriesNumber="x", SliceThickness="nan", SeriesDescription=" \0 ", StudyDate="2025.01.02", Rows=3.5)]
    )
    row = only(index, "instance")
    assert [row[k] for k in ("SeriesNumber", "SliceThickness", "SeriesDescription", "Rows")] == [None] * 4
    assert row["StudyDate"] == "20250102"


def test_hostile_text_is_data(index: Index) -> None:
    index.add([arrival(SeriesDescription="'; DROP TABLE series; --\ud800", StationName="x" * 100_000)])
    row = only(index, "series")
    assert row["SeriesDescription"] == "'; DROP TABLE series; --?"
    assert only(index, "series", SeriesDescription="'; DROP TABLE*") == row


def test_newest_version_is_current_whatever_the_order(index: Index) -> None:
    old, new, oldest = (
        arrival(content="a", received=5),
        arrival(content="b", received=9),
        arrival(content="c", received=1),
    )
    index.add([old])
    index.add([new, oldest])
    versions = index.versions([old.kept.sop_instance_uid])[old.kept.sop_instance_uid]
    assert [(kept.digests.file[-1], kept.current) for kept in versions] == [("b", True), ("a", False), ("c", False)]
    assert index.object(old.kept.sop_instance_uid).digests == new.kept.digests
    assert [k.digests.file[-1] for k in index.objects(old.kept.series_key)] == ["b"]
    assert len(index.objects(old.kept.series_key, current=False)) == 3
    assert only(index, "series")["NumberOfSeriesRelatedInstances"] == 1
    assert index.status()["superseded"] == 2


def test_a_new_version_in_another_series_leaves_the_old_one(index: Index) -> None:
    first = arrival(1, 1, received=1)
    index.add([first, arrival(2, 1, received=1)])
    moved = arrival(1, 2, received=2, uid=first.kept.sop_instance_uid, content="moved")
    index.add([moved])
    assert only(index, "series", SeriesInstanceUID="1.2.1.1")["NumberOfSeriesRelatedInstances"] == 1
    assert only(index, "series", SeriesInstanceUID="1.2.1.2")["NumberOfSeriesRelatedInstances"] == 1


def test_the_same_data_set_is_there_once(index: Index) -> None:
    assert index.add([arrival(), arrival(2)]) == []
    again = arrival()
    assert index.add([again, arrival(3), arrival(3)]) == [again, arrival(3)]
    assert index.status()["instances"] == 3


def test_adding_nothing_new_changes_nothing(index: Index) -> None:
    index.add([arrival()])
    before = index.change()
    index.add([arrival()])
    index.add([])
    assert index.change() == before


def test_a_study_that_goes_to_another_patient(index: Index) -> None:
    index.add([arrival(1, patient="P1", received=1)])
    index.add([arrival(2, patient="P2", received=2)])
    row = only(index, "series")
    assert row["PatientID"] == "P2"
    assert [r["PatientID"] for r in index.search("patient").rows()] == ["P2"]
    assert index.search("series", criteria(text="P2")).count() == 1
    assert index.search("series", criteria(text="P1")).count() == 0


# -- revisions ---------------------------------------------------------------------------------------------------------


def revision(key: str, name: str = "r1") -> Revision:
    passport = Passport(
        "irregular",
        "a slice is missing",
        (2, 4, 5),
        affine=((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 2.0, 0.0), (0.0, 0.0, 0.0, 1.0)),
        positions=((0.0, 0.0, 0.0), (0.0, 0.0, 4.0)),
        gaps=(Gap(0, 1),),
        dimensions=(Dimension("time", "TriggerTime", (1.5, 2.5)),),
    )
    return Revision(key, name, f"volumes/{name}", "irregular", (Stack(passport, ("1.2.1.1.1", "1.2.1.1.2")),), "note")


def test_publishing_settles_and_new_objects_unsettle(index: Index) -> None:
    key = arrival().kept.series_key
    index.add([arrival()])
    assert index.unsettled() == [key]
    assert index.revision(key) is None
    index.publish(revision(key))
    assert index.unsettled() == []
    assert index.revision(key) == revision(key)
    row = only(index, "series")
    assert (row["revision"], row["Verdict"]) == ("r1", "irregular")
    index.add([arrival(2)])
    assert index.unsettled() == [key]
    index.publish(revision(key, "r2"))
    assert index.unsettled() == []
    assert index.revision(key, "r1") == revision(key, "r1")
    index.trash("instance", "1.2.1.1.2")
    assert index.unsettled() == [key]


def test_objects_that_came_while_building_leave_a_series_unsettled(index: Index) -> None:
    key = arrival().kept.series_key
    index.add([arrival()])
    before = index.change()
    index.add([arrival(2)])
    index.publish(revision(key), before)
    assert index.unsettled() == [key]


def test_quiet_series_only(index: Index) -> None:
    index.add([arrival(1, 1, received=10), arrival(1, 2, received=20)])
    assert index.unsettled(quiet_since=15) == [arrival(1, 1).kept.series_key]


def test_publishing_for_an_unknown_series(index: Index) -> None:
    with pytest.raises(NotFound):
        index.publish(revision("nothing"))


# -- trash, damage, packs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["instance", "series", "study", "patient"])
def test_trash_and_restore(index: Index, level: str) -> None:
    one = arrival(Modality="CT")
    index.add([one, arrival(1, study=2, patient="P2")])
    key = {
        "instance": one.kept.sop_instance_uid,
        "series": one.kept.series_key,
        "study": one.study_key,
        "patient": one.patient_key,
    }[level]
    before = sorted(map(repr, index.search("instance").rows()))
    assert index.trash(level, key) == 1
    for each in ("patient", "study", "series", "instance"):
        assert index.search(each).count() == 1
    assert index.known({one.kept.digests.file: one.kept.sop_instance_uid}) == (set(), {})
    assert index.status()["trashed"] == 1
    assert [k.digests.file for k in index.all_objects()] == ["file of 1.2.2.1.1 "]
    assert len(list(index.all_objects(trashed=True))) == 2
    with pytest.raises(NotFound):
        index.trash(level, key)
    assert index.restore(level, key) == 1
    assert sorted(map(repr, index.search("instance").rows())) == before
    with pytest.raises(NotFound):
        index.restore(level, key)


def test_what_was_received_anew_stays_single_after_a_restore(index: Index) -> None:
    index.add([arrival(received=1)])
    index.trash("instance", "1.2.1.1.1")
    assert index.add([arrival(received=2)]) == []
    index.restore("instance", "1.2.1.1.1")
    assert [k.received for k in index.versions(["1.2.1.1.1"])["1.2.1.1.1"]] == [2]
    assert index.status()["trashed"] == 1


def test_damage_is_noted_and_taken_back(index: Index) -> None:
    index.add([arrival(), arrival(2)])
    kept = index.object("1.2.1.1.1")
    index.mark_damaged(kept, "digest differs")
    assert index.damaged() == [(kept, "digest differs")]
    assert index.status()["damaged"] == 1
    index.mark_damaged(kept, None)
    assert index.damaged() == []
    with pytest.raises(NotFound):
        index.mark_damaged(arrival(9).kept, "?")


def test_packs_are_sealed(index: Index) -> None:
    index.add([arrival(1, 1), arrival(1, 2), arrival(1, 3, in_place=True)])
    first, second = (arrival(1, n).kept.location.path for n in (1, 2))
    assert set(index.unsealed()) == {first, second}
    index.seal([first])
    assert index.sealed([first, second]) == {first}
    index.add([arrival(2, 1)])
    assert index.unsealed() == [second]


# -- change numbers ----------------------------------------------------------------------------------------------------


def test_change_numbers_grow_and_miss_nothing(index: Index) -> None:
    one = arrival()
    keys = {("series", one.kept.series_key), ("study", one.study_key), ("patient", one.patient_key)}
    seen = [index.change()]

    def news() -> set[tuple[str, str, bool]]:
        found = index.changes_since(seen[-1])
        seen.append(index.change())
        assert seen[-1] > seen[-2]
        return found

    index.add([one])
    assert news() == {(*k, False) for k in keys}
    index.publish(revision(one.kept.series_key))
    assert news() == {(*k, False) for k in keys}
    index.mark_damaged(one.kept, "x")
    assert news() == {(*k, False) for k in keys}
    index.trash("series", one.kept.series_key)
    assert news() == {(*k, True) for k in keys} | {("instance", "1.2.1.1.1", True)}
    index.restore("series", one.kept.series_key)
    assert news() == {(*k, False) for k in keys}
    assert index.changes_since(seen[-1]) == set()
    assert index.changes_since(0) == {(*k, False) for k in keys}


def test_numbers_grow_over_an_index_made_anew(tmp_path: Path) -> None:
    with Index(tmp_path / "index.sqlite") as index:
        index.add([arrival()])
        before = index.change()
    for file in tmp_path.iterdir():
        file.unlink()
    with Index(tmp_path / "index.sqlite") as index:
        assert index.change() > before - 60_000  # the clock may be set back a little
        index.add([arrival()])


def test_rebuilding_gives_the_same_index(tmp_path: Path) -> None:
    dice = random.Random(3)
    arrivals = [
        arrival(
            dice.randint(1, 9), dice.randint(1, 3), dice.randint(1, 3), received=time, content=str(dice.randint(1, 3)),
            patient=dice.choice(["P1", "P2"]), SeriesDescription=dice.choice(["", "a", "b"]),
            Modality=dice.choice(["CT", "MR"]),
            StudyDescription=dice.choice(["", "x", "y"]), StudyDate=dice.choice(["20250101", "20250202"]),
        )
        for time in range(200)
    ]  # fmt: skip
    with Index(tmp_path / "first.sqlite") as first:
        for start in range(0, 200, 13):
            first.add(arrivals[start : start + 13])
        kept = {(k.sop_instance_uid, k.digests.file, k.received): k for k in first.all_objects()}
        fresh = [a for a in arrivals if (a.kept.sop_instance_uid, a.kept.digests.file, a.kept.received) in kept]
        with Index(tmp_path / "second.sqlite") as second:
            second.add(fresh)
            assert contents(second) == contents(first)
            assert {(k.sop_instance_uid, k.digests.file, k.received): k for k in second.all_objects()} == kept


def contents(index: Index) -> dict[str, list[dict]]:
    return {level: list(index.search(level).rows()) for level in ("study", "series", "instance")}


# -- the file ----------------------------------------------------------------------------------------------------------


def test_pickles_as_its_path(index: Index) -> None:
    index.add([arrival()])
    with pickle.loads(pickle.dumps(index)) as again:
        assert again.object("1.2.1.1.1") == index.object("1.2.1.1.1")
        assert again.settings == index.settings


def test_garbage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"not a database at all " * 500)
    with pytest.raises(ArchiveError, match="reindex"):
        Index(tmp_path / "index.sqlite")


def test_clearing_shows_as_deletions_and_refilling_as_arrivals(index: Index) -> None:
    stays, goes = arrival(1, 1, 1), arrival(1, 1, 2, patient="P2")
    index.add([stays, goes])
    before = index.change()
    index.clear()
    assert index.status()["instances"] == index.search("patient").count() == 0
    assert index.unsealed() == []
    index.add([stays])
    assert index.changes_since(before) == {
        (level, key, gone)
        for one, gone in ((stays, False), (goes, True))
        for level, key in (("series", one.kept.series_key), ("study", one.study_key), ("patient", one.patient_key))
    }
    assert index.search("series", criteria(text="P1")).count() == 1


def test_keys_are_found_in_the_trash_too(index: Index) -> None:
    index.add([arrival()])
    index.trash("series", arrival().kept.series_key)
    assert index.keys_of("1.2.1.1", "series") == index.keys_of(arrival().kept.series_key, "series")
    assert index.keys_of("1.2.1.1", "series") == [arrival().kept.series_key]
    assert index.keys_of("9", "series") == []


def test_optimize_keeps_everything(index: Index) -> None:
    index.add([arrival(n, SeriesDescription="Thorax") for n in range(1, 50)])
    index.optimize()
    assert index.search("series", criteria(text="thor")).count() == 1
    assert index.status()["instances"] == 49


def test_a_failing_batch_leaves_nothing(index: Index) -> None:
    before = index.change()
    broken = Arrival(arrival(2).kept, {}, None, "p")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="NOT NULL"):
        index.add([arrival(1), broken])
    assert index.status()["instances"] == 0
    assert index.change() == before
