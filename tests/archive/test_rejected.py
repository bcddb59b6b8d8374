"""What a key object selection rejects is hidden, kept, and can be shown again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pacs_panel.archive import Archive
from pacs_panel.cli import main
from pacs_panel.errors import NotFound
from pacs_panel.model import Principal
from pacs_panel.policy import Rule
from pacs_panel.testing.documents import key_objects_on
from tests.archive.made import changed, ct, frames, put

CT = ct(4, seed=0)
UIDS = [str(dataset.SOPInstanceUID) for dataset in CT.datasets]
QUALITY = ("113001", "Rejected for Quality Reasons")


def note(title: tuple[str, str] = QUALITY, marked: int = 2, **values: Any) -> Any:
    return changed(key_objects_on(CT, marked=marked, title=title).datasets[0], **values)


NOTE = str(note().SOPInstanceUID)


def shown(archive: Archive) -> list[str]:
    found = [str(row["SOPInstanceUID"]) for row in archive.search("instance", Modality="CT").rows()]
    return [uid for uid in UIDS if uid in found]


def depth(archive: Archive) -> int:
    return int(archive.volume(CT.series_uid).sizes["slice"])


@pytest.fixture
def given(archive: Archive, tmp_path: Path) -> Archive:
    archive.ingest(put(tmp_path / "ct", *CT.datasets))
    archive.ingest(put(tmp_path / "note", note()))
    return archive


@pytest.mark.parametrize("code", ["113001", "113037", "113038", "113039"])
@pytest.mark.parametrize("first", [True, False])
def test_it_is_hidden_whichever_came_first(archive: Archive, tmp_path: Path, code: str, first: bool) -> None:
    parts = [put(tmp_path / "ct", *CT.datasets), put(tmp_path / "note", note((code, "Rejected")))]
    for part in parts if first else reversed(parts):
        archive.ingest(part, build=False)
    assert shown(archive) == UIDS[2:]
    assert archive.find(CT.series_uid)["NumberOfSeriesRelatedInstances"] == 2
    assert {(one.sop_instance_uid, one.note, one.reason) for one in archive.rejected()} == {
        (uid, NOTE, code) for uid in UIDS[:2]
    }


def test_counts_volumes_and_reports_follow(given: Archive) -> None:
    assert depth(given) == 2
    status = given.status()
    assert (status["instances"], status["rejected"], status["superseded"]) == (3, 2, 0)
    with pytest.raises(NotFound):
        given.read(UIDS[0])
    assert given.verify().objects == 5
    before = frames(given)
    given.reindex()
    assert frames(given) == before


def test_a_selection_of_interest_hides_nothing(archive: Archive, tmp_path: Path) -> None:
    archive.ingest(put(tmp_path / "all", *CT.datasets, note(("113000", "Of Interest"))), build=False)
    archive.ingest(put(tmp_path / "again", note(("113001", "Private"), SOPInstanceUID="2.25.7")), build=False)
    assert shown(archive) == UIDS[2:]
    archive.remove("2.25.7", "instance")
    assert shown(archive) == UIDS
    assert archive.rejected() == []


def test_a_whole_series_vanishes_and_comes_back_with_the_note(given: Archive, tmp_path: Path) -> None:
    given.ingest(put(tmp_path / "more", note(marked=4, SOPInstanceUID="2.25.8")))
    assert [row["Modality"] for row in given.search().rows()] == ["KO"]
    start = given.change()
    given.remove("2.25.8", "instance")
    assert shown(given) == UIDS[2:]
    assert given.change() > start
    given.restore("2.25.8", "instance")
    assert shown(given) == []
    given.remove("2.25.8", "instance")
    given.remove(NOTE, "instance")
    assert shown(given) == UIDS
    given.empty_trash()
    assert shown(given) == UIDS
    given.settle()
    assert depth(given) == 4
    before = frames(given)
    given.reindex()
    assert frames(given) == before


def test_a_newer_version_of_the_note_counts(given: Archive, tmp_path: Path) -> None:
    given.ingest(put(tmp_path / "newer", note(("113000", "Of Interest"))))
    assert shown(given) == UIDS
    assert depth(given) == 4


def test_what_was_accepted_is_shown_until_that_is_undone(given: Archive) -> None:
    one = given.corrections.accept(UIDS[0], reason="good enough")
    assert shown(given) == [UIDS[0], *UIDS[2:]]
    assert {each.sop_instance_uid: each.accepted for each in given.rejected()} == {UIDS[0]: True, UIDS[1]: False}
    both = given.corrections.accept(NOTE)
    assert shown(given) == UIDS
    with pytest.raises(NotFound):
        given.corrections.accept(NOTE)
    given.settle()
    before = frames(given)
    given.reindex()
    assert frames(given) == before
    given.corrections.undo(both)
    given.corrections.undo(one)
    assert shown(given) == UIDS[2:]
    given.settle()
    assert depth(given) == 2


def test_notes_do_not_reject_each_other(archive: Archive, tmp_path: Path) -> None:
    first = note()
    second = note(SOPInstanceUID="2.25.9")
    content = changed(second)
    for item in content.ContentSequence:
        for named in item.get("ReferencedSOPSequence", []):
            named.ReferencedSOPInstanceUID = NOTE
    content.CurrentRequestedProcedureEvidenceSequence = []
    archive.ingest(put(tmp_path / "all", *CT.datasets, first, content), build=False)
    assert archive.search("instance", SOPInstanceUID=NOTE).count() == 1
    assert shown(archive) == UIDS[2:]


def test_who_may_not_see_the_note_is_not_told(given: Archive) -> None:
    rules = (Rule("ann", frozenset({"read", "write"}), {"Modality": "CT"}),)
    ann = given.as_(Principal("ann", frozenset({"ann"})), rules)
    assert ann.rejected() == []
    with pytest.raises(NotFound):
        ann.corrections.accept(UIDS[0])


def test_the_command(given: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    def say(*words: str, status: int = 0) -> str:
        assert main(["correct", *words, "--archive", str(given.root)]) == status
        return capsys.readouterr().out

    assert NOTE in say("rejected")
    assert "1" in say("accept", NOTE, "--reason", "good enough")
    assert shown(given) == UIDS
    (one,) = json.loads(say("list", "--json"))
    assert (one["number"], one["kind"], one["reason"]) == (1, "accept", "good enough")
    say("undo", "1")
    assert shown(given) == UIDS[2:]
    who = str(given.find(CT.series_uid)["PatientID"])
    say("set", who, "PatientID=P77", "PatientSex=", "--level", "patient")
    assert given.find("P77", "patient")["PatientSex"] is None
    say("set", CT.series_uid, "Modality=ct", status=2)
    say("merge", "P77", status=2)
    say("move", CT.series_uid, "1.2.3", status=2)
    say("undo", "2")
    assert "PatientID" in say("list", "--undone")
    assert say("list").strip() == "number  kind  level  keys  to  values  reason  made  by"
