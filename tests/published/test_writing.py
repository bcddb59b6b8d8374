"""What publishing writes, and what it leaves as it is."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pydicom
import pytest

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import ArchiveError, BadQuery, Busy, Damaged, Denied
from pacs_panel.model import Principal
from pacs_panel.published import writing
from pacs_panel.settings import Settings
from pacs_panel.storage.files import lock
from pacs_panel.testing import ct_phantom, mr_oblique, write


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Path to inode and time of change of every file."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != writing.LOCK]
    return {str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def described(folder: Path) -> dict[str, object]:
    return json.loads((folder / "published.json").read_bytes())


@pytest.fixture
def own(source_folder: Path, tmp_path: Path) -> Archive:
    """A copy of the archive, to be changed."""
    shutil.copytree(source_folder, tmp_path / "own")
    with open_archive(tmp_path / "own", create=False, settings=Settings(workers=0)) as archive:
        yield archive


def test_publishing_again_changes_nothing(source, tmp_path):
    first = source.publish(tmp_path / "site", originals=True)
    before = contents(tmp_path / "site")
    again = source.publish(tmp_path / "site", originals=True)
    assert contents(tmp_path / "site") == before
    assert (again.added, again.removed, again.hash) == (0, 0, first.hash)
    assert first.added == len(before) - 2  # published.json and catalog.yml


def test_two_folders_hold_the_same(source, tmp_path):
    hashes = {source.publish(tmp_path / name).hash for name in ("one", "two")}
    assert len(hashes) == 1
    one, two = ({name for name in contents(tmp_path / each) if name != "published.json"} for each in ("one", "two"))
    assert one == two
    assert described(tmp_path / "one")["id"] != described(tmp_path / "two")["id"]


def test_only_what_is_asked_for(source, tmp_path, ct):
    source.publish(tmp_path / "site", source.search(Modality="CT"), originals=True)
    (series,) = source.search(Modality="CT").rows()
    keys = {path.name for path in (tmp_path / "site").glob("*/??/*")}
    assert keys == {series["key"]}
    (study,) = pq.read_table(next((tmp_path / "site" / "index").glob("study-*"))).to_pylist()
    assert (study["NumberOfStudyRelatedSeries"], study["ModalitiesInStudy"]) == (1, "CT")
    assert study["NumberOfStudyRelatedInstances"] == 40
    uids = pq.read_table(next((tmp_path / "site" / "index").glob("object-*")))["SOPInstanceUID"].to_pylist()
    assert sorted(uids) == sorted(str(each.SOPInstanceUID) for each in ct.datasets)
    (mr,) = source.search(Modality="MR").rows()
    for path in (tmp_path / "site").rglob("*"):
        assert not path.is_file() or str(mr["SeriesInstanceUID"]).encode() not in path.read_bytes()


def test_studies_and_several_searches(source, tmp_path):
    study = source.search("study", ModalitiesInStudy="SEG")
    assert source.publish(tmp_path / "study", study).series == 2
    both = source.publish(tmp_path / "both", source.search(Modality="SEG"), source.search(Modality="MR"))
    assert both.series == 2
    with pytest.raises(BadQuery, match="whole series"):
        source.publish(tmp_path / "objects", source.search("instance"))
    assert source.publish(tmp_path / "nothing", source.search(Modality="XX")).series == 0


def test_only_what_changed_is_added_and_what_was_open_stays(own, serve, settings, ct, tmp_path):
    site = tmp_path / "site"
    own.publish(site)
    before = contents(site)
    with open_archive(serve(site).url, settings=settings) as archive:
        volume, everything = archive.volume(ct.series_uid), archive.search()
        assert archive.refresh() is False
        write(mr_oblique(slices=8, rows=32, columns=32), tmp_path / "more")
        own.ingest(tmp_path / "more")
        own.remove(ct.series_uid)
        again = own.publish(site)
        after = contents(site)
        assert {name: after[name] for name in before if name != "published.json"} == {
            name: kept for name, kept in before.items() if name != "published.json"
        }
        assert again.added == len(after) - len(before) > 10
        assert (everything.count(), archive.search().count()) == (3, 3)
        assert archive.refresh() is True
        assert (everything.count(), archive.search().count()) == (3, 3)
        assert archive.search(Modality="CT").count() == 0
        assert everything.facets("Modality")["Modality"] == [("CT", 1), ("MR", 1), ("SEG", 1)]
        assert volume.image.values.shape == (40, 96, 160)
        assert archive.status()["change"] == own.change()


def test_what_is_no_longer_published_can_be_removed(own, serve, settings, ct, tmp_path):
    site = tmp_path / "site"
    own.publish(site, originals=True)
    (row,) = own.search(Modality="CT").rows()
    with open_archive(serve(site).url, settings=settings) as archive:
        own.remove(ct.series_uid)
        assert own.publish(site, originals=True, prune=True).removed > 3
        assert not list(site.glob(f"*/??/{row['key']}/*"))
        with pytest.raises(Damaged, match="refresh"):
            archive.volume(ct.series_uid)
        fresh = own.publish(tmp_path / "fresh", originals=True)
    assert fresh.hash == described(site)["hash"]
    assert {*contents(site)} == {*contents(tmp_path / "fresh")}


def test_originals_are_the_current_objects_only(own, tmp_path, ct):
    changed = pydicom.Dataset(ct.datasets[0])
    changed.file_meta = ct.datasets[0].file_meta
    changed.SeriesDescription = "Changed"
    (tmp_path / "changed").mkdir()
    changed.save_as(tmp_path / "changed" / "one.dcm", enforce_file_format=True)
    assert own.ingest(tmp_path / "changed").new_versions == 1
    own.remove(str(ct.datasets[1].SOPInstanceUID), "instance")
    own.settle()
    own.publish(tmp_path / "site", own.search(Modality="CT"), originals=True)
    (pack,) = (tmp_path / "site" / "originals").rglob("*.tar")
    with tarfile.open(pack) as tar:
        found = [pydicom.dcmread(tar.extractfile(member), stop_before_pixels=True) for member in tar.getmembers()]
    assert len(found) == 39
    assert {each.SOPInstanceUID for each in found} == {each.SOPInstanceUID for each in ct.datasets} - {
        ct.datasets[1].SOPInstanceUID
    }
    assert [each.SeriesDescription for each in found].count("Changed") == 1


def test_originals_in_place_are_copied_and_checked(ct, tmp_path):
    write(ct_phantom(slices=2, rows=8, columns=8), tmp_path / "in")
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as archive:
        archive.ingest(tmp_path / "in", in_place=True)
        path = next((tmp_path / "in").rglob("*.dcm"))
        good = path.read_bytes()
        path.write_bytes(good[:-2] + bytes([good[-2] ^ 1, good[-1]]))
        with pytest.raises(Damaged, match="has changed"):
            archive.publish(tmp_path / "site", originals=True)
        assert not (tmp_path / "site" / "published.json").exists()
        assert not list((tmp_path / "site").rglob("*.tar"))
        path.write_bytes(good)
        assert archive.publish(tmp_path / "site", originals=True).objects == 2
        assert len(list((tmp_path / "site").rglob("*.tar"))) == 1


def test_files_are_links_and_copies_where_there_are_none(source, tmp_path, monkeypatch):
    source.publish(tmp_path / "links")
    (row,) = source.search(Modality="CT").rows()
    manifest = f"volumes/{row['key'][:2]}/{row['key']}/{row['revision']}/manifest.json"
    assert os.path.samefile(tmp_path / "links" / manifest, source.root / manifest)

    def refused(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refused)
    source.publish(tmp_path / "copies")
    assert not os.path.samefile(tmp_path / "copies" / manifest, source.root / manifest)
    one, two = (set(contents(tmp_path / each)) for each in ("links", "copies"))
    assert one == two
    assert (tmp_path / "copies" / manifest).read_bytes() == (source.root / manifest).read_bytes()


def test_an_interrupted_one_is_not_seen_and_goes_on(own, tmp_path, monkeypatch, ct):
    site = tmp_path / "site"
    own.publish(site, own.search(Modality="MR"))
    before = (site / "published.json").read_bytes()
    real, calls = writing._same, []

    def failing(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 4:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(writing, "_same", failing)
    with pytest.raises(KeyboardInterrupt):
        own.publish(site)
    assert (site / "published.json").read_bytes() == before
    monkeypatch.setattr(writing, "_same", real)
    own.publish(site)
    fresh = own.publish(tmp_path / "fresh")
    assert described(site)["hash"] == fresh.hash
    (row,) = own.search(Modality="CT").rows()
    place = f"volumes/{row['key'][:2]}/{row['key']}"
    assert {*contents(site / place)} == {*contents(own.root / place)}


def test_folders_that_will_not_do(source, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(ArchiveError, match="not empty"):
        source.publish(tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["thesis.txt"]
    with pytest.raises(ArchiveError, match="is a file"):
        source.publish(tmp_path / "other" / "thesis.txt")
    with pytest.raises(ArchiveError, match="outside"):
        source.publish(source.root / "site")
    (tmp_path / "busy").mkdir()
    with lock(tmp_path / "busy" / writing.LOCK), pytest.raises(Busy):
        source.publish(tmp_path / "busy")


def test_nobody_publishes_what_they_may_not_see(source, tmp_path):
    with pytest.raises(Denied):
        source.as_(Principal("stranger")).publish(tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_what_a_correction_replaced_is_not_told(folder):
    for path in (folder / "index").iterdir():
        assert not {name for name in pq.read_schema(path).names if "stated" in name}
    assert described(folder)["identifiers"] == "as received"
