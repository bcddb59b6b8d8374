"""Measurements out of a content tree: TID 1500 and its kin, and radiation dose, as rows (PS3.16 §A)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from pacs_panel.overlay.documents.fields import Code, Referenced

if TYPE_CHECKING:
    from pacs_panel.overlay.documents.report import Node

# Concept names (PS3.16 §D, and SNOMED CT with its older SRT twin) that say what a measurement is of.
CONTEXT = {
    ("112039", "DCM"): "tracking_id",
    ("112040", "DCM"): "tracking_uid",
    ("121071", "DCM"): "finding",
    ("276214006", "SCT"): "category",
    ("G-C0E3", "SRT"): "site",
    ("363698007", "SCT"): "site",
    ("272741003", "SCT"): "laterality",
    ("G-C171", "SRT"): "laterality",
    ("C2348792", "UMLS"): "time_point",
    ("126070", "DCM"): "time_point",
    ("126071", "DCM"): "time_point",
    ("370129005", "SCT"): "method",
    ("G-C036", "SRT"): "method",
    ("121401", "DCM"): "derivation",
}
GROUP = ("125007", "DCM")
LIBRARY = ("111028", "DCM")  # tells what images are like, such as their rows and columns
OF_NUMBER = frozenset({"method", "derivation", "site", "laterality", "finding", "category"})


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured quantity, or one coded evaluation.

    Attributes
    ----------
    position : tuple of int
        Its content item.
    group : str
        Concept names of the containers around it, without the report itself.
    tracking_id, tracking_uid, finding, category, site, laterality, time_point : str
        What it is of, as it or the nearest container around it says.
    quantity : Code, optional
        What was measured or judged.
    value : float, optional
        ``None`` for an evaluation, or where the report says that there is no value.
    text : str
        The value in words, with its unit.
    unit, method, derivation : str
        Unit as UCUM code where it is one.
    references : tuple of Referenced
        Images and segments that it was made on.
    """

    position: tuple[int, ...]
    group: str = ""
    tracking_id: str = ""
    tracking_uid: str = ""
    finding: str = ""
    category: str = ""
    site: str = ""
    laterality: str = ""
    time_point: str = ""
    quantity: Code | None = None
    value: float | None = None
    text: str = ""
    unit: str = ""
    method: str = ""
    derivation: str = ""
    references: tuple[Referenced, ...] = ()

    def row(self) -> dict[str, Any]:
        """The measurement as plain values for a table."""
        values: dict[str, Any] = {name: getattr(self, name) for name in _NAMES}
        values |= {
            "position": ".".join(map(str, self.position)),
            "quantity": str(self.quantity or ""),
            "references": [one.sop_instance_uid for one in self.references],
            "segments": [number for one in self.references for number in one.segments],
        }
        return values


_NAMES = tuple(f.name for f in fields(Measurement))
COLUMNS = (*_NAMES, "segments")


def measurements(root: Node) -> tuple[Measurement, ...]:
    """Every number of a content tree but of its image library, and every coded evaluation in a measurement group."""
    return tuple(_below(root, Measurement(()), ()))


def _below(node: Node, context: Measurement, names: tuple[str, ...]) -> Iterator[Measurement]:
    group = _key(node) == GROUP
    context = replace(_within(context, node), references=_references(node) or context.references)
    for child in node.children:
        if child.type == "NUM":
            yield _measured(child, context, names)
        elif group and child.type == "CODE" and not _meaning(child):
            yield replace(
                context, position=child.position, group=" / ".join(names), quantity=child.name, text=child.value
            )
        if child.children and child.type != "CODE" and _key(child) != LIBRARY:
            name = (str(child.name or ""),) if child.type == "CONTAINER" else ()
            yield from _below(child, context, names + name)


def _measured(node: Node, context: Measurement, names: tuple[str, ...]) -> Measurement:
    own = _within(context, node, OF_NUMBER)
    unit = ""
    if node.unit is not None:
        unit = node.unit.value if node.unit.scheme == "UCUM" else str(node.unit)
    return replace(
        own,
        position=node.position,
        group=" / ".join(names),
        quantity=node.name,
        value=node.number,
        text=node.value,
        unit=unit,
        references=_references(node) or context.references,
    )


def _within(context: Measurement, node: Node, only: frozenset[str] | None = None) -> Measurement:
    """``context`` as a node's own children change it."""
    told: dict[str, str] = {}
    for child in node.children:
        name = _meaning(child)
        if name and child.value and (only is None or name in only):
            told.setdefault(name, child.value)
            if name == "site":
                told |= {inner: c.value for c in child.children if (inner := _meaning(c)) == "laterality"}
    changes: Mapping[str, Any] = told
    return replace(context, **changes) if told else context


def _meaning(node: Node) -> str:
    """The field of `Measurement` that a node fills; empty where none."""
    if node.name is not None and node.name.meaning.lower() == "finding category":  # its code varies
        return "category"
    return CONTEXT.get(_key(node), "")


def _key(node: Node) -> tuple[str, str]:
    return (node.name.value, node.name.scheme) if node.name else ("", "")


def _references(node: Node) -> tuple[Referenced, ...]:
    """What a node's children refer to, also through a region drawn on an image."""
    direct = [one for child in node.children if child.type not in ("NUM", "CONTAINER") for one in child.references]
    drawn = [
        one
        for child in node.children
        if child.type in ("SCOORD", "SCOORD3D", "TCOORD")
        for inner in child.children
        for one in inner.references
    ]
    return tuple(dict.fromkeys(direct + drawn))
