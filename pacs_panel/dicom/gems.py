"""Diffusion as GE writes it: elements (0019,xxBB) to (0019,xxBD) under ``GEMS_ACQU_01``.

They hold the gradient's components along the axes of the scan, and how these lie in the image is not published. It has
been measured on phantoms for axial and nearly axial slices of patients who lie head first and supine, with the phase
encoded along columns (that is what dcm2niix calls validated); in any other case, there is no direction.
"""

from __future__ import annotations

import math

import numpy as np

from pacs_panel.model import Vector

CREATOR_TAG, CREATOR = 0x00190010, "GEMS_ACQU_01"
TAGS = (0x001910BB, 0x001910BC, 0x001910BD)
SCALED = (0.03, 0.97)  # lengths of a vector that tell of a smaller b-value than is stated


def gradient(
    vector: Vector, orientation: tuple[float, ...] | None, phase_encoding: str, patient_position: str
) -> Vector | None:
    """Direction of the gradient in LPS, of length 1; ``None`` where it does not follow for sure.

    Parameters
    ----------
    vector : tuple of 3 floats
        The three elements.
    orientation : tuple of 6 floats, optional
        Image Orientation (Patient).
    phase_encoding, patient_position : str
        In-plane Phase Encoding Direction, Patient Position.
    """
    length = math.hypot(*vector)
    if not length or orientation is None or (phase_encoding, patient_position) != ("COL", "HFS"):
        return None
    across, down = np.reshape(orientation, (2, 3))
    normal = np.cross(across, down)
    nearest = [int(np.argmax(np.abs(axis))) for axis in (across, down, normal)]
    if nearest != [0, 1, 2] or across[0] < 0 or down[1] < 0:
        return None
    x, y, z = (number / length for number in vector)
    made = z * normal - x * across - y * down
    return (float(made[0]), float(made[1]), float(made[2]))


def b_value(stated: float, vector: Vector) -> float:
    """b-value, s/mm²: a vector shorter than 1 tells of weaker gradients than stated, and b goes by its square.

    As dcm2niix does, to the nearest 5.
    """
    length = math.hypot(*vector)
    return 5.0 * round(stated * length**2 / 5) if SCALED[0] < length < SCALED[1] else stated
