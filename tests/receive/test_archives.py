"""Archives of every kind and depth, whole and broken."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacs_panel.errors import Unreadable
from pacs_panel.receive import archives
from pacs_panel.receive.sources import Candidate, candidates, open_candidate
from pacs_panel.settings import Settings
from tests.receive.makers import SETTINGS, dicom, only, reasons, received, tarred, written, zipped

FILES = {"a/IM1": dicom(b"one" * 50), "a/IM2": dicom(bytes(100_000)), "notes": b"text", "empty": b""}


def packed(name: str, files: dict[str, bytes]) -> bytes:
    return {
        "zip": lambda: zipped(files),
        "zip stored": lambda: zipped(files, zipfile.ZIP_STORED),
        "zip bzip2": lambda: zipped(files, zipfile.ZIP_BZIP2),
        "tar": lambda: tarred(files),
        "tar gnu": lambda: tarred(files, form=tarfile.GNU_FORMAT),
        "tar ustar": lambda: tarred(files, form=tarfile.USTAR_FORMAT),
        "tar.gz": lambda: tarred(files, "w:gz"),
        "tar.bz2": lambda: tarred(files, "w:bz2"),
        "tar.xz": lambda: tarred(files, "w:xz"),
    }[name]()


KINDS = ["zip", "zip stored", "zip bzip2", "tar", "tar gnu", "tar ustar", "tar.gz", "tar.bz2", "tar.xz"]


@pytest.mark.parametrize("kind", KINDS)
def test_members_come_whole_under_their_names(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, {"IM9": packed(kind, FILES)}) / "IM9"
    taken, refused = received([path], scratch=tmp_path)
    assert taken == {f"{path}!{name}": data for name, data in FILES.items()}
    assert refused == {}
    assert [p.name for p in tmp_path.iterdir()] == ["IM9"]


@pytest.mark.parametrize("outer", KINDS)
@pytest.mark.parametrize("inner", ["zip", "tar", "tar.gz"])
def test_archives_within_archives(tmp_path: Path, outer: str, inner: str) -> None:
    path = written(tmp_path, {"x": packed(outer, {"in": packed(inner, FILES), "beside": dicom()})}) / "x"
    taken, refused = received([path], scratch=tmp_path)
    assert taken == {f"{path}!in!{name}": data for name, data in FILES.items()} | {f"{path}!beside": dicom()}
    assert refused == {}
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


trees = st.dictionaries(
    st.lists(st.text("abcxyzäß猫 ._", min_size=1, max_size=8), min_size=1, max_size=3).map("/".join),
    st.binary(max_size=600)
    | st.binary(max_size=20).map(dicom)
    | st.integers(0, 200_000).map(lambda n: dicom(bytes(n))),
    min_size=1,  # a tar of nothing is nothing but zeros
    max_size=6,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees)
def test_any_tree_comes_the_same_in_every_packing(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("trees")
    files = {f"{number}-{name.replace('.', '-')}": data for number, (name, data) in enumerate(tree.items())}
    expected = sorted(files.values())
    for kind in ["folder", "zip", "tar", "tar.gz"]:
        if kind == "folder":
            path = written(folder / "folder", files)
            path.mkdir(exist_ok=True)
        else:
            path = written(folder, {kind: packed(kind, files)}) / kind
        taken, refused = received([path], scratch=folder)
        assert sorted(taken.values()) == expected, kind
        assert refused == {}


@pytest.mark.parametrize(("pack", "size"), [(gzip.compress, None), (bz2.compress, None), (lzma.compress, None)])
def test_one_compressed_file_and_several_in_a_row(tmp_path: Path, pack: object, size: None) -> None:
    first, second = dicom(b"a" * 1000), b"b" * 300_000
    path = written(tmp_path, {"x": pack(first) + pack(second)}) / "x"  # type: ignore[operator]
    item = only(candidates([path], SETTINGS))
    assert (item.origin, item.size) == (str(path), size)
    with pickle.loads(pickle.dumps(item)).open(SETTINGS) as file:
        assert file.read() == first + second
        assert file.seek(1) == 1


def test_a_dicom_file_is_never_an_archive(tmp_path: Path) -> None:
    for magic in (b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh91AY&SY", b"\xfd7zXZ\x00", b"Rar!\x1a\x07"):
        data = magic.ljust(128, b"\0") + b"DICM" + bytes(600)
        path = written(tmp_path, {"x.zip": data}) / "x.zip"
        assert received([path]) == ({str(path): data}, {})


def test_members_at_their_place_can_be_opened_by_any_process_at_any_time(tmp_path: Path) -> None:
    inner = zipped(FILES)
    path = written(tmp_path, {"x": tarred({"in.zip": inner})}) / "x"
    items = [pickle.loads(pickle.dumps(item)) for item in candidates([path], SETTINGS)]
    assert [item.member.extent.path for item in items] == [path] * 4
    for item, data in reversed(list(zip(items, FILES.values(), strict=True))):
        with open_candidate(item, SETTINGS) as file:
            assert file.read() == data


def test_passing_members_are_inline_or_spooled_one_at_a_time(tmp_path: Path) -> None:
    files = {str(number): dicom(bytes([number]) * 100_000) for number in range(5)} | {"small": dicom()}
    path = written(tmp_path, {"x.tgz": tarred(files, "w:gz")}) / "x.tgz"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for item in candidates([path], SETTINGS, scratch=scratch):
        assert isinstance(item, Candidate)
        spooled = item.origin.endswith("small") is False
        assert (item.spool is not None, item.data is not None) == (spooled, not spooled)
        assert len(list(scratch.iterdir())) == spooled
        item.discard()
    assert list(scratch.iterdir()) == []


def test_abandoned_streams_leave_only_what_was_handed_out(tmp_path: Path) -> None:
    inner = zipped({str(number): dicom(bytes(100_000)) for number in range(3)})
    path = written(tmp_path, {"x": zipped({"in": inner})}) / "x"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    stream = candidates([path], SETTINGS, scratch=scratch)
    item = next(stream)
    assert isinstance(item, Candidate)
    stream.close()  # type: ignore[attr-defined]
    assert list(scratch.iterdir()) == [item.spool]


UNSAFE = ["../../x", "/etc/x", "C:\\x", "c:x", "a/../../x", "..\\..\\x", "\\\\host\\x", ".."]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_names_that_lead_out_are_refused_and_the_others_taken(tmp_path: Path, kind: str) -> None:
    files = {name: dicom() for name in UNSAFE} | {"good": dicom(), "a\\windows\\name": dicom(), "a..b/..c": dicom()}
    path = written(tmp_path, {"in/x": packed(kind, files)}) / "in/x"
    taken, refused = received([path])
    assert {origin.split("!")[1] for origin in taken} == {"good", "a\\windows\\name", "a..b/..c"}
    assert reasons(refused) == {"unsafe name": len(UNSAFE)}
    assert [p.name for p in tmp_path.rglob("*")] == ["in", "x"]


def test_a_nul_in_a_name_is_refused(tmp_path: Path) -> None:
    data = zipped({"a#b": dicom(), "c": dicom()}).replace(b"a#b", b"a\0b")
    path = written(tmp_path, {"x": data}) / "x"
    taken, refused = received([path])
    assert (list(taken), refused) == ([f"{path}!c"], {f"{path}!a\\x00b": "unsafe name"})


def test_litter_in_archives(tmp_path: Path) -> None:
    names = ["__MACOSX/a/._IM1", "a/.DS_Store", "Thumbs.db"]
    path = written(tmp_path, {"x": zipped(dict.fromkeys(names, b"x"))}) / "x"
    assert reasons(received([path])[1]) == {"system file": 3}


def test_links_devices_and_holes_in_tars_are_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, type_ in (("s", tarfile.SYMTYPE), ("l", tarfile.LNKTYPE), ("f", tarfile.FIFOTYPE), ("c", b"3")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = type_, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("holes")
        info.type, info.size = tarfile.GNUTYPE_SPARSE, 600
        archive.addfile(info, io.BytesIO(bytes(600)))
        info = tarfile.TarInfo("pax holes")
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.name": "pax holes"}
        archive.addfile(info)
        info = tarfile.TarInfo("folder")
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
        info = tarfile.TarInfo("after")
        info.size = 132
        archive.addfile(info, io.BytesIO(dicom()))
    for data in (buffer.getvalue(), gzip.compress(buffer.getvalue())):
        path = written(tmp_path, {"x": data}) / "x"
        taken, refused = received([path])
        assert taken == {f"{path}!after": dicom()}
        assert reasons(refused) == {"link": 2, "not a file": 2, "sparse file": 2}


def test_links_in_zips_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("s")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
        archive.mkdir("folder")
    assert received([path]) == ({}, {f"{path}!s": "link"})


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_the_same_name_are_two(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", dicom(b"1"))
        archive.writestr("a", dicom(b"2"))
    items = [item for item in candidates([path], SETTINGS) if isinstance(item, Candidate)]
    assert [item.open(SETTINGS).read()[-1:] for item in items] == [b"1", b"2"]


def test_encrypted_and_unknown_methods(tmp_path: Path) -> None:
    data = bytearray(zipped({"a": dicom(), "b": dicom(), "c": dicom()}))
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    data[first + 8] |= 1
    data[second + 10] = 99
    path = written(tmp_path, {"x": bytes(data)}) / "x"
    taken, refused = received([path])
    assert list(taken) == [f"{path}!c"]
    assert refused == {f"{path}!a": "encrypted", f"{path}!b": "unsupported compression"}


@pytest.mark.parametrize("magic", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\x00", b"\x28\xb5\x2f\xfd"])
def test_other_archives_say_what_to_do(tmp_path: Path, magic: bytes) -> None:
    written(tmp_path, {"x": magic + bytes(500), "y": zipped({"in": magic + bytes(500)})})
    assert reasons(received([tmp_path])[1]) == {"unsupported archive": 2}


class Unseekable(io.BytesIO):
    """Makes `zipfile` write data descriptors."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError("cannot seek")

    def tell(self) -> int:
        raise OSError("cannot tell")


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_data_descriptors_and_zip64(tmp_path: Path, zip64: bool, method: int) -> None:
    buffer = Unseekable()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in FILES.items():
            with archive.open(name, "w", force_zip64=zip64) as file:
                file.write(data)
    path = written(tmp_path, {"x": buffer.getvalue()}) / "x"
    assert received([path]) == ({f"{path}!{name}": data for name, data in FILES.items()}, {})
    cut = buffer.getvalue()[: buffer.getvalue().index(b"PK\x01\x02")]
    written(tmp_path, {"x": cut})
    taken, refused = received([path])
    # Without a directory nothing tells where a stored member with a descriptor ends.
    assert taken == ({f"{path}!{name}": data for name, data in FILES.items()} if method else {})
    assert refused == {str(path): "truncated archive"}


