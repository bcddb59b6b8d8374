"""Uploads in a real browser: chosen and dropped folders, lost connections, large files, and what is told at the end."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from pacs_panel.archive import Archive, open_archive
from pacs_panel.serve import errors
from pacs_panel.serve.selections import Selections
from pacs_panel.serve.upload_routes import upload_routes
from pacs_panel.serve.uploads import Uploads
from pacs_panel.settings import MIB, Settings
from pacs_panel.testing import ct_phantom, write
from pacs_panel.view.transfer.upload import Upload
from tests.view.reading import wait_for

pytestmark = pytest.mark.browser
LIMIT = 48 * MIB
FOCUS = """() => {
  let active = document.activeElement;
  while (active.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active.textContent;
}"""


class Stage:
    """A page with an `Upload`, over an archive that each test finds empty; and what the component said."""

    def __init__(self) -> None:
        self.archive: Archive | None = None
        self.uploads: Uploads | None = None
        self.selections = Selections()
        self.said: list[dict[str, Any]] = []
        self.heard = threading.Event()
        self.app = FastAPI()
        errors.install(self.app)
        self.app.include_router(upload_routes(lambda: self.archive, _Now(self)))  # type: ignore[arg-type]

    def make(self) -> Any:
        component = Upload(shown={"collections": ["Trial A"]})
        component.on_msg(self.hear)
        return component

    def hear(self, event: Any) -> None:
        self.said.append(event.data)
        self.heard.set()


class _Now:
    """The uploads of the present test."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage.uploads, name)


@pytest.fixture(scope="module")
def served(serve_app: Callable[..., str]) -> tuple[Stage, str]:
    stage = Stage()
    return stage, serve_app({"page": stage.make}, stage.app)


@pytest.fixture
def stage(served: tuple[Stage, str], tmp_path: Path) -> Iterator[Stage]:
    made, _ = served
    with open_archive(tmp_path / "archive", settings=Settings(workers=0, max_object_bytes=LIMIT)) as archive:
        made.archive, made.said, made.heard = archive, [], threading.Event()
        made.uploads = Uploads(archive.root, build=False, hand_over=made.selections.put)
        yield made


@pytest.fixture
def tray(page: Any, served: tuple[Stage, str], stage: Stage) -> Any:
    page.goto(f"{served[1]}/page")
    page.wait_for_selector("button.opener")
    return page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as it comes from somewhere: images, words, and what an operating system leaves."""
    found = tmp_path / "CD 12"
    write(ct_phantom(slices=12, rows=16, columns=16), found / "DICOM" / "deep" / "er")
    (found / "<b>read <img src=x onerror=alert(1)>.txt").write_text("words, and no images at all", "utf-8")
    (found / ".DS_Store").write_text("x")
    (found / "DICOM" / "DICOMDIR").write_text("x")
    return found


def choose(page: Any, folder: Path) -> None:
    page.locator("input[webkitdirectory]").set_input_files(folder)
    page.wait_for_selector("text=Ready to upload")


def start(page: Any) -> None:
    page.get_by_role("button", name="Upload", exact=True).click()


def drag(page: Any, *paths: Path, drop: bool = True) -> None:
    """What a desktop does when somebody drops files on the window."""
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", *(["drop"] if drop else [])):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": data})


def kept(stage: Stage) -> set[str]:
    assert stage.archive is not None
    rows = stage.archive.search().rows()
    return {one.digests.file for row in rows for one in stage.archive.objects(row["key"])}


def images(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.dcm")}


# -- from the folder to the report -------------------------------------------------------------------------------------


def test_a_folder_is_sent_taken_in_and_reported(tray, stage, folder):
    choose(tray, folder)
    assert tray.locator(".what").inner_text().startswith("CD 12: 13 files, ")
    assert tray.locator(".left").inner_text() == "1 system file and 1 DICOMDIR left out: no images in them"
    assert tray.locator("datalist option").get_attribute("value") == "Trial A"
    tray.locator(".field input").fill("Trial B")
    start(tray)
    tray.wait_for_selector("text=Upload finished")
    assert tray.locator(".outcome li").all_inner_texts() == ["12 new objects in 1 series"]
    assert kept(stage) == images(folder)
    tray.locator("summary").click()
    name = tray.locator("details .name").inner_text()
    assert name == "CD 12/<b>read <img src=x onerror=alert(1)>.txt"
    assert tray.locator("details b, details img").count() == 0
    token = tray.locator("a.main").get_attribute("href").removeprefix("browse?chosen=")
    [row] = stage.selections.get(token).rows()
    assert row["Collection"] == "Trial B"
    assert stage.heard.wait(20)
    assert stage.said == [{"kind": "arrived", "chosen": token, "accepted": 12}]


def test_a_folder_that_is_dropped_anywhere_is_read_to_any_depth(tray, stage, folder):
    drag(tray, folder, drop=False)
    tray.wait_for_selector(".veil:popover-open")
    drag(tray, folder)
    tray.wait_for_selector("text=Ready to upload")
    assert tray.locator(".veil:popover-open").count() == 0
    assert tray.locator(".what").inner_text().startswith("CD 12: 13 files, ")
    start(tray)
    tray.wait_for_selector("text=Upload finished")
    assert kept(stage) == images(folder)


def test_the_same_again_is_told_to_be_here(tray, stage, folder):
    assert stage.archive is not None
    stage.archive.ingest(folder, build=False)
    drag(tray, *folder.rglob("*.dcm"))
    tray.wait_for_selector("text=Ready to upload")
    start(tray)
    tray.wait_for_selector("text=12 here already")
    assert tray.locator("a.main").count() == 0


def test_a_folder_without_files_is_told(tray, tmp_path):
    (tmp_path / "empty").mkdir()
    drag(tray, tmp_path / "empty")
    tray.wait_for_selector("text=There are no files in it")


def test_many_small_files_take_few_requests(tray, stage, tmp_path):
    for number in range(210):
        (tmp_path / "many").mkdir(exist_ok=True)
        (tmp_path / "many" / f"{number}.txt").write_text(f"file {number}, and no image in it")
    sent: list[str] = []
    tray.on("request", lambda asked: sent.append(asked.url) if asked.method == "PUT" else None)
    choose(tray, tmp_path / "many")
    start(tray)
    tray.wait_for_selector("text=210 files not taken in")
    assert len(sent) == 2


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_a_lost_connection_is_taken_up_again(tray, stage, folder, allow_errors):
    allow_errors.append("Failed to load resource")
    fail = iter([True, True])
    tray.route("**/upload/*/0", lambda route: route.abort() if next(fail, False) else route.continue_())
    choose(tray, folder)
    start(tray)
    tray.wait_for_selector("text=Upload finished")
    assert kept(stage) == images(folder)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """One object of 40 MiB, whose bytes differ everywhere."""
    write(ct_phantom(slices=1, rows=16, columns=16), tmp_path / "large")
    path = next((tmp_path / "large").rglob("*.dcm"))
    with path.open("ab") as file:  # a private element at the end of the data set: (7FE1,1010) OB
        file.write(b"\xe1\x7f\x10\x10OB\x00\x00" + (40 * MIB).to_bytes(4, "little"))
        for number in range(40):
            file.write(bytes([number, 255 - number]) * (MIB // 2))
    return path


def test_a_large_file_goes_on_where_it_broke_off(tray, stage, large, allow_errors):
    allow_errors.append("Failed to load resource")
    offsets: list[int] = []

    def break_off_once(route: Any) -> None:
        if route.request.method == "PUT":
            offsets.append(int(route.request.headers["upload-offset"]))
        if len(offsets) == 2 and route.request.method == "PUT":
            route.abort()
        else:
            route.continue_()

    tray.route(
        "**/upload/*/0", lambda route: break_off_once(route) if route.request.method == "PUT" else route.continue_()
    )
    choose(tray, large.parent)
    start(tray)
    tray.wait_for_selector("text=1 new object in 1 series")
    assert offsets == [0, 16 * MIB, 16 * MIB, 32 * MIB]
    assert kept(stage) == {hashlib.sha256(large.read_bytes()).hexdigest()}


def test_what_is_beyond_the_limit_is_left_out_and_the_rest_taken_in(tray, stage, folder, allow_errors):
    allow_errors.append("413")
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(LIMIT + 1)
    choose(tray, folder)
    start(tray)
    tray.wait_for_selector("text=12 new objects in 1 series")
    assert tray.locator("summary", has_text="beyond the limit of 50.3 MB").count() == 1
    assert kept(stage) == images(folder)


def test_a_server_that_refuses_is_quoted_and_tried_again(tray, stage, folder, allow_errors):
    allow_errors.append("507")
    told = {"what": "there is no room", "hint": "make room, and try again"}
    tray.route("**/upload", lambda route: route.fulfill(status=507, json=told))
    choose(tray, folder)
    start(tray)
    tray.wait_for_selector("[role=alert] >> text=There is no room. Make room, and try again.")
    tray.unroute("**/upload")
    tray.get_by_role("button", name="Try again").click()
    tray.wait_for_selector("text=Upload finished")
    assert kept(stage) == images(folder)


def test_a_server_that_was_restarted_gets_everything_again(tray, stage, folder, allow_errors):
    allow_errors.append("404")
    tray.route("**/upload/*/0", lambda route: route.fulfill(status=404, json={"what": "it is not known", "hint": ""}))
    choose(tray, folder)
    start(tray)
    tray.wait_for_selector("[role=alert] >> text=It is not known.")
    tray.unroute("**/upload/*/0")
    tray.get_by_role("button", name="Try again").click()
    tray.wait_for_selector("text=Upload finished")
    assert kept(stage) == images(folder)


# -- what people decide ------------------------------------------------------------------------------------------------


def hold(page: Any) -> Callable[[], None]:
    """Keep what is sent from arriving; gives what lets it go on."""
    page.route("**/upload/*/0", lambda _route: None)
    return lambda: page.unroute("**/upload/*/0")


def test_pausing_and_going_on(tray, stage, folder):
    release = hold(tray)
    choose(tray, folder)
    start(tray)
    tray.get_by_role("button", name="Pause").click()
    tray.wait_for_selector("h3 >> text=Paused")
    release()
    tray.get_by_role("button", name="Go on").click()
    tray.wait_for_selector("text=Upload finished")
    assert kept(stage) == images(folder)


def test_cancelling_leaves_nothing(tray, stage, folder):
    hold(tray)
    choose(tray, folder)
    start(tray)
    with tray.expect_response(lambda answer: answer.request.method == "DELETE"):
        tray.get_by_role("button", name="Cancel").click()
    assert tray.locator(".card").count() == 0
    assert stage.archive is not None
    assert list((stage.archive.root / "spool").iterdir()) == []
    assert kept(stage) == set()


def test_cancelling_before_the_server_has_answered_leaves_nothing(tray, stage, folder):
    held: list[Any] = []
    tray.route("**/upload", lambda route: held.append(route))
    choose(tray, folder)
    start(tray)
    tray.get_by_role("button", name="Cancel").click()
    wait_for(tray, lambda: bool(held))
    with tray.expect_response(lambda answer: answer.request.method == "DELETE"):
        held[0].continue_()
    assert tray.locator(".card").count() == 0
    assert stage.archive is not None
    assert list((stage.archive.root / "spool").iterdir()) == []


def test_a_second_upload_waits_for_the_first(tray, stage, folder, tmp_path):
    write(ct_phantom(slices=3, rows=8, columns=8, description="other"), tmp_path / "other")
    held: list[Any] = []
    tray.route("**/upload/*/0", lambda route: route.continue_() if held else held.append(route))
    choose(tray, folder)
    start(tray)
    choose(tray, tmp_path / "other")
    start(tray)
    tray.wait_for_selector("h3 >> text=Waiting for the one before")
    held[0].continue_()
    tray.wait_for_selector("text=12 new objects in 1 series")
    tray.wait_for_selector("text=3 new objects in 1 series")
    assert kept(stage) == images(folder) | images(tmp_path / "other")


def test_the_keyboard_is_enough(tray, stage, folder):
    tray.locator("button.opener").focus()
    tray.keyboard.press("Enter")
    tray.wait_for_selector(".tray:popover-open")
    assert tray.evaluate(FOCUS) == "Choose files…"
    tray.keyboard.press("Tab")
    assert tray.evaluate(FOCUS) == "Choose a folder…"
    choose(tray, folder)
    tray.keyboard.type("Trial C")
    tray.keyboard.press("Enter")
    tray.wait_for_selector("text=Upload finished")
    tray.keyboard.press("Escape")
    tray.wait_for_selector(".tray:not(:popover-open)", state="attached")
    assert tray.evaluate(FOCUS) == "Upload…"
    assert stage.archive is not None
    assert [row["Collection"] for row in stage.archive.search().rows()] == ["Trial C"]


@pytest.mark.parametrize("width", [600, 2560])
def test_nothing_is_clipped(tray, folder, width):
    tray.set_viewport_size({"width": width, "height": 700})
    choose(tray, folder)
    box = tray.locator(".tray").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= 700
    tray.set_viewport_size({"width": 1400, "height": 900})
