"""The demo archive: phantom studies of made-up subjects, and pydicom's own example files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import ArchiveError, Busy
from pacs_panel.settings import Settings

EXAMPLES = "pydicom examples"  # the last collection: where its import has come to an end, the demo is complete


def open_demo(folder: Path, settings: Settings, tell: Callable[[str], None] = lambda _: None) -> Archive:
    """Open the demo archive in ``folder``; the first time, build it.

    An index of another version of this software, or an incomplete one, is made anew: all of it is derived.

    Parameters
    ----------
    folder : Path
    settings : Settings
    tell : callable, optional
        Told, in words, what takes a while.
    """
    archive = open_archive(folder, settings=settings)
    try:
        archive.recover()
    except Busy:
        raise
    except ArchiveError:
        tell("making the index of the demo archive anew")
        archive.reindex()
    if not any(done.collection == EXAMPLES and done.finished for done in archive.imports()):
        tell("building the demo archive; the next start finds it there")
        _fill(archive)
    return archive


def _fill(archive: Archive) -> None:
    from pacs_panel.testing.demo import write_demo  # most starts find the archive filled

    with tempfile.TemporaryDirectory(prefix="pacs-panel-demo-") as scratch:
        write_demo(scratch)
        archive.ingest(scratch, collection="phantoms", build=False)
        archive.ingest(example_files(), collection=EXAMPLES)


def example_files() -> list[Path]:
    """pydicom's own example files, as they lie in its package: pydicom's finder would go on to download others."""
    import pydicom.data

    return sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"))
