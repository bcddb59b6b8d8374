"""Downloads through real HTTP: what arrives is unzipped by the standard library and by Info-ZIP's rules of CRCs."""

from __future__ import annotations

import csv
import hashlib
import io
import socket
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import Damaged
from pacs_panel.model import Principal
from pacs_panel.serve import download
from pacs_panel.serve.download import zipped
from pacs_panel.serve.listed import folder_of, uid
from pacs_panel.serve.selections import Selections
from pacs_panel.serve.zipped import PIECE
from pacs_panel.settings import MIB, Settings
from pacs_panel.storage import layout
from pacs_panel.testing import ct_phantom, write
from tests.browser_fixtures import run

Get = Callable[[str], tuple[dict[str, str], bytes]]


@pytest.fixture(scope="module")
def get(app: Any) -> Iterator[Get]:
    """Fetch from the application under uvicorn."""
    address, stop = run(app)

    def fetch(path: str) -> tuple[dict[str, str], bytes]:
        with urlopen(f"{address}/{path}", timeout=60) as answer:
            return dict(answer.headers), answer.read()

    yield fetch
    stop()


@pytest.fixture
def hand_over(app: Any) -> Callable[[Any], str]:
    return app.state.selections.put


def opened(content: bytes) -> zipfile.ZipFile:
    found = zipfile.ZipFile(io.BytesIO(content))
    assert found.testzip() is None
    return found


def manifest(found: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(found.read("manifest.csv").decode().splitlines()))


