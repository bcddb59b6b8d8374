"""Key facts of a document in words, for a panel beside it. All of it is text, never markup."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pacs_panel.overlay.documents.annotation import Annotations
from pacs_panel.overlay.documents.encapsulated import Encapsulated
from pacs_panel.overlay.documents.fields import Head, Referenced, plain
from pacs_panel.overlay.documents.mapping import ValueMap, ValueMaps
from pacs_panel.overlay.documents.plan import Beam, Plan, TreatmentRecord
from pacs_panel.overlay.documents.presentation import PresentationState
from pacs_panel.overlay.documents.read import Document, HeaderOnly
from pacs_panel.overlay.documents.registration import Registration
from pacs_panel.overlay.documents.report import StructuredReport, unit_text
from pacs_panel.overlay.documents.selection import KeyObjects
from pacs_panel.overlay.documents.waveform import Waveforms

Fact = tuple[str, str]
MOST = 20  # of what is listed one a line


def summary(document: Document) -> list[Fact]:
    """Names and values, both to be shown as text; what is unknown is left out."""
    facts = [*_head(document.head), *SUMMARIES[type(document)](document)]
    return [(name, value) for name, value in facts if value]


def count(number: int, one: str, several: str = "") -> str:
    """``1 image``, ``2 images``; empty for none."""
    return f"{number} {one if number == 1 else several or one + 's'}" if number else ""


def date(text: str) -> str:
    """``20250131`` as ``2025-01-31``; anything else as it is."""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 8 and text.isdigit() else text


def _head(head: Head) -> list[Fact]:
    time = f" {head.time[:2]}:{head.time[2:4]}" if head.time[:4].isdigit() and len(head.time) >= 4 else ""
    return [
        ("Kind", head.kind),
        ("Description", head.description),
        ("Date", date(head.date) + time if head.date else ""),
        ("Made by", head.manufacturer),
    ]


def _report(one: StructuredReport) -> list[Fact]:
    found = one.measurements()
    facts = [
        ("Title", one.title),
        ("Template", f"TID {one.template}" if one.template else ""),
        ("State", ", ".join(filter(None, (one.completion.lower(), one.verification.lower())))),
        ("Verified by", ", ".join(one.observers)),
        ("Content", count(sum(1 for _ in one.root.walk()), "item")),
        ("Measurements", count(sum(m.value is not None for m in found), "value")),
        ("Based on", _objects(one.evidence)),
    ]
    for each in found[:MOST]:
        what = " ".join(filter(None, (each.laterality, each.site or each.finding)))
        name = ", ".join(filter(None, (str(each.quantity or "Value"), each.derivation.lower())))
        facts.append((f"{name} ({what})" if what else name, each.text))
    return [*facts, _more(len(found))]


def _presentation(one: PresentationState) -> list[Fact]:
    windows = [
        f"table {w.explanation}".strip() if w.table else f"{plain(w.centre)} / {plain(w.width)} {w.explanation}".strip()
        for w in one.windows
    ]
    turned = [f"turned by {one.rotation}°"] if one.rotation else []
    turned += ["mirrored"] if one.flipped else []
    return [
        ("Label", one.label),
        ("What", one.text),
        ("Shows", _objects(one.images)),
        ("Window (centre / width)", "; ".join(windows)),
        ("Turned", ", ".join(turned)),
        ("Grey scale", one.shape.lower()),
        ("Colours", one.palette),
        ("Blends", "; ".join(one.blending)),
        ("Shutter", ", ".join(one.shutters)),
        ("Layers", ", ".join(one.layers)),
        ("Drawn", ", ".join(filter(None, (count(len(one.graphics), "figure"), count(len(one.labels), "text"))))),
        *((f"Text {n}", label.text) for n, label in enumerate(one.labels[:MOST], 1)),
    ]


def _selection(one: KeyObjects) -> list[Fact]:
    return [
        ("Title", one.title),
        ("Reasons", ", ".join(one.reasons)),
        ("What", one.text),
        ("Marks", _objects(one.objects)),
    ]


def _encapsulated(one: Encapsulated) -> list[Fact]:
    surface, size = one.surface, ""
    if surface and surface.lower and surface.upper:
        edges = (high - low for low, high in zip(surface.lower, surface.upper, strict=True))
        size = f"{' × '.join(plain(edge) for edge in edges)} {one.unit}".strip()
    return [
        ("Title", one.title),
        ("Is", str(one.concept or "")),
        ("Media type", one.media_type),
        ("Size", count(len(one.data), "byte")),
        ("Surface", count(surface.triangles, "triangle") if surface else ""),
        ("Extent", size),
        ("Made from", _objects(one.sources)),
        ("Note", "; ".join(filter(None, (one.note, surface.note if surface else "")))),
    ]


def _waveforms(one: Waveforms) -> list[Fact]:
    facts = [("Acquired", one.acquired)]
    for number, group in enumerate(one.groups, 1):
        length = f"{plain(group.samples / group.frequency)} s at {plain(group.frequency)} Hz" if group.frequency else ""
        words = [count(len(group.channels), "channel"), length, group.note]
        facts.append((f"Group {number} {group.label}".strip(), ", ".join(filter(None, words))))
        facts.append((f"Channels {number}", ", ".join(channel.label for channel in group.channels)))
    whole = [remark.text for remark in one.remarks if not remark.samples and remark.text]
    return [*facts, *((f"Remark {n}", text) for n, text in enumerate(whole[:MOST], 1)), _more(len(whole))]


def _plan(one: Plan) -> list[Fact]:
    doses = [f"{plain(p.prescribed, 'Gy')} to {p.description or p.place}" for p in one.prescriptions if p.prescribed]
    groups = [
        ", ".join(filter(None, (count(g.fractions, "fraction"), count(len(g.beams), "beam")))) for g in one.groups
    ]
    return [
        ("Label", one.label),
        ("Name", "" if one.name == one.label else one.name),
        ("What", one.description),
        ("Planned", date(one.planned)),
        ("Intent", one.intent.lower()),
        ("Approval", one.approval.lower()),
        ("Prescribed", "; ".join(doses)),
        ("Fractions", "; ".join(groups)),
        ("Contours", _objects(one.structure_sets)),
        ("Dose", _objects(one.doses)),
        *((f"Beam {beam.number} {beam.name}".strip(), _beam(beam)) for beam in one.beams[:MOST]),
        _more(len(one.beams)),
    ]


def _beam(one: Beam) -> str:
    def turn(name: str, angles: tuple[float, float] | None) -> str:
        if angles is None:
            return ""
        first, last = (plain(round(angle, 3) + 0.0) for angle in angles)
        return f"{name} {first}°" + (f" to {last}°" if last != first else "")

    energy = "" if one.energy is None else " to ".join(dict.fromkeys(plain(e) for e in one.energy))
    unit = {"PHOTON": "MV", "ELECTRON": "MeV", "PROTON": "MeV", "ION": "MeV per nucleon"}.get(one.radiation, "")
    words = [
        one.type.lower(),
        one.radiation.lower(),
        f"{energy} {unit}".strip() if energy else "",
        plain(one.meterset, one.unit),
        count(one.control_points, "control point"),
        turn("gantry", one.gantry),
        turn("collimator", one.collimator),
        turn("couch", one.couch),
        one.machine,
    ]
    return ", ".join(filter(None, words))


def _record(one: TreatmentRecord) -> list[Fact]:
    beams = (
        (
            f"Beam {beam.beam} {beam.name}".strip(),
            ", ".join(
                filter(
                    None,
                    (
                        f"fraction {beam.fraction}" if beam.fraction else "",
                        f"{plain(beam.delivered)} of {plain(beam.specified) or 'unknown'}" if beam.delivered else "",
                        beam.status.lower(),
                    ),
                )
            ),
        )
        for beam in one.beams[:MOST]
    )
    return [("Treated", date(one.treated)), ("Machine", one.machine), ("Plan", _objects(one.plans)), *beams]


def _maps(one: ValueMaps) -> list[Fact]:
    facts = [(f"Map {n} {m.label}".strip(), _map(m)) for n, m in enumerate(one.maps[:MOST], 1)]
    return [("Label", one.label), *facts, _more(len(one.maps))]


def _map(one: ValueMap) -> str:
    unit = unit_text(one.unit)
    if one.slope is not None:
        shift = one.intercept or 0.0
        added = f" {'-' if shift < 0 else '+'} {plain(abs(shift))}" if shift else ""
        rule = f"stored × {plain(one.slope)}{added} {unit}".strip()
    else:
        rule = f"table of {count(len(one.table), 'value')} {unit}".strip() if one.table else unit
    span = f"for stored {plain(one.first)} to {plain(one.last)}" if one.first is not None else ""
    return ", ".join(filter(None, (str(one.quantity or ""), one.explanation, rule, span, _objects(one.images))))


def _annotations(one: Annotations) -> list[Fact]:
    groups = [
        (
            f"Group {group.number} {group.label}".strip(),
            ", ".join(
                filter(None, (count(group.count, group.graphic.lower()), str(group.type or ""), *group.measurements))
            ),
        )
        for group in one.groups[:MOST]
    ]
    return [("Label", one.label), ("Drawn on", _objects(one.images)), *groups, _more(len(one.groups))]


def _registration(one: Registration) -> list[Fact]:
    facts = [("Label", one.label), ("Into frame of reference", one.frame_of_reference)]
    for number, transform in enumerate(one.transforms[:MOST], 1):
        kinds = ", ".join(dict.fromkeys(kind.lower().replace("_", " ") for kind in transform.kinds))
        words = [kinds, "grid of displacements" if transform.grid else "", "" if transform.matrix else "no matrix"]
        whence = f"from {transform.source}" if transform.source else ""
        facts.append((f"Transform {number}", ", ".join(filter(None, (*words, whence, _objects(transform.images))))))
    return facts


def _header(one: HeaderOnly) -> list[Fact]:
    return [("What", one.sentence)]


def _objects(found: Iterable[Referenced]) -> str:
    """How many objects, in how many series as far as that is known."""
    named = list(found)
    series = {one.series_uid for one in named if one.series_uid}
    within = f" of {count(len(series), 'series', 'series')}" if series else ""
    return count(len({one.sop_instance_uid for one in named}), "object") + within


def _more(number: int) -> Fact:
    return ("And", f"{number - MOST} more" if number > MOST else "")


SUMMARIES: dict[type, Callable[[Any], list[Fact]]] = {
    StructuredReport: _report,
    PresentationState: _presentation,
    KeyObjects: _selection,
    Encapsulated: _encapsulated,
    Waveforms: _waveforms,
    Plan: _plan,
    TreatmentRecord: _record,
    ValueMaps: _maps,
    Annotations: _annotations,
    Registration: _registration,
    HeaderOnly: _header,
}
