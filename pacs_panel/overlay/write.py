"""Labels to a DICOM segmentation (PS3.3 §A.51), written by highdicom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import generate_uid

from pacs_panel import __version__
from pacs_panel.dicom.dataset import quiet
from pacs_panel.model import Segment
from pacs_panel.overlay.sources import File, arranged, headers
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription

Code = tuple[str, str, str]
"""Code Value, Coding Scheme Designator, Code Meaning."""

TISSUE: Code = ("85756007", "SCT", "Tissue")
MAX_FRACTION = 255
Method = Literal["MANUAL", "SEMIAUTOMATIC", "AUTOMATIC"]


def write_segmentation(
    labels: NDArray[Any],
    images: Iterable[File],
    segments: Sequence[Segment],
    settings: Settings,
    *,
    description: str = "Segmentation",
    codes: Mapping[int, tuple[Code, Code]] | None = None,
    method: Method = "MANUAL",
    algorithm: str = "",
    frames: Sequence[int] = (),
    series_number: int = 1000,
    series_uid: str = "",
) -> bytes:
    """A segmentation of images as the bytes of a DICOM file.

    Parameters
    ----------
    labels : array
        ``(slices, rows, columns)`` whole numbers, 0 or the number of a segment; or, where segments may overlap,
        ``(segments, slices, rows, columns)`` of bool. Floating point of that shape, from 0 to 1, makes a fractional
        (probability) segmentation.
    images : iterable of bytes or binary files
        The images' files, one a slice and in that order, or one enhanced multi-frame object; only their headers are
        read.
    segments : sequence of Segment
        They are numbered from 1 in this order, as the standard demands (PS3.3 §C.8.20.4).
    codes : mapping of int to (category, type), optional
        By segment number as given, the codes of Segmented Property Category and Type; tissue where absent.
    method : str
        Segment Algorithm Type.
    algorithm : str
        Name of the algorithm, which anything but ``MANUAL`` needs.
    frames : sequence of int, optional
        Of a multi-frame object: which frame, from 0, each slice is of; all in order by default.
    series_uid : str, optional
        Of the new series; a new one by default.

    Raises
    ------
    ValueError
        Shapes, numbers or names do not fit together.
    NotDicom, Unreadable, TooLarge
        One of the images cannot be read.
    """
    masks = _masks(np.asarray(labels), segments)
    if method != "MANUAL" and not algorithm:
        raise ValueError("an automatic or semi-automatic method needs the algorithm's name")
    from highdicom.seg import Segmentation, SegmentationTypeValues

    fractional = masks.dtype.kind == "f"
    with quiet():
        sources = headers(images, settings)
        made = Segmentation(
            source_images=sources,
            pixel_array=arranged(masks, sources, frames),
            segmentation_type=SegmentationTypeValues.FRACTIONAL if fractional else SegmentationTypeValues.BINARY,
            segment_descriptions=_descriptions(segments, codes or {}, method, algorithm),
            series_instance_uid=series_uid or generate_uid(None),
            series_number=series_number,
            sop_instance_uid=generate_uid(None),
            instance_number=1,
            manufacturer="pacs_panel",
            manufacturer_model_name="pacs_panel",
            software_versions=__version__,
            device_serial_number="1",
            max_fractional_value=MAX_FRACTION,
            content_label="SEGMENTATION",
            content_description=description[:64],
            series_description=description[:64],
        )
        made.ContentCreatorName = ""  # type 2, which highdicom leaves out
        out = BytesIO()
        made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _masks(labels: NDArray[Any], segments: Sequence[Segment]) -> NDArray[Any]:
    """As highdicom takes them: ``(slices, rows, columns)`` labels from 1, or a mask each, along a further axis."""
    numbers = [segment.number for segment in segments]
    if not numbers or len(set(numbers)) < len(numbers) or not 0 < min(numbers) <= max(numbers) < 1 << 16:
        raise ValueError("there must be segments, with different numbers from 1 to 65535")
    if labels.ndim == 4:
        if labels.shape[0] != len(numbers) or labels.dtype.kind not in "bf":
            raise ValueError(f"four dimensions must be those of {len(numbers)} segments, of bool or floating point")
        if labels.dtype.kind == "f" and not (labels.min() >= 0 and labels.max() <= 1):
            raise ValueError("fractions must be from 0 to 1")
        return np.moveaxis(labels, 0, -1).astype(np.float32 if labels.dtype.kind == "f" else np.uint8)
    if labels.ndim != 3 or labels.dtype.kind not in "iu":
        raise ValueError("labels must be whole numbers in (slices, rows, columns)")
    unknown = set(np.unique(labels).tolist()) - {0, *numbers}
    if unknown:
        raise ValueError(f"no segment has the number {min(unknown)}")
    renumbered = np.zeros(max(numbers) + 1, np.uint8 if len(numbers) < 256 else np.uint16)
    renumbered[numbers] = np.arange(1, len(numbers) + 1)
    return renumbered[labels]


def _descriptions(
    segments: Sequence[Segment], codes: Mapping[int, tuple[Code, Code]], method: Method, algorithm: str
) -> list[SegmentDescription]:
    from highdicom.color import CIELabColor
    from highdicom.content import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from highdicom.sr import CodedConcept

    named = None
    if method != "MANUAL":  # highdicom asks for a family, which is not known here and is taken out again
        family = CodedConcept("123110", "DCM", "Artificial Intelligence")
        named = AlgorithmIdentificationSequence(name=algorithm, family=family, version=__version__)
    made = []
    for number, segment in enumerate(segments, 1):
        category, kind = (CodedConcept(*code) for code in codes.get(segment.number, (TISSUE, TISSUE)))
        description = SegmentDescription(
            segment_number=number,
            segment_label=segment.label[:64],
            segmented_property_category=category,
            segmented_property_type=kind,
            algorithm_type=method,
            algorithm_identification=named,
            display_color=CIELabColor.from_rgb(*segment.colour),
        )
        if named is not None:
            del description.SegmentationAlgorithmIdentificationSequence
        made.append(description)
    return made
