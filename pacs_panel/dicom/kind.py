"""What an object is, in the words of the field, and whether this version makes a volume of it (PS3.4 Annex B.5)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pacs_panel.dicom import doses
from pacs_panel.model import ImageHeader
from pacs_panel.pixels import decode

KEPT = "kept; there is no image in it"


@dataclass(frozen=True, slots=True)
class Kind:
    """An object's kind.

    Attributes
    ----------
    name : str
        In words, e.g. ``"CT image"``.
    volume : bool
        Whether volumes are made of such objects.
    note : str
        Why not, where ``volume`` is false.
    speaks : bool
        Whether such objects speak of other ones even where volumes are made of them, as doses do of plans and images.
    """

    name: str
    volume: bool = False
    note: str = KEPT
    speaks: bool = False


ROOT = "1.2.840.10008.5.1.4.1.1."
IMAGES = {
    "1": "CR image",
    "1.1": "DX image",
    "1.1.1": "DX image",
    "1.2": "mammogram",
    "1.2.1": "mammogram",
    "2": "CT image",
    "4": "MR image",
    "128": "PET image",
    "20": "nuclear medicine image",
    "481.1": "RT image",
    "481.2": "RT dose",
    "6.1": "ultrasound",
    "6": "ultrasound",
    "3.1": "multi-frame ultrasound",
    "3": "multi-frame ultrasound",
    "6.2": "enhanced ultrasound volume",
    "7": "secondary capture",
    "7.1": "multi-frame 1-bit secondary capture",
    "7.2": "multi-frame secondary capture",
    "7.3": "multi-frame secondary capture",
    "7.4": "multi-frame colour secondary capture",
    "12.1": "X-ray angiography",
    "12.1.1": "enhanced X-ray angiography",
    "12.2": "fluoroscopy",
    "12.2.1": "enhanced fluoroscopy",
    "13.1.1": "3D angiography",
    "13.1.3": "breast tomosynthesis",
    "1.3": "intra-oral X-ray",
    "1.3.1": "intra-oral X-ray",
    "2.1": "enhanced CT",
    "2.2": "legacy converted enhanced CT",
    "4.1": "enhanced MR",
    "4.3": "enhanced MR colour",
    "4.4": "legacy converted enhanced MR",
    "130": "enhanced PET",
    "128.1": "legacy converted enhanced PET",
    "30": "parametric map",
    "77.1.1": "endoscopy",
    "77.1.2": "microscopy",
    "77.1.3": "slide-coordinates microscopy",
    "77.1.4": "photograph",
    "77.1.5.1": "ophthalmic photograph",
    "77.1.5.2": "ophthalmic photograph",
    "77.1.5.4": "ophthalmic tomography",
    "77.1.6": "whole slide image",
}
OTHERS = {
    "4.2": "MR spectroscopy",
    "66": "raw data",
    "66.1": "spatial registration",
    "66.2": "spatial fiducials",
    "66.3": "deformable registration",
    "66.4": "segmentation",
    "66.5": "surface segmentation",
    "66.6": "tractography",
    "66.7": "label map segmentation",
    "67": "real world value mapping",
    "91.1": "microscopy annotations",
    "104.1": "encapsulated PDF",
    "104.2": "encapsulated CDA",
    "104.3": "encapsulated STL",
    "104.4": "encapsulated OBJ",
    "104.5": "encapsulated MTL",
    "481.3": "RT structure set",
    "481.4": "RT beams treatment record",
    "481.5": "RT plan",
    "481.6": "RT brachy treatment record",
    "481.7": "RT treatment summary record",
    "481.9": "RT ion beams treatment record",
    "481.8": "RT ion plan",
    "88.59": "key object selection",
    "88.67": "radiation dose report",
}
FAMILIES = {"88.": "structured report", "9.": "waveform", "11.": "presentation state", "481.": "radiotherapy object"}
DIRECTORY = "1.2.840.10008.1.3.10"


def kind(sop_class_uid: str, modality: str, image: ImageHeader | None) -> Kind:
    """The kind of an object.

    Parameters
    ----------
    sop_class_uid, modality : str
        As the header says.
    image : ImageHeader, optional
        ``None`` where there is no pixel data.

    Returns
    -------
    Kind
        ``volume`` is true for every image that can be decoded. Segmentations speak of images, and are none; doses do,
        too, but have a grid of their own.
    """
    named = _named(sop_class_uid, modality, image is not None)
    if not named.volume:
        return named
    why = _why_not(image) or _without_scale(sop_class_uid, image)
    return Kind(named.name, not why, why, named.speaks)


@lru_cache(maxsize=256)
def _named(sop_class_uid: str, modality: str, image: bool) -> Kind:
    """The kind, where ``volume`` is true of all that may have one, as far as the class tells."""
    if sop_class_uid == DIRECTORY:
        return Kind("media directory", note="kept; lists other files")
    code = sop_class_uid.removeprefix(ROOT) if sop_class_uid.startswith(ROOT) else ""
    name = OTHERS.get(code) or next((name for prefix, name in FAMILIES.items() if code.startswith(prefix)), "")
    if name and code not in IMAGES:
        return Kind(name)
    name = IMAGES.get(code) or " ".join(filter(None, (modality, "image" if image else "object")))
    return Kind(name, volume=True, speaks=sop_class_uid == doses.SOP_CLASS)


def _without_scale(sop_class_uid: str, image: ImageHeader | None) -> str:
    """Why a dose has no physical values; empty where it has, and for all else (PS3.3 §C.8.8.3)."""
    unknown = sop_class_uid == doses.SOP_CLASS and image is not None and image.slope is None
    return "kept; no Dose Grid Scaling is stated, so its stored values are no doses" if unknown else ""


def _why_not(image: ImageHeader | None) -> str:
    """Why no volume can be made of an image; empty where one can."""
    if image is None:
        return "kept; there is no pixel data"
    if image.rows < 1 or image.columns < 1:
        return "kept; the image has no size"
    if image.samples not in (1, 3):
        return f"kept; images of {image.samples} samples a pixel cannot be shown"
    return decode.why_not(image.transfer_syntax)
