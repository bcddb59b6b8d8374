"""Colours of segments: as an object recommends them, else from a fixed palette."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Colour = tuple[int, int, int]

# Twelve hues that are told apart on grey images; further ones repeat them, darker, then lighter.
PALETTE: tuple[Colour, ...] = (
    (230, 75, 70), (70, 170, 90), (75, 130, 240), (240, 190, 50), (170, 95, 220), (60, 195, 205),
    (240, 135, 45), (225, 110, 180), (150, 200, 60), (130, 120, 235), (190, 140, 95), (115, 170, 160),
)  # fmt: skip
SHADES = (1.0, 0.7, 1.25, 0.5)

# The standard names no white. dcmqi, 3D Slicer and highdicom take D65, that of sRGB itself, and so does this.
WHITE = (0.95047, 1.0, 1.08883)
XYZ_TO_RGB = np.array([
    [3.2404542, -1.5371385, -0.4985314],
    [-0.9692660, 1.8760108, 0.0415560],
    [0.0556434, -0.2040259, 1.0572252],
])  # fmt: skip


def from_palette(index: int) -> Colour:
    """The colour of the ``index``-th thing, from 0."""
    shade = SHADES[index // len(PALETTE) % len(SHADES)]
    red, green, blue = (min(255, round(part * shade)) for part in PALETTE[index % len(PALETTE)])
    return red, green, blue


def from_cielab(encoded: Sequence[float]) -> Colour | None:
    """sRGB of a Recommended Display CIELab Value; ``None`` where it isn't three numbers.

    Parameters
    ----------
    encoded : sequence of 3 numbers
        L* from 0 to 100 and a*, b* from -128 to 127, each over 0 to 65535 (PS3.3 §C.10.7.1.1).
    """
    if len(encoded) != 3:
        return None
    light = encoded[0] * 100 / 65535
    a, b = (part * 255 / 65535 - 128 for part in encoded[1:])
    middle = (light + 16) / 116
    xyz = [white * _cube(f) for white, f in zip(WHITE, (middle + a / 500, middle, middle - b / 200), strict=True)]
    linear = np.clip(XYZ_TO_RGB @ xyz, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (int(part) for part in np.rint(curved * 255))
    return red, green, blue


def to_cielab(colour: Colour) -> tuple[int, int, int]:
    """The encoded CIELab value (as `from_cielab` takes it) of an sRGB colour."""
    curved = np.asarray(colour) / 255
    linear = np.where(curved <= 0.04045, curved / 12.92, ((curved + 0.055) / 1.055) ** 2.4)
    xyz = np.linalg.solve(XYZ_TO_RGB, linear) / WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    lab = 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])
    scaled = lab[0] / 100, (lab[1] + 128) / 255, (lab[2] + 128) / 255
    light, a, b = (int(np.clip(round(part * 65535), 0, 65535)) for part in scaled)
    return light, a, b


def _cube(f: float) -> float:
    return f**3 if f > 6 / 29 else 3 * (6 / 29) ** 2 * (f - 4 / 29)
