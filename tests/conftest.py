"""What all tests share: the real data, peers, one demo archive, and a process without anybody's settings."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from pacs_panel.archive import Archive

HERE = Path(__file__).parent
DATA = "PACS_PANEL_DATA"
SLOW = {"data", "demo_folder"}  # fixtures of which any makes a test slow: whole series, whole archives
# Folders of tests that need several parts of the package at once.
WHOLE = {"archive", "catalog", "cli", "notebooks", "pipeline", "published", "serve", "testing", "truth"}
# Modules that take seconds each, by volumes or indices that each test makes, or by many random inputs; what stays in
# `make check` of their folder are its quick neighbours.
HEAVY = {
    *(f"dicom/test_{name}.py" for name in ("doses", "gems", "quick")),
    *(f"index/test_{name}.py" for name in ("columns", "columns_table", "corrected", "keys", "labels")),
    *(f"index/test_{name}.py" for name in ("references", "spoken", "store")),
    *(f"overlay/test_{name}.py" for name in ("odd", "references", "segmentation", "structures", "write", "write_map")),
    *(f"pixels/test_{name}.py" for name in ("codecs", "fragments", "real_world")),
    "overlay/documents/test_hostile.py",
    "receive/test_bombs.py",
    *(f"view/test_{name}.py" for name in ("browse_actions", "charts", "documents")),
    *(f"volume/test_{name}.py" for name in ("beside", "build", "export", "frames", "nrrd", "pet")),
    *(f"volume/test_{name}.py" for name in ("read", "real_world", "received", "shards", "slide")),
}
UNPACKED = {"ohif": Path(sys.prefix, "ohif")}  # peers that are folders of files, which `.ci/peers` unpacks
MEMORY, ENOUGH = Path("/dev/shm"), 4 << 30  # a folder in memory, and the bytes that must be free there

pytest_plugins = ["pytester", *(["tests.browser_fixtures"] if (HERE / "browser_fixtures.py").exists() else [])]

hypothesis.settings.register_profile("derandomised", derandomize=True, database=None, deadline=None, print_blob=False)
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("derandomised"), max_examples=12)
hypothesis.settings.load_profile("derandomised")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pacs_panel")
    group.addoption("--require-peers", action="store_true", help="fail, not skip, where a peer or a browser is missing")
    group.addoption("--require-data", action="store_true", help="fail, not skip, where the real data are missing")


def is_quick(config: pytest.Config) -> bool:
    """Whether slow tests are left out, as by `make check`."""
    return "not slow" in (config.getoption("markexpr") or "")


def is_slow(path: Path) -> bool:
    """Whether a folder or file holds slow tests only."""
    if not path.is_relative_to(HERE):
        return False
    inside = path.relative_to(HERE)
    return inside.as_posix() in HEAVY or not WHOLE.isdisjoint(inside.parts[:1])


def pytest_configure(config: pytest.Config) -> None:
    """Quick tests write to memory where there is enough of it: much of their time is waiting for a disk."""
    if not is_quick(config) or hasattr(config, "workerinput") or not MEMORY.is_dir():
        return
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH:
        folder = tempfile.mkdtemp(prefix="pacs-panel-tests-", dir=MEMORY)
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.environ["PYTEST_DEBUG_TEMPROOT"] = folder  # workers inherit it


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What would be left out anyway is not even imported."""
    path = collection_path
    if not is_quick(config) or not path.is_relative_to(HERE):
        return None
    return True if is_slow(path) or (path.name.startswith("test_") and path.suffix == ".py" and _marked(path)) else None


def _marked(path: Path) -> bool:
    """Whether a module says of all its tests that they are slow, or need a browser."""
    return bool(re.search(r"^pytestmark = .*pytest\.mark\.(slow|browser)\b", path.read_text("utf-8"), re.MULTILINE))


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests share one worker and peer tests another, so neither competes with itself for ports or cores."""
    for item in items:
        if is_slow(item.path) or SLOW & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))
        elif item.get_closest_marker("peer"):
            item.add_marker(pytest.mark.xdist_group("peer"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    names = [name for marker in item.iter_markers("peer") for name in marker.args]
    if item.get_closest_marker("browser"):
        names.append("chromium")
    for name in names:
        if find_peer(name) is None:
            how = "`make test` unpacks it by npm" if name in UNPACKED else "`make test` as root installs it by apt"
            absent(item.config, "--require-peers", f"{name} is not installed ({how})")


def find_peer(name: str) -> Path | None:
    """The program, first as the system has it: pynetdicom puts namesakes of dcmtk's programs on PATH; or its folder."""
    if name in UNPACKED:
        return UNPACKED[name] if UNPACKED[name].is_dir() else None
    system = Path("/usr/bin", name)
    found = str(system) if os.access(system, os.X_OK) else shutil.which(name)
    return Path(found) if found else None


def absent(config: pytest.Config, option: str, reason: str) -> None:
    """Skip for want of something outside; a failure where the option says that it must be there."""
    if config.getoption(option):
        pytest.fail(f"{reason}; {option} is set", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True, scope="session")
def no_settings_from_outside() -> Iterator[None]:
    """Whoever runs the tests may have settings of their own; only the place of the real data counts here."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PACS_PANEL_") and name != DATA]:
            patch.delenv(name)
        yield


@pytest.fixture
def peer() -> Callable[[str], Path]:
    """``peer("storescu")``: the full path of a program that the test's ``peer`` marker names."""

    def path(name: str) -> Path:
        found = find_peer(name)
        assert found, f"{name} is missing: mark the test with @pytest.mark.peer({name!r})"
        return found

    return path


@pytest.fixture(scope="session")
def data(request: pytest.FixtureRequest) -> Path:
    """The folder of real DICOM; never written to."""
    folder = Path(os.environ.get(DATA) or HERE.parent.parent / "shared" / "data")
    if not folder.is_dir():
        absent(request.config, "--require-data", f"no real data: {DATA} is not set and ../shared/data is not there")
    return folder


# -- the demo archive, built once a session ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the demo archive, built once for all workers; only for tests that leave it as it is."""
    from pacs_panel.settings import Settings
    from pacs_panel.storage.files import lock
    from pacs_panel.testing.demo_archive import open_demo

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with lock(shared / "demo.lock"):
        open_demo(shared / "demo-archive", Settings()).close()
    return shared / "demo-archive"


@pytest.fixture
def demo_archive(demo_folder: Path) -> Iterator[Archive]:
    """The demo archive, open."""
    from pacs_panel.archive import open_archive

    with open_archive(demo_folder, create=False) as archive:
        yield archive
