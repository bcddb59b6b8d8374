"""Each kind of document in the form that suits it.

The values come from whatever archive the page is of; a kind is known by the name of its class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pacs_panel.view.document.blocks import Block, Fact, download, pdf, table, tree, waves, words
from pacs_panel.view.words import day, number

Drawn = tuple[list[Fact], list[Block]]


def form(document: Any, address: str) -> Drawn:
    """A document as pairs of words for the panel beside it, and as blocks for the page.

    Parameters
    ----------
    document : object
        With ``head``; of a class that `FORMS` names, else only its head and ``sentence`` are told.
    address : str
        What stands before ``/content`` and ``/waveform/…`` of this object.
    """
    head = document.head
    when = f"{day(head.date)} {_clock(head.time)}".strip() if head.date else ""
    facts, blocks = FORMS.get(type(document).__name__, _other)(document, address)
    pairs = [*facts, ("Content date", when), ("Made by", head.manufacturer), ("Object UID", head.sop_instance_uid)]
    return [(name, text) for name, text in pairs if text], blocks


def _clock(time: str) -> str:
    return f"{time[:2]}:{time[2:4]}" if time[:4].isdigit() and len(time) >= 4 else ""


def _report(one: Any, _: str) -> Drawn:
    found = one.measurements()
    rows = [
        (
            m.quantity,
            m.text,
            m.derivation.lower(),
            _joined(m.laterality, m.site or m.finding, by=" "),
            m.tracking_id,
            m.time_point,
            m.method,
            m.group,
        )
        for m in found
    ]
    columns = ("What", "Value", "Derivation", "Of", "Tracked as", "Time point", "Method", "In")
    facts = [
        ("Title", one.title),
        ("Template", f"TID {one.template}" if one.template else ""),
        ("State", _joined(one.completion.lower(), one.verification.lower())),
        ("Verified by", ", ".join(one.observers)),
    ]
    return facts, [*table("Measurements", columns, rows), tree("Content", one.root)]


def _presentation(one: Any, _: str) -> Drawn:
    windows = [
        (
            f"table {w.explanation}".strip() if w.table else w.explanation,
            _plain(w.centre),
            _plain(w.width),
            w.function,
            len(w.images) or "all",
        )
        for w in one.windows
    ]
    drawn = [(g.shape.lower(), g.layer, len(g.points), "filled" if g.filled else "") for g in one.graphics]
    turned = [f"by {one.rotation}° clockwise"] if one.rotation else []
    facts = [
        ("Label", one.label),
        ("Turned", _joined(*turned, "mirrored" if one.flipped else "")),
        ("Grey scale", one.shape.lower()),
        ("Colours", one.palette),
        ("Blends", "; ".join(one.blending)),
        ("Shutter", ", ".join(one.shutters)),
        ("Layers", ", ".join(one.layers)),
    ]
    where = "It can be chosen above the images that it refers to; what of it is not applied is told there."
    return facts, [
        *words("What", one.text),
        *words("Where it is applied", where if one.images else ""),
        *table("Windows", ("Name", "Centre", "Width", "Function", "Images"), windows),
        *table("Figures", ("Shape", "Layer", "Points", "Filled"), drawn),
        *table("Texts", ("Text", "Layer"), [(label.text, label.layer) for label in one.labels]),
    ]


def _selection(one: Any, _: str) -> Drawn:
    facts = [("Title", one.title), ("Reasons", ", ".join(one.reasons))]
    rows = [(named.sop_instance_uid, _numbers(named.frames), named.series_uid) for named in one.objects]
    return facts, [*words("What", one.text), *table("Marked objects", ("Object UID", "Frames", "Series UID"), rows)]


def _encapsulated(one: Any, address: str) -> Drawn:
    surface, content = one.surface, f"{address}/content"
    facts = [("Title", one.title), ("Is", str(one.concept or "")), ("Media type", one.media_type), ("Note", one.note)]
    blocks: list[Block] = []
    if surface is not None:
        facts.append(("Triangles", f"{surface.triangles:,}"))
        names = ("x", "y", "z")
        rows = [
            (name, _plain(low), _plain(high), _plain(high - low))
            for name, low, high in zip(names, surface.lower or (), surface.upper or (), strict=False)
        ]
        blocks = table(f"Bounds{f' in {one.unit}' if one.unit else ''}", ("Axis", "From", "To", "Extent"), rows)
        blocks += words("Note", surface.note)
    if one.data:
        blocks.append(download(one.title or one.head.kind, f"{content}?download=1", len(one.data)))
    if one.media_type == "application/pdf" and one.data:
        blocks.append(pdf(one.title or "PDF", content))
    return facts, blocks


def _waveforms(one: Any, address: str) -> Drawn:
    facts: list[Fact] = [("Acquired", _moment(one.acquired))]
    for at, group in enumerate(one.groups, 1):
        length = (
            f"{number(group.samples / group.frequency)} s at {_plain(group.frequency)} Hz" if group.frequency else ""
        )
        facts.append((f"Group {at}", _joined(f"{len(group.channels)} channels", length)))
    remarks = [(r.text, _numbers(r.samples)) for r in one.remarks if r.text]
    plots = [waves(group, at, address) for at, group in enumerate(one.groups) if group.channels and group.frequency > 0]
    return facts, [*plots, *table("Remarks", ("Text", "At samples"), remarks)]


def _plan(one: Any, _: str) -> Drawn:
    beams = [
        (
            beam.number,
            beam.name,
            _joined(beam.type.lower(), beam.radiation.lower()),
            _range(beam.energy),
            _joined(_plain(beam.meterset), beam.unit, by=" ") if beam.meterset is not None else "",
            beam.control_points,
            _range(beam.gantry, "°"),
            _range(beam.collimator, "°"),
            _range(beam.couch, "°"),
            ", ".join(map(_plain, beam.isocentre or ())),
            beam.machine,
        )
        for beam in one.beams
    ]
    columns = ("No.", "Beam", "Kind", "Energy (MV, MeV)", "Meterset", "Control points", "Gantry", "Collimator", "Couch",
               "Isocentre (LPS mm)", "Machine")  # fmt: skip
    wanted = [
        (p.description or p.place, p.kind.lower().replace("_", " "), *map(_plain, (p.prescribed, p.minimum, p.maximum)))
        for p in one.prescriptions
    ]
    groups = [
        (group.number, group.fractions, b.beam, _plain(b.meterset), _plain(b.dose))
        for group in one.groups
        for b in group.beams or (_NO_BEAM,)
    ]
    facts = [
        ("Label", one.label),
        ("Name", "" if one.name == one.label else one.name),
        ("Planned", day(one.planned)),
        ("Intent", one.intent.lower()),
        ("Approval", one.approval.lower()),
        ("Geometry", one.geometry.lower()),
    ]
    return facts, [
        *words("What", one.description),
        *table("Prescriptions", ("To", "Kind", "Prescribed (Gy)", "Minimum (Gy)", "Maximum (Gy)"), wanted),
        *table("Fractions", ("Group", "Fractions", "Beam", "Meterset", "Dose (Gy)"), groups),
        *table("Beams", columns, beams),
    ]


class _NoBeam:
    """A group of fractions that tells of no beam."""

    beam, meterset, dose = "", None, None


_NO_BEAM = _NoBeam()


def _record(one: Any, _: str) -> Drawn:
    rows = [
        (b.beam, b.name, b.fraction or "", b.status.lower(), _plain(b.specified), _plain(b.delivered))
        for b in one.beams
    ]
    columns = ("No.", "Beam", "Fraction", "Ended", "Specified", "Delivered")
    return [("Treated", day(one.treated)), ("Machine", one.machine)], table("Delivered beams", columns, rows)


def _maps(one: Any, _: str) -> Drawn:
    rows = [
        (
            m.label,
            m.explanation,
            m.quantity,
            m.unit,
            f"{_plain(m.first)} to {_plain(m.last)}" if m.first is not None else "",
            _line(m.slope, m.intercept or 0.0) if m.slope is not None else "",
            ", ".join(map(_plain, m.table[:8])) + (" …" if len(m.table) > 8 else ""),
            len(m.images),
        )
        for m in one.maps
    ]
    columns = ("Label", "What", "Quantity", "Unit", "Of stored", "Value", "Table", "Images")
    return [("Label", one.label)], table("Real world values", columns, rows)


def _line(slope: float, intercept: float) -> str:
    shift = f" {'−' if intercept < 0 else '+'} {_plain(abs(intercept))}" if intercept else ""
    return f"stored × {_plain(slope)}{shift}"


def _annotations(one: Any, _: str) -> Drawn:
    rows = [
        (g.number, g.label, g.description, g.category, g.type, g.graphic.lower(), f"{g.count:,}",
         g.generation.lower(), ", ".join(g.measurements))
        for g in one.groups
    ]  # fmt: skip
    columns = ("No.", "Group", "What", "Category", "Type", "Figures", "Count", "Made", "Measured")
    return [("Label", one.label), ("Coordinates", one.coordinates)], table("Groups", columns, rows)


def _registration(one: Any, _: str) -> Drawn:
    blocks: list[Block] = []
    for at, transform in enumerate(one.transforms, 1):
        kinds = ", ".join(dict.fromkeys(kind.lower().replace("_", " ") for kind in transform.kinds))
        whence = f"from {transform.source}" if transform.source else ""
        grid = transform.grid
        size = f"a grid of {' × '.join(map(str, grid.shape))} displacements" if grid else ""
        missing = "" if transform.matrix else "its matrix cannot be read"
        blocks += words(f"Transform {at}", _joined(kinds, whence, size, missing))
        for title, matrix in (("Matrix", transform.matrix), ("Matrix after the grid", transform.after)):
            rows = [[_plain(value) for value in row] for row in matrix or ()]
            blocks += table(title, ("x", "y", "z", "shift"), rows)
    return [("Label", one.label), ("Into frame of reference", one.frame_of_reference)], blocks


def _other(one: Any, _: str) -> Drawn:
    return [], words("What this is", getattr(one, "sentence", ""))


def _joined(*parts: str, by: str = ", ") -> str:
    return by.join(filter(None, parts))


def _numbers(numbers: tuple[int, ...]) -> str:
    more = " …" if len(numbers) > 20 else ""
    return ", ".join(map(str, numbers[:20])) + more


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}".replace("-", "−", 1) if value < 0 else f"{value + 0.0:.6g}"


def _range(ends: tuple[float, float] | None, unit: str = "") -> str:
    return " to ".join(dict.fromkeys(f"{_plain(round(end, 3))}{unit}" for end in ends or ()))


def _moment(text: str) -> str:
    return _joined(day(text[:8]), _clock(text[8:]), by=" ")


FORMS: dict[str, Callable[[Any, str], Drawn]] = {
    "StructuredReport": _report,
    "PresentationState": _presentation,
    "KeyObjects": _selection,
    "Encapsulated": _encapsulated,
    "Waveforms": _waveforms,
    "Plan": _plan,
    "TreatmentRecord": _record,
    "ValueMaps": _maps,
    "Annotations": _annotations,
    "Registration": _registration,
}
