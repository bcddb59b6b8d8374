"""An archive over http: what it tells, and how little it fetches for that."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import FsspecStore

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import BadQuery, Denied, NotFound, NotPublished, NotYetShown, ReadOnly
from pacs_panel.model import Principal
from pacs_panel.published.archive import PublishedArchive
from pacs_panel.settings import Settings

LEVELS = ("patient", "study", "series", "instance")


@pytest.fixture(scope="module")
def server(folder, serve):
    return serve(folder)


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    return Settings(workers=0, cache=str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def archive(server, cached):
    with open_archive(server.url, settings=cached) as opened:
        assert isinstance(opened, PublishedArchive)
        yield opened


def rows(archive: Archive, level: str, **asked: object) -> list[dict[str, object]]:
    return sorted(archive.search(level, **asked).rows(), key=lambda row: str(row["key"]))


@pytest.mark.parametrize("level", LEVELS)
def test_every_search_finds_what_the_source_finds(source, archive, level):
    assert rows(archive, level) == rows(source, level) != []


@pytest.mark.parametrize(
    "asked",
    [
        {"Modality": "CT"},
        {"Modality": ["MR", "SEG"]},
        {"StudyDate": "19000101-"},
        {"text": "phantoms"},
        {"Rows": 24},
        {"RepetitionTime": 700.25},
        {"PatientID": "nobody"},
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_criteria_mean_the_same(source, archive, level, asked):
    def found(one):
        try:
            return rows(one, level, **asked), one.search(level, **asked).count()
        except BadQuery as error:
            return str(error)

    assert found(archive) == found(source)


@pytest.mark.parametrize("keyword", ["Modality", "Collection", "Rows", "PatientSex", "RepetitionTime"])
def test_facets_are_the_same(source, archive, keyword):
    assert archive.search().facets(keyword) == source.search().facets(keyword)


def test_a_volume_is_that_of_the_source(source, archive, ct):
    ours, theirs = archive.volume(ct.series_uid), source.volume(ct.series_uid)
    assert ours.identical(theirs)
    np.testing.assert_array_equal(ours.image.values, ct.truth.physical())
    np.testing.assert_array_equal(ours.pacs.affine, theirs.pacs.affine)
    for level in (0, 1):
        assert archive.volume(ct.series_uid, level=level).identical(source.volume(ct.series_uid, level=level))
    (mr,) = source.search(Modality="MR").rows()
    assert archive.volume(mr["SeriesInstanceUID"]).identical(source.volume(mr["SeriesInstanceUID"]))


def test_a_slice_takes_few_requests(archive, server, ct):
    archive.find(ct.series_uid)
    server.asked.clear()
    volume = archive.volume(ct.series_uid)
    opened = len(server.asked)
    assert opened <= 3, server.asked
    middle = volume.image[20].values
    np.testing.assert_array_equal(middle, ct.truth.physical()[20])
    assert len(server.asked) - opened == 2  # where its chunks lie, then all of them at once
    assert volume.image[10].values.shape == middle.shape
    assert len(server.asked) - opened == 2  # they hold 32 slices
    assert not [path for path in server.asked if path.startswith("index/")]


def test_frames_for_a_viewer(source, archive, ct):
    ours, theirs = archive.open_frames(ct.series_uid), source.open_frames(ct.series_uid)
    for axis in range(3):
        np.testing.assert_array_equal(ours.plane(0, axis, 7), theirs.plane(0, axis, 7))
    np.testing.assert_array_equal(ours.volume(0), theirs.volume(0))
    assert ours.describe() == theirs.describe()


def test_thumbnails_passports_headers_and_bytes(source, archive, ct):
    assert archive.thumbnail(ct.series_uid) == source.thumbnail(ct.series_uid)
    assert archive.revision(ct.series_uid) == source.revision(ct.series_uid)
    assert archive.header(ct.series_uid) == source.header(ct.series_uid)
    for row in source.search("instance", SeriesInstanceUID=ct.series_uid).page(3).rows:
        uid = str(row["SOPInstanceUID"])
        assert archive.read(uid) == source.read(uid)
        assert archive.original(archive.objects(ct.series_uid)[0]).read(4) == bytes(4)
        assert archive.header(uid) == source.header(uid)


def test_what_lies_on_images(source, archive, ct):
    (ours,), (theirs,) = archive.overlays(ct.series_uid), source.overlays(ct.series_uid)
    assert ours == theirs
    uid = theirs.sop_instance_uid
    (row,) = source.search(Modality="SEG").rows()
    assert archive.references(row["SeriesInstanceUID"]) == source.references(row["SeriesInstanceUID"])
    assert archive.overlay(ct.series_uid, uid).overlay == source.overlay(ct.series_uid, uid).overlay


@pytest.mark.parametrize("form", ["dicom", "nifti", "nrrd", "png"])
def test_export(source, archive, ct, tmp_path, form):
    ours = archive.export(ct.series_uid, tmp_path / "ours", form)
    theirs = source.export(ct.series_uid, tmp_path / "theirs", form)
    assert [path.read_bytes() for path in ours] == [path.read_bytes() for path in theirs] != []


def test_the_viewer_in_a_notebook(archive, ct):
    assert archive.view(ct.series_uid) is not None


def test_nothing_is_fetched_before_it_is_needed(folder, serve, settings):
    server = serve(folder)
    with open_archive(server.url, settings=settings) as archive:
        archive.search().page()
        assert sorted(path.partition("-")[0] for path in server.asked) == [
            *("index/patient", "index/revision", "index/series", "index/study"),
            "published.json",
        ]
        archive.search("instance").count()
        assert {"index/object", "index/reference"} <= {path.partition("-")[0] for path in server.asked}
    server.asked.clear()
    with open_archive(server.url, settings=settings) as archive:
        assert archive.search("instance").count() > 0
    assert server.asked == ["published.json"]


def test_it_cannot_be_changed(archive, ct, tmp_path):
    uid = ct.series_uid
    attempts = [
        lambda: archive.ingest(tmp_path),
        lambda: archive.remove(uid),
        lambda: archive.settle(),
        lambda: archive.reindex(),
        lambda: archive.verify(),
        lambda: archive.empty_trash(),
        lambda: archive.restore(uid),
        lambda: archive.organise.tag([uid], "checked"),
        lambda: archive.search().freeze("mine"),
        lambda: archive.publish(tmp_path / "again"),
        lambda: archive.write_segmentation(uid, np.zeros((40, 96, 160), np.uint8), ()),
        lambda: list(archive.watch([tmp_path])),
        lambda: archive.corrections.set(uid, SeriesDescription="Mine"),
        lambda: archive.corrections.undo(1),
        lambda: archive.recover(),
        lambda: archive.trash(),
    ]
    for attempt in attempts:
        with pytest.raises(ReadOnly, match="published"):
            attempt()
    with pytest.raises(ReadOnly, match="lies on a server"):
        (archive.root / "volumes").mkdir()


def test_it_knows_what_is_not_there(archive):
    with pytest.raises(NotFound):
        archive.volume("1.2.3")
    with pytest.raises(NotPublished):
        archive.cohort("lung")
    assert archive.cohorts() == []
    assert list(archive.rejected()) == []
    with pytest.raises(Denied):
        archive.as_(Principal("stranger")).search()
    (row,) = archive.search(Modality="CT").rows()
    for elsewhere in ("../../../..", "nothing"):
        with pytest.raises(NotFound):
            archive.revision(row["key"], elsewhere)


def test_its_status(source, archive, server):
    ours, theirs = archive.status(), source.status()
    for name in ("series", "instances"):
        assert ours[name] == theirs[name]
    assert ours["archive"] == server.url
    assert archive.change() == source.change()


def test_without_originals(source, serve, settings, ct, tmp_path):
    source.publish(tmp_path / "site")
    assert not (tmp_path / "site" / "originals").exists()
    with open_archive(serve(tmp_path / "site").url, settings=settings) as archive:
        assert rows(archive, "instance") == rows(source, "instance")
        assert archive.volume(ct.series_uid).identical(source.volume(ct.series_uid))
        for attempt in (archive.header, archive.overlays, archive.document):
            with pytest.raises(NotPublished, match="not published"):
                attempt(ct.series_uid)
        with pytest.raises(NotPublished):
            archive.original(archive.objects(ct.series_uid)[0])
        with pytest.raises(NotPublished):
            archive.export(ct.series_uid, tmp_path / "dicom")
        (path,) = archive.export(ct.series_uid, tmp_path / "nifti", "nifti")
        assert path.stat().st_size > 1000
        (seg,) = archive.search(Modality="SEG").rows()
        assert archive.revision(seg["key"]) == source.revision(seg["key"])
        with pytest.raises(NotYetShown):
            archive.thumbnail(seg["key"])


def test_it_travels_to_another_process(archive, ct):
    volume = archive.volume(ct.series_uid)
    again = pickle.loads(pickle.dumps(volume))
    assert again.identical(volume)


def test_the_address_of_its_description_or_catalog_will_do(server, settings):
    for name in ("published.json", "catalog.yml", ""):
        with open_archive(f"{server.url}/{name}", settings=settings) as archive:
            assert archive.search().count() == 3


def test_other_readers_of_zarr_open_its_volumes(source, archive, server, ct):
    """And ask no less often."""
    stack = archive.stack_path(ct.series_uid)
    group = zarr.open_group(FsspecStore.from_url(f"{server.url}/{stack}", read_only=True), mode="r")
    server.asked.clear()
    theirs = np.asarray(group["scale0/image"][20])
    asked = len(server.asked)
    server.asked.clear()
    ours = source.volume(ct.series_uid, physical=False).image.values
    np.testing.assert_array_equal(theirs, ours[20])
    np.testing.assert_array_equal(archive.volume(ct.series_uid, physical=False).image[20].values, theirs)
    assert sum("/c/" in path for path in server.asked) <= asked
    assert xr.open_zarr(f"{server.url}/{stack}/scale0", consolidated=True).image.shape == (40, 96, 160)