def all_bytes(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


# -- DICOM -------------------------------------------------------------------------------------------------------------


def test_what_was_taken_in_comes_out_byte_for_byte(get, hand_over, archive, folder):
    headers, content = get(f"download/{hand_over(archive.search())}.zip")
    found = opened(content)
    digests = {name: hashlib.sha256(found.read(name)).hexdigest() for name in found.namelist() if name.endswith(".dcm")}
    assert set(digests.values()) == all_bytes(folder.parent / "in")
    rows = manifest(found)
    assert {row["file"]: row["sha256"] for row in rows} == digests
    assert all(int(row["bytes"]) == found.getinfo(row["file"]).file_size for row in rows)
    assert "ERRORS.txt" not in found.namelist()
    assert headers["content-disposition"].startswith('attachment; filename="pacs-panel-dicom-')
    assert headers["cache-control"] == "no-store"
    assert "accept-ranges" not in headers
    assert "content-length" not in headers


def test_names_are_uids_and_tell_nobody(get, hand_over, archive):
    found = opened(get(f"download/{hand_over(archive.search())}.zip")[1])
    for name in set(found.namelist()) - {"manifest.csv"}:
        study, series, instance = name.split("/")
        assert all(map(uid, (study, series, instance.removesuffix(".dcm"))))
    everything = " ".join(found.namelist()) + found.read("manifest.csv").decode()
    for row in archive.search("patient").rows():
        assert str(row["PatientID"]) not in everything
        assert str(row["PatientName"]) not in everything


def test_only_what_was_selected_is_in_it(get, hand_over, archive):
    found = opened(get(f"download/{hand_over(archive.search(Modality='MR'))}.zip")[1])
    [row] = archive.search(Modality="MR").rows()
    assert {name.rpartition("/")[0] for name in found.namelist()} == {folder_of(row), ""}


def test_an_empty_selection_is_an_empty_list(get, hand_over, archive):
    found = opened(get(f"download/{hand_over(archive.search(Modality='XX'))}.zip")[1])
    assert found.namelist() == ["manifest.csv"]
    assert manifest(found) == []


# -- volumes -----------------------------------------------------------------------------------------------------------


def test_volumes_are_what_the_archive_exports(get, hand_over, archive, tmp_path):
    import nibabel

    token = hand_over(archive.search())
    found = opened(get(f"download/{token}.zip?format=nifti")[1])
    names = [name for name in found.namelist() if name.endswith(".nii.gz")]
    assert len(names) == 3
    told = found.read("ERRORS.txt").decode()
    [segmentation] = archive.search(Modality="SEG").rows()
    assert folder_of(segmentation) in told
    assert {row["file"] for row in manifest(found)} == set(found.namelist()) - {"manifest.csv", "ERRORS.txt"}
    for row in manifest(found):
        assert hashlib.sha256(found.read(row["file"])).hexdigest() == row["sha256"]
    [series] = archive.search(Modality="MR").rows()
    [exported] = [path for path in archive.export(series["key"], tmp_path, "nifti") if path.name.endswith(".nii.gz")]
    [name] = [name for name in names if name.startswith(folder_of(series))]
    (tmp_path / "got.nii.gz").write_bytes(found.read(name))
    got, expected = nibabel.load(tmp_path / "got.nii.gz"), nibabel.load(exported)
    assert (got.get_fdata() == expected.get_fdata()).all()
    assert (got.affine == expected.affine).all()
    assert spools(archive) == []


def test_zarr_opens_where_it_is_unzipped(get, hand_over, archive, tmp_path):
    from pacs_panel.volume.frames import ZarrFrames

    [row] = archive.search(Modality="MR").rows()
    found = opened(get(f"download/{hand_over(archive.search(Modality='MR'))}.zip?format=zarr")[1])
    found.extractall(tmp_path)
    got = ZarrFrames(tmp_path / f"{folder_of(row)}.zarr")
    assert got.passport == ZarrFrames(archive.stack_path(row["key"])).passport


def spools(archive: Archive) -> list[Path]:
    return list((archive.root / layout.spool()).iterdir())


# -- tables ------------------------------------------------------------------------------------------------------------


def test_tables_list_every_object(get, hand_over, archive):
    import pandas as pd

    token = hand_over(archive.search())
    headers, text = get(f"download/{token}.csv")
    assert headers["content-type"] == "text/csv; charset=utf-8"
    lines = pd.read_csv(io.BytesIO(text), dtype=str, keep_default_na=False)
    table = pd.read_parquet(io.BytesIO(get(f"download/{token}.parquet")[1]))
    assert table.astype(str).to_dict("records") == lines.to_dict("records")
    kept = [one for row in archive.search().rows() for one in archive.objects(row["key"])]
    assert sorted(table["SOPInstanceUID"]) == sorted(one.sop_instance_uid for one in kept)
    assert set(table["file_digest"]) == {one.digests.file for one in kept}
    assert table["length"].sum() == sum(one.location.length for one in kept)


def test_a_table_of_nothing_has_its_columns(get, hand_over, archive):
    import pandas as pd

    token = hand_over(archive.search(Modality="XX"))
    table = pd.read_parquet(io.BytesIO(get(f"download/{token}.parquet")[1]))
    assert (len(table), table.columns[4]) == (0, "SOPInstanceUID")


# -- what is asked wrongly ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nothing.zip", "a.b.zip", "..zip.csv", "%00.parquet", "x.zip?format=exe"])
def test_a_token_that_is_none_is_told_in_plain_words(client, name):
    answer = client.get(f"/download/{name}")
    assert answer.status_code == 404
    assert "not known any more" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


def test_other_formats_and_levels_are_refused(client, hand_over, archive):
    assert client.get(f"/download/{hand_over(archive.search())}.zip?format=exe").status_code == 400
    assert client.get(f"/download/{hand_over(archive.search('study'))}.zip").status_code == 400
    assert client.get(f"/download/{hand_over(archive.search())}.exe").status_code == 404


def test_the_longest_unasked_selection_is_forgotten_first(archive):
    selections, search = Selections(most=2), archive.search()
    first, second = selections.put(search), selections.put(search)
    assert selections.get(first) is search
    third = selections.put(search)
    assert [selections.get(token) is None for token in (first, second, third)] == [False, True, False]
    assert len({first, second, third}) == 3


def test_whoever_downloads_gets_what_they_may_see_then(archive):
    """A search that the administrator handed over, downloaded by one who may see less."""
    from pacs_panel.policy import Rule

    rules = (Rule("reader", frozenset({"read"}), {"Modality": "MR"}),)
    with Archive(archive.root, archive.settings, Principal("r", frozenset({"reader"})), rules) as narrow:
        found = opened(b"".join(zipped(narrow, archive.search(), "dicom")))
        listed = list(download.objects(narrow, archive.search()))
    [row] = archive.search(Modality="MR").rows()
    assert {one["SeriesInstanceUID"] for one in manifest(found)} == {row["SeriesInstanceUID"]}
    assert {one.SeriesInstanceUID for one in listed} == {row["SeriesInstanceUID"]}
    assert found.read("ERRORS.txt").decode().count("not there any more") == 3


# -- damage, and those who go away -------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Archive]:
    write(ct_phantom(slices=6, rows=16, columns=16), tmp_path / "in")
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as opened:
        opened.ingest(tmp_path / "in", build=False)
        yield opened


def test_a_damaged_object_is_named_and_disturbs_no_other(small, tmp_path):
    [row] = small.search().rows()
    kept = small.objects(row["key"])
    damaged = kept[2]
    with (small.root / layout.pack(damaged.location.path)).open("r+b") as pack:
        pack.seek(damaged.location.offset + damaged.location.length - 3)
        pack.write(b"\xff\x00\xff")
    found = opened(b"".join(zipped(small, small.search(), "dicom")))
    digests = {hashlib.sha256(found.read(name)).hexdigest() for name in found.namelist() if name.endswith(".dcm")}
    assert digests == all_bytes(tmp_path / "in") - {damaged.digests.file}
    told = found.read("ERRORS.txt").decode()
    assert f"{damaged.sop_instance_uid}.dcm: its bytes have changed" in told
    assert told.count(".dcm") == 1
    assert len(manifest(found)) == 5


def test_a_pack_that_is_gone_is_named_object_by_object(small):
    [row] = small.search().rows()
    for kept in small.objects(row["key"]):
        (small.root / layout.pack(kept.location.path)).unlink(missing_ok=True)
    found = opened(b"".join(zipped(small, small.search(), "dicom")))
    assert found.namelist() == ["manifest.csv", "ERRORS.txt"]
    assert found.read("ERRORS.txt").decode().count(".dcm: pack") == 6


def test_a_pack_that_was_written_anew_meanwhile_is_found(small, tmp_path):
    [row] = small.search().rows()
    stale = [one for one in small.objects(row["key"]) if one.location.length]
    moved = {one.sop_instance_uid for one in stale}

    class Behind:
        """Knows at first where objects lay before."""

        def __getattr__(self, name: str) -> Any:
            return getattr(small, name)

        def original(self, kept: Any) -> Any:
            if kept.sop_instance_uid in moved:
                moved.discard(kept.sop_instance_uid)
                raise Damaged("pack x is missing")
            return small.original(kept)

        def objects(self, key: str, versions: bool = False) -> Any:
            from dataclasses import replace

            found = small.objects(key)
            return found if versions else [replace(k, location=replace(k.location, offset=1)) for k in found]

    found = opened(b"".join(zipped(Behind(), small.search(), "dicom")))  # type: ignore[arg-type]
    assert len(manifest(found)) == 6


def test_hostile_uids_are_no_paths():
    for text in ("../../etc/passwd", "1.2/3", "=cmd()", "1..2", "", None, ".", "1" * 65, "١.٢", "1.2\n"):
        assert uid(text) == ""
    assert uid("1.2.840.10008") == "1.2.840.10008"


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Archive]:
    """An archive with one object of 96 MiB among small ones."""
    series = ct_phantom(slices=2, rows=16, columns=16)
    write(series, tmp_path / "in")
    path = next((tmp_path / "in").rglob("*.dcm"))
    with path.open("ab") as file:  # an unknown private element at the end of the data set: (7FE1,1010) OB
        file.write(b"\xe1\x7f\x10\x10OB\x00\x00" + (96 * MIB).to_bytes(4, "little"))
        for number in range(96):
            file.write(bytes([number]) * MIB)
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as opened:
        opened.ingest(tmp_path / "in", build=False)
        yield opened


