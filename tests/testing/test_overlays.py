"""Phantom objects about images are valid DICOM in the eyes of a validator that knows nothing of this package."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from pacs_panel.testing import Grid, ct_phantom, encode
from pacs_panel.testing.overlays import Region, dose_on, masks_on, planes_on, regions_on

CT = ct_phantom(rows=24, columns=30, slices=6, spacing=(4.0, 3.0, 3.0))


def series():
    masks = np.zeros((2, 6, 24, 30), np.uint8)
    masks[0, 1:4, 3:9, 3:9] = masks[1, 2:5, 6:12, 6:12] = 1
    ring = np.array([Grid((6, 24, 30), CT.truth.affine).at(2, row, column) for row, column in ((2, 2), (2, 9), (9, 9))])
    yield "binary", masks_on(CT, masks, overlapping="YES")
    yield "fractional", masks_on(CT, masks / 2, kind="FRACTIONAL")
    yield "structures", regions_on(CT, [Region("A", (("CLOSED_PLANAR", ring), ("POINT", ring[:1])))])
    yield "dose", dose_on(CT)
    yield "planes", planes_on(CT, masks[0])


@pytest.mark.peer("dciodvfy")
def test_dciodvfy_finds_no_error(peer, tmp_path):
    for name, made in series():
        path = tmp_path / f"{name}.dcm"
        path.write_bytes(encode(made.datasets[0]))
        told = subprocess.run([peer("dciodvfy"), path], capture_output=True, text=True, check=False)
        said = told.stdout + told.stderr
        assert said.strip()
        assert [f"{name}: {line}" for line in said.splitlines() if line.startswith("Error")] == []
