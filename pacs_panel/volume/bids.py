"""What goes beside a NIfTI file: facts in JSON, named as in the Brain Imaging Data Structure; b-values and directions.

No fact that names a person, a place or a day is written, nor free text, which may hold one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pacs_panel import __version__
from pacs_panel.geometry import affine as affines
from pacs_panel.model import ImageHeader, Passport, Vector

Array = np.ndarray
HALF_DAY = 43_200.0  # s


def _seconds(value: Any) -> float:
    """From ms; BIDS counts in s."""
    return round(float(value) / 1000, 9)


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value]


# DICOM keyword, name in BIDS (or, where it has none, as dcm2niix writes it), how its value is written.
FACTS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("Modality", "Modality", str),
    ("Manufacturer", "Manufacturer", str),
    ("ManufacturerModelName", "ManufacturersModelName", str),
    ("SoftwareVersions", "SoftwareVersions", lambda value: "\\".join(_texts(value))),
    ("MagneticFieldStrength", "MagneticFieldStrength", float),
    ("ImagingFrequency", "ImagingFrequency", float),
    ("ReceiveCoilName", "ReceiveCoilName", str),
    ("BodyPartExamined", "BodyPart", str),
    ("PatientPosition", "PatientPosition", str),
    ("ImageType", "ImageType", _texts),
    ("MRAcquisitionType", "MRAcquisitionType", str),
    ("ScanningSequence", "ScanningSequence", lambda value: "\\".join(_texts(value))),
    ("SequenceVariant", "SequenceVariant", lambda value: "\\".join(_texts(value))),
    ("ScanOptions", "ScanOptions", lambda value: "\\".join(_texts(value))),
    ("SequenceName", "SequenceName", str),
    ("RepetitionTime", "RepetitionTime", _seconds),
    ("EchoTime", "EchoTime", _seconds),
    ("EffectiveEchoTime", "EchoTime", _seconds),
    ("InversionTime", "InversionTime", _seconds),
    ("FlipAngle", "FlipAngle", float),
    ("EchoTrainLength", "EchoTrainLength", int),
    ("PixelBandwidth", "PixelBandwidth", float),
    ("InPlanePhaseEncodingDirection", "InPlanePhaseEncodingDirectionDICOM", str),
    ("SliceThickness", "SliceThickness", float),
    ("SpacingBetweenSlices", "SpacingBetweenSlices", float),
    ("KVP", "KVP", float),
    ("ConvolutionKernel", "ConvolutionKernel", lambda value: "\\".join(_texts(value))),
    ("Units", "Units", str),
)


def sidecar(dataset: Any, passport: Passport, planes: Sequence[ImageHeader] = ()) -> dict[str, Any]:
    """Facts of a stack, as plain JSON types.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Header of one of its objects; of an enhanced object, what all frames share is read too.
    passport : Passport
    planes : sequence of ImageHeader
        One a plane, in C order of ``(*extra, slice)``.

    Returns
    -------
    dict
        Times in s. ``EchoTime`` is a list where there is a dimension of echoes. ``Dimensions`` tells what the fourth
        axis of the NIfTI file is: dimensions with their values, in C order.
    """
    made: dict[str, Any] = {}
    for keyword, name, written in FACTS:
        value = next(_values(dataset, keyword), None)
        if value is not None and name not in made:
            try:
                made[name] = written(value)
            except (TypeError, ValueError):
                continue
    echoes = {plane.order.get("EchoTime") for plane in planes}
    if len(echoes) == 1 and isinstance(
        echo := echoes.pop(), int | float
    ):  # an enhanced object states it frame by frame
        made["EchoTime"] = _seconds(echo)
    for dimension in passport.dimensions:
        if dimension.keyword == "EchoTime":
            made["EchoTime"] = [_seconds(value) for value in dimension.values]
    if (times := slice_timing(dataset, passport, planes)) is not None:
        made["SliceTiming"] = times
    if passport.dimensions:
        made["Dimensions"] = [
            {"Name": d.name, "Keyword": d.keyword, "Values": list(d.values)} for d in passport.dimensions
        ]
    geometry = {"Verdict": passport.verdict, "Reason": passport.reason}
    return made | {"Geometry": geometry, "ConversionSoftware": "pacs_panel", "ConversionSoftwareVersion": __version__}


def _values(dataset: Any, keyword: str) -> Iterator[Any]:
    """Values of an attribute: the object's own, then those in its shared functional groups."""
    try:
        shared = dataset.get("SharedFunctionalGroupsSequence") or []
        groups = [item for group in shared for element in group if element.VR == "SQ" for item in element.value]
        for place in (dataset, *groups):
            value = place.get(keyword)
            if value is not None and value != "":
                yield value
    except Exception:  # pydicom raises whatever a bad value provokes
        return


# -- slices in time ----------------------------------------------------------------------------------------------------


