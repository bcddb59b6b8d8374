"""Volumes are read in place, by whoever reads OME-Zarr over HTTP."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.browser_fixtures import run


@pytest.fixture(scope="module")
def key(archive):
    keys = [str(row["key"]) for row in archive.search(Modality="CT").rows()]
    (found,) = [each for each in keys if len(archive.objects(each)) == 12]
    return found


@pytest.fixture(scope="module")
def address(app, key):
    import httpx

    where, stop = run(app)
    yield httpx.get(f"{where}/volumes/{key}").raise_for_status().json()["stacks"][0]
    stop()


@pytest.fixture
def path(client, key):
    return client.get(f"/volumes/{key}").json()["stacks"][0].removeprefix("http://127.0.0.1:5006")


def test_xarray_reads_in_place(address, archive, key):
    import xarray as xr

    with xr.open_zarr(f"{address}/scale0") as opened:
        assert np.array_equal(opened["image"].values, archive.volume(key)["image"].values)


def test_ome_zarr_reads_in_place(address, archive, key):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    (node, *_) = Reader(parse_url(address))()
    stored = archive.volume(key, physical=False)["image"].values
    assert np.array_equal(np.asarray(node.data[0]), stored)


def test_ngff_zarr_reads_in_place(address, archive, key):
    import ngff_zarr

    found = ngff_zarr.from_ngff_zarr(address)
    assert np.array_equal(np.asarray(found.images[0].data), archive.volume(key, physical=False)["image"].values)


def test_ranges(client, path):
    whole = client.get(f"{path}/zarr.json")
    assert json.loads(whole.content)["zarr_format"] == 3
    assert "immutable" in whole.headers["cache-control"]
    size = len(whole.content)
    content = whole.content
    for asked, expected in (("0-9", content[:10]), ("-7", content[-7:]), ("5-", content[5:])):
        part = client.get(f"{path}/zarr.json", headers={"Range": f"bytes={asked}"})
        assert (part.status_code, part.content) == (206, expected)
        assert part.headers["content-range"].endswith(f"/{size}")
    assert client.get(f"{path}/zarr.json", headers={"Range": f"bytes={size}-"}).status_code == 416
    head = client.head(f"{path}/zarr.json")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(size))
    again = client.get(f"{path}/zarr.json", headers={"If-None-Match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "inside",
    [
        *(
            "../manifest.json",
            "%2e%2e/manifest.json",
            "..%2fmanifest.json",
            "0/../../thumbnail.png",
            "..%5cmanifest.json",
        ),
        *("", ".", "none", "zarr.json%00"),
    ],
)
def test_nothing_but_the_files_of_the_stack(client, path, inside):
    assert client.get(f"{path}/{inside}").status_code == 404


def test_other_stacks_and_revisions_are_not_there(client, path, key):
    base, revision, _ = path.rsplit("/", 2)
    assert client.get(f"{base}/{revision}/9/zarr.json").status_code == 404
    assert client.get(f"{base}/{'a' * 26}/0/zarr.json").status_code == 404
    assert client.get("/volumes/1.2.3").status_code == 404
