"""RT structure sets: regions as contours, and as labels on the images' grid (PS3.3 §A.19, §C.8.8.5, §C.8.8.6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pacs_panel.model import Contour as Drawn
from pacs_panel.model import Kept, Overlay, Segment, Stack
from pacs_panel.overlay import colours, layers, references, tree
from pacs_panel.overlay.combine import combine, paint
from pacs_panel.overlay.grid import Elsewhere, Grid, grid_of
from pacs_panel.overlay.labels import Opener
from pacs_panel.overlay.layers import EVERYWHERE, Layer, Places, layered
from pacs_panel.overlay.raster import Patch
from pacs_panel.overlay.tree import Item, Tree
from pacs_panel.settings import Settings

Array = np.ndarray
Source = tuple[str, tuple[int, ...]]
EXCLUSIVE = frozenset({"CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR"})
CLOSED = EXCLUSIVE | {"CLOSED_PLANAR"}
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
    images : tuple of (str, tuple of int)
        SOP Instance UIDs of the images that it names, and which of their frames, from 0 (empty: all).
    """

    roi: int
    points: NDArray[np.float64]
    kind: str
    images: tuple[Source, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether it bounds an area."""
        return self.kind in CLOSED


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
            raise Elsewhere("the images have no place in the patient, so contours cannot be drawn on them")
        referred, members = references.of_tree(found), stack.objects()
        matched = references.match(referred, members, self.grid.frame_of_reference)
        if not matched:
            raise Elsewhere("the structure set refers to other images, in another frame of reference")
        notes: list[str] = []
        numbers = _numbers(found, notes)
        self.rois = _rois(found, numbers)
        contours = list(_contours(found, numbers, notes))
        here = self.grid.frame_of_reference
        away = {roi for roi, frame in _frames(found, numbers).items() if frame and here and frame != here}
        named = self.grid.places_of((uid, ()) for uid in referred.instances)
        placed, unplaced = _place([one for one in contours if one.roi not in away], self.grid, named)
        self.unplaced = (*unplaced, *(one for one in contours if one.roi in away))
        if away:
            names = ", ".join(roi.label for roi in self.rois if roi.number in away)
            notes.append(f"In another frame of reference than the images, and not shown: {names}.")
        self.drawn: dict[int, list[Drawn]] = defaultdict(list)
        self.patches: dict[Places, dict[int, dict[int, Patch]]] = defaultdict(lambda: defaultdict(dict))
        self.joined: set[int] = set()
        for (index, roi, places), group in placed.items():
            self._draw(index, roi, places, group)
        self.layers = tuple(self._layers(layers.ordered(places for _, _, places in placed) or [EVERYWHERE]))
        self.overlay = Overlay(
            sop_instance_uid=kept.sop_instance_uid,
            series_key=kept.series_key,
            version=kept.digests.dataset,
            kind="structures",
            title=_title(found),
            segments=self.rois,
            layers=len(self.layers),
            matched=matched,
            missing=tuple(references.missing(referred, members)),
            notes=(*notes, *layers.notes(self.layers, self.grid), *self._notes(contours)),
            places=layers.told(self.layers),
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
        for index in self.patches.get(self.layers[layer].places, {}):
            self._paint(layer, index, out[index])
        return out

    def close(self) -> None:
        """Nothing is open."""

    def contours(self, index: int) -> list[Drawn]:
        """The contours on a slice; one that is there twice once."""
        return list(self.drawn.get(index, ()))

    def segments(self, layer: int) -> tuple[Segment, ...]:
        """The regions of a layer."""
        return tuple(roi for roi in self.rois if roi.number in self.layers[layer].numbers)

    def _paint(self, layer: int, index: int, out: Array) -> None:
        numbers, places = self.layers[layer].numbers, self.layers[layer].places
        for roi, patch in self.patches.get(places, {}).get(index, {}).items():
            if roi in numbers:
                patch.paint(out, roi)

    def _draw(self, index: int, roi: int, places: Places, group: list[_Placed]) -> None:
        """The contours of one region on one slice that hold at the same places: as lines, and as pixels."""
        at = tuple(sorted(places))
        closed = [one for one in group if one.contour.closed and len(one.points) > 2]
        polygons = [one.points for one in closed]
        parts = combine(polygons, any(one.contour.kind in EXCLUSIVE for one in closed))
        self.drawn[index] += [Drawn(roi, polygons[part.contour], True, part.how, at) for part in parts]
        self.drawn[index] += [
            Drawn(roi, one.points, one.contour.closed, "xor", at)
            for one in group
            if not (one.contour.closed and len(one.points) > 2)
        ]
        if any(part.how == "add" for part in parts):
            self.joined.add(roi)
        if polygons and any(known.number == roi for known in self.rois):
            rows, columns = self.grid.shape[1:]
            self.patches[places][index][roi] = paint(polygons, parts, (rows, columns))

    def _layers(self, found: list[Places]) -> Iterator[Layer]:
        """Regions in layers, apart for each place that contours belong to."""
        numbers = [roi.number for roi in self.rois]
        for each in found:
            held = {roi for at in self.patches[each].values() for roi in at} if each else set(numbers)
            here = layered([number for number in numbers if number in held], self._conflicts(each))
            yield from (Layer(layer, each) for layer in here)

    def _conflicts(self, places: Places) -> set[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        for patches in self.patches[places].values():
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
        if unnamed := sum(one.roi not in names for one in contours):
            yield f"{unnamed} of {len(contours)} contours are of regions that are not described, and are not shown."
        for kind in ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"):
            if having := dict.fromkeys(names.get(one.roi, str(one.roi)) for one in contours if one.kind == kind):
                what = "points" if kind == "POINT" else "open lines"
                yield f"Has {what}, which have no area: {', '.join(having)}."
        if empty := [roi.label for roi in self.rois if roi.number not in {one.roi for one in contours}]:
            yield f"Without any contour: {', '.join(empty)}."
        if skipping := [names[roi] for roi in names if self._skips(roi)]:
            yield f"Slices between contours have none, and nothing is filled in: {', '.join(skipping)}."
        if joined := [name for roi, name in names.items() if roi in self.joined]:
            yield f"Contours that overlap in part are joined: {', '.join(joined)}."
        if len(self.layers) > len({layer.places for layer in self.layers}):
            yield f"Regions overlap; they are in {len(self.layers)} layers."

    def _skips(self, roi: int) -> bool:
        """Whether slices between the first and the last contour have none."""
        found = ([index for index, patches in each.items() if roi in patches] for each in self.patches.values())
        return any(at and len(at) < max(at) - min(at) + 1 for at in found)


# -- reading -----------------------------------------------------------------------------------------------------------


def _title(found: Tree) -> str:
    root = found.root
    names = ("StructureSetLabel", "SeriesDescription", "StructureSetName")
    return next(filter(None, (found.text(root, name) for name in names)), "Structure set")


def _numbers(found: Tree, notes: list[str]) -> dict[int, int]:
    """ROI Number to the label by which the region goes here: the same, unless one can't be a label."""
    stated = [int(found.number(item, "ROINumber", -1)) for item in found.items(found.root, "StructureSetROISequence")]
    numbers = list(dict.fromkeys(stated))
    if twice := [number for number in numbers if stated.count(number) > 1]:
        notes.append(
            f"Several regions share a number, and are shown as the first of them: {', '.join(map(str, twice))}."
        )
    if all(0 < number < 1 << 16 for number in numbers):
        return dict(zip(numbers, numbers, strict=True))
    notes.append("ROI Numbers below 1 or above 65535 can't be labels: regions are numbered from 1 in their order.")
    return {number: label for label, number in enumerate(numbers, 1)}


def _rois(found: Tree, numbers: dict[int, int]) -> tuple[Segment, ...]:
    """The regions; of several that share a number the first."""
    root = found.root
    display = {
        int(found.number(item, "ReferencedROINumber", -1)): item for item in found.items(root, "ROIContourSequence")
    }
    interpreted = {
        int(found.number(item, "ReferencedROINumber", -1)): found.text(item, "RTROIInterpretedType")
        for item in found.items(root, "RTROIObservationsSequence")
    }
    made: dict[int, Segment] = {}
    for index, item in enumerate(found.items(root, "StructureSetROISequence")):
        number = int(found.number(item, "ROINumber", -1))
        rgb = found.numbers(display.get(number, {}), "ROIDisplayColor")
        region = Segment(
            number=numbers[number],
            label=found.text(item, "ROIName") or f"Region {number}",
            colour=_colour(rgb) or colours.from_palette(index),
            meaning=interpreted.get(number, ""),
            method=found.text(item, "ROIGenerationAlgorithm").lower(),
        )
        made.setdefault(region.number, region)
    return tuple(made.values())


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
                kind = found.text(contour, "ContourGeometricType") or "CLOSED_PLANAR"
                yield Contour(roi, points, kind, tuple(_images(found, contour)))
    if damaged:
        notes.append(f"{damaged} contours hold something that is no triple of numbers and are left out.")


def _images(found: Tree, contour: Item) -> Iterator[Source]:
    """The images that a contour names."""
    for image in found.items(contour, "ContourImageSequence"):
        if uid := found.text(image, "ReferencedSOPInstanceUID"):
            frames = found.numbers(image, "ReferencedFrameNumber")
            yield uid, tuple(int(frame) - 1 for frame in frames)


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


class _Placed(NamedTuple):
    """A contour, and its points in the pixels of a slice."""

    contour: Contour
    points: NDArray[np.float64]


def _place(
    contours: list[Contour], grid: Grid, named: Places
) -> tuple[dict[tuple[int, int, Places], list[_Placed]], tuple[Contour, ...]]:
    """Contours by slice, region and place (where they name no image, ``named``), and those that lie on no slice."""
    placed: dict[tuple[int, int, Places], list[_Placed]] = defaultdict(list)
    unplaced, planes = [], grid.planes
    assert planes is not None
    for contour in contours:
        plane, above = planes.nearest(contour.points)
        if np.ptp(plane) or np.abs(above).max() > OFF_PLANE * planes.step:
            unplaced.append(contour)
            continue
        known = any(uid in grid.places for uid, _ in contour.images)
        places = grid.places_of(contour.images) if known else named
        points = planes.pixels(contour.points, plane)
        placed[int(plane[0]), contour.roi, places].append(_Placed(contour, points))
    return dict(placed), tuple(unplaced)
