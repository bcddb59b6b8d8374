"""Times of acquisition as a dimension, whatever the dates say; and doses, of which each is a whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pacs_panel.geometry.stack import stacks
from pacs_panel.model import Dimension, ImageHeader
from tests.geometry.grids import axial, renamed, uids


def only_dimension(headers: list[ImageHeader]) -> Dimension:
    (stack,) = stacks(headers[::-1])
    (dimension,) = stack.passport.dimensions
    assert (stack.members, stack.passport.verdict) == (uids(headers), "regular")
    return dimension


def stuck(times: list[str], numbers: list[float | None]) -> list[ImageHeader]:
    """Volumes whose Acquisition Date is that of the day on which the scan began."""
    base = axial(2).headers()
    made = []
    for k, (time, number) in enumerate(zip(times, numbers, strict=True)):
        order = {"AcquisitionTime": time, "AcquisitionDate": "20250101"}
        for image in renamed(base, f"t{k}", **order):
            told = {} if number is None else {"InstanceNumber": number}
            rest = {key: value for key, value in image.order.items() if key != "InstanceNumber"}
            made.append(replace(image, order=rest | told))
    return made


def test_a_date_that_stays_while_times_pass_midnight() -> None:
    dimension = only_dimension(stuck(["235957", "235959", "000001.5"], [1.0, 2.0, 3.0]))
    assert (dimension.keyword, dimension.values) == ("AcquisitionTime", (0.0, 2.0, 4.5))


@pytest.mark.parametrize("numbers", [[3.0, 2.0, 1.0], [None, None, None], [1.0, 1.0, 1.0]])
def test_a_date_is_believed_unless_instance_numbers_say_otherwise(numbers: list[float | None]) -> None:
    (stack,) = stacks(stuck(["235957", "235959", "000001"], numbers))
    assert stack.passport.dimensions[0].values == (0.0, 86396.0, 86398.0)


def undated(times: list[str], numbers: list[float | None]) -> list[ImageHeader]:
    headers = stuck(times, numbers)
    return [replace(one, order={k: v for k, v in one.order.items() if k != "AcquisitionDate"}) for one in headers]


@pytest.mark.parametrize(
    ("times", "numbers", "values", "words"),
    [
        (["235957", "235959", "000001.5"], [1.0, 2.0, 3.0], (0.0, 2.0, 4.5), "taken to pass midnight"),
        (["235957", "235959", "000001.5"], [None, None, None], (0.0, 2.0, 4.5), "taken to pass midnight"),
        (["010000", "120000", "230000"], [1.0, 2.0, 3.0], (0.0, 39_600.0, 79_200.0), "of one day"),
        (["100000", "110000", "120000"], [1.0, 2.0, 3.0], (0.0, 3600.0, 7200.0), ""),
    ],
)
def test_what_is_taken_for_granted_of_undated_times_is_said(
    times: list[str], numbers: list[float | None], values: tuple[float, ...], words: str
) -> None:
    (stack,) = stacks(undated(times, numbers))
    assert stack.passport.dimensions[0].values == values
    assert ("without a date" in stack.passport.reason) is bool(words)
    assert words in stack.passport.reason


def test_a_stuck_date_is_said() -> None:
    (stack,) = stacks(stuck(["235957", "235959", "000001.5"], [1.0, 2.0, 3.0]))
    assert "all state one date" in stack.passport.reason


def test_a_long_day_is_one_day() -> None:
    dimension = only_dimension(stuck(["010000", "120000", "230000"], [1.0, 2.0, 3.0]))
    assert dimension.values == (0.0, 39_600.0, 79_200.0)


def acquisitions(times: list[str], **more: list[float]) -> list[ImageHeader]:
    base = axial(3).headers()
    return [
        image
        for k, time in enumerate(times)
        for image in renamed(
            base, f"a{k}", AcquisitionNumber=k + 1.0, AcquisitionTime=time, **{key: v[k] for key, v in more.items()}
        )
    ]


def test_acquisitions_with_a_time_each_are_a_time_series() -> None:
    dimension = only_dimension(acquisitions(["120000", "120002.5", "120005"]))
    assert (dimension.name, dimension.keyword, dimension.values) == ("time", "AcquisitionTime", (0.0, 2.5, 5.0))


@pytest.mark.parametrize("times", [["120005", "120000"], ["120000", "120000"], ["no time", "120000"]])
def test_acquisitions_whose_times_say_something_else_keep_their_numbers(times: list[str]) -> None:
    dimension = only_dimension(acquisitions(times))
    assert (dimension.name, dimension.keyword, dimension.values) == ("acquisition", "AcquisitionNumber", (1.0, 2.0))


def test_acquisitions_of_many_times_keep_their_numbers() -> None:
    headers = acquisitions(["120000", "120100"])
    late = [replace(h, order={**h.order, "AcquisitionTime": f"12000{k}"}) for k, h in enumerate(headers)]
    assert only_dimension(late).name == "acquisition"


def test_diffusion_weightings_are_no_time_series() -> None:
    dimension = only_dimension(acquisitions(["120000", "120003", "120006"], DiffusionBValue=[0.0, 1000.0, 0.0]))
    assert (dimension.name, dimension.b_values) == ("acquisition", (0.0, 1000.0, 0.0))


# -- doses -------------------------------------------------------------------------------------------------------------


def of_dose(uid: str, step: float = 2.0, **order: str) -> list[ImageHeader]:
    planes = axial(3, step).headers(frames=3, slope=1e-6, units="Gy")
    told = {"DoseGridScaling": 1e-6, "InstanceNumber": 1.0, **order}
    return [replace(plane, sop_instance_uid=uid, frame=n, order=told) for n, plane in enumerate(planes)]


def test_doses_of_a_series_stay_apart() -> None:
    found = stacks([*of_dose("1.1", DoseSummationType="BEAM"), *of_dose("1.2", DoseSummationType="BEAM")])
    assert [(stack.members, stack.passport.verdict) for stack in found] == [
        (("1.1",) * 3, "regular"),
        (("1.2",) * 3, "regular"),
    ]


def test_planes_of_a_dose_in_an_object_each_belong_together() -> None:
    planes = [
        replace(plane, frames=1, frame=0, sop_instance_uid=f"1.{n}", order={**plane.order, "DoseSummationType": kind})
        for kind in ("PLAN", "BEAM")
        for n, plane in enumerate(of_dose(kind), 0 if kind == "PLAN" else 10)
    ]
    assert [stack.members for stack in stacks(planes)] == [("1.0", "1.1", "1.2"), ("1.10", "1.11", "1.12")]


def test_acquisitions_that_share_temporal_positions_are_a_dimension_beside_them() -> None:
    base = axial(2).headers()
    images = [
        image
        for acquisition in (1, 2)
        for position in (1, 2, 3)
        for image in renamed(
            base,
            f"a{acquisition}t{position}",
            AcquisitionNumber=float(acquisition),
            AcquisitionTime=f"10000{acquisition}",
            TemporalPositionIdentifier=float(position),
        )
    ]
    (stack,) = stacks(images[::-1])
    found = [(dimension.keyword, dimension.values) for dimension in stack.passport.dimensions]
    assert found == [("TemporalPositionIdentifier", (1.0, 2.0, 3.0)), ("AcquisitionNumber", (1.0, 2.0))]
    assert stack.passport.verdict == "regular"


def test_moments_of_which_only_some_have_a_zone_are_not_compared() -> None:
    def dimensions(*zones: str) -> list[str]:
        images = [
            image
            for n, zone in enumerate(zones)
            for image in renamed(axial(2).headers(), f"z{n}", FrameAcquisitionDateTime=f"2025010112000{n}{zone}")
        ]
        return [dimension.keyword for stack in stacks(images) for dimension in stack.passport.dimensions]

    assert dimensions("+0100", "+0100", "+0000") == ["FrameAcquisitionDateTime"]
    assert "FrameAcquisitionDateTime" not in dimensions("+0100", "", "+0100")
