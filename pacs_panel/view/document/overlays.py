"""Objects that lie on images, as their own page tells of them: segments, structures, doses.

They are read from the full header (the DICOM JSON model, PS3.18 §F) that the page shows beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pacs_panel.view.document.blocks import Block, links, table, words

KINDS = ("segmentation", "label map segmentation", "surface segmentation", "RT structure set", "RT dose")
_LABELS = (
    "Marks which voxels belong to what. It lies on the images that it names; their page says if it cannot be drawn."
)
SENTENCES = {
    "segmentation": _LABELS,
    "label map segmentation": _LABELS,
    "RT structure set": "Outlines of regions, on the images that they name; their page says if they cannot be drawn.",
    "RT dose": "A grid of doses. It lies on the images whose frame of reference it shares.",
}
UNSCALED = "The dose does not say by what its values are to be multiplied (Dose Grid Scaling)."
Json = Mapping[str, Any]


def shown_on(kind: str, partners: Sequence[Mapping[str, str]]) -> list[Block]:
    """The images that an object of this kind refers to and that are here, and what it is."""
    return [
        *links("Lies on", [dict(one) for one in partners if one.get("verdict")]),
        *words("What this is", SENTENCES.get(kind, "")),
    ]


def listed(header: Json) -> list[Block]:
    """Segments, structures, what a dose is, and why it cannot be shown."""
    segments = [
        (_text(s, "00620004"), _text(s, "00620005"), _code(s, "0062000F"), _code(s, "00620003"),
         _text(s, "00620008").lower(), _text(s, "00620009"))
        for s in _items(header, "00620002")
    ]  # fmt: skip
    seen = {_text(one, "30060084"): one for one in _items(header, "30060080")}
    regions = []
    for region in _items(header, "30060020"):
        number = _text(region, "30060022")
        kind = _text(seen.get(number, {}), "300600A4").lower().replace("_", " ")
        regions.append((number, _text(region, "30060026"), kind, _text(region, "30060036").lower()))
    dose = [
        (name, _text(header, tag).lower().replace("_", " ") if tag != "30040002" else _unit(_text(header, tag)))
        for name, tag in (("Unit", "30040002"), ("Type", "30040004"), ("Sum of", "3004000A"), ("Planes", "00280008"))
    ]
    columns = ("No.", "Segment", "Type", "Category", "Made", "By")
    return [
        *table("Segments", columns, segments),
        *table("Regions", ("No.", "Name", "Type", "Made"), regions),
        *(table("Dose", ("What", "Value"), [pair for pair in dose if pair[1]]) if "30040002" in header else []),
        *words("Why it is not shown", UNSCALED if "30040002" in header and not _is_scaled(header) else ""),
    ]


def _is_scaled(dose: Json) -> bool:
    try:
        return float(_text(dose, "3004000E")) > 0
    except ValueError:
        return False


def _unit(text: str) -> str:
    return {"GY": "Gy", "RELATIVE": "relative"}.get(text, text)


def _items(header: Json, tag: str) -> list[Json]:
    return [one for one in header.get(tag, {}).get("Value", ()) if isinstance(one, Mapping)]


def _text(header: Json, tag: str) -> str:
    values = header.get(tag, {}).get("Value", ())
    return "\\".join(str(value) for value in values if not isinstance(value, Mapping))


def _code(header: Json, tag: str) -> str:
    first = next(iter(_items(header, tag)), {})
    return _text(first, "00080104") or _text(first, "00080100")
