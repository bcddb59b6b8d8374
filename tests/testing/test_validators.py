"""The files are valid DICOM in the eyes of two validators that know nothing of this package."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from pacs_panel.testing import (
    PhantomSeries,
    demo_studies,
    encode,
    pet_varying_slopes,
    write,
    write_small_files,
)


def errors(program: Path, paths: list[Path]) -> list[str]:
    """What dciodvfy calls an error, of each file with its name in the test's folder."""
    found = []
    for path in paths:
        run = subprocess.run([program, path], capture_output=True, check=False)
        said = (run.stdout + run.stderr).decode("utf-8", "replace")
        assert said.strip(), f"{program.name} said nothing, not even the kind of object"
        found += [f"{path.parent.name}/{path.name}: {line}" for line in said.splitlines() if line.startswith("Error")]
    return found


@pytest.mark.peer("dciodvfy")
def test_dciodvfy_finds_no_error_in_the_demo(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """In the first and the last object of each series: the others differ from these in number, place and pixels."""
    paths = []
    for number, series in enumerate(s for demo in demo_studies() for s in demo.series):
        ends = series.datasets[:: max(1, len(series.datasets) - 1)]
        paths += write(PhantomSeries(ends), tmp_path / f"{number}")
    assert errors(peer("dciodvfy"), paths) == []


@pytest.mark.peer("dciodvfy")
def test_dciodvfy_finds_no_error_in_small_files(peer: Callable[[str], Path], tmp_path: Path) -> None:
    write_small_files(tmp_path, files=12, series=4)
    assert errors(peer("dciodvfy"), sorted(tmp_path.rglob("*.dcm"))) == []


@pytest.mark.peer("dciodvfy")
def test_dciodvfy_would_have_found_an_error(peer: Callable[[str], Path], tmp_path: Path) -> None:
    series = pet_varying_slopes(rows=8, columns=8, slices=1)
    del series.datasets[0].Units
    assert any("Units" in line for line in errors(peer("dciodvfy"), write(series, tmp_path)))


def told_by_validator(known: Any, series: PhantomSeries) -> list[str]:
    """What dicom-validator objects to in the first object of a series."""
    from dicom_validator.validator.iod_validator import IODValidator

    file = dcmread(BytesIO(encode(series.datasets[0])))
    result = IODValidator(file, known, log_level=logging.CRITICAL).validate()
    assert result.sop_class_uid in known.iods
    errors = (result.module_errors or {}).items()
    return [f"{series.modality} {module} {tag}: {e.code}" for module, tags in errors for tag, e in tags.items()]


@pytest.mark.slow
def test_dicom_validator_objects_to_nothing() -> None:
    from tests.testing.standard import information

    series = [s for demo in demo_studies() for s in demo.series]
    known = information({str(s.datasets[0].SOPClassUID) for s in series})
    assert [told for one in series for told in told_by_validator(known, one)] == []

    broken = pet_varying_slopes(rows=8, columns=8, slices=1)
    del broken.datasets[0].Units
    broken.datasets[0].PatientSex = "X"
    told = told_by_validator(known, broken)
    assert any("(0054,1001)" in line for line in told)
    assert any("(0010,0040)" in line for line in told)
