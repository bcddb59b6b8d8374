"""Every plane of every stack, its values and its place, beside what pydicom and nibabel read from the same file.

Column ``values`` of the table says who decoded: ``pydicom``, or another where pydicom cannot; planes that only dcm2niix
decodes are compared in `tests.truth.test_dcm2niix`. Nothing is left that only our own decoders read.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pacs_panel.model import Passport, Stack
from tests.truth import table
from tests.truth.importing import Imported, Series, is_colour
from tests.truth.reference import Place, Reference

ROWS = {table.identity(row): row for row in table.committed() if row["stack"]}
DCMDJPEG = [row for row in ROWS.values() if row["values"] == "dcmdjpeg"]
FOLDERS = sorted({row["folder"] for row in ROWS.values()})


def stacks(folder: Imported) -> Iterator[tuple[Series, int, Stack, str]]:
    """All stacks of a folder, each with who decoded it."""
    for series in folder.series:
        for number, stack in enumerate(series.revision.stacks):
            row = ROWS[folder.folder, series.uid, series.first, str(number)]
            yield series, number, stack, row["values"]


@pytest.mark.parametrize("name", FOLDERS)
def test_values_are_those_of_pydicom(imported, name):
    folder = imported(name)
    for series, number, stack, decoders in stacks(folder):
        stored, physical = (folder.planes(series, number, physical=how) for how in (False, True))
        compared = 0
        files = {uid: Reference(series.files[uid]) for uid in set(stack.members)}
        for plane, (uid, frame) in enumerate(stack.planes()):
            if files[uid].decodable:
                assert_equal(stack.passport, files[uid], frame, stored[plane], physical[plane])
                compared += 1
        assert (compared > 0) == ("pydicom" in decoders)
        assert (compared == len(stack.members)) == (decoders == "pydicom")


def assert_equal(passport: Passport, file: Reference, frame: int, stored: np.ndarray, physical: np.ndarray) -> None:
    """One plane is that frame of the file, before and after the modality transform."""
    if is_colour(passport):
        expected = file.colours(frame)
        assert np.array_equal(stored, expected)
        assert np.allclose(physical, expected, rtol=1e-6, atol=0)  # float32
        return
    expected = file.stored(frame)
    assert expected.shape == stored.shape
    assert np.array_equal(stored, expected)
    real = file.physical(frame, expected)
    assert np.allclose(physical, real, rtol=1e-6, atol=1e-6 * np.abs(real).max())  # float32, as a whole


@pytest.mark.peer("dcmdjpeg")
@pytest.mark.parametrize("row", DCMDJPEG, ids=lambda row: row["folder"])
def test_values_that_pydicom_cannot_decode(data: Path, tmp_path: Path, peer: Callable[[str], Path], row):
    """JPEG lossless, and 12 bits lossy: dcmtk makes a plain file of it, which pydicom reads."""
    folder = tmp_path / "in"
    folder.mkdir()
    for path in (data / row["folder"]).iterdir():
        if path.name in ("GH133.dcm", "JPEG-lossy.dcm"):
            (folder / path.name).symlink_to(path.resolve())
    only = Imported(folder)
    (series,) = only.series
    assert series.uid == row["series"]
    (path,) = series.files.values()
    plain = tmp_path / "plain.dcm"
    subprocess.run([peer("dcmdjpeg"), path, plain], check=True, capture_output=True)
    assert not Reference(path).decodable
    file, (stack,) = Reference(plain), series.revision.stacks
    stored, physical = (only.planes(series, 0, physical=how) for how in (False, True))
    assert_equal(stack.passport, file, 0, stored[0], physical[0])
    only.archive.close()


@pytest.mark.parametrize("name", FOLDERS)
def test_places_are_those_of_the_headers(imported, name):
    """Slice for slice; a passport's residual says how far its affine is from positions that headers round."""
    folder = imported(name)
    for series, index, stack, _ in stacks(folder):
        passport = stack.passport
        files = {uid: Reference(series.files[uid]) for uid in set(stack.members)}
        places = [files[uid].place(frame) for uid, frame in stack.planes()]
        if not passport.positions:
            assert_unplaced(passport, [files[uid] for uid in stack.members], places)
            continue
        for number, place in enumerate(places):
            slice_ = number % passport.shape[0]
            assert place is not None
            assert np.allclose(passport.positions[slice_], place.position, rtol=0, atol=1e-4)
            if passport.affine is None:
                continue
            affine = np.array(passport.affine)
            assert np.allclose(affine[:3, 0], place.along_row, rtol=0, atol=1e-5)
            assert np.allclose(affine[:3, 1], place.along_column, rtol=0, atol=1e-5)
            if passport.verdict in ("regular", "sheared"):
                off = np.linalg.norm(affine[:3, 3] + slice_ * affine[:3, 2] - place.position)
                assert off <= passport.residual + 1e-4
                assert passport.residual < 1e-3
        if passport.affine is not None:
            assert_lps(folder.archive.volume(series.key, index), places)


def assert_lps(volume: xr.Dataset, places: list[Place | None]) -> None:
    """Corners of each slice lie where its header puts them, whatever the spacing of the slices."""
    rows, columns = ([0, volume.sizes[name] - 1] for name in ("row", "column"))
    found = volume.pacs.lps(*np.meshgrid(np.arange(volume.sizes["slice"]), rows, columns, indexing="ij"))
    for place, corners in zip(places, found, strict=False):  # of further volumes, places are the same
        assert place is not None
        for (row, column), corner in zip(itertools.product(rows, columns), corners.reshape(4, 3), strict=True):
            expected = place.position + row * place.along_column + column * place.along_row
            assert np.linalg.norm(corner - expected) < 1e-3 + 1e-5 * (row + column)  # directions are rounded in headers


def assert_unplaced(passport: Passport, files: list[Reference], places: list[object]) -> None:
    """There is no place to be had, and the spacing is that which the header has."""
    assert passport.verdict == "stack"
    assert passport.affine is None
    assert places == [None] * len(places)
    assert {file.spacing() for file in files} == {(passport.calibration, passport.spacing[1:])}


@pytest.mark.parametrize("name", ["mr_fmri_mosaic_siemens", "transfer_syntaxes_mr"])
def test_a_mosaic_has_as_many_slices_as_nibabel_counts(imported, name):
    (series,) = imported(name).series
    (stack,) = series.revision.stacks
    for uid, path in series.files.items():
        assert stack.members.count(uid) == Reference(path).mosaic.image_shape[2]
        assert (*stack.passport.shape[1:],) == Reference(path).mosaic.image_shape[:2]


def test_all_nine_encodings_are_the_same_image(imported):
    """Slice for slice, bit for bit; pydicom and dcm2niix vouch for the first of them."""
    folder = imported("transfer_syntaxes_mr")
    (series,) = folder.series
    (stack,) = series.revision.stacks
    planes, members = folder.planes(series, 0, physical=False), np.array(stack.members)
    assert len({series.kept[uid].transfer_syntax for uid in members}) == 7
    first, *others = (planes[members == uid] for uid in series.files)
    assert len(others) == 8
    assert first.std() > 0
    assert all(np.array_equal(first, other) for other in others)
