"""Values of the index in the words that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pacs_panel.model import Passport

VERDICTS = {
    "regular": "regular volume",
    "sheared": "tilted volume",
    "irregular": "uneven volume",
    "stack": "single images",
}
BUILDING, KEPT, HEADER = "being built", "not yet shown", "header only"
# Objects that open although no volume is made of them: kind (as `pacs_panel.dicom.kind` names it) to word.
DOCUMENTS = {
    "structured report": "report",
    "radiation dose report": "report",
    "key object selection": "key objects",
    "presentation state": "presentation",
    "encapsulated PDF": "document",
    "encapsulated CDA": "document",
    "encapsulated STL": "model",
    "encapsulated OBJ": "model",
    "encapsulated MTL": "model",
    "waveform": "waveform",
    "RT plan": "plan",
    "RT ion plan": "plan",
    "RT beams treatment record": "record",
    "RT brachy treatment record": "record",
    "RT treatment summary record": "record",
    "RT ion beams treatment record": "record",
    "real world value mapping": "value map",
    "microscopy annotations": "annotations",
    "spatial registration": "registration",
    "deformable registration": "registration",
}
OVERLAYS = {
    "segmentation": "segmentation",
    "label map segmentation": "segmentation",
    "RT structure set": "contours",
    "RT dose": "dose",
}
HEADERS = {
    *("raw data", "MR spectroscopy", "spatial fiducials", "surface segmentation", "tractography"),
    *("radiotherapy object", "media directory"),
}


def day(date: object) -> str:
    """A date (DA) as ``2025-08-22``; anything else as it is."""
    text = str(date or "")
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else text


def person(name: object) -> str:
    """A person's name (PN, PS3.5 §6.2.1) as people write it: ``Tanaka, Yuki (田中 雪)``."""
    groups = [_group(group, ", " if number == 0 else " ") for number, group in enumerate(str(name or "").split("="))]
    first, *others = [group for group in groups if group] or [""]
    return f"{first} ({', '.join(others)})" if others else first


def _group(group: str, between: str) -> str:
    family, given, middle, prefix, suffix = ([part.strip() for part in group.split("^")] + [""] * 5)[:5]
    called = " ".join(part for part in (prefix, given, middle) if part)
    return between.join(part for part in (family, called, suffix) if part)


def state(row: Mapping[str, Any]) -> tuple[str, str]:
    """What became of a series, and the same in words.

    Returns
    -------
    tuple of 2 str
        A verdict, ``building``; of what is no image ``document``, ``overlay`` (is shown on images) or ``header`` (only
        that is read); or ``kept``.
    """
    verdict, kind = row["Verdict"], str(row.get("Kind") or "")
    if verdict in VERDICTS:
        return verdict, VERDICTS[verdict]
    if not row["revision"]:
        return "building", BUILDING
    for name, known in (("document", DOCUMENTS), ("overlay", OVERLAYS)):
        if kind in known:
            return name, known[kind]
    return ("header", HEADER) if kind in HEADERS or kind.endswith(" object") else ("kept", KEPT)


def thumbnail(row: Mapping[str, Any]) -> str:
    """Where the picture of a series is: of its volume or, until there is one, of the image that came first."""
    if row["Verdict"]:
        return f"thumbnails/{row['key']}/{row['revision']}.png"
    return "" if row["revision"] else f"thumbnails/{row['key']}/received.png"


def number(value: float, digits: int = 2) -> str:
    """A number without needless zeros, with a true minus sign."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
    return text.replace("-", "−") if text not in ("-0", "") else "0"


def passport_facts(passport: Passport) -> list[tuple[str, str]]:
    """A passport as pairs of what and how much, of what is worth telling."""
    slices, rows, columns = passport.shape
    facts = [("Verdict", VERDICTS[passport.verdict]), ("Why", passport.reason)]
    facts.append(("Size", f"{columns} × {rows} × {slices} (columns × rows × slices)"))
    for dimension in passport.dimensions:
        if dimension.keyword == "PhotometricInterpretation":
            facts.append(("Colour", ", ".join(map(str, dimension.values))))
            continue
        name = dimension.name.replace("_", " ").capitalize()
        facts.append((name, f"{len(dimension.values)} values, by {dimension.keyword or 'order'}"))
    facts += [(f"Level {level.share}", f"object {level.sop_instance_uid}") for level in passport.levels]
    if passport.blank:
        facts.append(("Not decoded", f"{len(passport.blank)} images, wholly or in part"))
    if passport.calibration != "none":
        where = " at the detector" if passport.calibration == "detector" else ""
        _, row_step, column_step = passport.spacing
        facts.append(("Pixel spacing", f"{number(row_step, 4)} × {number(column_step, 4)} mm{where}"))
    if passport.step_normal is not None and slices > 1:
        facts.append(("Slice step", f"{number(passport.spacing[0], 4)} mm"))
    if passport.tilt >= passport.tolerance.angle:
        facts.append(("Tilt", f"{number(passport.tilt)}°"))
    if passport.gaps:
        missing = sum(gap.missing for gap in passport.gaps)
        facts.append(("Missing slices", f"{missing}, after slice {', '.join(str(gap.after) for gap in passport.gaps)}"))
    if passport.duplicates:
        facts.append(("Duplicates", f"{len(passport.duplicates)} objects at a place that is taken"))
    if passport.candidates:
        facts.append(("Ambiguous", f"may be ordered by {', '.join(passport.candidates)}"))
    if passport.affine is not None:
        facts.append(("Largest residual", f"{number(passport.residual, 4)} mm"))
    return facts
