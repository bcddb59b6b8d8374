"""What the archive makes of every real series, beside the table of what it must make of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.truth import table
from tests.truth.importing import files_in, folders

ROWS = table.committed()
FOLDERS = sorted({row["folder"] for row in ROWS})
REFUSED = {
    # A media directory is read, and kept nowhere.
    "ct_phantom_tilt_philips": {"DICOMDIR": 1},
    "dicomdir_tree": {"DICOMDIR": 1},
    # Without a SOP Class, or without a SOP Instance UID; a bare data set that begins with no element; cut off in a
    # sequence.
    "pydicom_test_files": {"no identity": 3, "not DICOM": 1, "unreadable": 1},
    "syntaxes_multiframe_small": {"no identity": 4},
}


def test_the_table_has_every_folder(data: Path):
    assert folders(data) == FOLDERS


def test_no_row_is_twice_in_the_table():
    assert max(Counter(map(table.identity, ROWS)).values()) == 1
    assert tuple(ROWS[0]) == (*table.FOUND, *table.JUDGED)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_gives_the_series_of_the_table_and_no_others(imported, name):
    expected = {table.identity(row): row for row in ROWS if row["folder"] == name}
    found = {table.identity(row): row for row in table.found(imported(name))}
    assert list(found) == list(expected)
    for key, row in found.items():
        assert row == {column: expected[key][column] for column in table.FOUND}


@pytest.mark.parametrize("name", FOLDERS)
def test_every_file_is_accounted_for(imported, data, name):
    report = imported(name).report
    assert {reason: tally.count for reason, tally in report.rejected.items()} == REFUSED.get(name, {})
    taken = sum(tally.count for tally in report.outcomes.values())
    assert taken + report.refused == len(files_in(data / name))
    objects = {(row["series"], row["object"]): int(row["objects"]) for row in ROWS if row["folder"] == name}
    assert report.accepted == sum(objects.values())


def test_every_stack_was_judged_by_somebody_else():
    for row in ROWS:
        assert bool(row["values"]) == bool(row["dcm2niix"]) == bool(row["stack"])
        assert set(row["values"].split()) <= {"pydicom", "dcmdjpeg", "dcm2niix"}
