"""What is not needed is not imported: by the package, by help, by opening an archive, and by serving pages."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Libraries that notebooks, exports or tests need, and no page does.
HEAVY = {
    "IPython",
    "dask",
    "distributed",
    "highdicom",
    "holoviews",
    "intake",
    "matplotlib",
    "nibabel",
    "pandas",
    "scipy",
    "skimage",
    "xarray",
    "zarr",
}
PAGES = {"bokeh", "fastapi", "panel", "panel_material_ui", "param", "starlette", "tornado", "uvicorn"}

HELP = """
from contextlib import suppress
from pacs_panel.cli import main
with suppress(SystemExit):
    main(["--help"])
"""
ARCHIVE = """
from pacs_panel.archive import open_archive
archive = open_archive("memory://")
"""
SERVE = f"""
from pacs_panel.testing.demo_archive import open_demo
from pacs_panel.serve.app import make_app
{ARCHIVE}
app = make_app(archive, settle=False)
"""


def loaded(code: str) -> set[str]:
    """Names of all modules that a new process holds after it has run ``code``."""
    told = f"{code}\nimport sys\nprint('\\nloaded', *sys.modules)"
    ran = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    last, *names = ran.stdout.splitlines()[-1].split()
    assert last == "loaded"
    return set(names)


def libraries(modules: set[str]) -> set[str]:
    """Those of modules that come neither with Python nor with the environment itself."""
    return {name.partition(".")[0] for name in modules - loaded("")} - sys.stdlib_module_names


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "pacs_panel"}


def test_the_package_imports_nothing_else() -> None:
    modules = loaded("import pacs_panel")
    assert ours(modules) == {"pacs_panel"}
    assert libraries(modules) == {"pacs_panel"}


def test_help_imports_no_library_and_no_archive() -> None:
    modules = loaded(HELP)
    own = {name for name in ours(modules) if not name.startswith("pacs_panel.cli")}
    assert own == {"pacs_panel", "pacs_panel.errors", "pacs_panel.peer", "pacs_panel.settings"}
    assert libraries(modules) == {"pacs_panel"}


@pytest.mark.slow
def test_an_archive_is_used_without_what_draws_or_analyses() -> None:
    found = libraries(loaded(f"{ARCHIVE}archive.recover()\narchive.search(Modality='CT').page()\narchive.close()"))
    assert "sqlalchemy" in found
    assert not found & (HEAVY | PAGES)


@pytest.mark.slow
def test_serving_starts_without_what_analyses() -> None:
    found = libraries(loaded(f"{SERVE}archive.close()"))
    assert PAGES - found == set()
    assert not found & HEAVY
