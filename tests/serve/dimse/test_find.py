"""C-FIND gives what `search` gives, in the terms of the question."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from pacs_panel.archive import Archive, open_archive
from pacs_panel.peer import Peer
from pacs_panel.serve.dimse.finding import find
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, ct_phantom, mr_oblique, write
from tests.serve.dimse.sending import TITLE, association

FIRST, SECOND = Subject("Ünlü^Zoë", "P-1"), Subject("Other^Name", "P-2")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    base = tmp_path_factory.mktemp("find")
    one, two = Study(FIRST, "20240101", "101010", "First"), Study(SECOND, "20250202", "111111", "Second")
    write(ct_phantom(study=one, slices=2, rows=16, columns=16), base / "in" / "ct")
    write(mr_oblique(study=one, slices=2, rows=16, columns=16), base / "in" / "mr")
    write(ct_phantom(study=two, slices=3, rows=16, columns=16), base / "in" / "other")
    with open_archive(base / "archive", settings=Settings(workers=0)) as opened:
        opened.ingest(base / "in", build=False)
        yield opened


@pytest.fixture(scope="module")
def address(archive: Archive) -> Iterator[tuple[str, int]]:
    callers = Callers((Peer("asker", TITLE, may=frozenset({"find"})), Peer("sender", "STORES")))
    with listening(archive, callers, Listening(port=0)) as found:
        yield found


def ask(
    address: tuple[str, int], level: str, model: Any = StudyRootQueryRetrieveInformationModelFind, **keys: Any
) -> tuple[list[Dataset], list[int]]:
    """The answers, and all statuses."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in (keys.pop("elements", {}) | keys).items():
        setattr(identifier, keyword, value)
    with association(address, [(model, "1.2.840.10008.1.2.1")], calling=TITLE) as found:
        answers = [(status.Status, dataset) for status, dataset in found.send_c_find(identifier, model)]
    return [dataset for _, dataset in answers if dataset], [status for status, _ in answers]


def test_studies_with_their_counts(address: tuple[str, int]) -> None:
    found, statuses = ask(
        address,
        "STUDY",
        StudyDate="20240101-20241231",
        PatientName="",
        ModalitiesInStudy="",
        NumberOfStudyRelatedInstances="",
    )
    assert statuses == [0xFF00, 0]
    (study,) = found
    assert str(study.PatientName) == FIRST.name
    assert sorted(study.ModalitiesInStudy) == ["CT", "MR"]
    assert study.NumberOfStudyRelatedInstances == 4
    assert (study.RetrieveAETitle, study.QueryRetrieveLevel) == ("PACS_PANEL", "STUDY")


@pytest.mark.parametrize("name", ["ünlü*", "Ünlü^Zoë", "*ZOË"])
def test_names_match_without_case(address: tuple[str, int], name: str) -> None:
    found, _ = ask(
        address, "PATIENT", PatientRootQueryRetrieveInformationModelFind, PatientID="",
        elements={"SpecificCharacterSet": "ISO_IR 192", "PatientName": name},
    )  # fmt: skip
    assert [patient.PatientID for patient in found] == ["P-1"]


@pytest.mark.parametrize("level", ["SERIES", "IMAGE"])
def test_lower_levels(archive: Archive, address: tuple[str, int], level: str) -> None:
    study = next(archive.search("study", PatientID="P-1").rows())["StudyInstanceUID"]
    name = {"SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
    found, _ = ask(address, level, StudyInstanceUID=study, **{name: ""})
    rows = archive.search({"SERIES": "series", "IMAGE": "instance"}[level], StudyInstanceUID=study).rows()  # type: ignore[arg-type]
    assert {str(each[name].value) for each in found} == {row[name] for row in rows}


@pytest.mark.filterwarnings("ignore:Invalid value")
def test_several_uids_and_wildcards(archive: Archive, address: tuple[str, int]) -> None:
    uids = [str(row["SeriesInstanceUID"]) for row in archive.search(Modality="CT").rows()]
    found, _ = ask(address, "SERIES", SeriesInstanceUID=uids, Modality="C?")
    assert sorted(each.SeriesInstanceUID for each in found) == sorted(uids)


def test_what_is_not_held_is_said(address: tuple[str, int]) -> None:
    found, statuses = ask(address, "STUDY", PatientID="P-2", PatientComments="")
    assert len(found) == 1
    assert statuses == [0xFF01, 0]


@pytest.mark.parametrize(
    ("level", "keys", "status"), [("WARD", {}, 0xA900), ("STUDY", {"StudyDate": "yesterday"}, 0xC000)]
)
@pytest.mark.filterwarnings("ignore:Invalid value")
def test_questions_that_make_no_sense(address: tuple[str, int], level: str, keys: dict[str, str], status: int) -> None:
    assert ask(address, level, **keys) == ([], [status])


def test_only_who_may_ask_is_answered(address: tuple[str, int]) -> None:
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.PatientID = "STUDY", ""
    model = StudyRootQueryRetrieveInformationModelFind
    with association(address, [(model, "1.2.840.10008.1.2.1")], calling="STORES") as found:
        assert [status.Status for status, _ in found.send_c_find(identifier, model)] == [0x0124]


@pytest.mark.peer("findscu")
def test_dcmtk_asks(address: tuple[str, int], tmp_path: Path, peer: Any) -> None:
    import subprocess

    host, port = address
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=P-2", "-k", "StudyDescription"]
    command = [peer("findscu"), "-S", "-aet", TITLE, "-aec", "PACS_PANEL", *keys, "-X", host, str(port)]
    subprocess.run(command, check=True, timeout=100, cwd=tmp_path, env={"TCP_NODELAY": "1"}, capture_output=True)
    (answer,) = tmp_path.glob("rsp*.dcm")
    assert b"Second" in answer.read_bytes()


@pytest.mark.parametrize("element", [(0x00280010, "UN", b"abc"), (0x00200013, "UN", b"DOE^JOHN")])
def test_a_question_that_makes_no_sense_is_refused_and_never_quoted(
    archive: Archive,
    element: tuple[int, str, bytes],
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    tag, _, value = element
    raw = struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value
    level = struct.pack("<HHL", 0x0008, 0x0052, 6) + b"IMAGE "
    identifier = decode(BytesIO(level + raw), True, True)
    statuses = [status for status, _ in find(archive, identifier, "PACS_PANEL", lambda: False)]
    assert statuses == [0xC000]
    assert "JOHN" not in caplog.text + "".join(str(each.message) for each in recwarn)
