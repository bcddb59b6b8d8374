"""The scene that phantoms show: a body with a rim, a gradient inside, and spheres; a function of patient space."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from pacs_panel.testing.truth import Floats, Grid, Sphere


@dataclass(frozen=True, slots=True)
class Levels:
    """Values of a scene, in physical units: around the body, in its rim, inside, and in the spheres.

    Attributes
    ----------
    gradient : tuple of 3 floats
        Change per mm of x, y and z inside the body, so that every direction can be told from its opposite.
    per_second : float
        Change with time inside the body, spheres included.
    """

    outside: float
    rim: float
    inside: float
    spheres: tuple[float, ...]
    gradient: tuple[float, float, float] = (0.3, -0.2, 0.1)
    per_second: float = 0.0


HOUNSFIELD = Levels(-1000, 700, 40, (-700, -90, 130, 300, 900, 0))
MR_SIGNAL = Levels(0, 900, 400, (1200, 150, 700, 1000, 250, 550), gradient=(0.9, -0.6, 0.5))
MR_DYNAMIC = Levels(0, 900, 400, (1200, 150, 700, 1000, 250, 550), gradient=(0.9, -0.6, 0.5), per_second=12.5)
ACTIVITY = Levels(0, 300, 900, (7500, 5200, 3600, 2500, 1800, 0), gradient=(1.5, -1.0, 0.5))


@dataclass(frozen=True, eq=False)
class Scene:
    """Value at any point of patient space.

    Attributes
    ----------
    centre : (3,) array
        LPS mm of the body's axis.
    inverse : (2, 3) array
        Takes a point relative to the centre to the body's cross-section, where its outline is the unit circle.
    """

    centre: Floats
    inverse: Floats
    levels: Levels
    spheres: tuple[Sphere, ...]

    def __call__(self, lps: Floats, seconds: float = 0.0) -> Floats:
        """Values at points ``(..., 3)`` in LPS mm: the same to the last bit whatever shape the points come in."""
        x, y, z = (lps[..., i] - self.centre[i] for i in range(3))
        (ax, ay, az), (bx, by, bz) = self.inverse
        radius2 = (ax * x + ay * y + az * z) ** 2 + (bx * x + by * y + bz * z) ** 2
        gx, gy, gz = self.levels.gradient
        values: Floats = self.levels.inside + gx * x + gy * y + gz * z
        values[radius2 > 0.93**2] = self.levels.rim
        for sphere in self.spheres:
            if not any(_beyond(lps[..., i], sphere.centre_lps_mm[i], sphere.radius_mm) for i in range(3)):
                values[sphere.contains(lps)] = sphere.value
        values += self.levels.per_second * seconds
        values[radius2 > 1] = self.levels.outside
        return values


def _beyond(coordinates: Floats, centre: float, radius: float) -> bool:
    """Whether one coordinate alone shows that no point is in the sphere, as of most slices and spheres."""
    reach = radius + 0.001
    return bool(coordinates.size == 0 or coordinates.min() > centre + reach or coordinates.max() < centre - reach)


def scene_for(grid: Grid, levels: Levels, spheres: tuple[Sphere, ...] | None = None) -> Scene:
    """A scene that fills ``grid``: the body's outline at 0.95 of its half width, spheres on a ring inside it."""
    _, rows, columns = grid.shape
    half = grid.affine[:3, :2] * (0.95 * columns / 2, 0.95 * rows / 2)
    if spheres is None:
        spheres = spheres_in(grid, levels.spheres)
    return Scene(grid.centre, np.linalg.pinv(half), levels, spheres)


def spheres_in(grid: Grid, values: tuple[float, ...]) -> tuple[Sphere, ...]:
    """One sphere for each value on a ring around the middle of ``grid``, each centred on a voxel, none touching.

    Small grids get three, since six would touch.
    """
    slices, rows, columns = grid.shape
    values = values if min(rows, columns) >= 24 else values[:3]
    extents = np.asarray(grid.spacing) * grid.shape / 2
    radius = float(max(0.2 * extents[1:].min(), 0.0))
    found = []
    for number, value in enumerate(values):
        angle = 2 * pi * number / len(values) + 0.3
        depth = 0.5 + 0.2 * sin(2.0 * angle)
        index = (
            round(depth * (slices - 1)),
            round((0.5 + 0.29 * sin(angle)) * (rows - 1)),
            round((0.5 + 0.29 * cos(angle)) * (columns - 1)),
        )
        x, y, z = grid.at(*index)
        found.append(Sphere((float(x), float(y), float(z)), round(radius * (1 - 0.08 * number), 6), value))
    return tuple(found)
