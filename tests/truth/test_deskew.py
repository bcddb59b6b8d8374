"""A real tilted CT made upright, ours beside dcm2niix: the same but for a fraction of a row, and ours in its place."""

from __future__ import annotations

import subprocess
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np

from pacs_panel import open_archive

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def corrected(folder: Path, target: Path) -> tuple[np.ndarray, np.ndarray]:
    """The upright image of dcm2niix, ``[slice, row, column]`` with rows in DICOM's order, and its affine to LPS mm."""
    target.mkdir()
    command = [dcm2niix.bin, "-b", "n", "-z", "n", "-f", "%s", "-o", str(target), str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    image = nibabel.load(next(target.glob("*_Tilt_*.nii")))
    affine = RAS @ image.affine
    affine[:3, 3] += affine[:3, 1] * (image.shape[1] - 1)
    affine[:3, 1] *= -1
    return np.asarray(image.dataobj, float).T[:, ::-1], affine


def centre(values: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """LPS mm of the centre of all that is denser than fat."""
    dense = values > -200
    counts = [dense.sum(axis=tuple({0, 1, 2} - {axis})) for axis in (2, 1, 0)]
    index = [count @ np.arange(len(count)) / count.sum() for count in counts]
    return np.asarray(affine[:3, :3] @ index + affine[:3, 3])


def test_a_tilted_gantry_made_upright(data: Path, tmp_path: Path):
    """dcm2niix differs twice, and ours is right in both.

    It anchors the shift of slices at the last one, whose shift it rounds up to whole rows, but computes the origin as
    if it had anchored at the first: voxels lie a fraction of a row (here 0.38) from where its affine says. And of the
    rows that it adds in front it takes the wrong component into the origin's z, which puts the image 80 mm too low. In
    ours, the first slice's pixels and places stay those of the file, so that what is dense keeps its place.
    """
    folder = data / "ct_phantom_tilt_philips"
    peer, peers_affine = corrected(folder, tmp_path / "peer")
    with open_archive("memory://") as archive:
        archive.ingest(folder)
        (row,) = [row for row in archive.search().rows() if row["Verdict"] == "sheared"]
        ds = archive.volume(row["key"]).load()
    made = ds.pacs.deskew()
    assert made.image.shape == peer.shape == (58, 612, 512)
    np.testing.assert_allclose(made.pacs.affine[:3, :3], peers_affine[:3, :3], atol=1e-3)

    offset = peers_affine[:3, 3] - made.pacs.affine[:3, 3]
    down, step = made.pacs.affine[:3, 1], made.pacs.affine[:3, 2]
    added = made.sizes["row"] - ds.sizes["row"]
    np.testing.assert_allclose(offset, [0, 0, added * (step[1] - down[2])], atol=2e-2)
    assert abs(offset[2]) > 79

    shift = (ds.sizes["slice"] - 1) * float(ds.pacs.affine[:3, 2] @ down / (down @ down))
    fraction = np.ceil(shift) - shift
    assert 0.37 < fraction < 0.38
    moved = made.pacs.affine
    moved[:3, 3] -= fraction * down
    theirs = ds.pacs.resample((moved, made.image.shape)).image.values
    known = ~np.isnan(theirs)
    assert known.mean() > 0.8
    assert np.abs(theirs - peer)[known].max() <= 1, "integers, and so rounded"
    assert np.abs(made.image.values - peer)[known & made.image.notnull().values].max() > 50

    np.testing.assert_array_equal(made.image[0, :512], ds.image[0])
    np.testing.assert_allclose(made.pacs.lps(0, 0, 0), ds.pacs.lps(0, 0, 0), atol=1e-9)
    truth = centre(ds.image.values, ds.pacs.affine)
    assert np.linalg.norm(centre(made.image.fillna(-1024).values, made.pacs.affine) - truth) < 0.05
    assert np.linalg.norm(centre(peer, peers_affine) - truth) > 79
