"""The catalog in Python and from a file: tables, volumes, parameters, and what intake does with each."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import intake
import numpy as np
import pytest

from pacs_panel.archive import Archive, open_archive
from pacs_panel.attributes import BY_KEYWORD
from pacs_panel.catalog import UnknownEntry, open_catalog
from pacs_panel.errors import ArchiveError, BadQuery, Denied, NotFound
from pacs_panel.model import Principal
from pacs_panel.settings import Settings
from pacs_panel.testing import PhantomSeries, ct_phantom, mr_oblique, write

CATALOGS = Path(__file__).parents[2] / "catalogs"
NAMES = ["studies", "series", "volume", "cohorts", "cohort"]


@pytest.fixture(scope="module")
def ct() -> PhantomSeries:
    return ct_phantom(slices=16, rows=48, columns=64)


@pytest.fixture(scope="module")
def folder(ct: PhantomSeries, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of a CT and an MR."""
    base = tmp_path_factory.mktemp("catalog")
    write(ct, base / "in" / "ct")
    write(mr_oblique(slices=8, rows=32, columns=32), base / "in" / "mr")
    with open_archive(base / "archive", settings=Settings(workers=0)) as archive:
        assert archive.ingest(base / "in").accepted == 24
    return base / "archive"


@pytest.fixture
def archive(folder: Path) -> Iterator[Archive]:
    with open_archive(folder, create=False) as archive:
        yield archive


def values(dataset: Any) -> np.ndarray:
    return np.asarray(dataset.image.values)


# -- in Python ---------------------------------------------------------------------------------------------------------


def test_tables_take_search_keywords(archive: Archive, ct: PhantomSeries) -> None:
    catalog = open_catalog(archive)
    assert len(catalog["studies"].read()) == len(list(archive.search("study").rows()))
    assert sorted(catalog["series"].read()["Modality"]) == ["CT", "MR"]
    for table in (catalog["series"](Modality="CT").read(), catalog["series"].read(Modality="CT")):
        assert list(table["SeriesInstanceUID"]) == [ct.series_uid]
    with pytest.raises(BadQuery):
        catalog["series"](Modallity="CT").read()


