from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
import traceback
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from pacs_panel.errors import ArchiveError
from pacs_panel.index import schema
from pacs_panel.index.engine import Database, refuse_network
from pacs_panel.index.store import Index
from tests.index.made import arrival

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /mnt/my\\040share nfs4 rw 0 0
/dev/sdb1 /mnt/my\\040share/local xfs rw 0 0
//server/share /mnt/windows cifs rw 0 0
"""


@pytest.mark.parametrize("path", ["/mnt/my share/index.sqlite", "/mnt/windows/a/b/index.sqlite"])
def test_network_file_systems_are_refused(path: str) -> None:
    with pytest.raises(ArchiveError, match="network file system"):
        refuse_network(Path(path), MOUNTS)


@pytest.mark.parametrize("path", ["/index.sqlite", "/mnt/my share/local/index.sqlite", "/mnt/windows2/index.sqlite"])
def test_local_ones_are_not(path: str) -> None:
    refuse_network(Path(path), MOUNTS)


def test_another_version_is_refused_until_it_is_renewed(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with Index(path) as index:
        index.add([arrival()])
        before = index.change()
    with closing(sqlite3.connect(path)) as old:
        old.executescript("ALTER TABLE series RENAME TO of_old; PRAGMA user_version = 12")
    with Index(path) as one, Index(path) as other:
        for use in (one.status, one.clear, lambda: one.add([arrival()]), other.change):
            with pytest.raises(ArchiveError, match=r"another version.*pacs-panel reindex"):
                use()
        one.renew()
        assert one.is_empty()
        assert other.change() > before
        one.add([arrival()])
        one.renew()
        assert other.object("1.2.1.1.1") == one.object("1.2.1.1.1")
    with closing(sqlite3.connect(path)) as made:
        assert made.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_fails_says_nothing_of_patients(tmp_path: Path) -> None:
    said = "HIDDEN"
    with (
        closing(Database(tmp_path / "index.sqlite")) as database,
        pytest.raises(IntegrityError) as failed,
        database.write() as connection,
    ):
        connection.execute(insert(schema.patient).values(key=None, PatientID=said))
    assert "patient" in str(failed.value)
    assert said not in "".join(traceback.format_exception(failed.value))


def write(path: Path, start: object, series: int, batches: int) -> None:
    """In another process: batches of arrivals, once everybody is ready."""
    start.wait()  # type: ignore[attr-defined]
    with Index(path) as index:
        for batch in range(batches):
            index.add([arrival(20 * batch + n, series, received=batch) for n in range(20)])


@pytest.mark.slow
def test_two_processes_make_and_write_one_index_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    path = tmp_path / "index.sqlite"
    writers = [context.Process(target=write, args=(path, start, series, 10)) for series in (1, 2)]
    for writer in writers:
        writer.start()
    start.wait()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    with Index(path) as index:
        assert index.status()["instances"] == 400
        assert [row["NumberOfSeriesRelatedInstances"] for row in index.search("series").rows()] == [200, 200]


def die(path: Path, ready: Connection) -> None:
    """In another process: stop amid a transaction, with rows written, and wait to be killed."""
    with Index(path) as index, index.database.write() as connection:
        connection.exec_driver_sql("UPDATE series SET visible = 0")
        connection.exec_driver_sql("DELETE FROM object")
        ready.send("amid")
        ready.recv()


@pytest.mark.slow
def test_a_process_killed_amid_a_transaction_leaves_the_index_sound(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with Index(path) as index:
        index.add([arrival(n) for n in range(100)])
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    victim = context.Process(target=die, args=(path, theirs))
    victim.start()
    assert mine.recv() == "amid"
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    with Index(path) as index:
        assert index.status()["instances"] == 100
        index.add([arrival(n) for n in range(100, 120)])
        assert len(index.objects(arrival().kept.series_key)) == 120
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.slow
def test_threads_share_an_index(tmp_path: Path) -> None:
    with Index(tmp_path / "index.sqlite") as index:
        failures: list[BaseException] = []

        def work(series: int) -> None:
            try:
                for n in range(10):
                    index.add([arrival(n, series)])
                    assert len(index.objects(arrival(1, series).kept.series_key)) == n + 1
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(series,)) for series in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert index.status()["instances"] == 40


def test_readers_do_not_wait_for_the_writer(tmp_path: Path) -> None:
    with Index(tmp_path / "index.sqlite") as index:
        index.add([arrival()])
        with index.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM object")
            assert index.object("1.2.1.1.1").received == 1
            connection.rollback()


def test_connections_do_not_survive_a_fork(tmp_path: Path) -> None:
    database = Database(tmp_path / "index.sqlite")
    with database.read() as connection:
        mine = id(connection.connection.dbapi_connection)
    pipe_in, pipe_out = os.pipe()
    child = os.fork()
    if child == 0:
        with database.read() as connection:
            os.write(pipe_out, b"same" if id(connection.connection.dbapi_connection) == mine else b"other")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(pipe_in, 10) == b"other"
