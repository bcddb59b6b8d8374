"""One store, opened by other people's readers: OME-Zarr's, and plain xarray.

Each is imported by its own test: together they take seconds, which a run without these tests would pay too.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from pacs_panel.testing import PhantomSeries, ct_missing_slice, ct_phantom, ct_tilted, mr_4d, mr_oblique
from tests.volume.kept import built

pytestmark = pytest.mark.slow

SIZE = {"rows": 150, "columns": 140, "slices": 10, "spacing": (1.0, 0.8, 0.9)}


@pytest.fixture(
    scope="module", params=[ct_phantom, ct_tilted, ct_missing_slice, mr_oblique, mr_4d], ids=lambda f: f.__name__
)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PhantomSeries]:
    series = request.param(**SIZE)
    folder = tmp_path_factory.mktemp(request.param.__name__)
    built(series, folder)
    return folder / "0", series


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What these readers warn of themselves is not ours; what they say of the store is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def expected_shapes(series: PhantomSeries) -> list[tuple[int, ...]]:
    extra, slices = series.truth.stored.shape[:-3], series.truth.stored.shape[-3]
    halved = -(-slices // 2) if series.truth.verdict != "irregular" else slices
    return [(*extra, slices, 150, 140), (*extra, halved, 75, 70)]


def test_ome_zarr_models(stack: tuple[Path, PhantomSeries]) -> None:
    from ome_zarr_models.v05 import Image

    path, series = stack
    image = Image.from_zarr(zarr.open_group(path, mode="r"))
    multiscale = image.ome_attributes.multiscales[0]
    extra = ["t"] * (series.truth.stored.ndim - 3)
    assert [axis.name for axis in multiscale.axes] == [*extra, "z", "y", "x"]
    assert [axis.unit for axis in multiscale.axes][-2:] == ["millimeter"] * 2
    assert [dataset.path for dataset in multiscale.datasets] == ["scale0/image", "scale1/image"]
    scale, translation = multiscale.datasets[1].coordinateTransformations
    np.testing.assert_allclose(scale.scale[-2:], [1.6, 1.8])
    np.testing.assert_allclose(translation.translation[-2:], [0.4, 0.45])


def test_ome_zarr(stack: tuple[Path, PhantomSeries]) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    path, series = stack
    location = parse_url(path, mode="r")
    assert location is not None
    (node,) = list(Reader(location)())
    assert [level.shape for level in node.data] == expected_shapes(series)
    np.testing.assert_array_equal(np.asarray(node.data[0]), series.truth.stored)


def test_ngff_zarr(stack: tuple[Path, PhantomSeries]) -> None:
    import ngff_zarr

    path, series = stack
    image = ngff_zarr.from_ngff_zarr(str(path)).images[0]
    assert tuple(image.dims)[-3:] == ("z", "y", "x")
    np.testing.assert_allclose([image.scale[axis] for axis in "yx"], [0.8, 0.9])
    np.testing.assert_array_equal(np.asarray(image.data), series.truth.stored)


def test_plain_xarray(stack: tuple[Path, PhantomSeries]) -> None:
    path, series = stack
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xr.open_zarr(path, group="scale0") as ds:
            np.testing.assert_array_equal(ds.image.values, series.truth.physical())
            np.testing.assert_allclose(ds.y.values, np.arange(150) * 0.8)
            assert ds.image.dims[-3:] == ("z", "y", "x")
            assert ds.x.attrs["units"] == "mm"
            if series.truth.verdict == "irregular":
                assert len(set(np.diff(ds.z.values).round(3))) == 2, "slices lie where they are, gap and all"
        with xr.open_zarr(path, group="scale1") as ds:
            np.testing.assert_allclose(ds.x.values, 0.45 + 1.8 * np.arange(70))


def test_a_tree_of_xarray(stack: tuple[Path, PhantomSeries]) -> None:
    path, series = stack
    with xr.open_datatree(path, engine="zarr") as tree:
        assert list(tree.children) == ["scale0", "scale1"]
        assert [tree[f"scale{n}/image"].shape for n in (0, 1)] == expected_shapes(series)
        assert tree.attrs["pacs_panel"]["passport"]["verdict"] == series.truth.verdict
