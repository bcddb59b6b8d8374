"""How values are shown, from the object to the picture: VOI tables, and palettes for some of the values."""

from __future__ import annotations

import io
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.dataelem import DataElement

from pacs_panel.pixels.intensity import Table, Window
from pacs_panel.testing import ct_phantom
from pacs_panel.volume.build import THUMBNAIL
from pacs_panel.volume.export import to_png
from pacs_panel.volume.frames import ZarrFrames
from pacs_panel.volume.values import default_window, supplemental
from tests.volume.kept import Objects


def facts(target: Path) -> dict[str, Any]:
    return json.loads((target / "0" / "zarr.json").read_bytes())["attributes"]["pacs_panel"]["values"]


def table(first: int, *values: int, bits: int = 12, words: str = "") -> Dataset:
    item = Dataset()
    item.add(DataElement("LUTDescriptor", "SS" if first < 0 else "US", [len(values), first, bits]))
    item.add(DataElement("LUTData", "US", list(values)))
    item.LUTExplanation = words
    return item


def flat_ct(*tables: Dataset, windows: bool = True) -> Objects:
    datasets = ct_phantom(rows=64, columns=64, slices=1).datasets
    for dataset in datasets:
        dataset.VOILUTSequence = list(tables)
        if not windows:
            del dataset.WindowCenter, dataset.WindowWidth
            if "WindowCenterWidthExplanation" in dataset:
                del dataset.WindowCenterWidthExplanation
    return Objects(datasets)


def test_tables_come_after_the_files_own_windows(tmp_path: Path) -> None:
    flat_ct(table(64536, 0, 2048, 4095, words="STEEP"), table(0, 4095, 0)).build(tmp_path / "r")
    found = facts(tmp_path / "r")
    own = found["voi_tables"][0]["place"]
    assert own >= 1
    assert [one["name"] for one in found["voi_tables"]] == ["STEEP", "file table 2"]
    assert found["voi_tables"][0]["first"] == -1000  # of HU, which may be below 0
    assert list(b64decode(found["voi_tables"][0]["greys"])) == [0, 128, 255]
    assert isinstance(default_window(found), Window)


def test_without_windows_of_its_own_the_first_table_is_shown(tmp_path: Path) -> None:
    objects = flat_ct(table(-1000, *([0] * 1000 + [4095])), windows=False)
    objects.build(tmp_path / "r")
    found = facts(tmp_path / "r")
    assert isinstance(default_window(found), Table)
    to_png(tmp_path / "r" / "0", tmp_path / "x.png")
    picture = np.asarray(Image.open(tmp_path / "x.png"))
    (dataset,) = [pydicom.dcmread(io.BytesIO(data)) for data in objects.files]
    values = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    np.testing.assert_array_equal(picture, np.where(values >= 0, 255, 0))


@pytest.mark.parametrize("item", [Dataset(), table(0, 1, 2, bits=0), table(0, 1, 2, bits=20)])
def test_damaged_tables_are_left_out(tmp_path: Path, item: Dataset) -> None:
    flat_ct(item).build(tmp_path / "r")
    assert facts(tmp_path / "r")["voi_tables"] == []


def test_a_real_table_is_applied(data: Path, tmp_path: Path) -> None:
    source = data / "syntaxes_multiframe_small" / "vlut_04.dcm"
    objects = Objects([source.read_bytes()])
    objects.build(tmp_path / "r")
    dataset = pydicom.dcmread(source)
    (item,) = dataset.VOILUTSequence
    wanted = np.rint(np.asarray(item.LUTData)[dataset.pixel_array] / 257)
    to_png(tmp_path / "r" / "0", tmp_path / "x.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), wanted)


def test_a_real_mammograms_tables_are_named(data: Path, tmp_path: Path) -> None:
    Objects([(data / "mg_mammogram_ge" / "GH133.dcm").read_bytes()]).build(tmp_path / "r")
    found = facts(tmp_path / "r")
    told = [(one["name"], one["first"], len(b64decode(one["greys"])), one["place"]) for one in found["voi_tables"]]
    assert told == [("NORMAL", 625, 3447, 3), ("HARDER", 1023, 3016, 3), ("SOFTER", 203, 3887, 3)]


def test_some_values_of_a_real_perfusion_ct_are_colours(data: Path, tmp_path: Path) -> None:
    source = data / "syntaxes_multiframe_small" / "eCT_Supplemental.dcm"
    objects = Objects([source.read_bytes()])
    objects.build(tmp_path / "r")
    found = facts(tmp_path / "r")
    palette = supplemental(found)
    assert palette is not None
    assert (palette.first, palette.colours.shape) == (1024, (100, 3))
    assert (found["dtype"], found["intercept"]) == ("uint16", -1024.0)  # values stay what they are
    dataset = pydicom.dcmread(source)
    stored = ZarrFrames(tmp_path / "r" / "0").plane(0, 0, 1)
    assert any((stored == frame).all() for frame in dataset.pixel_array)
    wanted = np.stack(
        [np.frombuffer(dataset[f"{c}PaletteColorLookupTableData"].value, "<u2") >> 8 for c in ("Red", "Green", "Blue")],
        -1,
    )
    to_png(tmp_path / "r" / "0", tmp_path / "x.png")
    picture = np.asarray(Image.open(tmp_path / "x.png")).astype(int)
    coloured = stored >= 1024
    np.testing.assert_array_equal(picture[coloured], wanted[np.minimum(stored[coloured] - 1024, 99)])
    assert (np.ptp(picture[~coloured], axis=-1) == 0).all()
    small = np.asarray(Image.open(tmp_path / "r" / THUMBNAIL)).astype(int)
    assert small.shape == (128, 128, 3)
    assert np.ptp(small, axis=-1).max() > 50
