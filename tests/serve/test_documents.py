"""Documents over HTTP, and in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from pacs_panel.archive import Archive, open_archive
from pacs_panel.serve.app import make_app
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, sr_on, write
from pacs_panel.testing import documents as made
from tests.browser_fixtures import run

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Archive]:
    base = tmp_path_factory.mktemp("documents")
    ct = ct_phantom(slices=3, rows=16, columns=20)
    report = sr_on(ct)
    for item in report.datasets[0].ContentSequence:
        item.ConceptNameCodeSequence[0].CodeMeaning = HOSTILE[:64]
    write(report, base / "in" / "sr")
    write(made.pdf_on(ct), base / "in" / "pdf")
    write(made.stl_on(ct), base / "in" / "stl")
    write(made.key_objects_on(ct), base / "in" / "ko")
    with open_archive(base / "archive", settings=Settings(workers=0)) as opened:
        opened.ingest(base / "in")
        opened.ingest(data / "pydicom_test_files" / "waveform_ecg.dcm")
        yield opened


@pytest.fixture(scope="module")
def client(archive: Archive) -> TestClient:
    return TestClient(make_app(archive, settle=False), base_url="http://127.0.0.1:5006")


def key(archive: Archive, modality: str) -> str:
    return str(archive.search(Modality=modality).page().rows[0]["key"])


def uid(archive: Archive, modality: str) -> str:
    return archive.objects(key(archive, modality))[0].sop_instance_uid


def test_a_pdf_is_shown_in_place_and_nothing_in_it_may_load(client, archive):
    address = f"/documents/{uid(archive, 'DOC')}/content"
    answer = client.get(address)
    assert answer.content == made.empty_pdf()
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'inline; filename="{uid(archive, "DOC")}.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert client.get(address, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    saved = client.get(f"{address}?download=1")
    assert saved.headers["content-disposition"].startswith("attachment")


def test_anything_else_is_only_saved(client, archive):
    answer = client.get(f"/documents/{uid(archive, 'M3D')}/content")
    assert answer.content == archive.document(key(archive, "M3D")).data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]


def test_samples_are_those_of_the_archive(client, archive):
    values = archive.waveforms(key(archive, "ECG"))[1]["waveform"].values
    address = f"/documents/{uid(archive, 'ECG')}/waveform/1"
    near = np.frombuffer(client.get(f"{address}?first=100&last=150&parts=500").content, "<f4").reshape(12, 50)
    np.testing.assert_allclose(near, values[100:150].T, rtol=1e-6)
    whole = np.frombuffer(client.get(f"{address}?parts=100").content, "<f4").reshape(12, 200)
    np.testing.assert_allclose(whole.max(axis=1), values.max(axis=0), rtol=1e-6)
    np.testing.assert_allclose(whole.min(axis=1), values.min(axis=0), rtol=1e-6)


@pytest.mark.parametrize("address", ["{SR}/content", "{ECG}/waveform/9", "{SR}/waveform/0", "1.2.3/content"])
def test_what_is_not_there(client, archive, address):
    address = address.format(SR=uid(archive, "SR"), ECG=uid(archive, "ECG"))
    assert client.get(f"/documents/{address}").status_code == 404


# -- in the browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(archive: Archive) -> Iterator[str]:
    at, stop = run(make_app(archive, settle=False))
    yield at
    stop()


NARROW = """svg => new Promise(done => {
  const look = () => svg.getBoundingClientRect().width < 600 ? done() : requestAnimationFrame(look);
  look();
})"""


@pytest.mark.browser
def test_a_report_and_a_waveform_in_a_page(page, address, archive):
    page.goto(f"{address}/view?series={key(archive, 'SR')}")
    page.wait_for_selector(".document .tree summary")
    page.get_by_role("button", name="Open all").click()
    assert page.locator(".document .tree details:not([open])").count() == 0
    assert page.locator(".document .tree b", has_text=HOSTILE[:64]).count() > 0
    assert page.locator(".document img, .document script").count() == 0
    page.wait_for_selector(".details .missing >> text=CT image, not here")

    page.goto(f"{address}/view?series={key(archive, 'ECG')}")
    plot = page.locator("svg[data-loaded='0-10000']")
    plot.wait_for()
    assert plot.locator("path.trace").count() == 12
    page.locator("button[title='Show less time']").first.click()
    page.wait_for_selector("svg[data-loaded='2500-7500']")
    page.set_viewport_size({"width": 600, "height": 800})
    page.wait_for_function("document.documentElement.scrollWidth <= 600")
    page.locator("svg[data-loaded]").first.evaluate(NARROW)  # returns once it is drawn anew, or the test times out
    page.set_viewport_size({"width": 1400, "height": 900})
