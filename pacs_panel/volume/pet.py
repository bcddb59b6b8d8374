"""What a build keeps of a PET, so that uptake values can follow from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from pacs_panel.dicom.dataset import load, quiet
from pacs_panel.errors import PacsPanelError
from pacs_panel.model import ImageHeader, Kept, Location
from pacs_panel.pixels import suv
from pacs_panel.settings import Settings

PET = "1.2.840.10008.5.1.4.1.1.128"


def facts(
    members: Sequence[tuple[Kept, ImageHeader]], opener: Callable[[Location], BinaryIO], settings: Settings
) -> dict[str, Any]:
    """What uptake values follow from, of a stack of PET images, as plain JSON types; empty for anything else.

    Parameters
    ----------
    members : sequence of (Kept, ImageHeader)
        One a plane. The first object's header is read, and the Acquisition Time of all.
    opener : callable
        Opens the bytes of one object as a file of its own.
    """
    first = members[0][0]
    if first.sop_class_uid != PET:
        return {}
    try:
        with opener(first.location) as file:
            dataset, _ = load(file, settings)
    except (PacsPanelError, OSError):
        return {}
    with quiet():
        return suv.wanted(dataset, {str(image.order.get("AcquisitionTime", "")) for _, image in members})
