"""Values of any quantity to a DICOM parametric map (PS3.3 §A.75), written by highdicom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom import Sequence as DicomSequence
from pydicom.uid import generate_uid

from pacs_panel import __version__
from pacs_panel.dicom.dataset import quiet
from pacs_panel.overlay.sources import File, arranged, headers
from pacs_panel.overlay.write import Code
from pacs_panel.settings import Settings

NO_UNITS: Code = ("1", "UCUM", "no units")
ENTIRE_BODY: Code = ("38266002", "SCT", "Entire body")


def write_parametric_map(
    values: NDArray[Any],
    images: Iterable[File],
    settings: Settings,
    *,
    label: str,
    unit: str | Code = NO_UNITS,
    quantity: Code | None = None,
    description: str = "",
    window: tuple[float, float] | None = None,
    frames: Sequence[int] = (),
    series_number: int = 1001,
    series_uid: str = "",
) -> bytes:
    """A parametric map on the grid of images, as the bytes of a DICOM file.

    Parameters
    ----------
    values : array
        ``(slices, rows, columns)``, finite; written as they are, as float32, or as float64 where they are of it.
    images : iterable of bytes or binary files
        The images' files, one a slice and in that order, or one enhanced multi-frame object; only their headers are
        read.
    label : str
        What the values are, such as ``"ADC"``; at most 16 characters.
    unit : str or code
        In UCUM, such as ``"mm2/s"``.
    quantity : code, optional
        What is measured.
    description : str, optional
        Of the series; the label by default.
    window : (centre, width), optional
        In which to show them; by default from the smallest to the largest value.
    frames : sequence of int, optional
        Of a multi-frame object: which frame, from 0, each slice is of. Every frame must have its slice.
    series_uid : str, optional
        Of the new series; a new one by default.

    Raises
    ------
    ValueError
        Shapes or names do not fit together, or a value is not finite: the standard knows no value for "none".
    NotDicom, Unreadable, TooLarge
        One of the images cannot be read.
    """
    planes = _checked(np.asarray(values), label)
    from highdicom import VOILUTTransformation
    from highdicom.pm import ParametricMap

    with quiet():
        sources = headers(images, settings)
        planes = arranged(planes, sources, frames, whole=True)
        centre, width = window or _range(planes)
        made = ParametricMap(
            source_images=sources,
            pixel_array=planes,
            series_instance_uid=series_uid or generate_uid(None),
            series_number=series_number,
            sop_instance_uid=generate_uid(None),
            instance_number=1,
            manufacturer="pacs_panel",
            manufacturer_model_name="pacs_panel",
            software_versions=__version__,
            device_serial_number="1",
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[_mapping(planes, label, unit, quantity)],
            voi_lut_transformations=[VOILUTTransformation(centre, width, voi_lut_function="LINEAR_EXACT")],
            content_label="MAP",
            content_description=(description or label)[:64],
            series_description=(description or label)[:64],
        )
        made.ContentCreatorName = ""  # type 2, which highdicom leaves out
        made.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = _anatomy(sources[0])
        _ascend(made)
        out = BytesIO()
        made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _checked(values: NDArray[Any], label: str) -> NDArray[Any]:
    if values.ndim != 3 or values.dtype.kind not in "fiub" or not values.size:
        raise ValueError("values must be numbers in (slices, rows, columns)")
    if not 0 < len(label) <= 16:
        raise ValueError("a label has 1 to 16 characters")
    kept = values.astype(np.float64 if values.dtype == np.float64 else np.float32)
    if not np.isfinite(kept).all():
        raise ValueError("values must be finite: give those that are none a number of their own")
    if kept.dtype.kind != values.dtype.kind and not np.array_equal(kept.astype(np.float64), values):
        raise ValueError("these whole numbers are too large to be exact as float32: give them as float64")
    return kept


def _anatomy(image: Dataset) -> Sequence[Dataset]:
    """Frame Anatomy (PS3.3 §C.7.6.16.2.8): what the images say of it, else the whole body, of which they are surely."""
    for group in image.get("SharedFunctionalGroupsSequence") or []:
        if "FrameAnatomySequence" in group:
            return DicomSequence(group.FrameAnatomySequence)
    made, body = Dataset(), Dataset()
    body.CodeValue, body.CodingSchemeDesignator, body.CodeMeaning = ENTIRE_BODY
    made.AnatomicRegionSequence = image.get("AnatomicRegionSequence") or [body]
    laterality = str(image.get("ImageLaterality") or "")
    made.FrameLaterality = laterality if laterality in ("R", "L", "B") else "U"
    return DicomSequence([made])


def _ascend(made: Dataset) -> None:
    """Put the frames in the order of their places along row × column, for which dcmqi takes them, and so 3D Slicer."""
    groups = made.PerFrameFunctionalGroupsSequence
    orientation = made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    normal = np.cross(orientation[:3], orientation[3:])
    places = [np.dot(normal, group.PlanePositionSequence[0].ImagePositionPatient) for group in groups]
    order = np.argsort(places, kind="stable")
    keyword, dtype = ("FloatPixelData", "<f4") if "FloatPixelData" in made else ("DoubleFloatPixelData", "<f8")
    pixels = np.frombuffer(made[keyword].value, dtype).reshape(len(groups), -1)
    made[keyword].value = pixels[order].tobytes()
    made.PerFrameFunctionalGroupsSequence = [groups[frame] for frame in order]
    for index, group in enumerate(made.PerFrameFunctionalGroupsSequence, start=1):
        group.FrameContentSequence[0].DimensionIndexValues = [index]


def _range(planes: NDArray[Any]) -> tuple[float, float]:
    low, high = float(planes.min()), float(planes.max())
    return (low + high) / 2, (high - low) or 1.0


def _mapping(planes: NDArray[Any], label: str, unit: str | Code, quantity: Code | None) -> Any:
    from highdicom.pm import RealWorldValueMapping
    from highdicom.sr import CodedConcept

    return RealWorldValueMapping(
        lut_label=label,
        lut_explanation=label,
        unit=CodedConcept(unit, "UCUM", unit) if isinstance(unit, str) else CodedConcept(*unit),
        value_range=(float(planes.min()), float(planes.max())),
        slope=1.0,
        intercept=0.0,
        quantity_definition=CodedConcept(*quantity) if quantity else None,
    )
