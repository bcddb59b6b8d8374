"""The demo archive: phantom studies of made-up subjects, and pydicom's own example files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pydicom.data

from pacs_panel.archive import Archive, open_archive
from pacs_panel.settings import Settings
from pacs_panel.testing.demo import write_demo

EXAMPLES = "pydicom examples"  # the last collection: where its import has come to an end, the demo is complete


def open_demo(folder: Path, settings: Settings) -> Archive:
    """Open the demo archive in ``folder``; the first time, build it."""
    archive = open_archive(folder, settings=settings)
    if not any(done.collection == EXAMPLES and done.finished for done in archive.imports()):
        with tempfile.TemporaryDirectory(prefix="pacs-panel-demo-") as scratch:
            write_demo(scratch)
            archive.ingest(scratch, collection="phantoms", build=False)
            archive.ingest(example_files(), collection=EXAMPLES)
    return archive


def example_files() -> list[Path]:
    """pydicom's own example files, as they lie in its package: pydicom's finder would go on to download others."""
    return sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"))