def test_zip64_directory_behind_a_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    data = zipped(FILES)
    assert b"PK\x06\x06" in data
    path = written(tmp_path, {"x": data, "y": zipped({"in": b"PK\x03\x04".ljust(99) + data}, 0)}) / "x"
    assert received([path]) == ({f"{path}!{name}": data for name, data in FILES.items()}, {})
    path = tmp_path / "y"
    assert received([path]) == ({f"{path}!in!{name}": data for name, data in FILES.items()}, {})


def test_a_zip_cut_short_gives_what_is_complete(tmp_path: Path) -> None:
    data = zipped({"a": dicom(b"1"), "b": dicom(b"2"), "c": dicom(bytes(range(256)) * 9)})
    third = data.index(b"PK\x03\x04", data.index(b"PK\x03\x04", 4) + 4)
    path = written(tmp_path, {"x": data[: third + 60]}) / "x"
    taken, refused = received([path])
    assert taken == {f"{path}!a": dicom(b"1"), f"{path}!b": dicom(b"2")}
    assert refused == {str(path): "truncated archive"}


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["tar", "tar.gz"])
@pytest.mark.parametrize(
    "cut", [512 + 1024 + 300, 512 + 1024 + 512 + 100, 512 + 1024], ids=["header", "data", "between"]
)
def test_a_tar_cut_short_gives_what_is_complete(tmp_path: Path, compress: type[bytes], cut: int) -> None:
    data = tarred({"a": dicom(bytes(800)), "b": dicom(bytes(800))})
    path = written(tmp_path, {"x": compress(data[:cut])}) / "x"
    taken, refused = received([path], scratch=tmp_path)
    assert taken == {f"{path}!a": dicom(bytes(800))}
    assert list(refused) == [str(path)]
    assert set(refused.values()) <= {"truncated archive", "unreadable"}
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_streams_cut_short_or_damaged(tmp_path: Path, pack: object) -> None:
    noise = b"".join(struct.pack(">I", n * 2654435761 % 2**32) for n in range(50_000))
    data = pack(dicom(noise))  # type: ignore[operator]
    middle = len(data) // 2
    written(tmp_path, {"cut": data[:-20], "hurt": data[:middle] + b"damage!!" + data[middle + 8 :]})
    assert received([tmp_path]) == ({}, {f"{tmp_path}/cut": "truncated archive", f"{tmp_path}/hurt": "unreadable"})


