"""Stacks that are not built yet, drawn from the received images: the values are those of the volume to come."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pacs_panel.errors import NotFound, TooLarge
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, mr_4d, pet_varying_slopes, us_cine
from pacs_panel.testing.multiframe import enhanced, mosaic, slide
from pacs_panel.volume.frames import ZarrFrames
from pacs_panel.volume.received import PREFIX, received
from tests.volume.kept import Objects

SMALL = {"rows": 20, "columns": 18, "slices": 5}
MAKERS = {
    "ct": lambda: ct_phantom(**SMALL),
    "4d": lambda: mr_4d(**SMALL),
    "pet": lambda: pet_varying_slopes(**SMALL),
    "enhanced": lambda: enhanced(mr_4d(**SMALL)),
    "mosaic": lambda: mosaic(mr_4d(**SMALL)),
    "colour": lambda: us_cine(frames=3),
}


@pytest.mark.parametrize("name", MAKERS)
def test_slices_are_those_of_the_volume(tmp_path: Path, name: str) -> None:
    objects = Objects(MAKERS[name]().datasets)
    objects.build(tmp_path / "r")
    built = ZarrFrames(tmp_path / "r" / "0")
    (frames,) = received(objects.kept, objects, Settings()).stacks
    told = frames.describe()
    assert told["passport"]["verdict"] == "stack"
    assert "being built" in told["passport"]["reason"]
    theirs = built.describe()
    assert {key: told[key] for key in ("dtype", "slope", "unit", "windows", "padding", "photometric")} == {
        key: theirs[key] for key in ("dtype", "slope", "unit", "windows", "padding", "photometric")
    }
    for extra in np.ndindex(*built.extra):
        for k in range(built.passport.shape[0]):
            np.testing.assert_array_equal(frames.plane(0, 0, k, extra), built.plane(0, 0, k, extra))


@pytest.mark.parametrize("asked", [(1, 0, 0), (0, 1, 0), (0, 0, 5), (0, 0, -1)])
def test_there_is_nothing_but_slices(asked: tuple[int, int, int]) -> None:
    objects = Objects(ct_phantom(**SMALL).datasets)
    (frames,) = received(objects.kept, objects, Settings()).stacks
    for ask in (partial(frames.plane, *asked), partial(frames.volume, 0), partial(frames.volume_bytes, 0)):
        with pytest.raises(NotFound):
            ask()


def test_more_images_are_another_state() -> None:
    objects = Objects(ct_phantom(**SMALL).datasets)
    first = received(objects.kept[:3], objects, Settings())
    second = received(objects.kept, objects, Settings())
    assert first.revision.startswith(PREFIX)
    assert first.revision != second.revision
    assert [s.passport.shape[0] for s in (*first.stacks, *second.stacks)] == [3, 5]


def test_no_image_is_larger_than_the_settings_allow() -> None:
    """A few tiles may claim to be part of an image of any size."""
    (dataset,) = slide(np.zeros((32, 32, 3), np.uint8), ct_phantom(**SMALL), sparse=True).datasets
    dataset.TotalPixelMatrixRows = dataset.TotalPixelMatrixColumns = 2**31
    objects = Objects([dataset])
    (frames,) = received(objects.kept, objects, Settings()).stacks
    with pytest.raises(TooLarge, match="the limit is"):
        frames.plane(0, 0, 0, (0,))
