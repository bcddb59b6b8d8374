"""RT structure sets: regions as contours, and as labels on the images' grid (PS3.3 §A.19, §C.8.8.5, §C.8.8.6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pacs_panel.errors import NotYetShown
from pacs_panel.model import Kept, Overlay, Segment, Stack
from pacs_panel.overlay import colours, references, tree
from pacs_panel.overlay.grid import Planes, grid_of
from pacs_panel.overlay.labels import Opener, layered
from pacs_panel.overlay.raster import Patch, fill
from pacs_panel.overlay.tree import Item, Tree
from pacs_panel.settings import Settings

Array = np.ndarray
CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR"})
OFF_PLANE = 0.1  # of the step: how far a contour's points may lie from the slice on which it is drawn


@dataclass(frozen=True, eq=False)
class Contour:
    """One contour.

    Attributes
    ----------
    roi : int
        ROI Number.
    points : array of shape (n, 3)
        LPS mm.
    kind : str
        Contour Geometric Type.
    """

    roi: int
    points: NDArray[np.float64]
    kind: str

    @property
    def closed(self) -> bool:
        """Whether it bounds an area."""
        return self.kind in CLOSED


@dataclass(frozen=True, eq=False)
class Drawn:
    """A contour on a slice: ``points`` are ``(column, row)`` of shape (n, 2)."""

    roi: int
    points: NDArray[np.float64]
    closed: bool


class Structures:
    """A structure set on the images' grid.

    Parameters
    ----------
    opener, kept, stack, settings
        As for `pacs_panel.overlay.labels.Labels`.

    Attributes
    ----------
    unplaced : tuple of Contour
        Contours that lie on none of the slices, as they are.

    Raises
    ------
    NotYetShown
        It is of another frame of reference, or the images have no place in the patient.
    NotDicom, Unreadable, TooLarge
    """

    def __init__(self, opener: Opener, kept: Kept, stack: Stack, settings: Settings) -> None:
        with opener() as source:
            found = tree.read(source, settings, expected=kept.location.length)
        self.grid = grid_of(stack)
        if self.grid.planes is None:
            raise NotYetShown("the images have no place in the patient, so contours cannot be drawn on them")
        referred, members = references.of_tree(found), set(stack.members)
        matched = references.match(referred, members, self.grid.frame_of_reference)
        if not matched:
            raise NotYetShown("the structure set refers to other images, in another frame of reference")
        notes: list[str] = []
        numbers = _numbers(found, notes)
        self.rois = tuple(_rois(found, numbers))
        contours = list(_contours(found, numbers, notes))
        here = self.grid.frame_of_reference
        away = {roi for roi, frame in _frames(found, numbers).items() if frame and here and frame != here}
        self.drawn, unplaced = _draw([one for one in contours if one.roi not in away], self.grid.planes)
        self.unplaced = (*unplaced, *(one for one in contours if one.roi in away))
        if away:
            names = ", ".join(roi.label for roi in self.rois if roi.number in away)
            notes.append(f"In another frame of reference than the images, and not shown: {names}.")
        self.patches = self._rasterise()
        self.layers = layered([roi.number for roi in self.rois], self._conflicts())
        self.overlay = Overlay(
            sop_instance_uid=kept.sop_instance_uid,
            series_key=kept.series_key,
            kind="structures",
            title=_title(found),
            segments=self.rois,
            layers=len(self.layers),
            matched=matched,
            missing=tuple(references.missing(referred, members)),
            notes=(*notes, *self._notes(contours)),
        )

    @property
    def dtype(self) -> np.dtype:
        """Of the labels."""
        return np.dtype(np.uint8 if max((roi.number for roi in self.rois), default=0) < 256 else np.uint16)

    def section(self, layer: int, index: int) -> Array:
        """Labels of one slice, ``(rows, columns)``: a pixel belongs to a region where its centre is inside."""
        out = np.zeros(self.grid.shape[1:], self.dtype)
        self._paint(layer, index, out)
        return out

    def volume(self, layer: int) -> Array:
        """A whole layer: ``(slices, rows, columns)``."""
        out = np.zeros(self.grid.shape, self.dtype)
        for index in self.patches:
            self._paint(layer, index, out[index])
        return out

    def close(self) -> None:
        """Nothing is open."""

    def contours(self, index: int) -> list[tuple[int, Array, bool]]:
        """ROI Number, ``(column, row)`` of shape (n, 2), and whether it is closed, of each contour on a slice."""
        return [(one.roi, one.points, one.closed) for one in self.drawn.get(index, ())]

    def segments(self, layer: int) -> tuple[Segment, ...]:
        """The regions of a layer."""
        return tuple(roi for roi in self.rois if roi.number in self.layers[layer])

    def _paint(self, layer: int, index: int, out: Array) -> None:
        for roi, patch in self.patches.get(index, {}).items():
            if roi in self.layers[layer]:
                patch.paint(out, roi)

    def _rasterise(self) -> dict[int, dict[int, Patch]]:
        """The pixels of each region, by slice and ROI Number."""
        known = {roi.number for roi in self.rois}
        made: dict[int, dict[int, Patch]] = {}
        for index, drawn in self.drawn.items():
            polygons: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
            for one in drawn:
                known_already = any(np.array_equal(one.points, other) for other in polygons[one.roi])
                if one.closed and one.roi in known and not known_already:  # twice the same would cancel out
                    polygons[one.roi].append(one.points)
            shape = self.grid.shape[1:]
            made[index] = {roi: fill(each, (shape[0], shape[1])) for roi, each in polygons.items() if each}
        return made

    def _conflicts(self) -> set[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        for patches in self.patches.values():
            for one, other in combinations(sorted(patches), 2):
                if (one, other) not in found and patches[one].overlaps(patches[other]):
                    found.add((one, other))
        return found

    def _notes(self, contours: list[Contour]) -> Iterator[str]:
        names = {roi.number: roi.label for roi in self.rois}
        if self.unplaced:
            count = len(self.unplaced)
            regions = ", ".join(dict.fromkeys(names.get(one.roi, str(one.roi)) for one in self.unplaced))
            yield f"{count} of {len(contours)} contours lie on none of the slices and are not in the labels: {regions}."
        for kind in ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"):
            if having := dict.fromkeys(names.get(one.roi, str(one.roi)) for one in contours if one.kind == kind):
                what = "points" if kind == "POINT" else "open lines"
                yield f"Has {what}, which have no area: {', '.join(having)}."
        if empty := [roi.label for roi in self.rois if roi.number not in {one.roi for one in contours}]:
            yield f"Without any contour: {', '.join(empty)}."
        if skipping := [names[roi] for roi in names if self._skips(roi)]:
            yield f"Slices between contours have none, and nothing is filled in: {', '.join(skipping)}."
        if len(self.layers) > 1:
            yield f"Regions overlap; they are in {len(self.layers)} layers."

    def _skips(self, roi: int) -> bool:
        """Whether slices between the first and the last contour have none."""
        at = [index for index, patches in self.patches.items() if roi in patches]
        return bool(at) and len(at) < max(at) - min(at) + 1


# -- reading -----------------------------------------------------------------------------------------------------------


def _title(found: Tree) -> str:
    root = found.root
    names = ("StructureSetLabel", "SeriesDescription", "StructureSetName")
    return next(filter(None, (found.text(root, name) for name in names)), "Structure set")


def _numbers(found: Tree, notes: list[str]) -> dict[int, int]:
    """ROI Number to the label by which the region goes here: the same, unless one can't be a label."""
    stated = [int(found.number(item, "ROINumber", -1)) for item in found.items(found.root, "StructureSetROISequence")]
    numbers = list(dict.fromkeys(stated))
    if all(0 < number < 1 << 16 for number in numbers):
        return dict(zip(numbers, numbers, strict=True))
    notes.append("ROI Numbers below 1 or above 65535 can't be labels: regions are numbered from 1 in their order.")
    return {number: label for label, number in enumerate(numbers, 1)}


