"""Which objects of a slide are levels of one image, from headers alone."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from pacs_panel.geometry.stack import stacks
from pacs_panel.model import ImageHeader, Slide, Stack

ON_GLASS = Slide("VOLUME", "glass", (20.0, 40.0), (0.0, -1.0, 0.0, -1.0, 0.0, 0.0), "1")


def image(
    uid: str, rows: int, columns: int, mm: float | None = None, slide: Slide = ON_GLASS, **more: Any
) -> ImageHeader:
    """One plane of an object of a slide, as its tiles make it."""
    facts: dict[str, Any] = {"samples": 3, "photometric": "RGB", "bits_stored": 8, "bits_allocated": 8, "high_bit": 7}
    facts |= {"frame_of_reference": "1.2", "frames": 40, "matrix": (rows, columns), "order": {"InstanceNumber": 1.0}}
    spacing = None if mm is None else (mm, mm)
    return ImageHeader(uid, rows, columns, spacing=spacing, slide=slide, **(facts | more))


def factors(stack: Stack) -> list[tuple[str, tuple[float, ...]]]:
    return [(level.sop_instance_uid, level.factors[1:]) for level in stack.passport.levels]


def test_levels_follow_from_spacings_whatever_the_order() -> None:
    images = [image("a", 4000, 3003, 0.001), image("b", 1000, 750, 0.004), image("c", 250, 187, 0.016)]
    images += [replace(image("label", 60, 60), slide=replace(ON_GLASS, flavour="LABEL"))]
    expected = stacks(images)
    assert [factors(stack) for stack in expected] == [[("b", (4, 4)), ("c", (16, 16))], []]
    for seed in range(6):
        assert stacks(random.Random(seed).sample(images, 4)) == expected


@pytest.mark.parametrize(("rows", "fits"), [(1000, True), (1001, True), (999, True), (1002, False), (998, False)])
def test_sizes_must_agree_to_within_a_pixel(rows: int, fits: bool) -> None:
    assert (len(stacks([image("a", 4000, 3000, 0.001), image("b", rows, 750, 0.004)])) == 1) is fits


def test_what_is_finer_along_one_side_is_no_level() -> None:
    stretched = replace(image("b", 4000, 500), spacing=(0.001, 0.008))
    assert [factors(stack) for stack in stacks([image("a", 2000, 2000, 0.002), stretched])] == [[], []]


def test_sizes_tell_where_no_spacing_does() -> None:
    (stack,) = stacks([image("a", 4001, 3000), image("b", 1000, 750)])
    assert factors(stack) == [("b", (4.001, 4))]
    assert len(stacks([image("a", 4000, 3000), image("b", 1000, 700)])) == 2
    assert len(stacks([image("a", 4000, 3000, 0.001), image("b", 1000, 750)])) == 2


@pytest.mark.parametrize(("mm", "fits"), [(0.0015, True), (-0.0019, True), (0.0025, False)])
def test_an_origin_may_be_that_of_a_corner_or_a_centre(mm: float, fits: bool) -> None:
    """The centre of the coarser object's first pixel lies 1.5 of the finer's pixels off, the corner does not."""
    there = replace(ON_GLASS, origin=(20.0 + mm, 40.0))
    found = stacks([image("a", 4000, 3000, 0.001), image("b", 1000, 750, 0.004, there)])
    assert (len(found) == 1) is fits


def test_encodings_of_colour_may_differ_and_types_of_pixel_may_not() -> None:
    fine = image("a", 4000, 3000, 0.001)
    assert len(stacks([fine, image("b", 1000, 750, 0.004, photometric="YBR_FULL_422")])) == 1
    grey = image("b", 1000, 750, 0.004, samples=1, photometric="MONOCHROME2")
    assert "another type" in stacks([fine, grey])[1].passport.reason


def test_part_of_an_image_is_no_level() -> None:
    part = image("b", 1000, 750, 0.004, replace(ON_GLASS, part=True))
    _, alone = stacks([image("a", 4000, 3000, 0.001), part])
    assert alone.passport.reason == "One large image, in tiles. It is one part of several."


def test_focal_planes_that_cannot_be_told_apart_are_no_level() -> None:
    sizes = {"a": 800, "b": 200}
    images = [replace(image(uid, n, n, 0.8 / n), frame=frame) for uid, n in sizes.items() for frame in (0, 1)]
    found = stacks(images)
    assert [stack.passport.levels for stack in found] == [(), ()]
    assert all("which of its focal planes" in stack.passport.reason for stack in found)


def test_of_two_at_one_resolution_the_first_is_the_level() -> None:
    images = [image("a", 4000, 3000, 0.001), image("c", 1000, 750, 0.004), image("b", 1000, 750, 0.004)]
    joined, alone = stacks(images)
    assert factors(joined) == [("b", (4, 4))]
    assert (
        alone.passport.reason == "One large image, in tiles. It is no level of object a: object b has that resolution."
    )
    first = [replace(one, order={"InstanceNumber": 0.0}) if one.sop_instance_uid == "c" else one for one in images]
    assert factors(stacks(first)[0]) == [("c", (4, 4))]


def test_focal_planes_are_matched_by_their_depth() -> None:
    def planes(uid: str, size: int, mm: float, depths: list[float]) -> list[ImageHeader]:
        made = image(uid, size, size, mm)
        return [replace(made, frame=n, slide=replace(ON_GLASS, depth=depth)) for n, depth in enumerate(depths)]

    (stack,) = stacks(planes("a", 800, 0.001, [0.0, 2.0, 4.0]) + planes("b", 200, 0.004, [4.0, 0.0, 2.0]))
    assert stack.passport.levels[0].frames == (1, 2, 0)
    _, alone = stacks(planes("a", 800, 0.001, [0.0, 2.0]) + planes("b", 200, 0.004, [0.0, 1.0]))
    assert "another focal plane" in alone.passport.reason


def test_two_stacks_of_one_object_beside_a_slide_stay_two() -> None:
    there = {"samples": 1, "photometric": "MONOCHROME2", "bits_stored": 16, "bits_allocated": 16, "high_bit": 15}
    plane = ImageHeader("m", 8, 8, spacing=(1.0, 1.0), frames=4, **there)
    turned = [(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)]
    placed = [
        replace(plane, frame=2 * k + n, orientation=axes, position=(float(n), 0.0, float(n)))
        for k, axes in enumerate(turned)
        for n in range(2)
    ]
    found = stacks([image("a", 800, 800, 0.001), *placed])
    assert [stack.planes() for stack in found[1:]] == [(("m", 0), ("m", 1)), (("m", 2), ("m", 3))]
