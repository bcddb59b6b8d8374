"""Overlay planes of images, packed and embedded in their pixels."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.overlays import get_overlay_array

from pacs_panel.errors import NotYetShown
from pacs_panel.model import Passport, Stack
from pacs_panel.overlay.frames import OverlayFrames
from pacs_panel.overlay.planes import OverlayPlanes
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, encode, mr_4d
from pacs_panel.testing.overlays import planes_on
from tests.overlay.laid import kept_of, stack_of

CT = ct_phantom(rows=24, columns=30, slices=4, spacing=(4.0, 3.0, 3.0))
BITS = np.random.default_rng(2).integers(0, 2, (4, 24, 30), np.uint8)


def opened(*contents: bytes, stack: Stack | None = None) -> OverlayFrames:
    kept = [kept_of(content) for content in contents]
    files = {one.sop_instance_uid: content for one, content in zip(kept, contents, strict=True)}
    on = stack or stack_of(*contents)
    images = {one.sop_instance_uid: one for one in kept}
    return OverlayFrames(OverlayPlanes(lambda uid: BytesIO(files[uid]), images, on, Settings()), on)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"])
@pytest.mark.parametrize("embedded", [False, True])
def test_planes_bit_for_bit(embedded, syntax):
    made = planes_on(CT, BITS, embedded=embedded)
    laid = opened(*[encode(image, syntax) for image in made.datasets])
    assert (laid.overlay.kind, laid.overlay.layers) == ("planes", 1)
    assert [(one.label, one.meaning) for one in laid.overlay.segments] == [("Outline", "graphics")]
    assert np.array_equal(laid.volume(0), BITS)
    assert np.array_equal(laid.plane(0, 0, 2), BITS[2])


@pytest.mark.parametrize(("origin", "size"), [((3, 5), (10, 12)), ((-3, -1), (12, 12)), ((20, 25), (9, 9))])
def test_origin_and_size(origin, size):
    bits = np.ones((4, *size), np.uint8)
    laid = opened(*map(encode, planes_on(CT, bits, origin=origin).datasets))
    expected = np.zeros((24, 30), np.uint8)
    rows, columns = (slice(max(0, start - 1), start - 1 + n) for start, n in zip(origin, size, strict=True))
    expected[rows, columns] = 1
    assert np.array_equal(laid.plane(0, 0, 1), expected)


def test_an_image_without_a_plane_among_others():
    mixed = [*planes_on(CT, BITS).datasets[:2], *CT.datasets[2:]]
    laid = opened(*map(encode, mixed))
    assert [bool(plane.any()) for plane in laid.volume(0)] == [True, True, False, False]


@pytest.mark.parametrize("which", [0, 2, 3])
def test_a_plane_in_one_image_only_is_found(which):
    mixed = [*CT.datasets[:which], planes_on(CT, BITS).datasets[which], *CT.datasets[which + 1 :]]
    laid = opened(*map(encode, mixed))
    assert np.array_equal(laid.plane(0, 0, which), BITS[which])
    assert [bool(plane.any()) for plane in laid.volume(0)] == [index == which for index in range(4)]


def test_an_image_that_cannot_be_read_hides_no_plane_of_others():
    made = planes_on(CT, BITS).datasets
    stack = stack_of(*map(encode, made))
    files = {image.SOPInstanceUID: encode(image) for image in made}
    images = {uid: kept_of(content) for uid, content in files.items()}
    files[stack.members[0]] = b"gone"
    content = OverlayPlanes(lambda uid: BytesIO(files[uid]), images, stack, Settings())
    assert content.overlay.notes == ("1 of 4 images could not be read, and may have planes, too.",)
    assert np.array_equal(content.section(0, 3), BITS[3])


def test_planes_of_each_time_are_drawn_at_that_time():
    series = mr_4d(rows=24, columns=30, slices=4, times=3, spacing=(4.0, 3.0, 3.0))
    bits = np.random.default_rng(3).integers(0, 2, (12, 24, 30), np.uint8)
    laid = opened(*map(encode, planes_on(series, bits).datasets))
    assert (laid.overlay.layers, laid.overlay.places) == (3, (((0,),), ((1,),), ((2,),)))
    for time in range(3):
        assert np.array_equal(laid.volume(time), bits[4 * time : 4 * time + 4])
        assert [one.number for one in laid.segments(time)] == [1]


def test_images_without_any():
    with pytest.raises(NotYetShown, match="no overlay planes"):
        opened(*map(encode, CT.datasets))


@pytest.mark.parametrize("name", ["MR-SIEMENS-DICOM-WithOverlays.dcm", "examples_overlay.dcm"])
def test_real_planes_are_as_pydicom_reads_them(data, name):
    path = next(iter(data.rglob(name)), None)
    if path is None:
        pytest.skip(f"{name} is not among the data")
    content, dataset = path.read_bytes(), dcmread(path)
    kept = kept_of(content)
    shape = (kept.image.frames, kept.image.rows, kept.image.columns)
    stack = Stack(Passport("stack", "", shape), (kept.sop_instance_uid,))
    laid = opened(content, stack=stack)
    for layer, group in enumerate(laid.content.groups):
        expected = get_overlay_array(dataset, group).reshape(-1, *shape[1:])
        assert np.array_equal(laid.volume(layer) != 0, np.broadcast_to(expected != 0, shape))
