"""Whole-slide images: one large image a focal plane and optical path, whose frames are its tiles (PS3.3 §C.8.12.4)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from pydicom import Dataset

from pacs_panel.dicom.dataset import number_of, numbers_of, text_of
from pacs_panel.model import ImageHeader

Tile = tuple[int, int, int, int, int]


def planes(image: ImageHeader, dataset: Dataset) -> tuple[ImageHeader, ...]:
    """A header of the matrix's size for each focal plane and optical path; tiles that nobody placed are left out."""
    if image.matrix is None:
        return (image,)
    before = int(number_of(dataset, "ConcatenationFrameOffsetNumber") or 0)
    placed = _full(image, before) if _is_full(dataset) else _sparse(image, dataset)
    rows, columns = image.matrix
    whole = replace(image, rows=rows, columns=columns, spacing=_spacing(dataset) or image.spacing)
    return tuple(replace(whole, frame=tiles[0][0], tiling=tuple(tiles)) for tiles in placed if tiles)


def _is_full(dataset: Dataset) -> bool:
    stated = text_of(dataset, "DimensionOrganizationType")
    return stated == "TILED_FULL" or not dataset.get("PerFrameFunctionalGroupsSequence")


def _full(image: ImageHeader, skipped: int = 0) -> list[list[Tile]]:
    """Tiles row by row, then focal plane by focal plane (PS3.3 §C.7.6.17.3)."""
    rows, columns = image.matrix or (image.rows, image.columns)
    down, across = -(-rows // image.rows), -(-columns // image.columns)
    found: list[list[Tile]] = []
    for frame in range(image.frames):
        number, tile = divmod(skipped + frame, down * across)
        number -= skipped // (down * across)
        if tile == 0 or not found:
            found.append([])
        row, column = divmod(tile, across)
        found[number].append((frame, row * image.rows, column * image.columns, image.rows, image.columns))
    return found


def _sparse(image: ImageHeader, dataset: Dataset) -> list[list[Tile]]:
    """Tiles where each says that it lies (PS3.3 §C.8.12.6.1), by focal plane and optical path."""
    found: dict[tuple[float, str], list[Tile]] = defaultdict(list)
    for frame, item in enumerate(list(dataset.get("PerFrameFunctionalGroupsSequence") or [])[: image.frames]):
        path = next(
            (text_of(i, "OpticalPathIdentifier") for i in item.get("OpticalPathIdentificationSequence") or []), ""
        )
        for place in item.get("PlanePositionSlideSequence") or []:
            column = number_of(place, "ColumnPositionInTotalImagePixelMatrix")
            row = number_of(place, "RowPositionInTotalImagePixelMatrix")
            depth = number_of(place, "ZOffsetInSlideCoordinateSystem") or 0.0
            if row is not None and column is not None and row >= 1 and column >= 1:
                found[depth, path].append((frame, int(row) - 1, int(column) - 1, image.rows, image.columns))
    return [found[key] for key in sorted(found)]


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    for group in dataset.get("SharedFunctionalGroupsSequence") or []:
        for measures in group.get("PixelMeasuresSequence") or []:
            found = numbers_of(measures, "PixelSpacing", 2)
            if found is not None and min(found) > 0:
                return (found[0], found[1])
    return None
