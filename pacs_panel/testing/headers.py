"""Headers as plain mappings of keyword to value, and data sets made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom import DataElement, Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from pacs_panel.testing.subjects import Equipment, Study, Subject, Values, equipment, patient_and_study, uid
from pacs_panel.testing.truth import Floats, Grid, Sphere

IMPLEMENTATION = uid("implementation")


class Options(TypedDict, total=False):
    """What every maker of a phantom series accepts, by keyword.

    rows, columns, slices : int
    spacing : (slice, row, column) in mm between voxel centres; the slice one is the length of the step.
    orientation : 6 cosines as in Image Orientation (Patient), the slices along their cross product; or a 3x3 matrix
        whose columns are the unit directions of growing column, row and slice index (so a step may lean or turn back).
    origin : LPS mm of voxel (0, 0, 0); without it the grid is centred on LPS (0, 0, 0).
    spheres : instead of those that fit the grid.
    seed : of the noise, and part of the UIDs.
    study, subject, equipment : whose, when and by what; ``subject`` replaces the study's.
    number, description, part, laterality : Series Number, Series Description, Body Part Examined, Laterality.
    """

    rows: int
    columns: int
    slices: int
    spacing: tuple[float, float, float]
    orientation: ArrayLike
    origin: tuple[float, float, float]
    spheres: tuple[Sphere, ...]
    seed: int
    study: Study
    subject: Subject
    equipment: Equipment
    number: int
    description: str
    part: str
    laterality: str


@dataclass(frozen=True, slots=True)
class Context:
    """Where a series belongs, and the UIDs that follow from that."""

    grid: Grid
    study: Study
    equipment: Equipment
    seed: int
    number: int
    description: str
    part: str
    laterality: str
    spheres: tuple[Sphere, ...] | None
    series_uid: str

    @classmethod
    def of(cls, kind: str, defaults: Options, options: Options, *more: object) -> Context:
        """The context that ``options`` ask for over ``defaults``; ``more`` is what else tells series apart."""
        asked: Options = {**defaults, **options}
        grid = grid_of(asked)
        study = asked.get("study", Study())
        study = replace(study, subject=asked.get("subject", study.subject))
        machine, seed, number = asked.get("equipment", Equipment()), asked.get("seed", 0), asked.get("number", 1)
        spheres = asked.get("spheres")
        place = (grid.shape, (grid.affine.round(9) + 0.0).tolist())
        return cls(
            grid=grid,
            study=study,
            equipment=machine,
            seed=seed,
            number=number,
            description=asked.get("description", ""),
            part=asked.get("part", ""),
            laterality=asked.get("laterality", ""),
            spheres=spheres,
            series_uid=uid(study.uid, kind, place, seed, number, spheres, machine, more),
        )

    @property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID: one for all series that a machine makes in a study."""
        return uid(self.study.uid, self.equipment, "frame of reference")

    def header(self, modality: str, sop_class: str) -> Values:
        """Patient, study, equipment, General Series and SOP Common modules (PS3.3 §C.7.3.1, §C.12.1)."""
        return {
            **patient_and_study(self.study),
            **equipment(self.equipment),
            "Modality": modality,
            "SeriesInstanceUID": self.series_uid,
            "SeriesNumber": str(self.number),
            "SeriesDescription": self.description,
            "SeriesDate": self.study.date,
            "SeriesTime": self.study.time,
            "BodyPartExamined": self.part,
            **({"Laterality": self.laterality} if self.laterality else {}),
            "SOPClassUID": sop_class,
            "ContentDate": self.study.date,
            "ContentTime": self.study.time,
            "AcquisitionDate": self.study.date,
            "AcquisitionTime": self.study.time,
        }


def grid_of(options: Options) -> Grid:
    """The voxel centres that the options describe."""
    shape = (options["slices"], options["rows"], options["columns"])
    directions = np.asarray(options.get("orientation", (1, 0, 0, 0, 1, 0)), dtype=float)
    if directions.size == 6:
        row, column = directions.reshape(2, 3)
        directions = np.stack([row, column, np.cross(row, column)], axis=1)
    affine = np.eye(4)
    affine[:3, :3] = directions * options["spacing"][::-1]
    middle = (shape[2] - 1) / 2, (shape[1] - 1) / 2, (shape[0] - 1) / 2
    affine[:3, 3] = options.get("origin", -(affine[:3, :3] @ middle))
    return Grid(shape, affine)


def decimal(number: float) -> str:
    """A number as a decimal string of at most 16 characters (PS3.5 §6.2)."""
    return str(format_number_as_ds(round(float(number), 12) + 0.0)).removesuffix(".0")


def decimals(numbers: Sequence[float] | Floats) -> list[str]:
    """Numbers as decimal strings."""
    return [decimal(n) for n in numbers]


def plane(grid: Grid, slice_: int) -> Values:
    """Image Plane module (PS3.3 §C.7.6.2), and the slice's place along the normal as Slice Location."""
    across, down, step = grid.affine[:3, :3].T
    thickness, row_spacing, column_spacing = grid.spacing
    normal = np.cross(across, down)
    normal /= np.linalg.norm(normal)
    position = grid.at(slice_, 0, 0)
    return {
        "ImagePositionPatient": decimals(position),
        "ImageOrientationPatient": decimals([*(across / column_spacing), *(down / row_spacing)]),
        "PixelSpacing": decimals([row_spacing, column_spacing]),
        "SliceThickness": decimal(abs(float(step @ normal)) or thickness),
        "SliceLocation": decimal(float(normal @ position)),
    }


def pixels(stored: NDArray[Any], bits_stored: int) -> Values:
    """Image Pixel module (PS3.3 §C.7.6.3) of a grey image, or of RGB where the last of three axes is 3."""
    colour = stored.ndim > 2 and stored.shape[-1] == 3
    rows, columns = stored.shape[-3:-1] if colour else stored.shape[-2:]
    data = stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()
    return {
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        **({"PlanarConfiguration": 0} if colour else {}),
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": stored.dtype.itemsize * 8,
        "BitsStored": bits_stored,
        "HighBit": bits_stored - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "PixelData": data + b"\0" * (len(data) % 2),
    }


def code(value: str, scheme: str, meaning: str) -> dict[str, Any]:
    """An item of a code sequence (PS3.3 §8)."""
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


def dataset(values: Values) -> Dataset:
    """A data set of the values; a list of mappings becomes a sequence."""
    made = Dataset()
    for keyword, value in values.items():
        items = isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
        setattr(made, keyword, [dataset(item) for item in value] if items else value)
    return made


def instance(template: Dataset, values: Values) -> Dataset:
    """A file's data set: that of ``template``, which isn't touched, with ``values``, and a file meta group."""
    made = _copy(template)
    made.update(dataset(values))
    if "PixelData" in made:
        made["PixelData"].VR = "OW" if made.BitsAllocated > 8 else "OB"
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = made.SOPClassUID
    meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    meta.TransferSyntaxUID = UID(ExplicitVRLittleEndian)
    meta.ImplementationClassUID = UID(IMPLEMENTATION)
    meta.ImplementationVersionName = "PACS_PANEL"
    made.file_meta = meta
    return made


def _copy(template: Dataset) -> Dataset:
    """A deep copy whose values aren't checked again: much faster than `copy.deepcopy`, and than making anew."""
    return Dataset({e.tag: DataElement(e.tag, e.VR, _value(e), already_converted=True) for e in template})


def _value(element: DataElement) -> Any:
    if element.VR == "SQ":
        return Items(_copy(item) for item in element.value)
    return copy(element.value) if isinstance(element.value, list | MultiValue) else element.value
