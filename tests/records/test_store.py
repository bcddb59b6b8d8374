from __future__ import annotations

import multiprocessing
import pickle
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from pacs_panel.errors import ArchiveError, BadQuery, NotFound
from pacs_panel.model import Correction
from pacs_panel.records import schema
from pacs_panel.records.store import Records
from pacs_panel.records.values import Mark, Reference, Rewrite, Saved, Session, Trashed

REFERENCE = Reference("/data/a.dcm", 0, 900, 900, 5, "f", "d", "lung", 7)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "records.sqlite")


def test_meta(records: Records) -> None:
    assert records.meta("archive") is None
    records.set_meta("archive", "a1")
    records.set_meta("archive", "a2")
    assert Records(records.path).meta("archive") == "a2"


def test_sessions(records: Records) -> None:
    first, second = Session("s2", "folder", "lung", 1), Session("s1", "zip", "", 2)
    records.begin(second)
    records.begin(first)
    assert records.sessions() == [first, second]
    records.finish("s2", 9)
    assert records.sessions(unfinished=True) == [second]
    assert records.sessions()[0] == replace(first, finished=9)
    with pytest.raises(NotFound):
        records.finish("s3", 9)


def test_references(records: Records) -> None:
    member = replace(REFERENCE, offset=512, received=6)
    records.refer([REFERENCE, member])
    assert list(records.references()) == [member, REFERENCE]
    newer = replace(REFERENCE, mtime_ns=6, file_digest="g", received=8)
    records.refer([newer])
    records.refer([])
    assert list(records.references()) == [member, newer]


def test_trash(records: Records) -> None:
    one, two = Trashed("series", "k", 5, "local"), Trashed("instance", "1.2.3", 4, "local")
    records.trash(one)
    records.trash(two)
    assert records.trashed() == [two, one]
    records.restore("series", "k")
    assert records.trashed() == [two]
    with pytest.raises(NotFound):
        records.restore("series", "k")


def test_what_was_removed_for_good(records: Records) -> None:
    one, two = Trashed("series", "k", 5, "local"), Trashed("instance", "1.2.3", 4, "local")
    for each in (one, two):
        records.trash(each)
    records.purge([one])
    assert (records.trashed(), records.purged()) == ([two], [one])
    again = replace(two, at=6)
    records.trash(again)
    records.purge([two])  # it was removed anew meanwhile
    assert (records.trashed(), records.purged()) == ([again], [two, one])


def test_references_are_forgotten_by_place_and_arrival(records: Records) -> None:
    records.refer([REFERENCE])
    assert records.forget([(REFERENCE.path, REFERENCE.offset, REFERENCE.received - 1)]) == []
    assert records.forget([(REFERENCE.path, REFERENCE.offset, REFERENCE.received)]) == [REFERENCE]
    assert list(records.references()) == []


def test_rewrites(records: Records) -> None:
    one, two = Rewrite("k/s-2", "k/s-1", "k"), Rewrite("l/s-3", "", "l")
    records.begin_rewrites([two, one])
    assert records.rewrites() == [one, two]
    records.end_rewrites([one])
    assert records.rewrites() == [two]


def test_marks(records: Records) -> None:
    one, two = (
        Mark("tag", "series", "k", "good", "", "1.2", 5, "ann"),
        Mark("tag", "study", "k", "good", "", "1", 4, "bo"),
    )
    records.mark([one, two])
    assert records.marks("tag") == [two, one]
    assert (records.marks("tag", level="series"), records.marks("note")) == ([one], [])
    again = replace(one, at=6, by="bo")
    records.mark([again])
    assert records.marks("tag", level="series", key="k") == [again]
    with pytest.raises(NotFound):
        records.unmark("tag", "good", [("series", "k"), ("series", "l")])
    assert records.marks("tag") == [two, again]  # all or none
    records.unmark("tag", "good", [("series", "k")])
    assert records.marks("tag") == [two]
    records.unmark("tag", "good")
    assert records.marks("tag") == []


