"""Radiotherapy plans, and records of treatment, in short (PS3.3 §A.20, §A.49, §A.31, §A.50)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pydicom import Dataset

from pacs_panel.dicom.dataset import number_of, numbers_of, text_of
from pacs_panel.model import Vector
from pacs_panel.overlay.documents.fields import Head, Referenced, head, integer, item, items, references

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Prescription:
    """A dose reference; doses in Gy.

    Attributes
    ----------
    number : int
    kind : str
        ``TARGET`` or ``ORGAN_AT_RISK``.
    description, place : str
        ``place`` is a region of interest's number, a point in LPS mm, or a site.
    prescribed, minimum, maximum : float, optional
        Of a target: prescribed, and its bounds; of an organ at risk ``maximum`` is its limit.
    """

    number: int
    kind: str
    description: str
    place: str
    prescribed: float | None
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True, slots=True)
class BeamDose:
    """What a fraction gives by one beam: meterset in the beam's unit, dose in Gy."""

    beam: int
    meterset: float | None
    dose: float | None


@dataclass(frozen=True, slots=True)
class FractionGroup:
    """Fractions that are alike."""

    number: int
    fractions: int
    beams: tuple[BeamDose, ...]
    brachy_setups: int = 0


@dataclass(frozen=True, slots=True)
class Beam:
    """One beam.

    Attributes
    ----------
    number : int
    name, description, type, radiation, machine, delivery : str
        ``type`` is ``STATIC`` or ``DYNAMIC``; ``delivery`` such as ``TREATMENT`` or ``SETUP``.
    energy : tuple of 2 floats, optional
        Nominal beam energy, lowest and highest: MV of photons, MeV of electrons, MeV a nucleon of ions.
    meterset : float, optional
        A fraction, in ``unit``, of the first fraction group that has it.
    unit : str
        Primary Dosimeter Unit.
    control_points : int
    gantry, collimator, couch : tuple of 2 floats, optional
        Degrees at the first and the last control point.
    isocentre : tuple of 3 floats, optional
        LPS mm, of the first control point.
    """

    number: int
    name: str
    description: str
    type: str
    radiation: str
    machine: str
    delivery: str
    energy: tuple[float, float] | None
    meterset: float | None
    unit: str
    control_points: int
    gantry: tuple[float, float] | None
    collimator: tuple[float, float] | None
    couch: tuple[float, float] | None
    isocentre: Vector | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of external beams, or of ions.

    Attributes
    ----------
    head : Head
    label, name, description, intent, geometry, approval, planned : str
        ``planned`` is the date of the plan.
    prescriptions : tuple of Prescription
    groups : tuple of FractionGroup
    beams : tuple of Beam
    structure_sets, doses, plans : tuple of Referenced
    """

    head: Head
    label: str
    name: str
    description: str
    intent: str
    geometry: str
    approval: str
    planned: str
    prescriptions: tuple[Prescription, ...]
    groups: tuple[FractionGroup, ...]
    beams: tuple[Beam, ...]
    structure_sets: tuple[Referenced, ...]
    doses: tuple[Referenced, ...]
    plans: tuple[Referenced, ...]

    def to_frame(self) -> pd.DataFrame:
        """The beams as a table, one row each."""
        import pandas as pd

        return pd.DataFrame([asdict(beam) for beam in self.beams], columns=list(Beam.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one beam of a session gave; metersets in the machine's unit."""

    beam: int
    name: str
    fraction: int
    status: str
    specified: float | None
    delivered: float | None


@dataclass(frozen=True, slots=True)
class TreatmentRecord:
    """What was given in one session."""

    head: Head
    treated: str
    machine: str
    beams: tuple[Delivered, ...]
    plans: tuple[Referenced, ...]


def plan(dataset: Dataset) -> Plan:
    """A plan from its data set."""
    groups = tuple(_group(one) for one in items(dataset, "FractionGroupSequence"))
    metersets: dict[int, float] = {}
    for given in (given for group in groups for given in group.beams):
        if given.meterset is not None:
            metersets.setdefault(given.beam, given.meterset)
    sequences = (("BeamSequence", "ControlPointSequence"), ("IonBeamSequence", "IonControlPointSequence"))
    beams = tuple(_beam(one, points, metersets) for name, points in sequences for one in items(dataset, name))
    return Plan(
        head(dataset),
        text_of(dataset, "RTPlanLabel"),
        text_of(dataset, "RTPlanName"),
        text_of(dataset, "RTPlanDescription"),
        text_of(dataset, "PlanIntent"),
        text_of(dataset, "RTPlanGeometry"),
        text_of(dataset, "ApprovalStatus"),
        text_of(dataset, "RTPlanDate"),
        tuple(_prescription(one) for one in items(dataset, "DoseReferenceSequence")),
        groups,
        beams,
        references(dataset, "ReferencedStructureSetSequence"),
        references(dataset, "ReferencedDoseSequence"),
        references(dataset, "ReferencedRTPlanSequence"),
    )


