"""Export: what is kept, given back as it was received; and volumes in other programs' formats.

Files are named by keys and numbers: a name never tells who the patient is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pacs_panel.dicom.dataset import load
from pacs_panel.dicom.planes import needs_more, planes
from pacs_panel.errors import PacsPanelError
from pacs_panel.keep.originals import CHUNK, open_original
from pacs_panel.model import ImageHeader, Kept, Revision, Stack
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.volume import bids
from pacs_panel.volume.export import to_nifti, to_nrrd, to_png, to_zarr, without_channels

DEFAULT = Settings()
SUFFIXES = {"nifti": ".nii.gz", "nrrd": ".nrrd", "zarr": ".zarr", "png": ".png"}
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


def export_volumes(
    root: Path,
    revision: Revision,
    target: Path,
    form: str,
    objects: Iterable[Kept] = (),
    settings: Settings = DEFAULT,
) -> Iterator[Path]:
    """Write a revision's stacks to ``target/<series key>[-<stack>].<suffix>``.

    Beside a NIfTI file goes what is known of its stack, as far as ``objects``, those of the series, tell: ``.json``
    under the names of BIDS, and ``.bval`` and ``.bvec``. A stack that the form cannot hold is an error, once all others
    are written.
    """
    kept, failed = {one.sop_instance_uid: one for one in objects}, []
    for number, stack in enumerate(revision.stacks):
        name = revision.series_key + (f"-{number}" if len(revision.stacks) > 1 else "")
        path = target / f"{name}{SUFFIXES[form]}"
        _fresh(path)
        source = root / layout.stack(revision.series_key, revision.revision, number)
        try:
            if form == "nifti":
                yield from _nifti(root, source, path, stack, kept, settings)
            else:
                yield {"nrrd": to_nrrd, "zarr": to_zarr, "png": to_png}[form](source, path)
        except PacsPanelError as error:
            failed.append(error)
    if failed:
        raise failed[0]


def _nifti(
    root: Path, source: Path, path: Path, stack: Stack, kept: Mapping[str, Kept], settings: Settings
) -> Iterator[Path]:
    if not stack.members or any(uid not in kept for uid in stack.members):
        yield to_nifti(source, path)
        return
    with open_original(root, kept[stack.members[0]].location) as file:
        dataset, _ = load(file, settings)
        passport, _ = without_channels(stack.passport)
        facts = bids.sidecar(dataset, passport)
        timed = [dimension.name for dimension in passport.dimensions] == ["time"]
        yield to_nifti(source, path, facts.get("RepetitionTime") if timed else None)
        yield from bids.write_beside(path, dataset, passport, _planes(root, stack, kept, settings))


def _planes(root: Path, stack: Stack, kept: Mapping[str, Kept], settings: Settings) -> list[ImageHeader]:
    """The header of each plane of a stack, in order; empty where an object cannot tell."""
    told: dict[tuple[str, int], ImageHeader] = {}
    for uid in dict.fromkeys(stack.members):
        if (image := kept[uid].image) is None:
            return []
        if not needs_more(image):
            told[uid, image.frame] = image
            continue
        with open_original(root, kept[uid].location) as file:
            told |= {(uid, plane.frame): plane for plane in planes(image, file, settings)}
    frames = stack.frames or (0,) * len(stack.members)
    wanted = list(zip(stack.members, frames, strict=True))
    return [told[one] for one in wanted] if all(one in told for one in wanted) else []


def _fresh(path: Path) -> None:
    if path.exists():
        raise PacsPanelError(f"{path} is there already; export to another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