def test_saved(records: Records) -> None:
    search = Saved("search", "b", "{}", "[]", 5, "ann")
    rule = replace(search, kind="collection")
    for each in (search, replace(search, name="a"), rule):
        records.save(each)
    assert list(records.saved("search")) == ["a", "b"]
    assert records.saved("collection") == {"b": rule}
    member = Mark("collection", "series", "k", "b", "", "1.2", 5, "ann")
    with pytest.raises(BadQuery):
        records.mark([member])
    records.unsave("collection", "b")
    records.mark([member])
    with pytest.raises(BadQuery):
        records.save(rule)
    with pytest.raises(NotFound):
        records.unsave("collection", "b")


def test_records_of_every_earlier_version_are_brought_up(tmp_path: Path) -> None:
    for version in range(1, schema.VERSION):
        path = tmp_path / f"{version}.sqlite"
        with sqlite3.connect(path) as connection:
            for statement in (s for step in schema.MIGRATIONS[:version] for s in step):
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES ('archive', 'a1')")
            connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        records = Records(path)
        assert (records.meta("archive"), records.marks("tag"), records.saved("search")) == ("a1", [], {})
        assert records.corrections() == []


def test_corrections(records: Records) -> None:
    one = Correction(0, "set", "patient", ("k",), values={"PatientID": "P2", "PatientSex": None}, at=5, by="local")
    two = Correction(0, "merge", "patient", ("k", "l"), "m", reason="é", at=4, by="ann")
    assert [records.correct(each) for each in (one, two)] == [1, 2]
    first, second = replace(one, number=1), replace(two, number=2)
    assert Records(records.path).corrections() == [first, second]
    records.undo(2, 9, "bob")
    with pytest.raises(NotFound):
        records.undo(2, 9, "bob")
    assert records.corrections() == [first]
    assert records.corrections(undone=True) == [first, replace(second, undone=9, undone_by="bob")]
    assert records.correct(two) == 3
    assert Correction.from_json(first.to_json()) == first


def test_migrations_lead_to_the_tables(records: Records) -> None:
    found = inspect(create_engine(f"sqlite:///{records.path}"))
    assert set(found.get_table_names()) == set(schema.metadata.tables)
    for name, table in schema.metadata.tables.items():
        columns = {c["name"]: (str(c["type"]), c["nullable"]) for c in found.get_columns(name)}
        assert columns == {c.name: (str(c.type), c.nullable) for c in table.columns}
        assert found.get_pk_constraint(name)["constrained_columns"] == [c.name for c in table.primary_key]


def test_later_versions_and_garbage_are_refused(records: Records, tmp_path: Path) -> None:
    with sqlite3.connect(records.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ArchiveError, match="later version"):
        Records(records.path)
    (tmp_path / "garbage").write_bytes(b"nothing of the kind " * 500)
    with pytest.raises(ArchiveError, match="backup"):
        Records(tmp_path / "garbage")


def test_opening_again_changes_nothing(records: Records) -> None:
    records.refer([REFERENCE])
    with pickle.loads(pickle.dumps(records)) as again:
        assert list(again.references()) == [REFERENCE]


def write(path: Path, start: object, name: str) -> None:
    """In another process: make or open the records, and write."""
    start.wait()  # type: ignore[attr-defined]
    records = Records(path)
    for number in range(20):
        records.begin(Session(f"{name}{number}", "folder", "", number))


@pytest.mark.slow
def test_two_processes_make_and_write_them_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    path = tmp_path / "records.sqlite"
    writers = [context.Process(target=write, args=(path, start, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(Records(path).sessions()) == 40


def test_what_came_by_a_session_is_counted(records: Records) -> None:
    records.begin(Session("s1", "association", "lung", 1, peer="SCANNER"))
    records.begin(Session("s2", "import", "", 2))
    records.count("s1", 8, accepted=3, duplicates=2, bytes=70)
    latest = records.sessions(latest=1)
    assert [session.session for session in latest] == ["s2"]
    told = records.sessions()[0]
    assert (told.peer, told.told, told.accepted, told.duplicates, told.bytes) == ("SCANNER", 8, 3, 2, 70)
    nothing = {"accepted": 0, "duplicates": 0, "new_versions": 0, "refused": 0, "bytes": 0}
    assert records.came() == [
        ("association", nothing | {"accepted": 3, "duplicates": 2, "bytes": 70}),
        ("import", nothing),
    ]
    with pytest.raises(NotFound):
        records.count("s3", 9, accepted=1)
