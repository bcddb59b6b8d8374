"""Export: what is kept, given back as it was received; and volumes in other programs' formats.

Files are named by keys and numbers: a name never tells who the patient is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pacs_panel.errors import PacsPanelError
from pacs_panel.keep.originals import CHUNK, open_original
from pacs_panel.model import Kept, Revision
from pacs_panel.storage import layout
from pacs_panel.volume.export import to_nifti, to_png, to_zarr

SUFFIXES = {"nifti": ".nii.gz", "zarr": ".zarr", "png": ".png"}
FORMATS = ("dicom", *SUFFIXES)


def export_originals(root: Path, objects: Iterable[Kept], target: Path) -> Iterator[Path]:
    """Write objects, byte for byte as received, to ``target/<series key>/<number>.dcm``.

    Raises
    ------
    PacsPanelError
        A file is there already: nothing is ever overwritten.
    """
    for number, kept in enumerate(objects, 1):
        path = target / kept.series_key / f"{number:06d}.dcm"
        _fresh(path)
        with open_original(root, kept.location) as source, path.open("xb") as file:
            while chunk := source.read(CHUNK):
                file.write(chunk)
        yield path


def export_volumes(root: Path, revision: Revision, target: Path, form: str) -> Iterator[Path]:
    """Write a revision's stacks to ``target/<series key>[-<stack>].<suffix>``."""
    for number in range(len(revision.stacks)):
        name = revision.series_key + (f"-{number}" if len(revision.stacks) > 1 else "")
        path = target / f"{name}{SUFFIXES[form]}"
        _fresh(path)
        source = root / layout.stack(revision.series_key, revision.revision, number)
        write = {"nifti": to_nifti, "zarr": to_zarr, "png": to_png}[form]
        write(source, path)
        yield path


def _fresh(path: Path) -> None:
    if path.exists():
        raise PacsPanelError(f"{path} is there already; export to another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
