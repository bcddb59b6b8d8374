"""Whole-slide images: one large image a focal plane and optical path, whose frames are its tiles (PS3.3 §C.8.12.4)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from pydicom import Dataset

from pacs_panel.dicom.dataset import number_of, numbers_of, text_of
from pacs_panel.model import ImageHeader, Slide

Tile = tuple[int, int, int, int, int]
Place = tuple[str, float]
"""Optical path, and focal plane in µm."""
MICROMETRES = 1000.0  # in a mm: Z offsets are in µm, all else is in mm


def planes(image: ImageHeader, dataset: Dataset) -> tuple[ImageHeader, ...]:
    """A header of the matrix's size for each focal plane and optical path.

    Tiles that nobody placed are left out; where none is placed, each is an image of its own.
    """
    if image.matrix is None:
        return (image,)
    placed = _full(image, dataset) if _is_full(dataset) else _sparse(image, dataset)
    if not any(tiles for _, tiles in placed):
        return tuple(replace(image, matrix=None, frame=frame) for frame in range(image.frames))
    rows, columns = image.matrix
    whole = replace(image, rows=rows, columns=columns, spacing=_spacing(dataset) or image.spacing)
    slide = _slide(dataset)
    return tuple(
        replace(whole, frame=tiles[0][0], tiling=tuple(tiles), slide=replace(slide, path=path, depth=depth))
        for (path, depth), tiles in placed
        if tiles
    )


def _is_full(dataset: Dataset) -> bool:
    stated = text_of(dataset, "DimensionOrganizationType")
    return stated == "TILED_FULL" or not dataset.get("PerFrameFunctionalGroupsSequence")


def _slide(dataset: Dataset) -> Slide:
    """What holds for all planes of an object."""
    origin = next(iter(dataset.get("TotalPixelMatrixOriginSequence") or []), Dataset())
    at = [number_of(origin, f"{axis}OffsetInSlideCoordinateSystem") for axis in "XY"]
    flavours = [*text_of(dataset, "ImageType").split("\\"), "", ""]
    return Slide(
        flavour=flavours[2],
        container=text_of(dataset, "ContainerIdentifier"),
        origin=None if None in at else tuple(value for value in at if value is not None),
        orientation=numbers_of(dataset, "ImageOrientationSlide", 6),
        part=bool(text_of(dataset, "ConcatenationUID")) and number_of(dataset, "InConcatenationTotalNumber") != 1,
    )


def _full(image: ImageHeader, dataset: Dataset) -> list[tuple[Place, list[Tile]]]:
    """Tiles row by row, then focal plane by focal plane, then path by path (PS3.3 §C.7.6.17.3)."""
    skipped = int(number_of(dataset, "ConcatenationFrameOffsetNumber") or 0)
    rows, columns = image.matrix or (image.rows, image.columns)
    down, across = -(-rows // image.rows), -(-columns // image.columns)
    found: dict[int, list[Tile]] = {}
    for frame in range(image.frames):
        number, tile = divmod(skipped + frame, down * across)
        row, column = divmod(tile, across)
        place = (frame, row * image.rows, column * image.columns, image.rows, image.columns)
        found.setdefault(number, []).append(place)
    return [(_place_of(number, dataset), tiles) for number, tiles in found.items()]


def _place_of(number: int, dataset: Dataset) -> Place:
    """Which plane of a fully tiled object that is."""
    shared = _shared(dataset)
    focal = max(1, int(number_of(dataset, "TotalPixelMatrixFocalPlanes") or 1))
    paths = [text_of(item, "OpticalPathIdentifier") for item in dataset.get("OpticalPathSequence") or []]
    path, focus = divmod(number, focal)
    apart = [number_of(item, "SpacingBetweenSlices") for item in shared.get("PixelMeasuresSequence") or []]
    step = (apart[0] if apart else None) or 0.0
    name = paths[path] if path < len(paths) else _path(shared, "") or str(path + 1)
    return name, round(_depth(dataset) + focus * step * MICROMETRES, 3)


def _sparse(image: ImageHeader, dataset: Dataset) -> list[tuple[Place, list[Tile]]]:
    """Tiles where each says that it lies (PS3.3 §C.8.12.6.1), by focal plane and optical path."""
    found: dict[tuple[float, str], list[Tile]] = defaultdict(list)
    paths = [text_of(item, "OpticalPathIdentifier") for item in dataset.get("OpticalPathSequence") or []]
    usual = _path(_shared(dataset), paths[0] if len(paths) == 1 else "")
    first = _depth(dataset)
    for frame, item in enumerate(list(dataset.get("PerFrameFunctionalGroupsSequence") or [])[: image.frames]):
        path = _path(item, usual)
        for place in item.get("PlanePositionSlideSequence") or []:
            column = number_of(place, "ColumnPositionInTotalImagePixelMatrix")
            row = number_of(place, "RowPositionInTotalImagePixelMatrix")
            stated = number_of(place, "ZOffsetInSlideCoordinateSystem")
            depth = round(first if stated is None else stated, 3)
            if row is not None and column is not None and row >= 1 and column >= 1:
                found[depth, path].append((frame, int(row) - 1, int(column) - 1, image.rows, image.columns))
    return [((path, depth), found[depth, path]) for depth, path in sorted(found)]


def _path(group: Dataset, usual: str) -> str:
    """Optical path that a functional group names; the usual one where it names none."""
    named = (text_of(item, "OpticalPathIdentifier") for item in group.get("OpticalPathIdentificationSequence") or [])
    return next(filter(None, named), usual)


def _depth(dataset: Dataset) -> float:
    """Z offset, µm, that an object states for all its frames, or for the first; 0 where it states none."""
    places = [
        *(_shared(dataset).get("PlanePositionSlideSequence") or []),
        *(dataset.get("TotalPixelMatrixOriginSequence") or []),
    ]
    stated = (number_of(place, "ZOffsetInSlideCoordinateSystem") for place in places)
    return next((depth for depth in stated if depth is not None), 0.0)


def _shared(dataset: Dataset) -> Dataset:
    return next(iter(dataset.get("SharedFunctionalGroupsSequence") or []), Dataset())


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    for group in dataset.get("SharedFunctionalGroupsSequence") or []:
        for measures in group.get("PixelMeasuresSequence") or []:
            found = numbers_of(measures, "PixelSpacing", 2)
            if found is not None and min(found) > 0:
                return (found[0], found[1])
    return None
