"""Structured reports: the content tree as frozen nodes (PS3.3 §C.17.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydicom import Dataset

from pacs_panel.dicom.dataset import number_of, numbers_of, text_of
from pacs_panel.errors import TooLarge
from pacs_panel.overlay.documents.fields import (
    Code,
    Head,
    Referenced,
    code,
    evidence,
    head,
    integers,
    item,
    items,
    person,
    plain,
    references,
)
from pacs_panel.overlay.documents.measurements import COLUMNS, Measurement, measurements
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

MAX_NODES = 100_000
SYMBOLS = {"[hnsf'U]": "HU", "um": "µm", "um2": "µm²", "mm2": "mm²", "mm3": "mm³", "cm2": "cm²", "cm3": "cm³"}
TEXTS = {"DATETIME": "DateTime", "DATE": "Date", "TIME": "Time", "UIDREF": "UID", "TEXT": "TextValue"}


@dataclass(frozen=True, slots=True)
class Node:
    """One content item.

    Attributes
    ----------
    position : tuple of int
        Where in the tree: ``(1,)`` is the root, ``(1, 2)`` its second child (PS3.3 §C.17.3.2.5).
    relationship : str
        To its parent, such as ``CONTAINS``; empty for the root.
    type : str
        Value Type, such as ``NUM``; ``BY REFERENCE`` for an item that points at another one of the tree.
    name : Code, optional
        Concept name.
    value : str
        In words: text, a code's meaning, a number with its unit, a person's name, what an image is.
    code : Code, optional
        Of a ``CODE``; of a ``NUM`` without a number, why there is none.
    number : float, optional
    unit : Code, optional
    references : tuple of Referenced
        Of ``IMAGE``, ``COMPOSITE`` and ``WAVEFORM``.
    graphic : str
        Graphic Type of ``SCOORD`` and ``SCOORD3D``.
    points : tuple of tuple of float
        ``SCOORD``: (column, row) of pixel centres counted from 0, sub-pixel; ``SCOORD3D``: LPS mm in
        ``frame_of_reference``.
    frame_of_reference : str
    target : tuple of int
        Position that an item ``BY REFERENCE`` points at.
    children : tuple of Node
    """

    position: tuple[int, ...]
    relationship: str
    type: str
    name: Code | None = None
    value: str = ""
    code: Code | None = None
    number: float | None = None
    unit: Code | None = None
    references: tuple[Referenced, ...] = ()
    graphic: str = ""
    points: tuple[tuple[float, ...], ...] = ()
    frame_of_reference: str = ""
    target: tuple[int, ...] = ()
    children: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """The node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class StructuredReport:
    """A report, of findings, measurements or radiation dose.

    Attributes
    ----------
    head : Head
    title : str
    template : str
        Template Identifier, such as ``1500``; empty where unknown.
    completion, verification : str
        Completion Flag, Verification Flag.
    observers : tuple of str
        Who verified it.
    root : Node
    evidence : tuple of Referenced
        Objects that it is based on.
    """

    head: Head
    title: str
    template: str
    completion: str
    verification: str
    observers: tuple[str, ...]
    root: Node = field(repr=False)
    evidence: tuple[Referenced, ...] = field(default=(), repr=False)

    def measurements(self) -> tuple[Measurement, ...]:
        """Every measured number, and every coded evaluation in a measurement group, with what it is of."""
        return measurements(self.root)

    def to_frame(self) -> pd.DataFrame:
        """The measurements as a table, one row each; references are SOP Instance UIDs."""
        import pandas as pd

        rows = [measurement.row() for measurement in self.measurements()]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def report(dataset: Dataset, settings: Settings) -> StructuredReport:
    """A report from its data set.

    Raises
    ------
    TooLarge
        More than `MAX_NODES` content items, or deeper than the settings allow.
    """
    root, based_on = tree(dataset, settings), tuple(evidence(dataset))
    observers = (text_of(one, "VerifyingObserverName") for one in items(dataset, "VerifyingObserverSequence"))
    return StructuredReport(
        head(dataset),
        str(root.name or ""),
        text_of(item(dataset, "ContentTemplateSequence"), "TemplateIdentifier"),
        text_of(dataset, "CompletionFlag"),
        text_of(dataset, "VerificationFlag"),
        tuple(person(name) for name in observers),
        root,
        based_on,
    )


def tree(dataset: Dataset, settings: Settings) -> Node:
    """The content tree of a data set; references gain the series and study that the evidence tells."""
    places = {one.sop_instance_uid: (one.series_uid, one.study_uid) for one in evidence(dataset)}
    return _Reader(settings.max_depth, places).node(dataset, (1,), "")


