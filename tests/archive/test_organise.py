"""Tags, notes, ratings, collections and saved searches."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pacs_panel.archive import Archive
from pacs_panel.cli import main
from pacs_panel.errors import Ambiguous, BadQuery, Denied, NotFound
from pacs_panel.model import Principal
from pacs_panel.policy import Rule
from tests.archive.importing import ended
from tests.archive.made import changed, ct, opened, put

PATIENTS = ("P1", "P1", "P2")


@pytest.fixture
def series(archive: Archive, tmp_path: Path) -> list[str]:
    """Series UIDs: two of a patient, one of another."""
    uids = []
    for seed, patient in enumerate(PATIENTS):
        one = ct(2, seed=seed)
        own = {"PatientID": patient, "StudyInstanceUID": f"2.25.10{seed}"}
        sets = [changed(dataset, **own) for dataset in one.datasets]
        archive.ingest(put(tmp_path / f"in{seed}", *sets), build=False, collection="imported")
        uids.append(one.series_uid)
    return uids


def found(search: Any) -> list[str]:
    return sorted(row["SeriesInstanceUID"] for row in search.rows())


def test_tags_say_who_and_when(archive: Archive, series: list[str]) -> None:
    before = time.time_ns()
    archive.organise.tag(series[0], " good ")
    archive.as_(Principal("ann", frozenset({"admin"}))).organise.tag(series[0], "Kidney é")
    assert archive.organise.tags(series[0]) == ["Kidney é", "good"]
    assert archive.organise.tags(series[1]) == []
    first, second = archive.organise.marks("tag", series[0])
    assert (first.by, second.by) == ("local", "ann")
    assert before <= first.at <= second.at <= time.time_ns()
    archive.organise.untag(series[0], "good")
    assert archive.organise.tags(series[0]) == ["Kidney é"]
    with pytest.raises(NotFound):
        archive.organise.untag(series[0], "good")


@pytest.mark.parametrize("level", ["patient", "study", "series"])
def test_whoever_follows_hears_of_notes_and_ratings(archive: Archive, series: list[str], level: Any) -> None:
    key = str(archive.search(level).page().rows[0]["key"])
    organise, numbers = archive.organise, [archive.change()]
    note = organise.note(key, "Moved during the scan", level)
    numbers.append(archive.change())
    organise.rate(key, 3, level)
    numbers.append(archive.change())
    assert (level, key, False) in archive._index.changes_since(numbers[1])
    organise.unnote(key, note, level)
    numbers.append(archive.change())
    organise.unrate(key, level)
    numbers.append(archive.change())
    assert numbers == sorted(set(numbers))


def test_several_are_tagged_at_once_or_not_at_all(archive: Archive, series: list[str]) -> None:
    archive.organise.tag(series[:2], "good")
    with pytest.raises(NotFound):
        archive.organise.tag([series[2], "1.2.3"], "good")
    with pytest.raises(NotFound):
        archive.organise.untag(series, "good")
    assert archive.organise.tag_counts() == [("good", 2)]
    archive.organise.untag(series[:2], "good")
    assert archive.organise.tag_counts() == []


def test_the_command_tags(archive: Archive, series: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    here = ["--archive", str(archive.root)]
    assert main(["tag", "good", "PatientID=P1", *here]) == 0
    assert main(["tag", "late", series[2], *here]) == 0
    assert archive.organise.tag_counts() == [("good", 2), ("late", 1)]
    capsys.readouterr()
    assert main(["tag", *here]) == 0
    assert capsys.readouterr().out.split() == ["tag", "series", "good", "2", "late", "1"]
    assert main(["tag", "good", series[0], "--remove", *here]) == 0
    assert archive.organise.tags(series[0]) == []
    assert main(["tag", "good", "1.2.3", *here]) == main(["tag", "good", *here]) == 2


def test_patients_and_studies_are_tagged_apart(archive: Archive, series: list[str]) -> None:
    study = archive.find(series[0])["StudyInstanceUID"]
    archive.organise.tag("P1", "enrolled", "patient")
    archive.organise.tag(study, "baseline", "study")
    assert archive.organise.tags("P1", "patient") == ["enrolled"]
    assert archive.organise.tags("P2", "patient") == archive.organise.tags(series[0]) == []
    assert [row["StudyInstanceUID"] for row in archive.organise.search("study", tags="baseline").rows()] == [study]
    assert archive.organise.tag_counts(archive.search("patient")) == [("enrolled", 1)]
    assert archive.organise.tag_counts(archive.search("patient", PatientID="P2")) == []
    assert [row["PatientID"] for row in archive.organise.search("patient", tags="enrolled").rows()] == ["P1"]
    assert found(archive.search(PatientTags="enrolled")) == sorted(series[:2])
    with pytest.raises(BadQuery, match="level"):
        archive.organise.search("instance", tags="enrolled")


def test_searching_by_tags(archive: Archive, series: list[str]) -> None:
    for uid, tag in ((series[0], "good"), (series[1], "good"), (series[1], "late"), (series[2], "Good")):
        archive.organise.tag(uid, tag)
    organise = archive.organise
    assert found(organise.search(tags="good")) == sorted(series)
    assert found(organise.search(tags=["good", "late"])) == [series[1]]
    assert found(organise.search(tags="late", PatientID="P2")) == []
    assert found(organise.search(tags="good", SeriesInstanceUID=series[0])) == [series[0]]
    assert found(organise.search(tags="never")) == []
    assert found(organise.search()) == sorted(series)
    assert organise.search(tags="late").facets("PatientID") == {"PatientID": [("P1", 1)]}
    assert archive.search().facets("Tags") == {"Tags": [("Good", 3), ("late", 1)]}
    assert archive.search("patient", Tags="late").count() == 1
    assert found(archive.search(Tags='""')) == []
    assert organise.tag_counts() == [("good", 2), ("Good", 1), ("late", 1)]
    assert organise.tag_counts(archive.search(PatientID="P2")) == [("Good", 1)]


def test_what_is_in_the_trash_is_not_counted(archive: Archive, series: list[str]) -> None:
    archive.organise.tag(series[0], "good")
    archive.remove(series[0])
    assert archive.organise.tag_counts() == []
    assert found(archive.organise.search(tags="good")) == []
    archive.restore(series[0])
    assert archive.organise.tag_counts() == [("good", 1)]


def test_a_uid_in_two_studies_is_never_mixed_up(archive: Archive, tmp_path: Path) -> None:
    one = ct(2)
    archive.ingest(put(tmp_path / "one", *one.datasets), build=False)
    other = [
        changed(dataset, StudyInstanceUID="2.25.77", SOPInstanceUID=f"2.25.78.{number}")
        for number, dataset in enumerate(one.datasets)
    ]
    archive.ingest(put(tmp_path / "other", *other), build=False)
    keys = [str(row["key"]) for row in archive.search().rows()]
    with pytest.raises(Ambiguous):
        archive.organise.tag(one.series_uid, "good")
    archive.organise.tag(keys[0], "good")
    assert (archive.organise.tags(keys[0]), archive.organise.tags(keys[1])) == (["good"], [])
    assert archive.organise.tag_counts() == [("good", 1)]
    assert [row["key"] for row in archive.organise.search(tags="good").rows()] == [keys[0]]
    archive.organise.tag(keys, "good")
    assert archive.organise.search(tags="good").count() == 2


def test_notes_and_ratings(archive: Archive, series: list[str]) -> None:
    organise = archive.organise
    first, second = organise.note(series[0], "moved\nin slice 3"), organise.note(series[0], "moved\nin slice 3")
    assert [(note.name, note.value) for note in organise.notes(series[0])] == [
        (first, "moved\nin slice 3"),
        (second, "moved\nin slice 3"),
    ]
    organise.unnote(series[0], first)
    assert [note.name for note in organise.notes(series[0])] == [second]
    organise.rate(series[0], 2)
    organise.rate(series[0], 4)
    archive.as_(Principal("ann", frozenset({"admin"}))).organise.rate(series[0], 5)
    assert organise.ratings(series[0]) == {"local": 4, "ann": 5}
    organise.unrate(series[0])
    assert organise.ratings(series[0]) == {"ann": 5}
    for wrong in (0, 6, True, 2.5, "4"):
        with pytest.raises(BadQuery):
            organise.rate(series[0], wrong)  # type: ignore[arg-type]
    for text in ("", "  ", "x" * 10_001):
        with pytest.raises(BadQuery):
            organise.note(series[0], text)


@pytest.mark.parametrize("name", ["", "  ", "a*", "a?", 'a"', "a\\b", "a\nb", "x" * 101, None])
def test_names_are_checked(archive: Archive, series: list[str], name: Any) -> None:
    with pytest.raises(BadQuery):
        archive.organise.tag(series[0], name)
    with pytest.raises(BadQuery):
        archive.organise.collect(name, series)
    with pytest.raises(BadQuery):
        archive.organise.save_search(name, archive.search())


def test_what_is_not_there_is_not_found(archive: Archive, series: list[str]) -> None:
    organise = archive.organise
    for act in (
        lambda: organise.tag("1.2.3", "good"),
        lambda: organise.tags("1.2.3"),
        lambda: organise.note("1.2.3", "x"),
        lambda: organise.rate("1.2.3", 3),
        lambda: organise.collect("list", [series[0], "1.2.3"]),
        lambda: organise.collection("list"),
        lambda: organise.uncollect("list"),
        lambda: organise.saved("none"),
        lambda: organise.unsave_search("none"),
    ):
        with pytest.raises(NotFound):
            act()
    assert organise.collections() == {}  # all or none
    with pytest.raises(BadQuery):
        organise.tag(series[0], "good", "instance")


def test_collections(archive: Archive, series: list[str]) -> None:
    organise = archive.organise
    organise.collect("list", series[:2])
    organise.collect_by("rule", PatientID="P2", Modality=["CT", "MR"], StudyDate="19000101-")
    assert organise.collections() == {"list": "list", "rule": "rule"}
    assert found(organise.collection("list")) == sorted(series[:2])
    assert found(organise.collection("rule")) == [series[2]]
    assert found(organise.collection("imported")) == sorted(series)
    organise.uncollect("list", series[:1])
    assert found(organise.collection("list")) == [series[1]]
    with pytest.raises(BadQuery, match="other way"):
        organise.collect("rule", series)
    with pytest.raises(BadQuery, match="other way"):
        organise.collect_by("list", Modality="CT")
    with pytest.raises(BadQuery, match="unknown attribute"):
        organise.collect_by("wrong", Modalty="CT")
    organise.uncollect("list")
    organise.uncollect("rule")
    assert organise.collections() == {}
    assert archive.search().count() == 3


def test_lists_are_collections_beside_the_import_s(archive: Archive, series: list[str], tmp_path: Path) -> None:
    organise = archive.organise
    organise.collect("mine", series[:2])
    assert archive.search().facets("Collection") == {"Collection": [("imported", 3), ("mine", 2)]}
    assert archive.find(series[0])["Collection"] == "imported\\mine"
    assert found(archive.search(text="mine")) == sorted(series[:2])
    own = {"PatientID": "P1", "StudyInstanceUID": "2.25.100"}
    late = [changed(dataset, SOPInstanceUID=f"2.25.5{n}", **own) for n, dataset in enumerate(ct(2).datasets)]
    archive.ingest(put(tmp_path / "late", *late), build=False, collection="other")
    organise.uncollect("mine", series[:1])
    assert found(archive.search(Collection="mine")) == [series[1]]
    organise.uncollect("mine")
    assert archive.search().facets("Collection")["Collection"][0] == ("imported", 3)
    assert found(archive.search(text="mine")) == []


def test_lists_open_nothing_to_who_may_see_a_collection(archive: Archive, series: list[str]) -> None:
    archive.organise.collect("open", series)
    rules = (Rule("guest", frozenset({"read"}), {"Collection": "open"}),)
    guest = Principal("guest", frozenset({"guest"}))
    assert archive.as_(guest, rules).search().count() == 0


def test_dashboards_learn_of_tags(archive: Archive, series: list[str]) -> None:
    for act in (archive.organise.tag, archive.organise.untag):
        before = archive.change()
        act(series[0], "good")
        assert archive.change() > before
        row = archive.find(series[0])
        assert {("series", row["key"], False), ("study", row["study_key"], False)} <= archive._index.changes_since(
            before
        )


def test_what_a_kill_kept_from_the_index_is_told_at_the_next_import(
    archive: Archive, series: list[str], tmp_path: Path
) -> None:
    archive.organise.tag(series[:2], "good")
    (mark, *_) = archive._records.marks("tag")
    archive._records.mark([replace(mark, name="late")])
    archive._records.unmark("tag", "good")
    assert archive.search(Tags="good").count() == 2
    archive.ingest(put(tmp_path / "again"), build=False)
    assert archive.search().facets("Tags") == {"Tags": [(None, 2), ("late", 1)]}


def test_tags_wait_for_what_comes_again(archive: Archive, series: list[str], tmp_path: Path) -> None:
    archive.organise.tag(series[0], "good")
    archive.organise.collect("mine", series[:1])
    archive.remove(series[0])
    archive.empty_trash()
    assert archive.search(Tags="good").count() == 0
    archive.ingest(tmp_path / "in0", build=False)
    assert archive.find(series[0])["Tags"] == "good"
    assert archive.find(series[0])["Collection"] == "mine"


def test_a_rule_is_asked_anew(archive: Archive, series: list[str], tmp_path: Path) -> None:
    archive.organise.collect_by("ct", Modality="CT")
    late = ct(2, seed=9)
    archive.ingest(put(tmp_path / "late", *late.datasets), build=False)
    assert found(archive.organise.collection("ct")) == sorted([*series, late.series_uid])


def test_saved_searches(archive: Archive, series: list[str]) -> None:
    asked = archive.search(
        "study", order=[("PatientID", "desc")], PatientID=["P?", None], StudyDate="19000101-", text="p"
    )
    archive.organise.save_search("mine", asked)
    again = archive.organise.saved("mine")
    assert (again.level, again.criteria, again.order) == (asked.level, asked.criteria, asked.order)
    assert list(again.rows()) == list(asked.rows())
    archive.organise.save_search("mine", archive.search(PatientID="P2"))
    assert found(archive.organise.saved("mine")) == [series[2]]
    assert [(saved.name, saved.by) for saved in archive.organise.searches()] == [("mine", "local")]
    archive.organise.unsave_search("mine")
    assert archive.organise.searches() == []


def said(archive: Archive, series: list[str]) -> list[Any]:
    organise = archive.organise
    each: list[Callable[[str], Any]] = [organise.tags, organise.notes, organise.ratings]
    return [
        [[ask(uid) for ask in each] for uid in series],
        organise.tag_counts(),
        organise.tags("P1", "patient"),
        organise.collections(),
        [found(organise.collection(name)) for name in organise.collections()],
        organise.searches(),
        found(organise.saved("all")),
    ]


def test_a_reindex_keeps_it_all(archive: Archive, series: list[str]) -> None:
    organise = archive.organise
    organise.tag(series[0], "good")
    organise.tag("P1", "enrolled", "patient")
    organise.note(series[1], "a note")
    organise.rate(series[2], 5)
    organise.collect("list", series[1:])
    organise.collect_by("rule", PatientID="P1")
    organise.save_search("all", archive.search())
    before = said(archive, series)
    archive.reindex()
    assert said(archive, series) == before
    with opened(archive.root) as again:
        assert said(again, series) == before


def seen_by(archive: Archive, *actions: Any) -> Archive:
    rules = (Rule("guest", frozenset(actions), {"PatientID": "P2"}),)
    return archive.as_(Principal("guest", frozenset({"guest"})), rules)


def test_who_may_see_little_sees_and_says_little(archive: Archive, series: list[str]) -> None:
    archive.organise.tag(series[0], "hidden")
    archive.organise.tag(series[2], "open")
    archive.organise.collect("hidden", series[:1])
    archive.organise.collect("both", [series[0], series[2]])
    archive.organise.save_search("all", archive.search())
    guest = seen_by(archive, "read", "write")
    assert guest.organise.tag_counts() == [("open", 1)]
    assert found(guest.organise.search(tags="hidden")) == []
    assert guest.organise.collections() == {"both": "list"}
    assert found(guest.organise.collection("both")) == [series[2]]
    assert found(guest.organise.saved("all")) == [series[2]]
    guest.organise.tag(series[2], "mine")
    for act in (
        lambda: guest.organise.tags(series[0]),
        lambda: guest.organise.tag(series[0], "mine"),
        lambda: guest.organise.save_search("guest", guest.search()),
        lambda: guest.organise.uncollect("both"),
    ):
        with pytest.raises(NotFound):
            act()
    reader = seen_by(archive, "read")
    assert reader.organise.tags(series[2]) == ["mine", "open"]
    with pytest.raises(Denied):
        reader.organise.tag(series[2], "mine")
    with pytest.raises(Denied):
        seen_by(archive, "remove").organise.searches()


def tag_many(folder: Path, uid: str, name: str, barrier: Any) -> None:
    """In another process: tag when others are ready, too."""
    with opened(folder) as archive:
        barrier.wait(100)
        for number in range(20):
            archive.organise.tag(uid, f"{name}{number}")
            archive.organise.tag(uid, "shared")


@pytest.mark.slow
def test_two_processes_tag_at_once(archive: Archive, series: list[str]) -> None:
    context = multiprocessing.get_context("forkserver")
    barrier = context.Barrier(2)
    both = [context.Process(target=tag_many, args=(archive.root, series[0], name, barrier)) for name in "ab"]
    for process in both:
        process.start()
    assert [ended(process) for process in both] == [0, 0]
    expected = [f"{name}{number}" for name in "ab" for number in range(20)]
    assert archive.organise.tags(series[0]) == sorted([*expected, "shared"])