def _rois(found: Tree, numbers: dict[int, int]) -> Iterator[Segment]:
    root = found.root
    display = {
        int(found.number(item, "ReferencedROINumber", -1)): item for item in found.items(root, "ROIContourSequence")
    }
    interpreted = {
        int(found.number(item, "ReferencedROINumber", -1)): found.text(item, "RTROIInterpretedType")
        for item in found.items(root, "RTROIObservationsSequence")
    }
    for index, item in enumerate(found.items(root, "StructureSetROISequence")):
        number = int(found.number(item, "ROINumber", -1))
        rgb = found.numbers(display.get(number, {}), "ROIDisplayColor")
        yield Segment(
            number=numbers[number],
            label=found.text(item, "ROIName") or f"Region {number}",
            colour=_colour(rgb) or colours.from_palette(index),
            meaning=interpreted.get(number, ""),
            method=found.text(item, "ROIGenerationAlgorithm").lower(),
        )


def _frames(found: Tree, numbers: dict[int, int]) -> dict[int, str]:
    """Frame of reference of each region's contours."""
    return {
        numbers[int(found.number(item, "ROINumber", -1))]: found.text(item, "ReferencedFrameOfReferenceUID")
        for item in found.items(found.root, "StructureSetROISequence")
    }


def _colour(rgb: list[int | float]) -> colours.Colour | None:
    if len(rgb) != 3 or not all(0 <= part <= 255 for part in rgb):
        return None
    return int(rgb[0]), int(rgb[1]), int(rgb[2])


def _contours(found: Tree, numbers: dict[int, int], notes: list[str]) -> Iterator[Contour]:
    damaged = 0
    for item in found.items(found.root, "ROIContourSequence"):
        number = int(found.number(item, "ReferencedROINumber", -1))
        roi = numbers.get(number, number)
        for contour in found.items(item, "ContourSequence"):
            points = _points(contour)
            if points is None:
                damaged += 1
            elif len(points):
                yield Contour(roi, points, found.text(contour, "ContourGeometricType") or "CLOSED_PLANAR")
    if damaged:
        notes.append(f"{damaged} contours hold something that is no triple of numbers and are left out.")


CONTOUR_DATA = tree.tag_of("ContourData")


def _points(contour: Item) -> NDArray[np.float64] | None:
    """Points of shape (n, 3); ``None`` where the data are damaged."""
    value = contour.get(CONTOUR_DATA, b"")
    try:
        numbers = np.array(value.strip(b" \0").split(b"\\") if value.strip(b" \0") else [], dtype="S").astype(float)
    except ValueError:
        return None
    whole = numbers.size % 3 == 0 and bool(np.isfinite(numbers).all())
    return numbers.reshape(-1, 3) if whole else None


# -- on the images -----------------------------------------------------------------------------------------------------


def _draw(contours: list[Contour], planes: Planes) -> tuple[dict[int, list[Drawn]], tuple[Contour, ...]]:
    """Contours by the slice that they lie on, and those that lie on none."""
    drawn: dict[int, list[Drawn]] = defaultdict(list)
    unplaced = []
    for contour in contours:
        plane, above = planes.nearest(contour.points)
        if np.ptp(plane) or np.abs(above).max() > OFF_PLANE * planes.step:
            unplaced.append(contour)
            continue
        index = int(plane[0])
        drawn[index].append(Drawn(contour.roi, planes.pixels(contour.points, plane), contour.closed))
    return dict(drawn), tuple(unplaced)
