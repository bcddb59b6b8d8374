"""A stack as NRRD, which 3D Slicer and ITK read: exact affine in LPS, sheared or not, compressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pacs_panel.model import Passport

Array = np.ndarray
TYPES = {
    "int8": "int8", "uint8": "uint8", "int16": "int16", "uint16": "uint16", "int32": "int32", "uint32": "uint32",
    "int64": "int64", "uint64": "uint64", "float32": "float", "float64": "double",
}  # fmt: skip
LEVEL = 4  # of zlib: nearly as small as more, and much quicker


def header(passport: Passport, dtype: np.dtype, volumes: int = 1, samples: int = 1, unit: str = "") -> str:
    """The header of a file with compressed data after it.

    Axes, fastest first: samples of a pixel if several, column, row, slice, and volumes if several. Without a place in
    the patient, spacings are stated instead of directions.
    """
    slices, rows, columns = passport.shape
    sizes = [*([samples] if samples > 1 else []), columns, rows, slices, *([volumes] if volumes > 1 else [])]
    kinds = [*(["RGB-color"] if samples > 1 else []), *["domain"] * 3, *(["list"] if volumes > 1 else [])]
    lines = [
        "NRRD0005",
        "# https://teem.sourceforge.net/nrrd/format.html",
        f"type: {TYPES[dtype.name]}",
        f"dimension: {len(sizes)}",
        *_place(passport, samples > 1, volumes > 1),
        f"sizes: {' '.join(map(str, sizes))}",
        f"kinds: {' '.join(kinds)}",
        *(["endian: little"] if dtype.itemsize > 1 else []),
        "encoding: gzip",
    ]
    if passport.verdict in ("sheared", "irregular"):
        lines.append(f"geometry:={passport.reason}")
    lines += [f"unit:={unit}"] if unit else []
    lines += [f"dimension {d.name}:={' '.join(map(str, d.values))}" for d in passport.dimensions]
    return "\n".join(line.replace("\r", " ") for line in lines) + "\n\n"


def _place(passport: Passport, first: bool, last: bool) -> Iterator[str]:
    """Where voxels are; ``first`` and ``last`` say whether axes that are not of space come before and after."""
    before, after = (["none"] if first else []), (["none"] if last else [])
    if passport.affine is None or passport.verdict == "stack":
        spacings = [f"{mm:.17g}" for mm in reversed(passport.spacing)]
        yield "spacings: " + " ".join([*(["nan"] if first else []), *spacings, *(["nan"] if last else [])])
        return
    affine = np.asarray(passport.affine, float)
    yield "space: left-posterior-superior"
    yield "space directions: " + " ".join([*before, *(_vector(affine[:3, axis]) for axis in range(3)), *after])
    yield f"space origin: {_vector(affine[:3, 3])}"
    if passport.calibration != "none":
        yield 'space units: "mm" "mm" "mm"'


def _vector(values: Sequence[float] | Array) -> str:
    return f"({','.join(f'{float(value) + 0:.17g}' for value in values)})"


def write(target: Path, text: str, volumes: Iterable[Array]) -> None:
    """Write a file from its header and its volumes ``(slice, row, column[, sample])``, one after the other."""
    packer = zlib.compressobj(LEVEL, wbits=zlib.MAX_WBITS | 16)  # gzip, without a time or a name
    with target.open("xb") as file:
        file.write(text.encode("utf-8"))
        for volume in volumes:
            little = volume.dtype.newbyteorder("<")
            file.write(packer.compress(np.ascontiguousarray(volume, little).data.cast("B")))
        file.write(packer.flush())
