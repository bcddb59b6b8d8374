"""Siemens mosaics: the slices of a volume, tiled in one image.

Image Position (Patient) of a mosaic is where its first voxel would be if the mosaic were one image around the same
centre, so the first tile's place follows from it. Number of tiles and direction of the slices stand in the private CSA
header: element (0029,xx10) under ``SIEMENS CSA HEADER``, in the layout "SV10".
"""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import numpy as np
from pydicom import Dataset

from pacs_panel.model import ImageHeader

CREATOR, MR_CREATOR = "SIEMENS CSA HEADER", "SIEMENS MR HEADER"
MAX_TAGS, MAX_ITEMS = 1000, 1000


def is_mosaic(image: ImageHeader) -> bool:
    """Whether an image is one, by its Image Type."""
    kind = str(image.order.get("ImageType", "")).upper().split("\\")
    return "MOSAIC" in kind and image.frames == 1 and image.samples == 1


def tiles(image: ImageHeader, dataset: Dataset) -> tuple[ImageHeader, ...]:
    """A header for each tile that holds a slice; the mosaic's own where its number of tiles is not known."""
    csa = csa_header(private(dataset, 0x0029, CREATOR, 0x10))
    count = _count(dataset, csa)
    across = math.ceil(math.sqrt(count))
    if not count or image.rows % across or image.columns % across:
        return (image,)
    small = replace(image, rows=image.rows // across, columns=image.columns // across, tiles=across)
    places = _places(image, small, count, csa)
    return tuple(replace(small, frame=n, position=places[n] if places else None) for n in range(count))


def _count(dataset: Dataset, csa: dict[str, list[str]]) -> int:
    stated = private(dataset, 0x0019, MR_CREATOR, 0x0A)
    found = int.from_bytes(stated[:2], "little") if stated else 0
    listed = csa.get("NumberOfImagesInMosaic", [])
    if listed and listed[0].strip().isdigit():
        found = int(listed[0]) if found in (0, int(listed[0])) else 0  # else one of the two is wrong
    return found if 0 < found <= 10_000 else 0


def _places(
    image: ImageHeader, tile: ImageHeader, count: int, csa: dict[str, list[str]]
) -> list[tuple[float, float, float]]:
    """Image Position (Patient) of each tile, mm LPS; none where it does not follow from the header."""
    step = image.order.get("SpacingBetweenSlices")  # a thickness says nothing of gaps
    if image.position is None or image.orientation is None or image.spacing is None or not isinstance(step, float):
        return []
    row, column = np.asarray(image.orientation[:3]), np.asarray(image.orientation[3:])
    normal = np.cross(row, column)
    stated = np.asarray([float(text) for text in csa.get("SliceNormalVector", [])[:3] if _is_number(text)])
    if len(stated) != 3 or abs(abs(float(stated @ normal)) - 1) > 1e-3:
        return []  # without it, the order of the slices would be a guess
    between_rows, between_columns = image.spacing
    first = np.asarray(image.position)
    first = first + row * between_columns * (image.columns - tile.columns) / 2
    first = first + column * between_rows * (image.rows - tile.rows) / 2
    towards = normal * math.copysign(1.0, float(stated @ normal)) * abs(step)
    x, y, z = (first + np.arange(count)[:, None] * towards).T.tolist()
    return list(zip(x, y, z, strict=True))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def private(dataset: Dataset, group: int, creator: str, element: int) -> bytes:
    """A private element's bytes; empty where its creator has no block here."""
    for block in range(0x10, 0x100):
        name = dataset.get((group, block))
        if name is not None and str(name.value).strip() == creator:
            found = dataset.get((group, block << 8 | element))
            value = b"" if found is None else found.value
            if isinstance(value, int | float):
                return int(value).to_bytes(4, "little")
            return bytes(value) if isinstance(value, bytes | bytearray) else str(value).encode()
    return b""


def csa_header(data: bytes) -> dict[str, list[str]]:
    """Values of a CSA header by name, as text; empty where the bytes are none."""
    found: dict[str, list[str]] = {}
    if data[:4] != b"SV10" or len(data) < 16:
        return found
    try:
        (count,) = struct.unpack_from("<I", data, 8)
        position = 16
        for _ in range(min(count, MAX_TAGS)):
            name = data[position : position + 64].partition(b"\0")[0].decode("latin-1")
            (items,) = struct.unpack_from("<i", data, position + 76)
            position += 84
            values = []
            for _ in range(min(items, MAX_ITEMS)):
                (length,) = struct.unpack_from("<i", data, position + 4)  # the second of four, which agree
                position += 16
                text = data[position : position + max(length, 0)].partition(b"\0")[0].decode("latin-1").strip()
                position += (max(length, 0) + 3) // 4 * 4
                values += [text] if text else []
            found[name] = values
    except struct.error:
        return {}
    return found
