"""The first notebook in a real JupyterLab, in a real browser: the viewer draws, scrolls and windows in a cell."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.view.reading import over, painted, told, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_first_look.ipynb"
TOKEN = "of-this-test-only"
OPTIONS = [
    "--no-browser",
    "--ServerApp.port=0",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.allow_root=True",
    f"--IdentityProvider.token={TOKEN}",
    # Nothing is asked of other machines: no announcements, no news, no look for updates, no list of extensions.
    "--LabApp.news_url=",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
]


# A notebook starts its kernel by itself, and nobody is asked about news.
HABITS = {
    "@jupyterlab/notebook-extension:tracker": {"autoStartDefaultKernel": True},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Address of a JupyterLab whose folder holds the notebook, with a home of its own."""
    work, runtime = tmp_path / "work", tmp_path / "runtime"
    work.mkdir()
    (tmp_path / "config" / "labconfig").mkdir(parents=True)
    (tmp_path / "config" / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(HABITS))
    shutil.copy(NOTEBOOK, work)
    places = {"HOME": "home", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython"}
    own = {name: str(tmp_path / folder) for name, folder in places.items()}
    environment = os.environ | own | {"JUPYTER_RUNTIME_DIR": str(runtime), "PYTHONPATH": str(NOTEBOOK.parents[1])}
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={work}"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, cwd=work, **pipe) as process:
        assert process.stdout
        said: list[str] = []
        try:
            yield address(process.stdout, said)
        finally:
            process.terminate()


def address(log: IO[str], said: list[str]) -> str:
    """The address that the server tells once it listens; what it says later is read and let go."""
    for line in log:
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
            threading.Thread(target=log.read, daemon=True).start()
            return found[0]
    raise AssertionError("JupyterLab did not start:\n" + "".join(said))


def test_the_viewer_works_in_a_cell(lab: str, page: Any, allow_errors: list[str]) -> None:
    allow_errors.append("Could not restore the debugger state")  # JupyterLab's own, where a page closes early
    page.set_default_timeout(45_000)
    page.set_viewport_size({"width": 1400, "height": 1000})
    page.goto(f"{lab}lab/tree/{NOTEBOOK.name}?token={TOKEN}")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # asked before, JupyterLab runs nothing
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    viewer = page.locator(".viewer[data-painted]")
    viewer.first.wait_for(state="attached")
    viewer.first.scroll_into_view_if_needed()
    painted(page, "axial", 32)
    before = told(page)
    assert before["planes"]["axial"] == {"slice": 32, "level": 0}

    x, y = over(page, "axial", 40, 50)
    page.mouse.move(x, y)
    page.mouse.wheel(0, 120)
    painted(page, "axial", 33)
    page.mouse.down()
    page.mouse.move(x + 50, y - 30, steps=4)
    page.mouse.up()
    wait_for(page, lambda: told(page)["window"] != before["window"])
    assert told(page)["planes"]["axial"]["slice"] == 33
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']").count() == 0
