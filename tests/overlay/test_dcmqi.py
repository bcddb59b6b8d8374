"""What dcmqi makes of segmentations and parametric maps that were written here: the same numbers at the same places.

dcmqi is how 3D Slicer reads them, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nrrd
import numpy as np
import pytest

from pacs_panel.testing import ct_missing_slice, ct_phantom, ct_tilted, mr_oblique
from tests.overlay.laid import phantom_stack
from tests.overlay.test_write import SEGMENTS, made, random_labels
from tests.overlay.test_write_map import made as made_map
from tests.overlay.test_write_map import values_on

pytestmark = pytest.mark.slow

SMALL = {"rows": 20, "columns": 18, "slices": 8, "spacing": (4.0, 6.0, 6.0)}


def read(program: str, content: bytes, tmp_path: Path, *options: str) -> tuple[np.ndarray, np.ndarray, dict]:
    """What a program of dcmqi makes of an object: values (slice, row, column), voxel to LPS mm, and its JSON."""
    (tmp_path / "object.dcm").write_bytes(content)
    made_here = tmp_path / "made"
    made_here.mkdir()
    call = f"import sys, dcmqi; sys.exit(dcmqi._program({program!r}, sys.argv[1:]))"
    files = ["--inputDICOM", str(tmp_path / "object.dcm"), "--outputDirectory", str(made_here), "-t", "nrrd"]
    subprocess.run([sys.executable, "-c", call, *files, *options], check=True, capture_output=True)
    (image,) = made_here.glob("*.nrrd")
    values, head = nrrd.read(str(image))
    assert head["space"] == "left-posterior-superior"
    affine = np.eye(4)
    affine[:3, :3] = np.transpose(head["space directions"])
    affine[:3, 3] = head["space origin"]
    (words,) = made_here.glob("*.json")
    return values.T, affine, json.loads(words.read_text())


@pytest.mark.parametrize("make", [ct_phantom, ct_missing_slice, mr_oblique])
def test_segments_are_where_they_were_put(make, tmp_path):
    images = make(**SMALL)
    labels = random_labels(images)
    values, affine, words = read("segimage2itkimage", made(images, labels), tmp_path, "--mergeSegments")
    told = [(one["SegmentLabel"], one["recommendedDisplayRGBValue"]) for one in words["segmentAttributes"][0]]
    assert told == [(one.label, list(one.colour)) for one in SEGMENTS]
    # By places, since a slice that is missing among the images is an empty one there.
    slices, rows, columns = np.indices(labels.shape)
    at = np.linalg.solve(affine, np.eye(4)) @ np.asarray(phantom_stack(images).passport.affine)
    if make is ct_missing_slice:  # 7 images, at 8 places
        slices = np.array([0, 1, 2, 3, 5, 6, 7])[slices]
    index = np.rint(at @ np.stack([columns, rows, slices, np.ones_like(rows)]).reshape(4, -1)).astype(int)[:3]
    expected = np.select([labels == 3, labels == 7], [1, 2])
    np.testing.assert_array_equal(values[index[2], index[1], index[0]], expected.ravel())
    assert (values > 0).sum() == (expected > 0).sum()


@pytest.mark.parametrize("make", [ct_phantom, mr_oblique])
def test_values_of_a_map_are_where_they_were_put(make, tmp_path):
    images = make(**SMALL)
    given = values_on(images)
    values, affine, words = read("paramap2itkimage", made_map(images, given), tmp_path)
    assert words["QuantityValueCode"]["CodeMeaning"] == "Apparent Diffusion Coefficient"
    np.testing.assert_array_equal(values, given)
    np.testing.assert_allclose(affine, images.truth.affine, atol=1e-4)


def test_a_tilt_is_more_than_it_knows(tmp_path):
    """Of a tilted stack it has the first slice right, and the others on its normal. Ours are as written."""
    images = ct_tilted(**SMALL)
    given = values_on(images)
    values, affine, _ = read("paramap2itkimage", made_map(images, given), tmp_path)
    np.testing.assert_array_equal(values, given)
    np.testing.assert_allclose(affine[:, [0, 1, 3]], images.truth.affine[:, [0, 1, 3]], atol=1e-4)
    normal = np.cross(*images.truth.affine[:3, :2].T)
    assert np.abs(np.cross(affine[:3, 2], normal)).max() < 1e-4
    assert np.abs(affine[:3, 2] - images.truth.affine[:3, 2]).max() > 0.5