def test_a_compressed_tar_cut_short(tmp_path: Path) -> None:
    noise = b"".join(struct.pack(">I", n * 2654435761 % 2**32) for n in range(50_000))
    data = gzip.compress(tarred({"a": dicom(noise), "b": dicom(noise[::-1])}))
    path = written(tmp_path, {"x": data[:-1000]}) / "x"
    taken, refused = received([path], scratch=tmp_path)
    assert taken == {f"{path}!a": dicom(noise)}
    assert refused == {str(path): "truncated archive"}
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_members_are_refused_on_opening(tmp_path: Path, method: int) -> None:
    data = bytearray(zipped({"a": dicom(b"abc" * 100)}, method))
    data[data.index(b"PK\x01\x02") + 16] ^= 0xFF  # the checksum
    path = written(tmp_path, {"x": bytes(data)}) / "x"
    item = only(candidates([path], SETTINGS))
    with pytest.raises(Unreadable, match="checksum"):
        item.open(SETTINGS)


def test_appended_tars_are_read_on(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": tarred({"a": dicom(b"1")}) + tarred({"b": dicom(b"2")})}) / "x"
    assert received([path]) == ({f"{path}!a": dicom(b"1"), f"{path}!b": dicom(b"2")}, {})


def test_long_names_in_tars(tmp_path: Path) -> None:
    name = "/".join(["ordner-ä"] * 40) + "/IM1"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = written(tmp_path, {"x": tarred({name: dicom()}, form=form)}) / "x"
        assert received([path]) == ({f"{path}!{name}": dicom()}, {})


def test_limits_of_members_and_nesting(tmp_path: Path) -> None:
    data = dicom()
    for _ in range(4):
        data = zipped({"in": data})
    path = written(tmp_path, {"deep": data, "many": zipped({str(n): dicom() for n in range(11)})})
    assert received([path / "deep"])[1] == {f"{path}/deep!in!in!in": "beyond the limits"}
    assert received([path / "deep"], nesting=4) == ({f"{path}/deep!in!in!in!in": dicom()}, {})
    taken, refused = received([path / "many"], Settings(max_members=10))
    assert (len(taken), refused) == (10, {f"{path}/many": "beyond the limits"})


def test_a_directory_of_other_members_is_no_object(tmp_path: Path, data: Path) -> None:
    directory = (data / "dicomdir_tree" / "DICOMDIR").read_bytes()
    for kind in ("zip", "tar", "tar.gz"):
        path = written(tmp_path, {"x": packed(kind, {"DICOMDIR": directory, "IM1": dicom()})}) / "x"
        assert received([path]) == ({f"{path}!IM1": dicom()}, {f"{path}!DICOMDIR": "DICOMDIR"})


def test_inline_members_are_small() -> None:
    assert archives.INLINE <= 1 << 16