def test_a_table_reads_no_more_than_it_is_asked_for(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = open_catalog(archive)
    everything = catalog["series"].read()
    wanted = ["Modality", "key", "StudyInstanceUID", "SliceThickness", "NumberOfSeriesRelatedInstances"]
    with monkeypatch.context() as patch:
        patch.setattr("pacs_panel.index.search.Search.rows", None)  # no whole row
        patch.setattr("pacs_panel.index.search.Search.to_frame", None)
        table = catalog["series"](columns=wanted).read()
        assert list(catalog["series"](Modality="MR", columns=["Modality"]).read()["Modality"]) == ["MR"]
    assert list(table.columns) == wanted
    both = [each.astype({"Modality": "str"}).sort_values("key") for each in (table, everything[wanted])]
    assert both[0].to_numpy(object).tolist() == both[1].to_numpy(object).tolist()
    first = catalog["series"](limit=1, order=[("Modality", "desc")], columns=["Modality"]).read()
    assert first.to_dict("list") == {"Modality": ["MR"]}
    assert len(catalog["series"](limit=1).read()) == 1
    assert list(catalog["series"](limit=9, Modality="XX", columns=["Rows"]).read().columns) == ["Rows"]
    for asked in ({"columns": ["Modallity"]}, {"columns": "Modality"}, {"columns": ["Rows"], "limit": 1}, {"limit": 0}):
        with pytest.raises(BadQuery):
            catalog["series"](**asked).read()


def test_a_volume_by_parameter_and_by_uid(archive: Archive, ct: PhantomSeries) -> None:
    catalog = open_catalog(archive)
    assert ct.truth
    for reader in (catalog["volume"](series_uid=ct.series_uid), catalog[ct.series_uid]):
        volume = reader.read()
        np.testing.assert_array_equal(values(volume), ct.truth.physical())
        np.testing.assert_allclose(volume.pacs.affine, ct.truth.affine)
    np.testing.assert_array_equal(values(catalog[ct.series_uid](stack=0).read()), ct.truth.physical())
    with pytest.raises(NotFound):
        catalog[ct.series_uid](level=99).read()


def test_an_entry_tells_what_it_is(archive: Archive, ct: PhantomSeries) -> None:
    metadata = open_catalog(archive)[ct.series_uid].metadata
    assert (metadata["Modality"], metadata["Verdict"]) == ("CT", "regular")
    assert not {"PatientID", "PatientName", "PatientBirthDate"} & set(metadata)


def test_listing_gives_names_and_no_series(archive: Archive, ct: PhantomSeries) -> None:
    """`list` shows aliases only, and series are found without being listed."""
    catalog = open_catalog(archive)
    assert list(catalog) == list(catalog.entries) == NAMES
    assert len(catalog) == 5
    assert ct.series_uid in catalog
    assert str(archive.find(ct.series_uid)["key"]) in catalog
    assert "1.2.3" not in catalog


def test_what_is_unknown_is_an_error(archive: Archive) -> None:
    catalog = open_catalog(archive)
    with pytest.raises(UnknownEntry, match=r"^no entry 1\.2\.3: ask for studies, series, volume, cohorts, cohort"):
        catalog["1.2.3"]
    with pytest.raises(KeyError):
        catalog["1.2.3"]
    with pytest.raises(NotFound, match=r"1\.2\.3"):
        catalog["volume"](series_uid="1.2.3").read()
    with pytest.raises(AttributeError):
        catalog.nothing  # noqa: B018


def test_an_archive_is_read_as_its_principal(archive: Archive, ct: PhantomSeries) -> None:
    catalog = open_catalog(archive.as_(Principal("stranger")))
    for read in (catalog["series"].read, lambda: catalog[ct.series_uid]):
        with pytest.raises(Denied):
            read()


def test_cohorts_are_entries(folder: Path, ct: PhantomSeries, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "archive")
    with open_archive(tmp_path / "archive") as archive:
        catalog = open_catalog(archive)
        assert catalog["cohorts"].read().empty
        assert "cohort:lung (CT)" not in catalog
        frozen = archive.search(Modality="CT").freeze("lung (CT)")
        assert "cohort:lung (CT)" in catalog
        entry = catalog["cohort:lung (CT)"]
        assert (entry.metadata["hash"], entry.metadata["objects"]) == (frozen.hash, 16)
        assert list(entry.read()["SeriesInstanceUID"]) == [ct.series_uid]
        assert len(entry(objects=True).read()) == 16
        assert list(catalog["cohorts"].read()["hash"]) == [frozen.hash]
        with pytest.raises(UnknownEntry):
            catalog["cohort:other"]
        with pytest.raises(Denied):
            open_catalog(archive.as_(Principal("stranger")))["cohorts"].read()
        catalog.to_yaml_file(str(tmp_path / "ours.yml"))
    again = intake.from_yaml_file(str(tmp_path / "ours.yml"))
    assert list(again["cohort"](cohort="lung (CT)").read()["SeriesInstanceUID"]) == [ct.series_uid]


def test_it_travels_by_address(folder: Path, archive: Archive, ct: PhantomSeries) -> None:
    again = pickle.loads(pickle.dumps(open_catalog(folder)))
    assert again[ct.series_uid].read().image.shape == (16, 48, 64)
    assert list(again) == NAMES
    with pytest.raises(TypeError):
        pickle.dumps(open_catalog(archive))


def test_by_address(folder: Path, ct: PhantomSeries, tmp_path: Path) -> None:
    for address in (folder, str(folder), folder.as_uri()):
        assert open_catalog(address)[ct.series_uid].read().image.shape == (16, 48, 64)
    with pytest.raises(ArchiveError, match="no archive"):
        open_catalog(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_written_to_a_file_it_opens_by_address(archive: Archive, ct: PhantomSeries, tmp_path: Path) -> None:
    open_catalog(archive).to_yaml_file(str(tmp_path / "ours.yml"))
    catalog = intake.from_yaml_file(str(tmp_path / "ours.yml"))
    assert sorted(catalog) == sorted(NAMES)
    assert catalog["volume"](series_uid=ct.series_uid).read().image.shape == (16, 48, 64)


# -- from a file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["archive.yml", "site-template.yml"])
def test_the_files_open_an_archive_by_parameter(name: str, folder: Path, ct: PhantomSeries) -> None:
    catalog = intake.open_catalog(str(CATALOGS / name))
    assert list(catalog) == [*NAMES, "by_uid"]
    ours = catalog(archive=str(folder))
    assert len(ours["series"](Modality="MR").read()) == 1
    assert len(ours["studies"].read()) >= 1
    assert ours["volume"](series_uid=ct.series_uid, level=0).read().image.shape == (16, 48, 64)
    assert ours["cohorts"].read().empty
    with pytest.raises(NotFound):
        ours["cohort"](cohort="lung").read()
    assert ours["by_uid"][ct.series_uid].read().pacs.passport.verdict == "regular"


def test_the_environment_names_the_archive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACS_PANEL_ARCHIVE", str(folder))
    assert len(intake.open_catalog(str(CATALOGS / "archive.yml"))["series"].read()) == 2


def test_without_a_word_it_is_the_demo_archive(folder: Path, tmp_path: Path) -> None:
    """Beside the catalog's own folder, wherever one works."""
    (tmp_path / "catalogs").mkdir()
    shutil.copy(CATALOGS / "archive.yml", tmp_path / "catalogs")
    shutil.copytree(folder, tmp_path / "demo-archive")
    assert len(intake.from_yaml_file(str(tmp_path / "catalogs" / "archive.yml"))["series"].read()) == 2


def test_a_round_trip_keeps_parameters(folder: Path, tmp_path: Path) -> None:
    """intake drops a parameter's class when it writes, so the files use the one that it falls back to."""
    intake.from_yaml_file(str(CATALOGS / "archive.yml")).to_yaml_file(str(tmp_path / "again.yml"))
    again = intake.from_yaml_file(str(tmp_path / "again.yml"))
    assert len(again(archive=str(folder))["series"].read()) == 2


@pytest.mark.parametrize("name", ["archive.yml", "site-template.yml"])
def test_no_parameter_takes_a_keyword_away(name: str) -> None:
    """A keyword named like a user parameter never reaches a reader."""
    catalog = intake.from_yaml_file(str(CATALOGS / name))
    names = {*catalog.user_parameters, *(p for entry in catalog.entries.values() for p in entry.user_parameters)}
    assert not names & {*BY_KEYWORD, "text", "order", "level", "data", "url", "series_uid", "stack"}
    assert not {"columns", "limit", "cohort", "objects", "order", "text"} & set(BY_KEYWORD)
