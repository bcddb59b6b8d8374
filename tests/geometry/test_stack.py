"""What belongs together, in which order: the same for every order in which images arrive."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_panel.geometry.stack import CHANNEL, RULES, stacks
from pacs_panel.model import Dimension, Gap, ImageHeader
from tests.geometry.grids import Grid, axial, grids, renamed, uids

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def plain(uid: str, number: float | None = None, **more: object) -> ImageHeader:
    order = {} if number is None else {"InstanceNumber": number}
    return ImageHeader(uid, **{"rows": 4, "columns": 5, "order": order, **more})


def test_the_rules_have_a_version() -> None:
    assert RULES == "5"
    assert stacks([]) == ()


@given(grids(), st.randoms(use_true_random=False))
def test_slices_are_sorted_along_the_normal_whatever_their_order(grid: Grid, random) -> None:
    headers = grid.headers()
    shuffled = random.sample(headers, len(headers))
    (stack,) = stacks(shuffled)
    assert stack.members == uids(headers)
    assert stack.passport.positions == tuple(grid.positions)
    assert stack.passport.verdict == ("sheared" if grid.tilt else "regular")


@settings(max_examples=40)
@given(grids(st.integers(5, 9)), st.data(), st.randoms(use_true_random=False))
def test_a_mixed_series_gives_the_same_stacks_in_any_order(grid: Grid, data: st.DataObject, random) -> None:
    headers = grid.headers()
    twice = data.draw(st.sets(st.integers(0, len(headers) - 1), max_size=2))
    mixed = [
        *headers,
        *renamed([headers[k] for k in twice], "copy"),
        *renamed(axial(3).headers(), "other", EchoTime=5.0),
        *renamed(axial(3).headers(), "other2", EchoTime=9.0),
        *(plain(f"9.{k}") for k in range(3)),
        plain("8", frames=4),
    ]
    assert stacks(random.sample(mixed, len(mixed))) == stacks(mixed)


def test_a_uid_that_occurs_twice_leaves_nothing_to_chance() -> None:
    one, other = plain("1.2", 1.0), plain("1.2", 1.0, rows=9)
    assert stacks([one, other]) == stacks([other, one])


@settings(max_examples=40)
@given(grids(st.integers(4, 9)), st.data())
def test_a_copy_of_a_slice_is_a_duplicate_and_changes_nothing_else(grid: Grid, data: st.DataObject) -> None:
    headers = grid.headers()
    k = data.draw(st.integers(0, len(headers) - 1))
    (clean,) = stacks(headers)
    (stack,) = stacks([*headers, *renamed([headers[k]], "copy", InstanceNumber=99.0)])
    assert stack.members == clean.members
    assert stack.passport.duplicates == (f"{headers[k].sop_instance_uid}.copy",)
    assert stack.passport.verdict == clean.passport.verdict
    assert "1 further image lies at a place already taken" in stack.passport.reason


def test_of_duplicates_the_lowest_instance_number_stays_then_the_first_uid() -> None:
    headers = axial(5).headers()
    earlier = renamed([headers[1]], "a", InstanceNumber=0.0)
    equal = renamed([headers[3]], "b")
    (stack,) = stacks([*headers, *earlier, *equal])
    assert stack.members == ("1.2.0", "1.2.1.a", "1.2.2", "1.2.3", "1.2.4")
    assert stack.passport.duplicates == ("1.2.1", "1.2.3.b")


@settings(max_examples=40)
@given(grids(st.integers(5, 9)), st.data())
def test_a_lost_slice_is_a_gap(grid: Grid, data: st.DataObject) -> None:
    headers = grid.headers()
    lost = data.draw(st.integers(1, len(headers) - 2))
    (stack,) = stacks(headers[:lost] + headers[lost + 1 :])
    assert stack.passport.verdict == "irregular"
    assert stack.passport.gaps == (Gap(lost - 1, 1),)


# -- what belongs together ---------------------------------------------------------------------------------------------


def test_a_localizer_falls_into_one_stack_for_each_orientation() -> None:
    scout = renamed(replace(axial(2), orientation=CORONAL, step=np.array([0, 3.0, 0])).headers(), "c")
    axials = axial(3).headers()
    first, second = stacks([*scout, *axials])
    assert first.members == uids(axials)
    assert second.members == uids(scout)
    assert second.passport.spacing[0] == 3


def test_orientation_within_the_tolerance_is_one_orientation() -> None:
    headers = axial(4).headers()
    turned = math.radians(0.05)
    nearly = (math.cos(turned), math.sin(turned), 0.0, -math.sin(turned), math.cos(turned), 0.0)
    headers[2] = replace(headers[2], orientation=nearly)
    assert len(stacks(headers)) == 1
    turned = math.radians(0.3)
    further = (math.cos(turned), math.sin(turned), 0.0, -math.sin(turned), math.cos(turned), 0.0)
    headers[2] = replace(headers[2], orientation=further)
    assert [len(stack.members) for stack in stacks(headers)] == [3, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 3},
        {"samples": 3},
        {"signed": True},
        {"bits_stored": 12},
        {"photometric": "MONOCHROME1"},
        {"frame_of_reference": "1.9"},
        {"units": "GML"},
        {"slope": 1.0},
        {"spacing": (0.5, 0.9)},
        {"position": None},
        {"position": None, "frames": 2},
        {"matrix": (3, 5)},
    ],
)
def test_an_image_of_another_kind_stands_apart(change: dict[str, object]) -> None:
    headers = axial(4).headers()
    first, second = stacks([*headers[:3], replace(headers[3], **change)])
    assert first.members == uids(headers[:3])
    assert second.members == uids(headers[3:])


def test_stations_side_by_side_are_volumes_of_their_own() -> None:
    left = axial(6).headers()
    right = [replace(h, position=(100.0, 0.0, h.position[2])) for h in renamed(left, "r")]
    first, second = stacks([*right, *left])
    assert (first.members, second.members) == (uids(left), uids(right))
    assert first.passport.verdict == second.passport.verdict == "regular"


def test_largest_first_then_by_instance_number() -> None:
    small = [plain("5", 1.0, rows=1), plain("4", 2.0, rows=1)]
    assert [s.members for s in stacks([plain("1", 9.0), plain("2", 3.0, rows=5, columns=4), *small])] == [
        ("2",), ("1",), ("5", "4"),
    ]  # fmt: skip


# -- images without a place --------------------------------------------------------------------------------------------


def test_projections_of_one_size_are_one_stack_by_instance_number() -> None:
    images = [plain("1", 3.0), plain("2", 1.0), plain("3"), plain("0")]
    (stack,) = stacks([replace(image, imager_spacing=(0.1, 0.1)) for image in images])
    assert stack.members == ("2", "1", "0", "3")  # those without a number last, by UID
    assert (stack.passport.verdict, stack.passport.affine) == ("stack", None)
    assert (stack.passport.shape, stack.passport.calibration) == ((4, 4, 5), "detector")


def test_frames_without_a_place_are_a_stack_of_their_object() -> None:
    frames = [plain(uid, 1.0, frames=3, frame=n) for n in (2, 0, 1) for uid in "12"]
    first, second = stacks(frames)
    assert (first.planes(), first.passport.shape) == ((("1", 0), ("1", 1), ("1", 2)), (3, 4, 5))
    assert second.planes() == (("2", 0), ("2", 1), ("2", 2))
    assert "frames of one object" in first.passport.reason


def test_frames_with_a_place_are_images_like_any_other() -> None:
    headers = axial(6).headers()
    framed = [replace(h, sop_instance_uid="1", frames=4, frame=n) for n, h in enumerate(headers[:4])]
    (stack,) = stacks([*headers[4:], *reversed(framed)])
    assert stack.planes() == (("1", 0), ("1", 1), ("1", 2), ("1", 3), *((uid, 0) for uid in uids(headers[4:])))
    assert (stack.passport.verdict, stack.passport.shape[0]) == ("regular", 6)


def test_pixels_that_are_not_square_keep_their_shape() -> None:
    (stack,) = stacks([plain("1", aspect=(4, 3))])
    assert stack.passport.spacing == (1.0, pytest.approx(4 / 3), 1.0)
    assert stack.passport.calibration == "none"


@pytest.mark.parametrize("change", [{"samples": 3}, {"palette": b"\1\2\3"}])
def test_colour_is_a_last_dimension(change: dict[str, object]) -> None:
    (stack,) = stacks([replace(h, **change) for h in axial(3).headers()])
    assert stack.passport.dimensions == (CHANNEL,)
    assert (stack.members, stack.passport.verdict) == (uids(axial(3).headers()), "regular")


def test_a_mosaic_is_never_placed() -> None:
    headers = [replace(h, order={**h.order, "ImageType": "ORIGINAL\\PRIMARY\\M\\MOSAIC"}) for h in axial(2).headers()]
    (stack,) = stacks(headers)
    assert (stack.passport.verdict, stack.passport.affine) == ("stack", None)
    assert "mosaic" in stack.passport.reason


def test_unusable_numbers_give_a_stack_and_a_reason() -> None:
    headers = [replace(h, spacing=(math.nan, 1.0)) for h in axial(3).headers()]
    (stack,) = stacks(headers)
    assert len(stack.members) == 3
    assert stack.passport.reason == "Pixel Spacing is not finite."


# -- further dimensions ------------------------------------------------------------------------------------------------


def repeated(key: str, values: list[float | str]) -> list[ImageHeader]:
    base = axial(3).headers()
    return [h for k, v in enumerate(values) for h in renamed(base, f"t{k}", **{key: v, "InstanceNumber": 1.0})]


@pytest.mark.parametrize(
    ("key", "name", "values"),
    [
        ("TemporalPositionIdentifier", "time", [1.0, 2.0, 3.0]),
        ("EchoTime", "echo", [4.9, 7.4, 9.8]),
        ("TriggerTime", "phase", [0.0, 400.0, 800.0]),
        ("ComplexImageComponent", "component", ["MAGNITUDE", "PHASE"]),
        ("DimensionIndexValues.EffectiveEchoTime", "effective_echo_time", [1.0, 2.0]),
        ("ImageType", "type", ["ORIGINAL\\M", "ORIGINAL\\P", "ORIGINAL\\R"]),
    ],
)
def test_a_key_that_gives_a_complete_grid_is_a_dimension(key: str, name: str, values: list[float | str]) -> None:
    headers = repeated(key, values)
    (stack,) = stacks(headers[::-1])
    assert stack.passport.dimensions == (Dimension(name, key, tuple(values)),)
    assert stack.members == uids(headers)
    assert stack.passport.shape == (3, 4, 5)
    assert stack.passport.verdict == "regular"


def only_dimension(headers: list[ImageHeader]) -> Dimension:
    (stack,) = stacks(headers[::-1])
    (dimension,) = stack.passport.dimensions
    assert (stack.members, stack.passport.verdict) == (uids(headers), "regular")
    return dimension


def test_b_values_are_told_twice() -> None:
    dimension = only_dimension(repeated("DiffusionBValue", [0.0, 500.0, 1000.0]))
    assert (dimension.name, dimension.values, dimension.directions) == ("b_value", (0.0, 500.0, 1000.0), ())
    assert dimension.b_values == dimension.values


def test_directions_stay_in_the_order_in_which_they_were_acquired() -> None:
    base = axial(3).headers()
    weights = [(1000.0, "0\\0\\1"), (0.0, ""), (1000.0, "1\\0\\0")]
    headers = []
    for number, (b, direction) in enumerate(weights):
        order = {"DiffusionBValue": b, "DiffusionGradientOrientation": direction}
        for k, image in enumerate(renamed(base, f"v{number}", **order)):
            headers.append(replace(image, order={**image.order, "InstanceNumber": 3.0 * number + k}))
    dimension = only_dimension(headers)
    assert dimension.name == "diffusion"
    assert dimension.values == dimension.b_values == (1000.0, 0.0, 1000.0)
    assert dimension.directions == ((0.0, 0.0, 1.0), None, (1.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("key", "times", "seconds"),
    [
        ("ContentTime", ["101500", "101501.5", "101503"], (0.0, 1.5, 3.0)),
        ("AcquisitionTime", ["235958", "235959.25", "000001"], (0.0, 1.25, 3.0)),  # past midnight
        ("FrameReferenceDateTime", ["20250228235959", "20250301000001.5"], (0.0, 2.5)),
        ("FrameAcquisitionDateTime", ["20250228120000+0100", "20250228120010+0100"], (0.0, 10.0)),
        ("FrameReferenceDateTime", ["20251026025900+0200", "20251026020100+0100"], (0.0, 120.0)),  # clocks put back
    ],
)
def test_times_of_day_are_seconds_after_the_first(key: str, times: list[str], seconds: tuple[float, ...]) -> None:
    dimension = only_dimension(repeated(key, times))
    assert (dimension.name, dimension.keyword, dimension.values) == ("time", key, seconds)


def test_a_date_tells_which_day_a_time_is_of() -> None:
    base = axial(2).headers()
    late = renamed(base, "a", AcquisitionTime="100000", AcquisitionDate="20250101")
    early = renamed(base, "b", AcquisitionTime="090000", AcquisitionDate="20250102")
    assert only_dimension([*late, *early]).values == (0.0, 82_800.0)


def test_beside_a_date_none_is_no_date() -> None:
    base = axial(2).headers()
    first = renamed(base, "a", AcquisitionTime="100000")
    second = renamed(base, "b", AcquisitionTime="100010", AcquisitionDate="20250101")
    assert only_dimension([*first, *second]).values == (0.0, 10.0)


def test_a_time_that_is_none_orders_nothing() -> None:
    (stack,) = stacks(repeated("AcquisitionTime", ["10:xx", "99"]))
    assert [dimension.keyword for dimension in stack.passport.dimensions] != ["AcquisitionTime"]


def test_the_key_that_states_an_order_comes_before_one_that_only_varies() -> None:
    base = axial(3).headers()
    headers = [
        *renamed(base, "a", TemporalPositionIdentifier=2.0, AcquisitionNumber=1.0),
        *renamed(base, "b", TemporalPositionIdentifier=1.0, AcquisitionNumber=2.0),
    ]
    (stack,) = stacks(headers)
    assert stack.passport.dimensions[0].keyword == "TemporalPositionIdentifier"
    assert stack.members[0].endswith("b")


def test_two_keys_span_two_dimensions() -> None:
    base = axial(2).headers()
    headers = [
        h
        for t in (1.0, 2.0, 3.0)
        for e in (5.0, 10.0)
        for h in renamed(base, f"{t}.{e}", TemporalPositionIdentifier=t, EchoTime=e)
    ]
    (stack,) = stacks(headers[::-1])
    assert [(d.name, len(d.values)) for d in stack.passport.dimensions] == [("time", 3), ("echo", 2)]
    assert stack.members == uids(headers)


@pytest.mark.parametrize("by_slice", [True, False])
def test_instance_numbers_are_ranked_at_each_position(by_slice: bool) -> None:
    base = axial(3).headers()
    headers = [
        replace(h, sop_instance_uid=f"{t}.{k}", order={"InstanceNumber": float(k * 4 + t if by_slice else t * 3 + k)})
        for t in range(4)
        for k, h in enumerate(base)
    ]
    (stack,) = stacks(headers[::-1])
    assert stack.passport.dimensions == (Dimension("instance", "InstanceNumber", (1, 2, 3, 4)),)
    assert stack.members == uids(headers)


def test_an_incomplete_grid_is_ambiguous_and_loses_nothing() -> None:
    headers = repeated("EchoTime", [1.0, 2.0, 3.0])[:-1]
    (stack,) = stacks(headers)
    assert (stack.passport.verdict, stack.passport.affine) == ("stack", None)
    assert set(stack.members) == set(uids(headers))
    assert len(stack.passport.positions) == stack.passport.shape[0] == 8
    assert stack.passport.candidates == ("EchoTime",)
    assert "Each of 3 places holds 2 to 3 images" in stack.passport.reason


def test_copies_that_nothing_tells_apart_are_ambiguous() -> None:
    base = axial(3).headers()
    (stack,) = stacks([*base, *renamed(base, "again")])
    assert (stack.passport.verdict, stack.passport.candidates) == ("stack", ())
    assert len(stack.members) == 6
