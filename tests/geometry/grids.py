"""Random grids with known truth, and the headers that would tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pacs_panel.model import ImageHeader, Vector

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Grid:
    """An even grid: each slice lies one ``step`` (mm LPS) from the one before; ``tilt`` in degrees."""

    orientation: tuple[float, ...]
    spacing: tuple[float, float]
    shape: tuple[int, int, int]
    step: NDArray[np.float64]
    tilt: float
    origin: NDArray[np.float64]

    @property
    def positions(self) -> list[Vector]:
        """Position of each slice, mm LPS."""
        return [tuple(map(float, self.origin + k * self.step)) for k in range(self.shape[0])]

    def headers(self, **more: object) -> list[ImageHeader]:
        """One header a slice, Instance Number from 1."""
        return [
            ImageHeader(
                f"1.2.{k}",
                *self.shape[1:],
                position=position,
                orientation=self.orientation,
                spacing=self.spacing,
                order={"InstanceNumber": k + 1.0},
                **more,
            )
            for k, position in enumerate(self.positions)
        ]


def rotation(w: float, x: float, y: float, z: float) -> NDArray[np.float64]:
    """The rotation of a quaternion."""
    w, x, y, z = np.array([w, x, y, z]) / np.linalg.norm([w, x, y, z])
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


parts = st.floats(-1, 1)
millimetres = st.floats(0.05, 10)
a_few = st.integers(2, 12)


@st.composite
def grids(draw: st.DrawFn, slices: st.SearchStrategy[int] = a_few, tilts: Sequence[float] = ()) -> Grid:
    """Grids of any direction, distances and tilt (0 or one of ``tilts``)."""
    turn = rotation(*draw(st.tuples(parts, parts, parts, parts).filter(lambda q: np.linalg.norm(q) > 0.1)))
    tilt = draw(st.sampled_from(tilts or (0.0, 5.0, 16.5, -30.0)))
    row, column, normal = turn.T
    step = draw(millimetres) * (normal + np.tan(np.radians(tilt)) * column)
    return Grid(
        orientation=tuple(map(float, (*row, *column))),
        spacing=(draw(millimetres), draw(millimetres)),
        shape=(draw(slices), draw(st.integers(1, 6)), draw(st.integers(1, 6))),
        step=step,
        tilt=abs(tilt),
        origin=np.array(draw(st.tuples(*[st.floats(-500, 500)] * 3))),
    )


def axial(slices: int, step: float = 2.0, origin: float = 0.0) -> Grid:
    """A plain axial grid of 4 × 5 pixels, 0.5 mm between rows and 0.8 mm between columns."""
    return Grid(AXIAL, (0.5, 0.8), (slices, 4, 5), np.array([0, 0, step]), 0.0, np.array([0, 0, origin]))


def renamed(headers: Sequence[ImageHeader], suffix: str, **order: float | str) -> list[ImageHeader]:
    """The same images under other SOP Instance UIDs, with some ordering attributes changed."""
    return [replace(h, sop_instance_uid=f"{h.sop_instance_uid}.{suffix}", order={**h.order, **order}) for h in headers]


def uids(headers: Sequence[ImageHeader]) -> tuple[str, ...]:
    """SOP Instance UIDs in order."""
    return tuple(h.sop_instance_uid for h in headers)
