"""What lies over images, over HTTP, from an archive that has some."""

from __future__ import annotations

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from pacs_panel.errors import Denied, NotFound
from pacs_panel.model import Overlay, Revision, Segment
from pacs_panel.serve.errors import install
from pacs_panel.serve.frames import frame_routes

SEG, DOSE, LABELS = "1.2.3", "1.2.4", np.zeros((4, 6, 8), np.uint8)
LABELS[2, 1:3, 2:5] = 7


class Opened:
    """One overlay."""

    peak = 60.0

    def plane(self, layer: int, axis: int, index: int) -> np.ndarray:
        if layer:
            raise NotFound("one layer only")
        return LABELS.take(index, axis)

    def contours(self, index: int) -> list[tuple[int, np.ndarray, bool]]:
        return [(7, np.array([[1.0, 2.0], [3.0, 4.0], [3.0, 2.0]]), True)] if index == 2 else []


class Archive:
    """What the routes ask of an archive."""

    def __init__(self) -> None:
        self.denied = False
        self.labels = (Segment(7, "Liver", (200, 80, 60)),)

    def find(self, uid: str) -> dict[str, str]:
        if self.denied:
            raise Denied("not for you")
        return {"key": "key"}

    def revision(self, uid: str) -> Revision:
        return Revision(uid, "rev", "", "regular", ())

    def overlays(self, uid: str, stack: int | None = None) -> tuple[Overlay, ...]:
        return Overlay(SEG, "s", "segmentation", "Organs", self.labels), Overlay(DOSE, "d", "dose", "Plan", unit="Gy")

    def overlay(self, uid: str, sop_instance_uid: str, stack: int | None = None) -> Opened:
        if (uid, stack) != ("key", 0) or sop_instance_uid not in (SEG, DOSE, ""):
            raise NotFound("there is no such overlay")
        return Opened()


@pytest.fixture
def archive() -> Archive:
    return Archive()


@pytest.fixture
def client(archive: Archive) -> TestClient:
    app = FastAPI()
    app.include_router(frame_routes(lambda: archive))  # type: ignore[arg-type,return-value]
    install(app)
    return TestClient(app)


BASE = "/frames/key/rev/0"


def test_they_are_listed(client: TestClient) -> None:
    seg, dose = client.get(f"{BASE}/overlays.json").json()
    assert seg["segments"] == [{"number": 7, "label": "Liver", "colour": [200, 80, 60], "meaning": "", "method": ""}]
    assert (dose["unit"], dose["peak"]) == ("Gy", 60.0)


def test_planes_and_contours_are_given(client: TestClient) -> None:
    for axis, index in ((0, 2), (1, 1), (2, 4)):
        got = np.frombuffer(client.get(f"{BASE}/overlay/{SEG}/0/{axis}/{index}").content, np.uint8)
        np.testing.assert_array_equal(got, LABELS.take(index, axis).ravel())
    assert client.get(f"{BASE}/overlay/{SEG}/0/0/0").content == b""
    assert client.get(f"{BASE}/overlay/planes/0/0/2").status_code == 200
    contours = client.get(f"{BASE}/contours/{SEG}/2.json").json()
    assert contours == [{"number": 7, "closed": True, "points": [[1, 2], [3, 4], [3, 2]]}]
    assert client.get(f"{BASE}/contours/{SEG}/1.json").json() == []


def test_a_browser_asks_each_time_and_hears_of_what_is_new(client: TestClient, archive: Archive) -> None:
    first = client.get(f"{BASE}/overlays.json")
    assert first.headers["cache-control"] == "private, no-cache"
    had = {"If-None-Match": first.headers["etag"]}
    assert client.get(f"{BASE}/overlays.json", headers=had).status_code == 304
    archive.labels = (*archive.labels, Segment(8, "Spleen", (1, 2, 3)))
    assert client.get(f"{BASE}/overlays.json", headers=had).status_code == 200
    archive.denied = True
    assert client.get(f"{BASE}/overlays.json", headers=had).status_code == 403


@pytest.mark.parametrize(
    "rest", ["overlay/9.9/0/0/0", f"overlay/{SEG}/1/0/0", "contours/9.9/0.json", f"overlay/{SEG}/x/0/0"]
)
def test_what_is_not_there_is_an_error(client: TestClient, rest: str) -> None:
    assert client.get(f"{BASE}/{rest}").status_code == 404
    assert client.get(f"/frames/key/old/0/{rest}").status_code == 404
