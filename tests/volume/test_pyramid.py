"""Block means against a plain calculation in floating point."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pacs_panel.volume.pyramid import halve, halve_mask


def expected(array: np.ndarray, steps: tuple[int, int, int], valid: np.ndarray, only: float) -> np.ndarray:
    """Means over valid voxels, rounded half up; one block after the other."""
    shape = [-(-n // s) for n, s in zip(array.shape, steps, strict=True)]
    out = np.empty(shape)
    for at in np.ndindex(*shape):
        block = tuple(slice(i * s, (i + 1) * s) for i, s in zip(at, steps, strict=True))
        out[at] = array[block][valid[block]].astype(float).mean() if valid[block].any() else only
    return np.floor(out + 0.5)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, int, int]]:
    kind = draw(st.sampled_from(["int16", "uint8", "uint16", "int32"]))
    shape = draw(st.tuples(*[st.integers(1, 7)] * 3))
    low = np.iinfo(kind).min
    values = st.one_of(st.integers(low, np.iinfo(kind).max), st.integers(max(low, -3), 3))
    return draw(hnp.arrays(kind, shape, elements=values)), draw(st.tuples(*[st.sampled_from([1, 2])] * 3))


@given(cases())
def test_means_of_integers(case: tuple[np.ndarray, tuple[int, int, int]]) -> None:
    array, steps = case
    made = halve(array, steps)
    assert made.dtype == array.dtype
    np.testing.assert_array_equal(made, expected(array, steps, np.ones(array.shape, bool), 0))


@given(cases(), st.sampled_from([(0, 0), (1, 3)]))
def test_padding_takes_no_part(case: tuple[np.ndarray, tuple[int, int, int]], padding: tuple[int, int]) -> None:
    array, steps = case
    array = np.where(array > 3, np.asarray(100, array.dtype), array)
    # One padding value in each array, so that a block of padding only has a mean that is exactly that.
    array[(array >= padding[0]) & (array <= padding[1])] = padding[0]
    valid = ~((array >= padding[0]) & (array <= padding[1]))
    np.testing.assert_array_equal(halve(array, steps, padding), expected(array, steps, valid, padding[0]))


def test_a_ct_with_padded_corners_keeps_its_edge() -> None:
    array = np.full((2, 4, 4), -2000, np.int16)
    array[:, 1:, 1:] = 100
    made = halve(array, (2, 2, 2), (-2000, -2000))
    np.testing.assert_array_equal(made, [[[100, 100], [100, 100]]])


def test_a_mask_says_what_values_do_not() -> None:
    array = np.array([[[1.0, 5.0], [1.0, 7.0]]], np.float32)
    mask = np.array([[[True, False], [True, False]]])
    np.testing.assert_array_equal(halve(array, (1, 2, 2), mask=mask), [[[6.0]]])
    assert not halve_mask(mask, (1, 2, 2)).any()
    np.testing.assert_array_equal(halve_mask(mask, (1, 2, 1)), [[[True, False]]])


@pytest.mark.parametrize("shape", [(2, 3, 5, 4, 6), (3, 5, 4, 6)])
def test_extra_dimensions_are_kept_apart(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).integers(-999, 999, shape).astype(np.int16)
    made = halve(array, (2, 2, 2))
    assert made.shape == (*shape[:-3], 3, 2, 3)
    last = (-1,) * (len(shape) - 3)
    np.testing.assert_array_equal(made[last], halve(array[last], (2, 2, 2)))
