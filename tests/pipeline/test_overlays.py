"""Overlays of a stack, opened once and found wherever they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pacs_panel.errors import NotFound
from pacs_panel.model import Kept, Location, Resolution, Stack
from pacs_panel.pipeline.overlays import OpenOverlays
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.testing import PhantomSeries, ct_phantom, encode, mr_oblique
from pacs_panel.testing.overlays import dose_on, masks_on, planes_on, regions_on
from tests.overlay.laid import kept_of, phantom_stack

CT = ct_phantom(rows=24, columns=32, slices=6, spacing=(4.0, 6.0, 6.0))
STACK = phantom_stack(CT)
PACK = "aseries/session-0"


class Pack:
    """Objects in one file, as an archive keeps them."""

    def __init__(self, root: Path) -> None:
        self.path = root / layout.pack(PACK)
        self.path.parent.mkdir(parents=True)
        self.path.touch()

    def keep(self, content: bytes) -> Kept:
        start = self.path.stat().st_size
        with self.path.open("ab") as pack:
            pack.write(content)
        return replace(kept_of(content), location=Location(PACK, start, len(content)))


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return Pack(tmp_path)


def none() -> list[Kept]:
    return []


@pytest.mark.parametrize("which", [0, 3, 5])
def test_planes_are_found_in_whichever_image_has_them(pack: Pack, tmp_path: Path, which: int) -> None:
    bits = np.ones((6, 24, 32), np.uint8)
    series = [*CT.datasets[:which], planes_on(CT, bits).datasets[which], *CT.datasets[which + 1 :]]
    kept = [pack.keep(encode(image)) for image in series]
    stack = phantom_stack(PhantomSeries(tuple(series)))
    found = OpenOverlays(tmp_path, Settings()).of(CT.series_uid, stack, lambda: kept, ())
    assert list(found) == [""]
    assert [bool(plane.any()) for plane in found[""].volume(0)] == [index == which for index in range(6)]


def test_images_without_planes_have_none(pack: Pack, tmp_path: Path) -> None:
    kept = [pack.keep(encode(image)) for image in CT.datasets]
    assert OpenOverlays(tmp_path, Settings()).of(CT.series_uid, STACK, lambda: kept, ()) == {}


def test_what_is_opened_is_held_for_the_stack_with_the_same_frames(pack: Pack, tmp_path: Path) -> None:
    seg = pack.keep(encode(masks_on(CT, np.ones((1, 6, 24, 32), np.uint8)).datasets[0]))
    overlays = OpenOverlays(tmp_path, Settings())
    one = Stack(STACK.passport, STACK.members[:1] * 6, tuple(range(6)))
    other = Stack(STACK.passport, STACK.members[:1] * 6, tuple(range(6, 12)))  # other frames of the same object
    first = overlays.of(CT.series_uid, one, none, [seg])
    assert overlays.of(CT.series_uid, one, none, [seg]) is first
    second = overlays.of(CT.series_uid, other, none, [seg])
    assert second is not first
    assert second[seg.sop_instance_uid].stack.frames == other.frames
    newer = replace(seg, digests=replace(seg.digests, dataset="another"))
    again = overlays.of(CT.series_uid, one, none, [newer])
    assert again[seg.sop_instance_uid].overlay.version == "another"
    overlays.close()


def damaged(what: str) -> bytes:
    """An object of the images that cannot be laid on them."""
    if what == "SEG":
        dataset = masks_on(CT, np.ones((1, 6, 24, 32), np.uint8)).datasets[0]
        del dataset.SegmentSequence
        return encode(dataset)
    if what == "RTDOSE":
        dataset = dose_on(CT).datasets[0]
        del dataset.DoseGridScaling
        return encode(dataset)
    return encode(regions_on(CT, []).datasets[0])[:-40]


@pytest.mark.parametrize(
    ("what", "kind", "why"),
    [("SEG", "segmentation", "describes no segment"), ("RTDOSE", "dose", "Scaling"), ("RTSTRUCT", "structures", "")],
)
def test_what_cannot_be_opened_is_told_with_the_reason(pack: Pack, tmp_path: Path, what: str, kind: str, why: str):
    overlays = OpenOverlays(tmp_path, Settings())
    whole = pack.keep(encode(masks_on(CT, np.ones((2, 6, 24, 32), np.uint8)).datasets[0]))
    content = damaged(what)
    if what == "RTSTRUCT":  # its header was read when it came; the file is cut short since
        kept = pack.keep(content + bytes(40))
        kept = replace(kept, location=replace(kept.location, length=len(content)))
    else:
        kept = pack.keep(content)
    found = overlays.of(CT.series_uid, STACK, none, [kept, whole])
    assert list(found) == [kept.sop_instance_uid, whole.sop_instance_uid]
    one = found[kept.sop_instance_uid]
    assert (one.overlay.kind, one.overlay.layers, one.overlay.segments, one.peak) == (kind, 0, (), None)
    assert one.overlay.reason
    assert why in one.overlay.reason
    with pytest.raises(NotFound):
        one.plane(0, 0, 0)
    with pytest.raises(NotFound):
        one.contours(0)
    assert not found[whole.sop_instance_uid].overlay.reason
    overlays.close()


def test_a_file_that_is_gone_is_told(pack: Pack, tmp_path: Path) -> None:
    kept = pack.keep(encode(masks_on(CT, np.ones((1, 6, 24, 32), np.uint8)).datasets[0]))
    pack.path.unlink()
    found = OpenOverlays(tmp_path, Settings()).of(CT.series_uid, STACK, none, [kept])
    assert "is missing" in found[kept.sop_instance_uid].overlay.reason


def test_what_is_of_other_images_is_not_told(pack: Pack, tmp_path: Path) -> None:
    far = mr_oblique(rows=24, columns=32, slices=6, spacing=(4.0, 6.0, 6.0))
    kept = pack.keep(encode(masks_on(far, np.ones((1, 6, 24, 32), np.uint8)).datasets[0]))
    assert OpenOverlays(tmp_path, Settings()).of(CT.series_uid, STACK, none, [kept]) == {}


def test_what_names_a_coarser_level_only_belongs(pack: Pack, tmp_path: Path) -> None:
    kept = pack.keep(encode(masks_on(CT, np.ones((1, 6, 24, 32), np.uint8)).datasets[0]))
    coarse = tuple(Resolution(uid, (0,), (1, 12, 16), (1.0, 2.0, 2.0)) for uid in STACK.members)
    passport = replace(STACK.passport, levels=coarse, frame_of_reference="")
    stack = Stack(passport, ("1.2.3",) * 6, tuple(range(6)))
    found = OpenOverlays(tmp_path, Settings()).of("1.2.4", stack, none, [kept])
    assert "refers to 6 of the 7 images" in found[kept.sop_instance_uid].overlay.matched
    alone = replace(stack, passport=replace(passport, levels=()))
    assert OpenOverlays(tmp_path, Settings()).of("1.2.4", alone, none, [kept]) == {}
