"""CT and MR series in the size that scanners make them."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID as Syntax

from pacs_panel.testing import ct_phantom, encode, mr_4d, write
from pacs_panel.testing.multiframe import enhanced

NOISE = 12.0  # HU: what a body scan has
UID = re.compile(rb"(1\.2\.826\.0\.1\.3680043\.8\.498\.)\d\d")
Encoder = Callable[[np.ndarray, int], bytes]


def write_ct(folder: Path, series: int, slices: int, size: int = 512, coding: tuple[str, Encoder] | None = None) -> int:
    """Write ``series`` CT series of ``slices`` slices of ``size`` x ``size``, noise included; gives the pixels' bytes.

    One is made; the others hold the same pixels under UIDs of their own.

    Parameters
    ----------
    coding : tuple, optional
        Transfer syntax, and its encoder of ``(rows, columns)`` bit patterns and Bits Stored; uncompressed by default.
    """
    spacing = (1.5, 360 / size, 360 / size)
    one = ct_phantom(rows=size, columns=size, slices=slices, spacing=spacing, noise=NOISE)
    places = [folder / f"series{number:02d}" for number in range(series)]
    for place in places:
        place.mkdir(parents=True)
    for index, dataset in enumerate(one.datasets):
        coded = dataset if coding is None else _coded(dataset, *coding)
        content, pixels = encode(coded, coded.file_meta.TransferSyntaxUID), len(coded.PixelData)
        for number, place in enumerate(places):
            head = UID.sub(rb"\g<1>%d" % (10 + number), content[:-pixels])
            (place / f"IM{index + 1:04d}.dcm").write_bytes(head + content[-pixels:])
    return series * slices * 2 * size * size


def write_enhanced_mr(folder: Path, times: int, slices: int, size: int = 256) -> int:
    """Write one enhanced MR of ``times * slices`` frames; gives the pixels' bytes."""
    series = mr_4d(times=times, slices=slices, rows=size, columns=size, spacing=(4.0, 256 / size, 256 / size))
    write(enhanced(series), folder)
    return times * slices * 2 * size * size


def _coded(dataset: Dataset, syntax: str, encoder: Encoder) -> Dataset:
    coded = copy(dataset)
    coded.file_meta = copy(dataset.file_meta)
    coded.file_meta.TransferSyntaxUID = Syntax(syntax)
    patterns = np.frombuffer(dataset.PixelData, np.uint16).reshape(dataset.Rows, dataset.Columns)
    coded.PixelData = encapsulate([encoder(patterns, dataset.BitsStored)])
    coded["PixelData"].is_undefined_length = True
    return coded