def slice_timing(dataset: Any, passport: Passport, planes: Sequence[ImageHeader]) -> list[float] | None:
    """Seconds from the first slice of a volume to the acquisition of each, in the order of the stack.

    From a Siemens mosaic's private list, else from Acquisition Time where slices of a time series differ in it;
    ``None`` where neither tells.
    """
    slices = passport.shape[0]
    first = planes[:slices]
    if len(first) < slices or slices < 2:
        return None
    listed = _mosaic_times(dataset)
    if len(listed) == slices == len({plane.frame for plane in first}):
        times = [listed[plane.frame] for plane in first]
    elif any(dimension.name == "time" for dimension in passport.dimensions):
        times = [_clock(str(plane.order.get("AcquisitionTime", ""))) for plane in first]
    else:
        return None
    if any(math.isnan(time) for time in times) or len(set(times)) == 1:
        return None
    if max(times) - min(times) > HALF_DAY:  # past midnight
        times = [time + 2 * HALF_DAY if time < HALF_DAY else time for time in times]
    return [round(time - min(times), 6) for time in times]


def _mosaic_times(dataset: Any) -> list[float]:
    """Seconds, a tile, as Siemens lists them in ms."""
    try:
        value = dataset.private_block(0x0019, "SIEMENS MR HEADER")[0x29].value
        found = np.frombuffer(value, "<f8") if isinstance(value, bytes) else np.atleast_1d(np.asarray(value, float))
    except (KeyError, ValueError, TypeError):
        return []
    return [float(time) / 1000 for time in found]


def _clock(text: str) -> float:
    """Seconds of day of ``HHMMSS.FFFFFF``; NaN where it is none."""
    try:
        return int(text[:2]) * 3600 + int(text[2:4]) * 60 + float(text[4:])
    except ValueError:
        return math.nan


# -- diffusion ---------------------------------------------------------------------------------------------------------


def gradients(planes: Sequence[ImageHeader], slices: int) -> list[tuple[float, Vector | None]]:
    """b-value, s/mm², and direction in LPS of each volume; no direction where none is stated, or b is 0.

    Empty where not every volume states a b-value, or none is above 0.
    """
    found: list[tuple[float, Vector | None]] = []
    for plane in planes[::slices]:
        b = plane.order.get("DiffusionBValue")
        if not isinstance(b, int | float):
            return []
        direction = _direction(str(plane.order.get("DiffusionGradientOrientation", "")))
        found.append((float(b), direction if b > 0 else None))
    return found if any(b > 0 for b, _ in found) else []


def _direction(text: str) -> Vector | None:
    try:
        x, y, z = map(float, text.split("\\"))
    except ValueError:
        return None
    return (x, y, z) if x or y or z else None


def to_voxel_axes(directions: Iterable[Vector | None], affine: ArrayLike) -> Array:
    """Directions as FSL takes them: along the axes of the voxels, x reversed where the axes are right-handed.

    Parameters
    ----------
    directions : iterable of (x, y, z) or None
        LPS; ``None`` gives zeros.
    affine : array of shape (4, 4)
        ``(column, row, slice, 1)`` to LPS mm.

    Returns
    -------
    array of shape (3, n)
        Each of length 1, or 0.
    """
    matrix = np.asarray(affine, float)[:3, :3]
    across, down = affines.unit(matrix[:, 0]), affines.unit(matrix[:, 1])
    normal = affines.unit(np.cross(across, down))
    right_handed = float(np.linalg.det(matrix)) > 0  # LPS and RAS agree in this
    axes = np.stack([-across if right_handed else across, down, normal if right_handed else -normal])
    made = [np.zeros(3) if g is None else axes @ affines.unit(g) for g in directions]
    return np.reshape(made, (-1, 3)).T


def write_beside(nifti: Path, dataset: Any, passport: Passport, planes: Sequence[ImageHeader]) -> list[Path]:
    """Write what belongs to a NIfTI file: ``.json``; ``.bval`` and ``.bvec`` of a diffusion series.

    There is no ``.bvec`` where a volume with b above 0 has no direction, or the stack no affine: nothing is guessed.
    """
    stem = nifti.name.removesuffix(".gz").removesuffix(".nii")
    made = [nifti.with_name(f"{stem}.json")]
    made[0].write_text(json.dumps(sidecar(dataset, passport, planes), indent=2), "utf-8")
    volumes = gradients(planes, passport.shape[0]) if passport.dimensions else []
    if volumes:
        made.append(nifti.with_name(f"{stem}.bval"))
        made[-1].write_text(" ".join(f"{b:g}" for b, _ in volumes) + "\n", "ascii")
    if volumes and passport.affine is not None and all(b == 0 or g is not None for b, g in volumes):
        made.append(nifti.with_name(f"{stem}.bvec"))
        lines = to_voxel_axes([g for _, g in volumes], passport.affine)
        text = "".join(" ".join(f"{value + 0:.7g}" for value in line) + "\n" for line in lines)
        made[-1].write_text(text, "ascii")
    return made
