"""What is written on a series comes back from the archive where it was; maps to the real world of all sources."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.model import Segment
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, mr_4d, mr_oblique, pet_varying_slopes, write
from pacs_panel.testing.documents import value_maps_on
from pacs_panel.testing.multiframe import enhanced, mosaic

SMALL = {"rows": 20, "columns": 18, "slices": 6, "spacing": (4.0, 6.0, 6.0)}
SEGMENTS = (Segment(1, "Bone", (241, 214, 145)), Segment(4, "Air", (90, 160, 220)))
ADC = {"label": "ADC", "unit": "mm2/s"}


@pytest.fixture
def archive() -> Iterator[Archive]:
    with open_archive("memory://", settings=Settings(workers=0)) as opened:
        yield opened


def taken_in(archive: Archive, folder: Path, *series) -> None:
    for number, one in enumerate(series):
        write(one, folder / str(number))
    assert archive.ingest(folder).accepted == sum(len(one.datasets) for one in series)


def shuffled(series):
    order = list(range(len(series.datasets)))
    random.Random(5).shuffle(order)
    return enhanced(series, order)


@pytest.mark.parametrize("form", [lambda series: series, shuffled])
def test_labels_from_thresholds_come_back_voxel_for_voxel(archive, tmp_path, form) -> None:
    ct = form(ct_phantom(**SMALL))
    taken_in(archive, tmp_path / "ct", ct)
    hu = archive.volume(ct.series_uid).image.values
    labels = np.select([hu > 200, hu < -500], [1, 4]).astype(np.uint8)
    assert len(np.unique(labels)) == 3
    uid = archive.write_segmentation(ct.series_uid, labels, SEGMENTS, description="Thresholds")
    (overlay,) = archive.overlays(ct.series_uid)
    assert (overlay.sop_instance_uid, overlay.missing, overlay.notes) == (uid, (), ())
    assert [segment.label for segment in overlay.segments] == ["Bone", "Air"]
    found = archive.overlay(ct.series_uid, uid).volume(0)
    np.testing.assert_array_equal(found, np.select([labels == 1, labels == 4], [1, 2]))


@pytest.mark.parametrize("form", [lambda series: series, shuffled])
def test_a_parametric_map_is_a_volume_to_the_bit(archive, tmp_path, form) -> None:
    mr = form(mr_oblique(**SMALL))
    taken_in(archive, tmp_path / "mr", mr)
    source = archive.volume(mr.series_uid)
    values = np.random.default_rng(2).normal(0, 1e-3, source.image.shape).astype(np.float32)
    uid = archive.write_parametric_map(mr.series_uid, values, **ADC)
    made = archive.volume(str(archive.find(uid, "instance")["SeriesInstanceUID"]))
    np.testing.assert_array_equal(made.image, values)
    np.testing.assert_allclose(made.pacs.affine, source.pacs.affine, atol=1e-6)
    assert made.attrs["units"] == "mm2/s"
    mapped = made.pacs.real_world()
    np.testing.assert_array_equal(mapped, values)
    assert mapped.attrs["units"] == "mm2/s"


def test_labels_of_the_first_volume_of_several(archive, tmp_path) -> None:
    mr = mr_4d(**SMALL)
    taken_in(archive, tmp_path / "mr", mr)
    labels = np.zeros((6, 20, 18), np.uint8)
    labels[2, 3:9, 4:8] = 1
    uid = archive.write_segmentation(mr.series_uid, labels, SEGMENTS[:1])
    assert uid in {one.sop_instance_uid for one in archive.overlays(mr.series_uid)}


def test_written_to_a_file_it_is_not_taken_in(archive, tmp_path) -> None:
    ct = ct_phantom(**SMALL)
    taken_in(archive, tmp_path / "ct", ct)
    target = tmp_path / "out" / "labels.dcm"
    labels = np.ones((6, 20, 18), np.uint8)
    uid = archive.write_segmentation(ct.series_uid, labels, SEGMENTS[:1], target)
    assert archive.overlays(ct.series_uid) == ()
    with pytest.raises(PacsPanelError, match="is there already"):
        archive.write_segmentation(ct.series_uid, labels, SEGMENTS[:1], target)
    archive.ingest(target)
    assert [one.sop_instance_uid for one in archive.overlays(ct.series_uid)] == [uid]


def test_what_does_not_fit_is_refused_and_nothing_is_kept(archive, tmp_path) -> None:
    ct = ct_phantom(**SMALL)
    tiles = mosaic(mr_4d(**SMALL))
    taken_in(archive, tmp_path / "all", ct, tiles)
    with pytest.raises(ValueError, match="5 slices do not fit 6 images"):
        archive.write_segmentation(ct.series_uid, np.zeros((5, 20, 18), int), SEGMENTS)
    with pytest.raises(ValueError, match="rows and columns"):
        archive.write_parametric_map(ct.series_uid, np.zeros((6, 18, 20)), **ADC)
    with pytest.raises(PacsPanelError, match="mosaic"):
        archive.write_segmentation(tiles.series_uid, np.zeros((6, 20, 18), int), SEGMENTS)
    assert archive.search().count() == 2


# -- maps to the real world --------------------------------------------------------------------------------------------


def test_maps_of_another_object_hold_for_the_images_that_it_names(archive, tmp_path) -> None:
    ct = ct_phantom(**SMALL)
    taken_in(archive, tmp_path / "all", ct, value_maps_on(ct))
    ds = archive.volume(ct.series_uid)
    assert list(ds.attrs["real_world"]) == ["HU", "TABLE"]
    stored = ct.truth.stored
    expected = np.where(stored <= 4095, ct.truth.physical(), np.nan).astype(np.float32)
    np.testing.assert_array_equal(ds.pacs.real_world("HU"), expected)
    assert ds.pacs.real_world("HU").attrs["units"] == "[hnsf'U]"
    table = np.select([stored == 1, stored == 2, stored == 3], [10, 20, 40], np.nan)
    np.testing.assert_array_equal(ds.pacs.real_world("TABLE"), table.astype(np.float32))


def test_without_a_map_it_says_so(archive, tmp_path) -> None:
    ct = ct_phantom(**SMALL)
    taken_in(archive, tmp_path / "ct", ct)
    with pytest.raises(NotFound, match="no map"):
        archive.volume(ct.series_uid).pacs.real_world()


def test_where_slopes_vary_stored_values_are_asked_for(archive, tmp_path) -> None:
    pet = pet_varying_slopes(**SMALL)
    taken_in(archive, tmp_path / "pet", pet, value_maps_on(pet))
    with pytest.raises(PacsPanelError, match="physical=False"):
        archive.volume(pet.series_uid).pacs.real_world("TABLE")
    ds = archive.volume(pet.series_uid, physical=False)
    stored = pet.truth.stored
    table = np.select([stored == 1, stored == 2, stored == 3], [10, 20, 40], np.nan)
    np.testing.assert_array_equal(ds.pacs.real_world("TABLE"), table.astype(np.float32))
