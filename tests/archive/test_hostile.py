"""Whatever names and contents come in, nothing is written outside the archive's folder."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_panel.archive import Archive
from pacs_panel.testing import encode
from tests.archive.made import changed, ct, opened

ONE = ct(1).datasets[0]
CONTENT = encode(ONE)
PARTS = st.sampled_from(["..", ".", "a", "etc", "x.dcm", "-", "CON", "\u202e", "\\..\\", "a" * 200])
NAMES = st.tuples(st.sampled_from(["", "/", "//"]), st.lists(PARTS, min_size=1, max_size=5)).map(
    lambda made: made[0] + "/".join(made[1])
)
UIDS = st.sampled_from(["../../out", "/tmp/out", "1.2.3/../../4", "..", "1.2.3"])
CONTENTS = st.one_of(st.just(CONTENT), st.binary(max_size=400), st.integers(132, 900).map(lambda n: CONTENT[:n]))

pytestmark = pytest.mark.slow


def tree(folder: Path) -> set[str]:
    """Everything below a folder but the archive's own."""
    found = {os.path.relpath(os.path.join(at, name), folder) for at, ds, fs in os.walk(folder) for name in ds + fs}
    return {name for name in found if not name.startswith("archive/")}


@settings(max_examples=8)
@given(members=st.lists(st.tuples(NAMES, CONTENTS), min_size=1, max_size=4), uid=UIDS, tar=st.booleans())
def test_nothing_is_written_outside(members: list[tuple[str, bytes]], uid: str, tar: bool) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "in").mkdir()
        odd = changed(ONE, SeriesInstanceUID=uid, StudyInstanceUID=uid, PatientID="../../x", PatientName="/etc/x")
        (folder / "in" / "odd.dcm").write_bytes(encode(odd))
        if tar:
            with tarfile.open(folder / "in" / "a.tar", "w") as target:
                for name, content in members:
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    target.addfile(info, io.BytesIO(content))
        else:
            with zipfile.ZipFile(folder / "in" / "a.zip", "w") as target:
                for name, content in members:
                    target.writestr(zipfile.ZipInfo(name), content)
        with opened(folder / "archive") as archive:
            before = tree(folder)
            archive.ingest(folder / "in", build=False)
            archive.export(str(archive.search("series").to_frame()["key"].iloc[0]), folder / "archive" / "out")
            assert tree(folder) == before
            assert archive.verify().clean


def test_links_in_archives_are_refused(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(CONTENT)
    with tarfile.open(tmp_path / "a.tar", "w") as target:
        for kind, name in ((tarfile.SYMTYPE, "soft"), (tarfile.LNKTYPE, "hard"), (tarfile.CHRTYPE, "device")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, str(tmp_path / "secret")
            target.addfile(info)
    report = archive.ingest(tmp_path / "a.tar", build=False)
    assert (report.accepted, report.refused) == (0, 3)
    assert len(archive.search("instance").to_frame()) == 0


def test_names_that_are_no_text_are_taken_in(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with open(os.fsencode(tmp_path / "in") + b"/\xff\xfe.dcm", "wb") as file:
        file.write(CONTENT)
    assert archive.ingest(tmp_path / "in", in_place=True, build=False).accepted == 1
    assert archive.read(str(ONE.SOPInstanceUID)) == CONTENT
