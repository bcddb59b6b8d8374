"""What is given back is what was received; and verifying notices what is not."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from pathlib import Path

import pytest

from pacs_panel.archive import Archive
from pacs_panel.errors import Damaged
from pacs_panel.testing import encode, write
from tests.archive.made import assert_whole, changed, ct, opened, put, studies

pytestmark = pytest.mark.slow

ONE = ct(1).datasets[0]
UID = str(ONE.SOPInstanceUID)


def packs(archive: Archive) -> list[Path]:
    return sorted((archive.root / "originals").rglob("*.tar"))


def test_packs_are_tar_files_of_what_was_received(archive: Archive, tmp_path: Path) -> None:
    truth = studies(tmp_path / "in")
    archive.ingest(tmp_path / "in", build=False)
    found = []
    for pack in packs(archive):
        with tarfile.open(pack) as tar:
            found += [tar.extractfile(member).read() for member in tar]  # type: ignore[union-attr]
    assert sorted(found) == sorted(truth.values())
    assert_whole(archive, truth)


def test_a_large_object_is_streamed_byte_for_byte(archive: Archive, tmp_path: Path) -> None:
    large = changed(ONE)
    large.private_block(0x0011, "PHANTOM", create=True).add_new(1, "OB", bytes(range(256)) * (9 << 12))
    truth = {UID: encode(large)}
    assert len(truth[UID]) > 9 << 20
    archive.ingest(put(tmp_path / "in", large), build=False)
    assert_whole(archive, truth)
    assert archive.ingest(tmp_path / "in", build=False).duplicates == 1


@pytest.mark.parametrize("form", ["stored", "deflated", "tar", "tar.gz", "gz"])
def test_members_of_archives_are_kept_as_they_were(archive: Archive, tmp_path: Path, form: str) -> None:
    series = ct()
    truth = {str(d.SOPInstanceUID): encode(d) for d in series.datasets}
    folder = tmp_path / "in"
    folder.mkdir()
    if form in ("stored", "deflated"):
        method = zipfile.ZIP_STORED if form == "stored" else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(folder / "a.zip", "w", method) as target:
            for number, content in enumerate(truth.values()):
                target.writestr(f"d/{number}", content)
    elif form == "gz":
        for number, content in enumerate(truth.values()):
            (folder / f"{number}.gz").write_bytes(gzip.compress(content))
    else:
        with tarfile.open(folder / f"a.{form}", "w:gz" if form == "tar.gz" else "w") as target:
            for path in write(series, tmp_path / "plain"):
                target.add(path, path.name)
    assert archive.ingest(folder, build=False).accepted == len(truth)
    assert_whole(archive, truth)


def test_in_place_files_are_not_copied_and_watched(archive: Archive, tmp_path: Path) -> None:
    truth = studies(tmp_path / "in", series=1)
    archive.ingest(tmp_path / "in", in_place=True, build=False)
    assert packs(archive) == []
    assert_whole(archive, truth)
    changed_, grown, removed, _ = sorted((tmp_path / "in").rglob("*.dcm"))
    content = bytearray(changed_.read_bytes())
    content[-1] ^= 1
    changed_.write_bytes(content)
    with grown.open("ab") as file:
        file.write(b"more")
    removed.unlink()
    found = archive.verify()
    assert (found.objects, len(found.damaged)) == (4, 3)
    reasons = " ".join(damage.reason for damage in found.damaged)
    assert "changed" in reasons
    assert "grown" in reasons
    assert "missing" in reasons
    assert str(tmp_path) not in reasons
    assert archive.status()["damaged"] == 3


def test_stored_zip_members_lie_in_place(archive: Archive, tmp_path: Path) -> None:
    content = encode(ONE)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as target:
        target.writestr("one", content)
    archive.ingest(tmp_path / "a.zip", in_place=True, build=False)
    assert packs(archive) == []
    assert_whole(archive, {UID: content})
    raw = bytearray((tmp_path / "a.zip").read_bytes())
    raw[raw.index(content) + len(content) - 1] ^= 1
    (tmp_path / "a.zip").write_bytes(raw)
    assert [damage.sop_instance_uid for damage in archive.verify().damaged] == [UID]


@pytest.mark.parametrize("reindexed", [False, True])
def test_a_flipped_byte_in_a_pack_is_found(tmp_path: Path, reindexed: bool) -> None:
    truth = studies(tmp_path / "in", series=1)
    with opened(tmp_path / "archive") as archive:
        archive.ingest(tmp_path / "in", build=False)
        (key,) = archive.search("series").to_frame()["key"]
        victim = archive.objects(key)[2]
        (pack,) = packs(archive)
        with pack.open("r+b") as file:
            file.seek(victim.location.offset + victim.location.length - 1)
            (byte,) = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1]))
        if reindexed:  # making the index anew does not make the damage the truth
            archive.reindex()
        found = archive.verify()
        assert [damage.sop_instance_uid for damage in found.damaged] == [victim.sop_instance_uid]
        assert victim.sop_instance_uid in str(found)
        damaged, whole = archive.read(victim.sop_instance_uid), truth[victim.sop_instance_uid]
        pack.write_bytes(pack.read_bytes().replace(damaged, whole))
        if reindexed:
            archive.reindex()
        assert archive.verify().clean
        assert archive.status()["damaged"] == 0


def test_a_damaged_header_in_a_pack_is_found(archive: Archive, tmp_path: Path) -> None:
    studies(tmp_path / "in", series=1)
    archive.ingest(tmp_path / "in", build=False)
    (key,) = archive.search("series").to_frame()["key"]
    victim = archive.objects(key)[1]
    with packs(archive)[0].open("r+b") as file:
        file.seek(victim.location.offset - 512)
        file.write(b"9")
    assert [damage.sop_instance_uid for damage in archive.verify().damaged] == [victim.sop_instance_uid]
    report = archive.reindex()
    assert report.accepted == 1
    assert list(report.rejected) == ["damaged pack"]


def test_a_missing_pack_is_damage(archive: Archive, tmp_path: Path) -> None:
    archive.ingest(put(tmp_path / "in", ONE), build=False)
    packs(archive)[0].unlink()
    with pytest.raises(Damaged):
        archive.read(UID)
    assert len(archive.verify().damaged) == 1
