"""Archives that lie and swell: bounded in memory, in scratch space and in depth."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pacs_panel.errors import Rejected, TooLarge, Unreadable
from pacs_panel.receive import archives
from pacs_panel.receive.sources import candidates
from pacs_panel.settings import MIB, Settings
from tests.receive.makers import SETTINGS, dicom, only, reasons, received, tarred, written, zipped


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def zeros(size: int) -> bytes:
    """A gzip stream of so many zeros, made piece by piece."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()


def zip_of(raw: bytes, method: int, size: int, count: int = 1, claimed: int | None = None) -> bytes:
    """A zip with ``count`` directory entries that all point to the same compressed bytes."""
    body = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, method, 0, 0, 0, len(raw), size, 1, 0) + b"a" + raw
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, method, 0, 0, 0, len(raw), size, 1, 0, 0, 0, 0, 0, 0)
    directory = (entry + b"a") * count
    claim = (count if claimed is None else claimed) & 0xFFFF
    return body + directory + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, claim, claim, len(directory), len(body), 0)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_a_zip_of_nothing_but_zeros(tmp_path: Path, method: int) -> None:
    path = tmp_path / "x"
    with zipfile.ZipFile(path, "w", method) as archive, archive.open("bomb", "w") as file:
        for _ in range(32):
            file.write(bytes(MIB))
    assert path.stat().st_size < 70_000
    item = only(candidates([path], SETTINGS))
    with memory_below(16 * MIB), pytest.raises(TooLarge):
        item.open(SETTINGS)


def test_a_swelling_file_that_is_compressed_by_itself(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": zeros(32 * MIB)}) / "x"
    with memory_below(16 * MIB), pytest.raises(TooLarge):
        only(candidates([path], SETTINGS)).open(SETTINGS)


def test_small_files_may_swell(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": gzip.compress(bytes(9 * MIB))}) / "x"
    with only(candidates([path], SETTINGS)).open(SETTINGS) as file:
        assert len(file.read()) == 9 * MIB


@pytest.mark.parametrize("swells", ["data", "long name", "pax header", "skipped member", "end mark"])
def test_a_compressed_tar_that_swells(tmp_path: Path, swells: str) -> None:
    info = tarfile.TarInfo("a")
    info.size = 1 << 33
    info.type = {"long name": tarfile.GNUTYPE_LONGNAME, "pax header": tarfile.XHDTYPE}.get(swells, tarfile.REGTYPE)
    name = b"../a" if swells == "skipped member" else b"a"
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[: len(name)] = name
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    start = tarred({"good": dicom()})[:1024]
    rest = b"" if swells == "end mark" else bytes(header)
    path = written(tmp_path, {"x": gzip.compress(start + rest) + zeros(32 * MIB)}) / "x"
    limits = Settings(max_object_bytes=1 << 40)
    with memory_below(20 * MIB):
        taken, refused = received([path], limits, scratch=tmp_path)
    assert taken == {f"{path}!good": dicom()}
    assert set(refused.values()) == (
        {"unsafe name", "beyond the limits"} if name != b"a" else {"beyond the limits"}
    ) - ({"beyond the limits"} if swells == "end mark" else set())
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_zips_in_zips_in_zips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "ALLOWANCE", 2 * MIB)
    data = zipped({f"{n}": bytes(MIB) for n in range(8)})
    for _ in range(2):
        data = zipped({f"{n}": data for n in range(8)})
    path = written(tmp_path, {"x": data}) / "x"
    with memory_below(24 * MIB):
        taken, refused = received([path], scratch=tmp_path)
    allowed = max(2 * MIB, path.stat().st_size * SETTINGS.max_expansion)
    assert sum(map(len, taken.values())) <= allowed
    assert "beyond the limits" in refused.values()
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_members_that_share_their_bytes(tmp_path: Path) -> None:
    raw = zlib.compress(bytes(MIB), 9)[2:-4]
    path = written(tmp_path, {"x": zip_of(raw, 8, MIB, count=500)}) / "x"
    items = list(candidates([path], SETTINGS))
    assert len(items) * len(raw) < 2 * path.stat().st_size
    assert items[-1].error.detail == "members of the zip overlap"  # type: ignore[union-attr]


def test_a_directory_that_claims_more_members_than_it_has(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": zip_of(dicom(), 0, 132, claimed=65_000)}) / "x"
    items = list(candidates([path], SETTINGS))
    assert [item.origin for item in items] == [f"{path}!a", str(path)]
    assert "claims 65000 members" in items[1].error.detail  # type: ignore[union-attr]


def test_a_zip64_directory_that_claims_the_impossible(tmp_path: Path) -> None:
    data = zip_of(dicom(), 0, 132)
    end = data.index(b"PK\x05\x06")
    huge = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1 << 60, 1 << 60, 1 << 60, 1 << 50)
    path = (
        written(tmp_path, {"x": data[:end] + huge + struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1) + data[end:]}) / "x"
    )
    with memory_below(4 * MIB):
        taken, refused = received([path])
    # No directory is where it should be, so headers are scanned; the checksum in this one is a lie too.
    assert (taken, refused) == ({}, {f"{path}!a": "unreadable", str(path): "truncated archive"})