class _Reader:
    """Counts nodes, so that no file can make more of them than there is memory for."""

    def __init__(self, depth: int, places: dict[str, tuple[str, str]]) -> None:
        self.depth, self.places, self.count = depth, places, 0

    def node(self, one: Dataset, position: tuple[int, ...], relationship: str) -> Node:
        self.count += 1
        if self.count > MAX_NODES or len(position) > self.depth:
            raise TooLarge("the content tree has more items, or is deeper, than is read")
        children = tuple(
            self.node(child, (*position, number), text_of(child, "RelationshipType"))
            for number, child in enumerate(items(one, "ContentSequence"), 1)
        )
        target = integers(one, "ReferencedContentItemIdentifier")
        kind = text_of(one, "ValueType") or ("BY REFERENCE" if target else "")
        found = Node(position, relationship, kind, code(one, "ConceptNameCodeSequence"), children=children)
        if target:
            return replace(found, target=target, value=f"item {'.'.join(map(str, target))}")
        return self.valued(found, one)

    def valued(self, node: Node, one: Dataset) -> Node:
        if node.type == "NUM":
            return _number(node, one)
        if node.type == "CODE":
            concept = code(one, "ConceptCodeSequence")
            return replace(node, code=concept, value=str(concept or ""))
        if node.type == "PNAME":
            return replace(node, value=person(text_of(one, "PersonName")))
        if node.type in TEXTS:
            return replace(node, value=text_of(one, TEXTS[node.type]))
        if node.type in ("IMAGE", "COMPOSITE", "WAVEFORM"):
            return self.referring(node, one)
        if node.type in ("SCOORD", "SCOORD3D"):
            return _graphic(node, one)
        if node.type == "TCOORD":
            return replace(node, value=_times(one))
        return node

    def referring(self, node: Node, one: Dataset) -> Node:
        found = tuple(
            replace(r, series_uid=series, study_uid=study)
            for r in references(one, "ReferencedSOPSequence")
            for series, study in (self.places.get(r.sop_instance_uid, ("", "")),)
        )
        return replace(node, references=found, value="; ".join(map(named, found)))


def named(reference: Referenced) -> str:
    """A reference in words."""
    more = [f"frames {', '.join(map(str, reference.frames))}"] if reference.frames else []
    more += [f"segments {', '.join(map(str, reference.segments))}"] if reference.segments else []
    return f"object {reference.sop_instance_uid}" + (f" ({'; '.join(more)})" if more else "")


def _number(node: Node, one: Dataset) -> Node:
    measured = item(one, "MeasuredValueSequence")
    number = number_of(measured, "FloatingPointValue")  # more exact than 16 characters of decimal, where it is there
    number = number_of(measured, "NumericValue") if number is None else number
    unit = code(measured, "MeasurementUnitsCodeSequence")
    if number is None:
        why = code(one, "NumericValueQualifierCodeSequence")
        return replace(node, unit=unit, code=why, value=str(why or "no value"))
    return replace(node, number=number, unit=unit, value=plain(number, unit_text(unit)))


def unit_text(unit: Code | None) -> str:
    """A unit as it is written behind a number: UCUM's symbol; nothing for a pure number."""
    if unit is None or (unit.scheme, unit.value) == ("UCUM", "1"):
        return ""
    if unit.scheme != "UCUM" or (unit.value.startswith("{") and unit.value.endswith("}")):
        return unit.meaning or unit.value.strip("{}")
    return SYMBOLS.get(unit.value, unit.value)


def _graphic(node: Node, one: Dataset) -> Node:
    width = 3 if node.type == "SCOORD3D" else 2
    numbers = numbers_of(one, "GraphicData") or ()
    shift = 0.0 if width == 3 else 0.5  # DICOM counts from the first pixel's corner (PS3.3 §C.18.6.1.1)
    points = tuple(
        tuple(number - shift for number in numbers[at : at + width])
        for at in range(0, len(numbers) - len(numbers) % width, width)
    )
    graphic = text_of(one, "GraphicType")
    words = f"{graphic.lower()} of {len(points)} point{'' if len(points) == 1 else 's'}"
    frame = text_of(one, "ReferencedFrameOfReferenceUID")
    return replace(node, graphic=graphic, points=points, frame_of_reference=frame, value=words)


def _times(one: Dataset) -> str:
    kind = text_of(one, "TemporalRangeType").lower()
    for keyword, unit in (("ReferencedTimeOffsets", "s"), ("ReferencedSamplePositions", "samples")):
        if values := numbers_of(one, keyword):
            return f"{kind}: {', '.join(plain(v) for v in values)} {unit}"
    return ": ".join(filter(None, (kind, text_of(one, "ReferencedDateTime").replace("\\", ", "))))