def _prescription(one: Dataset) -> Prescription:
    kind, place = text_of(one, "DoseReferenceType"), text_of(one, "DoseReferenceStructureType")
    if point := numbers_of(one, "DoseReferencePointCoordinates", 3):
        place = f"point ({', '.join(f'{number:.6g}' for number in point)}) mm"
    elif (roi := number_of(one, "ReferencedROINumber")) is not None:
        place = f"region of interest {int(roi)}"
    target = kind == "TARGET"
    return Prescription(
        integer(one, "DoseReferenceNumber"),
        kind,
        text_of(one, "DoseReferenceDescription"),
        place.lower() if place.isupper() else place,
        number_of(one, "TargetPrescriptionDose"),
        number_of(one, "TargetMinimumDose") if target else None,
        number_of(one, "TargetMaximumDose" if target else "OrganAtRiskMaximumDose"),
    )


def _group(one: Dataset) -> FractionGroup:
    beams = tuple(
        BeamDose(integer(b, "ReferencedBeamNumber"), number_of(b, "BeamMeterset"), number_of(b, "BeamDose"))
        for b in items(one, "ReferencedBeamSequence")
    )
    setups = integer(one, "NumberOfBrachyApplicationSetups")
    return FractionGroup(integer(one, "FractionGroupNumber"), integer(one, "NumberOfFractionsPlanned"), beams, setups)


def _beam(one: Dataset, sequence: str, metersets: dict[int, float]) -> Beam:
    points = items(one, sequence)
    energies = [energy for p in points if (energy := number_of(p, "NominalBeamEnergy")) is not None]
    number = integer(one, "BeamNumber")
    centre = numbers_of(points[0], "IsocenterPosition", 3) if points else None
    return Beam(
        number,
        text_of(one, "BeamName"),
        text_of(one, "BeamDescription"),
        text_of(one, "BeamType"),
        text_of(one, "RadiationType"),
        text_of(one, "TreatmentMachineName"),
        text_of(one, "TreatmentDeliveryType"),
        (min(energies), max(energies)) if energies else None,
        metersets.get(number),
        text_of(one, "PrimaryDosimeterUnit"),
        len(points),
        _angle(points, "GantryAngle"),
        _angle(points, "BeamLimitingDeviceAngle"),
        _angle(points, "PatientSupportAngle"),
        (centre[0], centre[1], centre[2]) if centre else None,
    )


def _angle(points: list[Dataset], keyword: str) -> tuple[float, float] | None:
    """First and last; a control point that does not tell it keeps the one before (PS3.3 §C.8.8.14)."""
    told = [angle for point in points if (angle := number_of(point, keyword)) is not None]
    return (told[0], told[-1]) if told else None


def record(dataset: Dataset) -> TreatmentRecord:
    """A record of treatment from its data set."""
    beams: list[Delivered] = []
    for sequence, points in (
        ("TreatmentSessionBeamSequence", "ControlPointDeliverySequence"),
        ("TreatmentSessionIonBeamSequence", "IonControlPointDeliverySequence"),
    ):
        beams += [_delivered(one, points) for one in items(dataset, sequence)]
    machine = text_of(item(dataset, "TreatmentMachineSequence"), "TreatmentMachineName")
    treated = text_of(dataset, "TreatmentDate")
    return TreatmentRecord(
        head(dataset), treated, machine, tuple(beams), references(dataset, "ReferencedRTPlanSequence")
    )


def _delivered(one: Dataset, sequence: str) -> Delivered:
    points = items(one, sequence)
    return Delivered(
        integer(one, "ReferencedBeamNumber"),
        text_of(one, "BeamName"),
        integer(one, "CurrentFractionNumber"),
        text_of(one, "TreatmentTerminationStatus"),
        _meterset(one, points, "Specified"),
        _meterset(one, points, "Delivered"),
    )


def _meterset(one: Dataset, points: list[Dataset], which: str) -> float | None:
    """As the beam says, else as its last control point does."""
    whole = number_of(one, f"{which}PrimaryMeterset")
    return number_of(points[-1], f"{which}Meterset") if whole is None and points else whole
