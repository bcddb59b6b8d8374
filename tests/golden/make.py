"""Make the small archive by which tests prove that archives of a format stay readable.

``python -m tests.golden.make`` writes ``tests/golden/archive-v<format>.tar.gz``; it refuses to replace one. A file that
is there is never made anew: it stands for the archives that people have. A new format gets a file of its own.
"""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path

from pacs_panel.archive import open_archive
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.testing import PhantomSeries, ct_phantom, write

FILE = Path(__file__).with_name(f"archive-v{layout.FORMAT_VERSION}.tar.gz")
TRASHED = 99  # seed of the series that lies in the trash


def series(seed: int = 0) -> PhantomSeries:
    """A CT of four slices of 16x16."""
    return ct_phantom(rows=16, columns=16, slices=4, seed=seed)


def make(folder: Path) -> None:
    """Make the archive in ``folder/archive``: two series, one of which is in the trash."""
    for seed in (0, TRASHED):
        write(series(seed), folder / "in" / str(seed))
    with open_archive(folder / "archive", settings=Settings(workers=0)) as archive:
        archive.ingest(folder / "in", collection="golden")
        archive.remove(series(TRASHED).series_uid)


def main() -> None:
    """Make it, and pack it."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        with tarfile.open(FILE, "x:gz") as tar:
            tar.add(Path(folder) / "archive", "archive")


if __name__ == "__main__":
    main()
