"""The objects without pixels are valid DICOM in the eyes of a validator that knows nothing of this package."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pacs_panel.testing import ct_phantom, documents, write


@pytest.mark.peer("dciodvfy")
def test_dciodvfy_objects_to_nothing(peer: Callable[[str], Path], tmp_path: Path) -> None:
    ct = ct_phantom(rows=16, columns=20, slices=4)
    made = [
        documents.presentation_on(ct),
        documents.presentation_on(ct, rotation=90, flipped=True),
        documents.key_objects_on(ct),
        documents.pdf_on(ct),
        documents.stl_on(ct),
        documents.value_maps_on(ct),
        documents.registration_on(ct, [np.eye(4), np.eye(4)]),
    ]
    for number, series in enumerate(made):
        (path,) = write(series, tmp_path / str(number))
        run = subprocess.run([peer("dciodvfy"), path], capture_output=True, check=False)
        said = (run.stdout + run.stderr).decode().splitlines()
        assert len([line for line in said if line.strip()]) == 1, said  # the kind of object, and nothing else
