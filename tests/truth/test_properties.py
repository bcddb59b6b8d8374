"""Any shuffle, split or duplication of a series' files gives the same volume, and its places invert."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_panel import open_archive
from pacs_panel.dicom.header import read
from pacs_panel.dicom.planes import planes
from pacs_panel.geometry.stack import stacks
from pacs_panel.model import ImageHeader, Stack
from pacs_panel.settings import Settings
from pacs_panel.testing import (
    PhantomSeries,
    ct_missing_slice,
    ct_tilted,
    encode,
    mr_4d,
    mr_oblique,
    pet_varying_slopes,
    turned,
)
from pacs_panel.testing.multiframe import enhanced, mosaic

SMALL = {"rows": 16, "columns": 16, "slices": 5}
HERE = Settings(workers=0)


def in_mosaics() -> PhantomSeries:
    return mosaic(mr_4d(times=3, orientation=turned(10, 20, -5), **SMALL))


def in_one_object() -> PhantomSeries:
    return enhanced(mr_4d(times=3, orientation=turned(10, 20, -5), **SMALL), order=Random(1).sample(range(15), 15))


SERIES: tuple[Callable[[], PhantomSeries], ...] = (
    lambda: ct_tilted(**SMALL), lambda: ct_missing_slice(**SMALL), lambda: mr_oblique(**SMALL),
    lambda: pet_varying_slopes(**SMALL), lambda: mr_4d(times=3, **SMALL), in_mosaics, in_one_object,
)  # fmt: skip
NAMES = ("tilted", "missing", "oblique", "slopes", "4d", "mosaics", "enhanced")
KINDS = pytest.mark.parametrize("kind", range(len(SERIES)), ids=NAMES)


@cache
def series(kind: int) -> tuple[PhantomSeries, tuple[bytes, ...]]:
    """A phantom series, and its files."""
    made = SERIES[kind]()
    return made, tuple(encode(dataset) for dataset in made.datasets)


@cache
def headers(kind: int) -> tuple[ImageHeader, ...]:
    """What the headers of a series say of all its planes."""
    found: list[ImageHeader] = []
    for file in series(kind)[1]:
        image = read(BytesIO(file), len(file), HERE).image
        assert image is not None
        found += planes(image, BytesIO(file), HERE)
    return tuple(found)


def opened(kind: int, imports: list[list[int]], folder: Path) -> tuple[xr.Dataset, Stack]:
    """The volume of a series whose files came in these imports, by number, each under a name of its own."""
    _, files = series(kind)
    with open_archive("memory://", settings=HERE) as archive:
        for turn, numbers in enumerate(imports):
            place = folder / f"{len(list(folder.iterdir()))}"
            place.mkdir()
            for position, number in enumerate(numbers):
                (place / f"{turn}-{position:03d}").write_bytes(files[number])
            archive.ingest(place)
        (row,) = archive.search().rows()
        (stack,) = archive.revision(row["key"]).stacks
        return archive.volume(row["key"]).load(), stack


@KINDS
@settings(max_examples=40)
@given(random=st.randoms(use_true_random=False))
def test_stacks_do_not_depend_on_the_order_of_planes(kind: int, random: Random):
    known = headers(kind)
    (stack,) = stacks(known)
    assert stacks(random.sample(known, len(known))) == (stack,)
    assert sorted(stack.planes()) == sorted((image.sop_instance_uid, image.frame) for image in known)


@KINDS
@settings(max_examples=3)
@given(data=st.data())
def test_volumes_do_not_depend_on_how_files_came(kind: int, tmp_path_factory: pytest.TempPathFactory, data):
    made, files = series(kind)
    order = data.draw(st.permutations(range(len(files))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(files)), max_size=2)))
    again = data.draw(st.lists(st.sampled_from(order), max_size=3))
    imports = [part for a, b in zip([0, *cuts], [*cuts, None], strict=True) if (part := order[a:b])]
    volume, stack = opened(kind, [*imports, *([again] if again else [])], tmp_path_factory.mktemp("in"))
    assert (stack,) == stacks(headers(kind))
    assert made.truth is not None
    assert volume["image"].values.shape == made.truth.stored.shape
    assert np.allclose(volume["image"], made.truth.physical(), rtol=1e-6, atol=1e-3)
    assert stack.passport.verdict == made.truth.verdict
    if made.truth.verdict != "irregular":
        assert np.allclose(volume.pacs.affine, made.truth.affine, atol=1e-6)


@KINDS
def test_from_voxel_to_place_and_back(kind: int, tmp_path: Path):
    made, files = series(kind)
    whole, stack = opened(kind, [list(range(len(files)))], tmp_path)
    assert made.truth is not None
    part = whole.isel(slice=slice(1, 4), row=slice(3, None, 2), column=slice(None, None, -1))
    for volume in (whole, part):
        index = np.meshgrid(*(np.arange(volume.sizes[name]) for name in ("slice", "row", "column")), indexing="ij")
        points = volume.pacs.lps(*index)
        assert np.allclose(volume.pacs.voxel(*np.moveaxis(points, -1, 0)), index, rtol=0, atol=1e-9)
    assert np.allclose(whole.pacs.lps(*_all(whole)), made.truth.points(), rtol=0, atol=1e-6)
    assert np.allclose(part.pacs.lps(*_all(part)), made.truth.points()[1:4, 3::2, ::-1], rtol=0, atol=1e-6)
    assert replace(stack.passport, dimensions=()) == replace(whole.pacs.passport, dimensions=())


def _all(volume: xr.Dataset) -> list[np.ndarray]:
    return np.meshgrid(*(np.arange(volume.sizes[name]) for name in ("slice", "row", "column")), indexing="ij")
