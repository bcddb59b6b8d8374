"""Whole slides: what a plane of one object shows, and which objects are the levels of one image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slide:
    """What tells whether two objects show the same part of a slide in the same way (PS3.3 §C.8.12.4).

    Attributes
    ----------
    flavour : str
        Third value of Image Type: ``VOLUME``, ``LABEL``, ``OVERVIEW`` or ``THUMBNAIL``.
    container : str
        Container Identifier: the glass.
    origin : tuple of 2 floats, optional
        Total Pixel Matrix Origin, mm along X and Y of the slide.
    orientation : tuple of 6 floats, optional
        Image Orientation (Slide): direction of a row, then of a column.
    path : str
        Optical Path Identifier of the plane.
    depth : float
        Z Offset in the slide's coordinates of the focal plane, µm.
    part : bool
        The object holds a part of its image only, as one of a concatenation.
    """

    flavour: str
    container: str = ""
    origin: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    path: str = ""
    depth: float = 0.0
    part: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """A coarser object of the same area, whose own pixels are a level of a stack.

    Attributes
    ----------
    sop_instance_uid : str
    frames : tuple of int
        Which frame of the object each plane begins with, in the stack's order.
    shape : tuple of 3 ints
        ``(slices, rows, columns)``.
    factors : tuple of 3 floats
        Voxels of the stack that one of this spans along ``(slice, row, column)``; the first corner is that of both.
    """

    sop_instance_uid: str
    frames: tuple[int, ...]
    shape: tuple[int, int, int]
    factors: tuple[float, float, float]

    @property
    def share(self) -> str:
        """How fine it is, for people: ``1/4``."""
        return f"1/{max(self.factors):.4g}"
