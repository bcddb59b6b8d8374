"""What peers send is kept as they sent it, and only from those who may."""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless, generate_uid
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import ArchiveError
from pacs_panel.keep.pack import PackLog
from pacs_panel.peer import Peer
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, ct_phantom, encode, mr_oblique, sr_on
from tests.serve.dimse.sending import TITLE, association, context_of, data_set, objects, send

ANYONE = Callers(anyone=frozenset({"echo", "store"}))
Address = tuple[str, int]
Listen = Callable[..., Address]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as opened:
        yield opened


@pytest.fixture
def listen(archive: Archive) -> Iterator[Listen]:
    with ExitStack() as stack:
        yield lambda callers=ANYONE, **how: stack.enter_context(listening(archive, callers, Listening(port=0, **how)))


def ct(slices: int = 3, **how: Any) -> dict[str, bytes]:
    return objects(ct_phantom(slices=slices, rows=16, columns=16, **how))


def echo(address: Address, **titles: str) -> int | None:
    with association(address, [(Verification, "1.2.840.10008.1.2")], **titles) as found:
        status = found.send_c_echo() if found.is_established else None
        return int(status.Status) if status else None


def at_once(work: Callable[[int], object], count: int) -> None:
    """Do something in many threads that begin together."""
    barrier = threading.Barrier(count)

    def one(number: int) -> None:
        barrier.wait()
        work(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ended(archive: Archive) -> None:
    """When no association is open any more, all is committed and sealed."""
    assert archive.status()["unsealed"] == 0
    assert not list((archive.root / "incoming").glob("*"))


# -- what is sent is kept ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_objects_are_kept_as_they_were_sent(archive: Archive, listen: Listen, tmp_path: Path, syntax: str) -> None:
    phantom = ct_phantom(slices=3, rows=16, columns=16)
    sent = objects(phantom, syntax)
    with listening(archive, ANYONE, Listening(port=0)) as address:
        assert set(send(address, sent, tmp_path).values()) == {0}
    ended(archive)
    for uid, file in sent.items():
        kept = archive.read(uid)
        assert data_set(kept) == data_set(file)
        assert pydicom.dcmread(archive.root.parent / f"{uid}.dcm").file_meta.TransferSyntaxUID == syntax
    archive.settle()
    series = next(archive.search().rows())
    assert archive.volume(str(series["key"]))["image"].shape == (3, 16, 16)


def test_the_same_again_is_a_duplicate_also_by_folder(archive: Archive, listen: Listen, tmp_path: Path) -> None:
    sent, address = ct(), listen()
    for _ in range(2):
        assert set(send(address, sent, tmp_path).values()) == {0}
    report = archive.ingest([tmp_path / f"{uid}.dcm" for uid in sent], build=False)
    assert (report.accepted, report.duplicates) == (0, 3)
    assert archive.status()["instances"] == 3


def test_a_changed_object_is_a_new_version(archive: Archive, listen: Listen, tmp_path: Path) -> None:
    phantom = ct_phantom(slices=1, rows=16, columns=16)
    uid, address = str(phantom.datasets[0].SOPInstanceUID), listen()
    first = encode(phantom.datasets[0])
    phantom.datasets[0].SeriesDescription = "corrected"
    assert send(address, {uid: first}, tmp_path) == {uid: 0}
    assert send(address, {uid: encode(phantom.datasets[0])}, tmp_path) == {uid: 0}
    archive.ingest([], build=False)  # what was sent is known by now
    key = str(next(archive.search().rows())["key"])
    assert len(archive.objects(key, versions=True)) == 2
    assert b"corrected" in archive.read(uid)


def test_classes_that_nobody_knows_are_kept(archive: Archive, tmp_path: Path) -> None:
    dataset = sr_on(ct_phantom(slices=1, rows=16, columns=16)).datasets[0]
    dataset.SOPClassUID = generate_uid(prefix="1.2.826.0.1.3680043.8.498.77.")
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    uid = str(dataset.SOPInstanceUID)
    with listening(archive, ANYONE, Listening(port=0)) as address:
        assert send(address, {uid: encode(dataset)}, tmp_path) == {uid: 0}
    assert archive.search("instance", SOPClassUID=dataset.SOPClassUID).count() == 1


def test_many_at_once(archive: Archive, tmp_path: Path) -> None:
    studies = [ct(4, study=Study(Subject(f"P{n}", f"P{n}"), "20240101", "101010", "S")) for n in range(6)]
    answers: list[dict[str, int | None]] = []
    with listening(archive, ANYONE, Listening(port=0)) as address:

        def one(number: int) -> None:
            folder = tmp_path / str(number)
            folder.mkdir()
            answers.append(send(address, studies[number], folder))

        at_once(one, 6)
    assert [set(answer.values()) for answer in answers] == [{0}] * 6
    ended(archive)
    assert archive.status()["instances"] == 24
    assert archive.verify().clean


def test_fifty_associations_at_once(archive: Archive, tmp_path: Path) -> None:
    sent = ct(50)
    uids, answers = list(sent), dict[str, int | None]()
    with listening(archive, ANYONE, Listening(port=0, associations=50)) as address:
        at_once(lambda n: answers.update(send(address, {uids[n]: sent[uids[n]]}, tmp_path)), 50)
    assert answers == dict.fromkeys(sent, 0)
    ended(archive)
    assert archive.status()["instances"] == 50
    assert archive.verify().clean


def test_the_same_object_from_two_associations_is_kept_once(archive: Archive, tmp_path: Path) -> None:
    sent, answers = ct(3), list[dict[str, int | None]]()

    def one(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        answers.append(send(address, sent, folder))

    with listening(archive, ANYONE, Listening(port=0)) as address:
        at_once(one, 2)
    assert answers == [dict.fromkeys(sent, 0)] * 2
    ended(archive)
    key = str(next(archive.search().rows())["key"])
    assert len(archive.objects(key, versions=True)) == 3


def test_a_locked_index_keeps_no_sender_waiting(archive: Archive, tmp_path: Path) -> None:
    """Objects are durable in the log first; the index follows when it can be written again."""
    sent = ct(4)
    files = {uid: tmp_path / f"{uid}.dcm" for uid in sent}
    with (
        listening(archive, ANYONE, Listening(port=0)) as address,
        association(address, map(context_of, sent.values())) as open_one,
        closing(sqlite3.connect(archive.root / "index.sqlite", isolation_level=None)) as other,
    ):
        for number, (uid, content) in enumerate(sent.items()):
            if number == 1:
                other.execute("BEGIN IMMEDIATE")
            files[uid].write_bytes(content)
            assert open_one.send_c_store(files[uid]).Status == 0
        assert archive.search("instance").count() < len(sent)
        other.execute("ROLLBACK")
    ended(archive)
    assert {str(row["SOPInstanceUID"]) for row in archive.search("instance").rows()} == set(sent)


def test_what_came_is_found_while_its_association_is_open(archive: Archive, listen: Listen, tmp_path: Path) -> None:
    sent = ct(1)
    file = tmp_path / "one.dcm"
    file.write_bytes(next(iter(sent.values())))
    dataset = pydicom.dcmread(file)
    contexts = [(str(dataset.SOPClassUID), str(dataset.file_meta.TransferSyntaxUID))]
    seen = archive.change()
    with association(listen(), contexts) as found:
        assert found.send_c_store(dataset).Status == 0
        for _ in range(600):
            if archive.change() != seen:
                break
            threading.Event().wait(0.1)
        assert found.is_established
        assert archive.search("instance").count() == 1


# -- what is not -------------------------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_refused_and_kept_in_quarantine(
    archive: Archive, listen: Listen, tmp_path: Path
) -> None:
    sent = ct(2)
    (bad, file), good = next(iter(sent.items())), list(sent)[1]
    cut = {bad: file[: len(file) - len(data_set(file))] + b"\x08\x00\x18\x00UI\xff\xff1.2", good: sent[good]}
    answers = send(listen(), cut, tmp_path)
    assert answers[bad] == 0xC000
    assert answers[good] == 0
    (refused,) = archive.quarantine()
    assert TITLE in refused.origin
    assert archive.search("instance").count() == 0 or archive.status()["instances"] == 1


def test_an_object_under_another_name_is_told(archive: Archive, listen: Listen, tmp_path: Path) -> None:
    dataset = mr_oblique(slices=1).datasets[0]
    named = generate_uid()
    content = encode(dataset)
    own = str(dataset.SOPInstanceUID).encode()
    head = len(content) - len(data_set(content))
    padded = named.encode()[: len(own)].ljust(len(own), b"1")
    renamed = content[:head].replace(own, padded) + content[head:]
    (answer,) = send(listen(), {padded.decode(): renamed}, tmp_path).values()
    assert answer == 0xB007
    archive.ingest([], build=False)
    assert archive.read(str(dataset.SOPInstanceUID)).endswith(data_set(content))


def test_a_full_disk_is_told_and_leaves_nothing_behind(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = ct(2)
    first, second = sent
    with listening(archive, ANYONE, Listening(port=0)) as address:
        with monkeypatch.context() as full:
            full.setattr(PackLog, "sync", _full)
            assert send(address, {first: sent[first]}, tmp_path) == {first: 0xA700}
        assert send(address, {second: sent[second]}, tmp_path) == {second: 0}
        assert send(address, {first: sent[first]}, tmp_path) == {first: 0}
    ended(archive)
    assert {str(row["SOPInstanceUID"]) for row in archive.search("instance").rows()} == set(sent)


def _full(_log: PackLog) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


# -- who may -----------------------------------------------------------------------------------------------------------


def test_callers_in_no_table_are_refused(archive: Archive, listen: Listen, tmp_path: Path) -> None:
    address = listen(Callers((Peer("known", "KNOWN"),)))
    assert echo(address) is None
    assert set(send(address, ct(1), tmp_path).values()) == {None}
    assert echo(address, calling="KNOWN") == 0
    assert archive.status()["instances"] == 0


def test_a_caller_must_know_our_title(listen: Listen) -> None:
    address = listen()
    assert echo(address, called="OTHER") is None
    assert echo(address) == 0


def test_a_caller_may_do_what_its_table_says(archive: Archive, listen: Listen, tmp_path: Path) -> None:
    address = listen(Callers((Peer("asker", TITLE, may=frozenset({"echo"})),)))
    assert echo(address) == 0
    assert set(send(address, ct(1), tmp_path).values()) == {0x0124}
    assert archive.status()["instances"] == 0


def test_a_title_counts_only_from_its_address(listen: Listen) -> None:
    assert echo(listen(Callers((Peer("far", TITLE, host="192.0.2.1"),)))) is None
    assert echo(listen(Callers((Peer("near", TITLE, host="localhost"),)))) == 0


def test_what_a_peer_sends_is_in_its_collection(archive: Archive, tmp_path: Path) -> None:
    callers = Callers((Peer("ward", TITLE, collection="ward 7"),))
    with listening(archive, callers, Listening(port=0)) as address:
        send(address, ct(1), tmp_path)
    assert archive.search(Collection="ward 7").count() == 1


@pytest.mark.parametrize("callers", [Callers(), ANYONE, Callers((Peer("a", "A"),), frozenset({"echo"}))])
def test_nobody_listens_to_other_machines_without_a_table(archive: Archive, callers: Callers) -> None:
    with pytest.raises(ArchiveError, match=r"\[peers\]"), listening(archive, callers, Listening("0.0.0.0", 0)):
        pass


def test_a_taken_port_is_told(archive: Archive, listen: Listen) -> None:
    host, port = listen()
    with pytest.raises(ArchiveError, match="cannot listen on port"), listening(archive, ANYONE, Listening(host, port)):
        pass
