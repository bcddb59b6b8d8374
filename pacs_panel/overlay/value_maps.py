"""Maps to the real world that objects of their own state for images (PS3.3 §A.46)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from pydicom import Dataset

from pacs_panel.dicom import tables
from pacs_panel.dicom.dataset import load, quiet
from pacs_panel.model import Kept, Stack
from pacs_panel.overlay.documents.fields import in_series, items, references
from pacs_panel.pixels.real_world import Holding, Plane
from pacs_panel.settings import Settings

VALUE_MAPS = "1.2.840.10008.5.1.4.1.1.67"


def of_object(source: BinaryIO, stack: Stack, images: Iterable[Kept], settings: Settings) -> list[Holding]:
    """The maps that an object states for planes of a stack; none where it speaks of other images.

    Parameters
    ----------
    source : binary file
        The object's whole file.
    images : iterable of Kept
        Of the stack's series; they tell whether stored values are signed.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
    """
    dataset, _ = load(source, settings)
    members = set(stack.members)
    signed = any(one.image.signed for one in images if one.image and one.sop_instance_uid in members)
    with quiet():
        everywhere = in_series(dataset, "ReferencedInstanceSequence")
        found: list[Holding] = []
        for item in items(dataset, "ReferencedImageRealWorldValueMappingSequence"):
            named = references(item, "ReferencedImageSequence") or everywhere
            planes = [(each.sop_instance_uid, n) for each in named for n in each.frames or (0,)]
            found += _holding(item, [plane for plane in planes if plane[0] in members], members, signed)
    return found


def _holding(item: Dataset, planes: list[Plane], members: set[str], signed: bool) -> list[Holding]:
    if not planes:
        return []
    whole = {uid for uid, frame in planes if frame == 0} == members
    return [(one, () if whole else tuple(planes)) for one in tables.real_world(item, signed=signed)]
