"""A published archive as a catalog: from its own file at its root, and by its address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import intake
import numpy as np
import pytest

from pacs_panel.archive import open_archive
from pacs_panel.catalog import open_catalog
from pacs_panel.settings import Settings
from pacs_panel.testing import PhantomSeries, ct_phantom, write
from tests.published.conftest import plain_server


@pytest.fixture(scope="module")
def ct() -> PhantomSeries:
    return ct_phantom(slices=8, rows=16, columns=24)


@pytest.fixture(scope="module")
def site(ct: PhantomSeries, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("site")
    write(ct, base / "in")
    with open_archive(base / "archive", settings=Settings(workers=0)) as archive:
        archive.ingest(base / "in")
        archive.publish(base / "site")
    return base / "site"


@pytest.fixture
def url(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("PACS_PANEL_CACHE", str(tmp_path / "cache"))
    with plain_server(site) as url:
        yield url


def check(catalog: intake.Catalog, ct: PhantomSeries) -> None:
    assert ct.truth
    assert list(catalog["series"](Modality="CT").read()["SeriesInstanceUID"]) == [ct.series_uid]
    assert catalog["series"](Modality="MR").read().empty
    assert list(catalog["series"](columns=["Modality"]).read()["Modality"]) == ["CT"]
    assert len(catalog["studies"].read()) == 1
    volume = catalog["volume"](series_uid=ct.series_uid).read()
    np.testing.assert_array_equal(volume.image.values, ct.truth.physical())


def test_from_the_file_at_its_root(url: str, ct: PhantomSeries) -> None:
    for opened in (intake.open_catalog(f"{url}/catalog.yml"), intake.from_yaml_file(f"{url}/catalog.yml")):
        check(opened, ct)
        assert opened["by_uid"].read()[ct.series_uid].read().image.shape == (8, 16, 24)


@pytest.mark.parametrize("name", ["", "/", "/catalog.yml", "/published.json"])
def test_by_address(url: str, ct: PhantomSeries, name: str) -> None:
    catalog = open_catalog(url + name)
    check(catalog, ct)
    assert catalog[ct.series_uid].metadata["Modality"] == "CT"
    assert catalog["cohorts"].read().empty


def test_open_and_written_to_a_file_of_ones_own(url: str, ct: PhantomSeries, tmp_path: Path) -> None:
    with open_archive(url) as archive:
        catalog = open_catalog(archive)
        check(catalog, ct)
        catalog.to_yaml_file(str(tmp_path / "theirs.yml"))
    assert os.path.getsize(tmp_path / "theirs.yml") < 4000
    check(intake.from_yaml_file(str(tmp_path / "theirs.yml")), ct)
