"""OHIF, as it is built, beside our application: it lists our studies, and shows our pixels as we do.

What is compared is what its rendering (cornerstone) holds and what is on its canvas, each at the pixels' own places.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.pixels import apply_rescale, pixel_array
from starlette.responses import FileResponse, Response

from pacs_panel.archive import Archive, open_archive
from pacs_panel.serve.app import make_app
from pacs_panel.settings import Settings
from pacs_panel.testing import PhantomSeries, Study, Subject, ct_phantom, write
from tests.browser_fixtures import run
from tests.conftest import UNPACKED, find_peer

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.peer("ohif")]
REAL = ("mr_t1_multislice_siemens", "mr_t1_jpeg_fragmented")
SOURCE = {
    "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
    "sourceName": "ours",
    "configuration": {
        **{"friendlyName": "ours", "name": "ours", "qidoRoot": "/dicomweb", "wadoRoot": "/dicomweb"},
        **{"wadoUriRoot": "/dicomweb/wado", "imageRendering": "wadors", "thumbnailRendering": "wadors"},
        **{"qidoSupportsIncludeField": True, "supportsWildcard": True, "enableStudyLazyLoad": True},
        "bulkDataURI": {"enabled": True},
    },
}
CONFIGURATION = {
    **{"routerBasename": "/", "extensions": [], "modes": [], "showStudyList": True},
    **{"investigationalUseDialog": {"option": "never"}, "defaultDataSourceName": "ours", "dataSources": [SOURCE]},
}
# onnxruntime in it asks for Node's `__filename` where it finds its own script too late: by chance, a blank page.
DEFECT = "window.__filename = ''"
# Its tour for newcomers complains on the console where a machine is slow.
TOURED = "localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))"
VIEWPORT = "cornerstone.getRenderingEngines().flatMap(each => each.getViewports())[0]"
DRAWN = "CORNERSTONE_IMAGE_RENDERED"
# Shows one image without smoothing; then tells its values, and the colour on the canvas at the middle of each pixel.
SHOW = f"""async index => {{
    const viewport = {VIEWPORT}
    await viewport.setImageIdIndex(index)
    viewport.setProperties({{interpolationType: 0}})
    const drawn = new Promise(done => viewport.element.addEventListener("{DRAWN}", done, {{once: true}}))
    viewport.render()
    await drawn
    const image = viewport.getImageData(), canvas = viewport.getCanvas()
    const [columns, rows] = image.dimensions
    const colours = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
    const seen = [], within = (at, size) => Math.min(Math.max(at, 0), size - 1)  // it cuts off half of pixels at edges
    for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {{
        const world = cornerstone.utilities.transformIndexToWorld(image.imageData, [column, row, 0])
        const [x, y] = viewport.worldToCanvas(world).map(Math.floor)
        seen.push(colours[4 * (within(y, canvas.height) * canvas.width + within(x, canvas.width))])
    }}
    return {{
        id: viewport.getImageIds()[index], shape: [rows, columns], seen,
        values: Array.from(viewport.csImage.voxelManager.getScalarData()),
    }}
}}"""


@pytest.fixture(scope="module")
def archive(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    base = tmp_path_factory.mktemp("ohif")
    write(ct_phantom(slices=8, rows=64, columns=64), base / "in" / "ct")
    write(without("Modality"), base / "in" / "unknown")
    with open_archive(base / "archive", settings=Settings(workers=0)) as opened:
        opened.ingest([base / "in", *(data / folder for folder in REAL)], build=False)
        yield opened


def without(keyword: str) -> PhantomSeries:
    study = Study(Subject("Nobody^Known", "P9"), "20230303", "101010", "Bare")
    series = ct_phantom(study=study, slices=1, rows=16, columns=16)
    del series.datasets[0][keyword]
    return series


@pytest.fixture(scope="module")
def site(archive: Archive) -> Iterator[str]:
    """Address at which our services and OHIF are served, as a web server before both would."""
    ours, folder = make_app(archive, settle=False), UNPACKED["ohif"]
    config = Response(f"{DEFECT}; {TOURED}; window.config = {json.dumps(CONFIGURATION)}", media_type="text/javascript")

    async def beside(scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "").lstrip("/")
        if scope["type"] == "lifespan" or path.startswith("dicomweb"):
            await ours(scope, receive, send)
        elif path == "app-config.js":
            await config(scope, receive, send)
        else:  # every page of its is the same file
            file = folder / path
            await FileResponse(file if file.is_file() else folder / "index.html")(scope, receive, send)

    address, stop = run(beside)
    yield address
    stop()


def test_its_list_shows_our_studies(page: Any, site: str, archive: Archive) -> None:
    page.goto(site)
    listed = page.locator("tr[data-cy^='studyRow']")
    page.get_by_text("Phantom, Alma").wait_for()
    assert [re.split(r"\s*\n\s*", row) for row in listed.all_inner_texts()] == [
        ["Phantom, Alma", "PP-0001", "15-Jan-202409:30 AM", "Phantom study", "CT", "A240001", "8"],
        ["Nobody, Known", "P9", "03-Mar-202310:10 AM", "Bare", "A240001", "1"],
        ["Development", "999", "13-Jan-202307:35 PM", "Cheng test", "MR", "96"],
        ["HFS", "crlab", "07-Apr-202203:01 PM", "Rorden^Rorden_Prisma", "MR", "35"],
    ]
    page.locator("[data-cy='input-patientName']").fill("develop")
    page.get_by_text("Phantom, Alma").wait_for(state="detached")
    assert [row.split()[0] for row in listed.all_inner_texts()] == ["Development"]
    page.goto(f"{site}/?modalities=CT&startDate=20240101&endDate=20241231&description=phantom&mrn=pp")
    page.get_by_text("Phantom, Alma").wait_for()
    assert listed.count() == 1


COMPRESSED = pytest.param("999", id="JPEG lossless", marks=pytest.mark.peer("dcmdjpeg"))


@pytest.mark.parametrize("patient", [pytest.param("PP-0001", id="CT"), pytest.param("crlab", id="MR"), COMPRESSED])
def test_it_shows_our_pixels(page: Any, site: str, archive: Archive, tmp_path: Path, patient: str) -> None:
    (study,) = archive.search("study", PatientID=patient).rows()
    page.goto(f"{site}/viewer?StudyInstanceUIDs={study['StudyInstanceUID']}")
    page.wait_for_function(f"window.cornerstone && {VIEWPORT}?.getImageData?.()")
    count = page.evaluate(f"{VIEWPORT}.getImageIds().length")
    for index in (0, count // 2):
        shown = page.evaluate(SHOW, index)
        address = shown["id"].removeprefix("wadors:")
        dataset = uncompressed(archive.read(address.split("/")[-3]), tmp_path)
        truth = apply_rescale(pixel_array(dataset), dataset)
        np.testing.assert_array_equal(np.reshape(shown["values"], truth.shape), truth)
        ours = httpx.get(f"{site}{address}/rendered", headers={"Accept": "image/png"}).raise_for_status()
        picture = np.asarray(Image.open(io.BytesIO(ours.content))).astype(int)
        assert np.abs(np.reshape(shown["seen"], picture.shape) - picture).max() <= 1


def uncompressed(content: bytes, folder: Path) -> pydicom.FileDataset:
    """An object, its pixels decoded by dcmtk where they are compressed."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    if not dataset.file_meta.TransferSyntaxUID.is_compressed:
        return dataset
    before, after = folder / "compressed.dcm", folder / "plain.dcm"
    before.write_bytes(content)
    subprocess.run([str(find_peer("dcmdjpeg")), str(before), str(after)], check=True)
    return pydicom.dcmread(after)