@pytest.mark.slow
def test_many_members_take_constant_memory(tmp_path: Path) -> None:
    peaks = []
    for count in (100, 5_000):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number in range(count):
                archive.writestr(f"folder/{number:06}", b"")
        path = written(tmp_path, {"x": buffer.getvalue()}) / "x"
        tracemalloc.start()
        assert sum(1 for _ in candidates([path], SETTINGS)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000


@pytest.mark.parametrize("claimed", [131, 133, 0, 100_000])
@pytest.mark.parametrize("method", [0, 8])
def test_sizes_that_are_lies(tmp_path: Path, method: int, claimed: int) -> None:
    raw = zlib.compress(dicom())[2:-4] if method else dicom()
    path = written(tmp_path, {"x": zip_of(raw, method, claimed)}) / "x"
    with pytest.raises(Unreadable, match="than the archive claims"):
        only(candidates([path], SETTINGS)).open(SETTINGS)


def test_claims_beyond_the_limits_cost_the_others_nothing(tmp_path: Path) -> None:
    data = bytearray(zipped({"a": dicom(), "b": dicom(), "c": dicom(b"3")}))
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    data[first + 24 : first + 28] = struct.pack("<I", 0xFFFFFFF0)  # size
    data[second + 20 : second + 24] = struct.pack("<I", 0xFFFFFFF0)  # compressed size
    path = written(tmp_path, {"x": bytes(data)}) / "x"
    taken, refused = received([path])
    assert taken == {f"{path}!c": dicom(b"3")}
    assert refused == {f"{path}!a": "beyond the limits", f"{path}!b": "unreadable"}


@pytest.mark.parametrize("size", [1 << 40, 10**18, -1])
def test_tar_members_that_claim_impossible_sizes(tmp_path: Path, size: int) -> None:
    header = bytearray(tarred({"a": b""})[:512])
    header[124:136] = bytes([0x80 if size > 0 else 0xFF]) + (size % 2**88).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    data = tarred({"good": dicom()})[:1024] + bytes(header) + bytes(2048)
    for packed in (data, bz2.compress(data)):
        path = written(tmp_path, {"x": packed}) / "x"
        with memory_below(8 * MIB):
            taken, refused = received([path])
        assert taken == {f"{path}!good": dicom()}
        assert len(refused) >= 1


def test_random_damage_never_raises_anything_but_a_refusal(tmp_path: Path) -> None:
    files = {f"f/{n}": dicom(bytes([n]) * 300) for n in range(4)}
    state = 12345
    for data in (zipped(files), tarred(files), tarred(files, "w:gz"), zipped({"in": tarred(files)}, 0)):
        for _ in range(60):
            hurt = bytearray(data)
            for _ in range(4):
                state = (state * 1103515245 + 12345) % 2**31
                hurt[state % len(hurt)] = state >> 16 & 0xFF
            path = written(tmp_path, {"x": bytes(hurt[: len(hurt) - state % 200])}) / "x"
            for item in candidates([path], Settings(max_object_bytes=MIB), scratch=tmp_path):
                if hasattr(item, "open"):
                    with suppress(Rejected):
                        item.open(SETTINGS).close()
                    item.discard()
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_reasons_of_a_bomb_are_grouped(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": zipped({str(n): dicom() for n in range(4)})}) / "x"
    assert reasons(received([path], Settings(max_object_bytes=100))[1]) == {"beyond the limits": 4}
