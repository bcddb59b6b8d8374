"""Every reading method of dicomweb-client, against a really served application; the truth is pydicom's."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom.pixels import pixel_array

from pacs_panel.archive import Archive

EXPLICIT_LE = "1.2.840.10008.1.2.1"


@pytest.fixture(scope="module")
def ct(archive: Archive) -> dict[str, Any]:
    """Row of an instance of the CT phantom."""
    return next(iter(archive.search("instance", Modality="CT", Rows=40).rows()))


@pytest.fixture
def uids(ct: dict[str, Any]) -> tuple[str, str, str]:
    return ct["StudyInstanceUID"], ct["SeriesInstanceUID"], ct["SOPInstanceUID"]


@pytest.fixture
def truth(archive: Archive, ct: dict[str, Any]) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(archive.read(ct["SOPInstanceUID"])))


def test_searches_find_what_the_archive_finds(web: DICOMwebClient, archive: Archive, uids: Any) -> None:
    study, series, _ = uids
    found = web.search_for_studies()
    assert {each["0020000D"]["Value"][0] for each in found} == {
        row["StudyInstanceUID"] for row in archive.search("study").rows()
    }
    assert len(web.search_for_series()) == archive.search("series").count()
    assert len(web.search_for_series(study)) == archive.search("series", StudyInstanceUID=study).count()
    assert len(web.search_for_instances(study, series)) == 12
    assert len(web.search_for_instances(study)) == archive.search("instance", StudyInstanceUID=study).count()
    assert len(web.search_for_instances()) == archive.search("instance").count()


def test_a_study_tells_what_the_standard_asks_for(web: DICOMwebClient, truth: Any, uids: Any) -> None:
    (study,) = web.search_for_studies(search_filters={"StudyInstanceUID": uids[0]})
    read = pydicom.Dataset.from_json(study)
    for keyword in ("StudyDate", "StudyTime", "PatientName", "PatientID", "StudyInstanceUID"):
        assert read[keyword].value == truth[keyword].value, keyword
    assert read.RetrieveURL.endswith(f"/dicomweb/studies/{uids[0]}")
    assert read.InstanceAvailability == "ONLINE"
    assert study["00080050"] == {"vr": "SH"} or study["00080050"]["Value"] == [truth.AccessionNumber]


def test_matching_is_that_of_the_archive(web: DICOMwebClient, truth: Any) -> None:
    name = str(truth.PatientName)
    assert web.search_for_studies(search_filters={"00100010": f"{name[:3].lower()}*"})
    assert web.search_for_series(search_filters={"Modality": "CT"})
    assert web.search_for_studies(search_filters={"StudyDate": "18000101-18000102"}) == []
    nothing = httpx.get(f"{web.base_url}/studies", params={"PatientID": "nobody-of-this-name"})
    assert (nothing.status_code, nothing.json()) == (200, [])
    assert len(web.search_for_instances(limit=5)) == 5
    all_of_them = [each["00080018"]["Value"][0] for each in web.search_for_instances()]
    assert [each["00080018"]["Value"][0] for each in web.search_for_instances(limit=3, offset=2)] == all_of_them[2:5]
    (one,) = web.search_for_series(search_filters={"SeriesInstanceUID": truth.SeriesInstanceUID}, fields=["all"])
    assert one["00080070"]["vr"] == "LO"


def test_objects_come_back_as_they_are(web: DICOMwebClient, truth: Any, uids: Any) -> None:
    study, series, instance = uids
    one = web.retrieve_instance(study, series, instance)
    assert one.file_meta.TransferSyntaxUID == EXPLICIT_LE
    assert one == truth
    assert len(web.retrieve_series(study, series)) == 12
    assert {each.StudyInstanceUID for each in web.retrieve_study(study)} == {study}


def test_metadata_are_the_header_and_lead_to_bulk_data(web: DICOMwebClient, served: str, truth: Any, uids: Any) -> None:
    study, series, instance = uids
    told = web.retrieve_instance_metadata(study, series, instance)
    pixels = told.pop("7FE00010")
    read = pydicom.Dataset.from_json(told)
    for element in truth:
        if element.tag != 0x7FE00010:
            assert read[element.tag].value == element.value, element.keyword
    path = pixels["BulkDataURI"].partition("/dicomweb")[2]  # this client names the host without its port
    assert web.retrieve_bulkdata(served + path) == [truth.PixelData]
    assert len(web.retrieve_series_metadata(study, series)) == 12
    assert len(web.retrieve_study_metadata(study)) >= 12


def test_frames_and_pictures(web: DICOMwebClient, truth: Any, uids: Any) -> None:
    study, series, instance = uids
    (frame,) = web.retrieve_instance_frames(study, series, instance, [1])
    assert bytes(frame) == truth.PixelData
    picture = web.retrieve_instance_rendered(study, series, instance, media_types=("image/png",))
    shown = np.asarray(Image.open(io.BytesIO(picture)))
    assert shown.shape == (40, 300)
    one = web.retrieve_instance_frames_rendered(study, series, instance, [1], media_types=("image/jpeg",))
    assert one.startswith(b"\xff\xd8")


def picture_of(address: str, **query: str) -> Any:
    answer = httpx.get(address, params=query, headers={"Accept": "image/png"})
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_a_window_and_a_viewport_are_kept_to(served: str, truth: Any, uids: Any) -> None:
    study, series, instance = uids
    at = f"{served}/studies/{study}/series/{series}/instances/{instance}"
    values = pixel_array(truth) * float(truth.RescaleSlope) + float(truth.RescaleIntercept)
    wanted = np.clip((values - 50) / 400 + 0.5, 0, 1) * 255
    shown = picture_of(f"{at}/rendered", window="50,400,linear-exact")
    assert np.abs(shown.astype(float) - wanted).max() <= 1
    assert picture_of(f"{at}/frames/1/rendered", viewport="150,150").shape == (20, 150)
    assert picture_of(f"{at}/rendered", viewport="50,40,10,0,50,40").shape == (40, 50)
    assert max(picture_of(f"{at}/thumbnail").shape[:2]) == 128
    assert max(picture_of(f"{served}/studies/{study}/series/{series}/thumbnail").shape[:2]) == 128


def test_wado_uri(served: str, truth: Any, uids: Any) -> None:
    named = dict(zip(("studyUID", "seriesUID", "objectUID"), uids, strict=True)) | {"requestType": "WADO"}
    got = httpx.get(f"{served}/wado", params={**named, "contentType": "application/dicom"})
    assert pydicom.dcmread(io.BytesIO(got.content)) == truth
    shown = httpx.get(f"{served}/wado", params={**named, "rows": "20", "windowCenter": "40", "windowWidth": "400"})
    assert shown.headers["content-type"] == "image/jpeg"
    assert httpx.get(f"{served}/wado", params={"requestType": "WADO"}).status_code == 400


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/studies/1.2.3", "*/*", 404),
        ("/studies/{study}/series/1.2.3", "*/*", 404),
        ("/studies/{study}/series/{series}/instances/1.2.3/metadata", "*/*", 404),
        ("/studies/{study}/series/{series}/instances/{instance}/frames/2", "*/*", 404),
        ("/studies/{study}/series/{series}/instances/{instance}/frames/x", "*/*", 400),
        ("/studies/{study}/series/{series}/instances/{instance}/bulkdata/00100010/1", "*/*", 404),
        ("/studies/{study}/series/{series}/instances/{instance}/rendered?window=1,0", "*/*", 400),
        ("/studies/{study}/series/{series}/instances/{instance}/rendered", "text/html", 406),
        ("/studies/{study}", "image/png", 406),
        ("/studies/{study}", 'multipart/related; type="application/dicom"; transfer-syntax=1.2.3', 406),
        ("/studies?Nonsense=1", "*/*", 400),
        ("/studies?limit=-1", "*/*", 400),
        ("/studies", "application/dicom+xml", 406),
    ],
)
def test_what_cannot_be_is_told(served: str, uids: Any, path: str, accept: str, status: int) -> None:
    named = dict(zip(("study", "series", "instance"), uids, strict=True))
    assert httpx.get(served + path.format(**named), headers={"Accept": accept}).status_code == status


def test_fuzzy_matching_is_answered_with_a_warning(served: str) -> None:
    answer = httpx.get(f"{served}/studies", params={"fuzzymatching": "true"})
    assert answer.status_code == 200
    assert answer.headers["warning"].startswith("299 ")


def test_capabilities(served: str) -> None:
    assert "studies/{study}" in httpx.options(f"{served}/").text
    told = httpx.get(f"{served}/", headers={"Accept": "application/json"}).json()
    assert {"path": "studies", "methods": ["GET"], "mediaTypes": ["application/dicom+json"]} in told["resources"]


def test_an_object_that_is_had_is_not_sent_again(served: str, uids: Any) -> None:
    study, series, instance = uids
    at = f"{served}/studies/{study}/series/{series}/instances/{instance}"
    tag = httpx.get(at, headers={"Accept": "application/dicom"}).headers["etag"]
    assert httpx.get(at, headers={"Accept": "application/dicom", "If-None-Match": tag}).status_code == 304
