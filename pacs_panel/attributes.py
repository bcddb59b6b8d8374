"""THE table of attributes: behind the index's columns, search, and every network query.

One row an attribute: its DICOM keyword, the level whose fact it is, its value representation, and the column it fills.
A new searchable attribute is one new row here, and a reindex.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["patient", "study", "series", "instance"]
LEVELS: tuple[Level, ...] = ("patient", "study", "series", "instance")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One searchable attribute.

    Attributes
    ----------
    keyword : str
        DICOM keyword (PS3.6), used verbatim in searches; ours, where DICOM has none, are marked ``ours``.
    level : str
        ``patient``, ``study``, ``series`` or ``instance``.
    vr : str
        Value representation (PS3.5 §6.2); decides how values match (PS3.4 §C.2.2.2).
    text : bool
        Whether free-text search looks here.
    ours : bool
        Not DICOM's: filled by the archive.
    """

    keyword: str
    level: Level
    vr: str
    text: bool = False
    ours: bool = False

    @property
    def column(self) -> str:
        """Name of the column in the index."""
        return "key" if self.keyword in KEYS else self.keyword

    @property
    def number(self) -> bool:
        """Whether values are numbers rather than text."""
        return self.vr in NUMBERS

    @property
    def measured(self) -> bool:
        """Whether values are compared as numbers: those that are, and ages, which are compared in years."""
        return self.number or self.vr == AGE


AGE = "AS"
NUMBERS = frozenset({"IS", "DS", "US", "UL", "SS", "SL", "FD", "FL", "UV"})

ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("PatientID", "patient", "LO", text=True),
    Attribute("IssuerOfPatientID", "patient", "LO"),
    Attribute("PatientName", "patient", "PN", text=True),
    Attribute("PatientBirthDate", "patient", "DA"),
    Attribute("PatientSex", "patient", "CS"),
    Attribute("StudyInstanceUID", "study", "UI"),
    Attribute("StudyDate", "study", "DA"),
    Attribute("StudyTime", "study", "TM"),
    Attribute("StudyID", "study", "SH"),
    Attribute("AccessionNumber", "study", "SH", text=True),
    Attribute("StudyDescription", "study", "LO", text=True),
    Attribute("ReferringPhysicianName", "study", "PN"),
    Attribute("PatientAge", "study", "AS"),
    Attribute("PatientSize", "study", "DS"),
    Attribute("PatientWeight", "study", "DS"),
    Attribute("SeriesInstanceUID", "series", "UI"),
    Attribute("Modality", "series", "CS", text=True),
    Attribute("SeriesNumber", "series", "IS"),
    Attribute("SeriesDescription", "series", "LO", text=True),
    Attribute("SeriesDate", "series", "DA"),
    Attribute("SeriesTime", "series", "TM"),
    Attribute("BodyPartExamined", "series", "CS", text=True),
    Attribute("Laterality", "series", "CS"),
    Attribute("PatientPosition", "series", "CS"),
    Attribute("ProtocolName", "series", "LO", text=True),
    Attribute("Manufacturer", "series", "LO", text=True),
    Attribute("ManufacturerModelName", "series", "LO", text=True),
    Attribute("StationName", "series", "SH"),
    Attribute("InstitutionName", "series", "LO", text=True),
    Attribute("SoftwareVersions", "series", "LO"),
    Attribute("MagneticFieldStrength", "series", "DS"),
    Attribute("FrameOfReferenceUID", "series", "UI"),
    Attribute("SliceThickness", "series", "DS"),
    Attribute("SpacingBetweenSlices", "series", "DS"),
    Attribute("PixelSpacing", "series", "DS"),
    Attribute("KVP", "series", "DS"),
    Attribute("RepetitionTime", "series", "DS"),
    Attribute("EchoTime", "series", "DS"),
    Attribute("ConvolutionKernel", "series", "SH"),
    Attribute("ContrastBolusAgent", "series", "LO"),
    Attribute("ScanningSequence", "series", "CS"),
    Attribute("SequenceName", "series", "SH"),
    Attribute("SOPInstanceUID", "instance", "UI"),
    Attribute("SOPClassUID", "instance", "UI"),
    Attribute("InstanceNumber", "instance", "IS"),
    Attribute("AcquisitionDate", "instance", "DA"),
    Attribute("AcquisitionTime", "instance", "TM"),
    Attribute("AcquisitionNumber", "instance", "IS"),
    Attribute("ContentDate", "instance", "DA"),
    Attribute("ImageType", "instance", "CS"),
    Attribute("Rows", "instance", "US"),
    Attribute("Columns", "instance", "US"),
    Attribute("NumberOfFrames", "instance", "IS"),
    Attribute("PhotometricInterpretation", "instance", "CS"),
    Attribute("BitsStored", "instance", "US"),
    Attribute("TransferSyntaxUID", "instance", "UI"),
    Attribute("ContentLabel", "instance", "CS"),
    Attribute("Collection", "series", "LO", text=True, ours=True),
    Attribute("ImportCollection", "series", "LO", ours=True),
    Attribute("Tags", "series", "LO", text=True, ours=True),
    Attribute("StudyTags", "study", "LO", text=True, ours=True),
    Attribute("PatientTags", "patient", "LO", text=True, ours=True),
    Attribute("Objects", "series", "CS", ours=True),
    Attribute("Kind", "series", "CS", text=True, ours=True),
    Attribute("Verdict", "series", "CS", ours=True),
    Attribute("ArrivalDate", "series", "DA", ours=True),
    Attribute("NumberOfSeriesRelatedInstances", "series", "IS", ours=True),
    Attribute("NumberOfStudyRelatedSeries", "study", "IS", ours=True),
    Attribute("NumberOfStudyRelatedInstances", "study", "IS", ours=True),
    Attribute("ModalitiesInStudy", "study", "CS", ours=True),
    Attribute("NumberOfPatientRelatedStudies", "patient", "IS", ours=True),
)

BY_KEYWORD: dict[str, Attribute] = {a.keyword: a for a in ATTRIBUTES}

# By what the archive itself knows a row: no attribute of anything, but a criterion all the same.
KEYS: dict[str, Attribute] = {f"{level}_key": Attribute(f"{level}_key", level, "UI", ours=True) for level in LEVELS[:3]}


def at_level(level: Level) -> tuple[Attribute, ...]:
    """The attributes that are facts of ``level`` itself."""
    return tuple(a for a in ATTRIBUTES if a.level == level)


def down_to(level: Level) -> tuple[Attribute, ...]:
    """The attributes that a search at ``level`` may name: its own and those of the levels above."""
    return tuple(a for a in ATTRIBUTES if LEVELS.index(a.level) <= LEVELS.index(level))
