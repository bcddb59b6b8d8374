"""CT series in the size that scanners make them."""

from __future__ import annotations

import re
from pathlib import Path

from pacs_panel.testing import ct_phantom, encode

NOISE = 12.0  # HU: what a body scan has
UID = re.compile(rb"(1\.2\.826\.0\.1\.3680043\.8\.498\.)\d\d")


def write_ct(folder: Path, series: int, slices: int, size: int = 512) -> int:
    """Write ``series`` CT series of ``slices`` slices of ``size`` x ``size``, noise included; gives the bytes.

    One is made; the others hold the same pixels under UIDs of their own.
    """
    spacing = (1.5, 360 / size, 360 / size)
    one = ct_phantom(rows=size, columns=size, slices=slices, spacing=spacing, noise=NOISE)
    places = [folder / f"series{number:02d}" for number in range(series)]
    for place in places:
        place.mkdir(parents=True)
    written = 0
    for index, dataset in enumerate(one.datasets):
        content, pixels = encode(dataset), 2 * size * size
        for number, place in enumerate(places):
            head = UID.sub(rb"\g<1>%d" % (10 + number), content[:-pixels])
            written += (place / f"IM{index + 1:04d}.dcm").write_bytes(head + content[-pixels:])
    return written
