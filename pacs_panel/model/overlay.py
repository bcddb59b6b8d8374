"""Objects that speak of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

OverlayKind = Literal["segmentation", "structures", "dose", "planes"]
Place = tuple[int, ...]
"""Where along the extra dimensions of a stack, such as time: one index a dimension, outermost first."""


class Contour(NamedTuple):
    """One contour on a slice.

    Attributes
    ----------
    number : int
        Of the region.
    points : array of shape (n, 2)
        ``(column, row)``, voxel centres at whole numbers.
    closed : bool
        Whether it bounds an area.
    how : str
        How that area is put together with those of the region's contours before it: ``xor`` (what lies inside an even
        number of them is outside), ``add`` or ``cut``.
    places : tuple of Place
        As of `Overlay.places`: where it holds.
    """

    number: int
    points: np.ndarray
    closed: bool
    how: Literal["xor", "add", "cut"] = "xor"
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """One labelled thing: a segment (PS3.3 §C.8.20.4), or a region of interest (PS3.3 §C.8.8.5).

    Attributes
    ----------
    number : int
        Segment Number or ROI Number; what a label volume holds.
    colour : tuple of 3 ints
        sRGB, 0 to 255.
    label, meaning, method : str
        Its name; category and type; how it was made.
    """

    number: int
    label: str
    colour: tuple[int, int, int]
    meaning: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
class Overlay:
    """An object that speaks of images, as it lies on the grid of one stack.

    Attributes
    ----------
    sop_instance_uid, series_key : str
        The object, and the series that it is in.
    kind : str
        ``segmentation``, ``structures``, ``dose`` or ``planes`` (overlay planes of the images themselves).
    segments : tuple of Segment
        Empty for a dose.
    layers : int
        Arrays that hold it; segments that overlap are in different ones.
    matched : str
        How it was found to belong to these images, in words.
    missing : tuple of str
        SOP Instance UIDs that it refers to and that are not here.
    unit : str
        Of a dose or of fractions.
    notes : tuple of str
        What is odd about it.
    places : tuple of tuple of Place
        By layer, where along the stack's extra dimensions it holds; empty where it holds everywhere. Empty altogether
        where all layers do.
    version : str
        Tells apart what was received under one SOP Instance UID: digest of the object's data set.
    reason : str
        Why it cannot be shown, in words; then it has no layers. Empty where it can.
    """

    sop_instance_uid: str
    series_key: str
    kind: OverlayKind
    title: str
    segments: tuple[Segment, ...] = ()
    layers: int = 1
    matched: str = ""
    missing: tuple[str, ...] = ()
    unit: str = ""
    notes: tuple[str, ...] = ()
    places: tuple[tuple[Place, ...], ...] = ()
    version: str = ""
    reason: str = ""