def test_memory_does_not_grow_with_what_is_downloaded(large):
    size = 0
    pieces = zipped(large, large.search(), "dicom")
    first = next(pieces)
    tracemalloc.start()
    try:
        for piece in pieces:
            size += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size + len(first) > 96 * MIB
    assert peak < 12 * PIECE


def test_a_client_that_goes_away_ends_the_work(large):
    """Its connection is cut after the first bytes: the generator is closed, and its folder goes."""
    from pacs_panel.serve.app import make_app

    app = make_app(large, settle=False)
    address, stop = run(app)
    ended = threading.Event()
    made = download.zipped

    def watched(*args: Any) -> Iterator[bytes]:
        try:
            yield from made(*args)
        finally:
            ended.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "zipped", watched)
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            token = app.state.selections.put(large.search())
            client.sendall(f"GET /download/{token}.zip HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            assert not ended.is_set()
        assert ended.wait(20)
    stop()
    assert spools(large) == []


def test_sizes_beyond_four_gigabytes_get_the_extensions():
    """Told by the directory that would be written: nothing of that size is made here."""
    from pacs_panel.serve.zipped import Zipped

    made = Zipped()
    content = b"".join([*made.add("a", [b"x"], 5 << 30), *made.end()])
    assert content[4:6] == (45).to_bytes(2, "little")  # version needed for the 64-bit extensions
    assert opened(content).read("a") == b"x"


def test_plain_words_reach_a_browser(get):
    with pytest.raises(HTTPError) as caught, suppress(ConnectionError):
        get("download/forgotten.zip")
    assert caught.value.code == 404
