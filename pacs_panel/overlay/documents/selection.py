"""Key object selections: instances that somebody marked, and why (PS3.3 §A.35.4, PS3.16 TID 2010)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

from pacs_panel.overlay.documents.fields import Head, Referenced, evidence, head
from pacs_panel.overlay.documents.report import tree
from pacs_panel.settings import Settings

DESCRIPTION = ("113012", "DCM")
MODIFIER = ("113011", "DCM")


@dataclass(frozen=True, slots=True)
class KeyObjects:
    """Marked objects.

    Attributes
    ----------
    head : Head
    title : str
        Such as ``Of Interest`` or ``Rejected for Quality Reasons``.
    reasons : tuple of str
        Document Title Modifiers.
    text : str
        Key Object Description.
    objects : tuple of Referenced
        What is marked.
    """

    head: Head
    title: str
    reasons: tuple[str, ...]
    text: str
    objects: tuple[Referenced, ...]


def selection(dataset: Dataset, settings: Settings) -> KeyObjects:
    """A key object selection from its data set; where its tree names nothing, what its evidence names."""
    root = tree(dataset, settings)
    named = [(n, (n.name.value, n.name.scheme) if n.name else ("", "")) for n in root.children]
    objects = tuple(dict.fromkeys(one for node in root.walk() for one in node.references))
    return KeyObjects(
        head(dataset),
        str(root.name or ""),
        tuple(node.value for node, name in named if name == MODIFIER),
        "\n".join(node.value for node, name in named if name == DESCRIPTION),
        objects or tuple(evidence(dataset)),
    )
