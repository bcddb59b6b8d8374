"""Made-up people, the studies made of them, and the machines that made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydicom.uid import generate_uid

ROOT = "1.2.826.0.1.3680043.8.498."  # pydicom's, free for use under a hash
Values = Mapping[str, Any]


def uid(*parts: object) -> str:
    """A UID that is always the same for the same parts (PS3.5 §9)."""
    return str(generate_uid(prefix=ROOT, entropy_srcs=["pacs_panel.testing", *map(str, parts)]))


@dataclass(frozen=True, slots=True)
class Subject:
    """A person who does not exist.

    Attributes
    ----------
    name : str
        Patient's Name, components divided by ``^``, representations by ``=`` (PS3.5 §6.2.1.1).
    birth_date : str
        ``YYYYMMDD``.
    height_m, weight_kg : float
    character_set : str
        Specific Character Set, values divided by a backslash; empty for plain ASCII.
    """

    name: str = "Phantom^Alma"
    identifier: str = "PP-0001"
    birth_date: str = "19610423"
    sex: str = "F"
    height_m: float = 1.68
    weight_kg: float = 64.0
    character_set: str = ""


@dataclass(frozen=True, slots=True)
class Equipment:
    """A scanner, as its header names it. The makers are made up too."""

    manufacturer: str = "Aurora Imaging"
    model: str = "Helix 64"
    station: str = "CT01"
    software: str = "4.2.1"
    institution: str = "Lindenhof Research Hospital"


CT_SCANNER = Equipment()
MR_SCANNER = Equipment("Boreal Medical", "Tesla 3", "MR31", "VB17C", "Northgate Clinic")
PET_SCANNER = Equipment("Cirrus Health", "Coincidence 90", "PT90", "R6.1")
ULTRASOUND = Equipment("Delta Sonics", "Echo 9", "US04", "9.0.3", "Harbour Cardiology")
X_RAY = Equipment("Ember X-Ray", "Plate 5", "CR05", "1.14", "Northgate Clinic")


@dataclass(frozen=True, slots=True)
class Study:
    """One visit: date ``YYYYMMDD`` and time ``HHMMSS``."""

    subject: Subject = field(default_factory=Subject)
    date: str = "20240115"
    time: str = "093000"
    description: str = "Phantom study"
    accession: str = "A240001"
    identifier: str = "1"
    referring: str = "Referrer^Robin"

    @property
    def uid(self) -> str:
        """Study Instance UID."""
        return uid(self.subject.identifier, self.date, self.time, self.accession, self.description)

    @property
    def age(self) -> str:
        """Patient's Age at the study, such as ``062Y``."""
        born, now = self.subject.birth_date, self.date
        return f"{int(now[:4]) - int(born[:4]) - (now[4:] < born[4:]):03d}Y"


def patient_and_study(study: Study) -> Values:
    """Patient, General Study and Patient Study modules (PS3.3 §C.7.1.1, §C.7.2.1, §C.7.2.2)."""
    person = study.subject
    characters = {"SpecificCharacterSet": person.character_set.split("\\")} if person.character_set else {}
    return characters | {
        "PatientName": person.name,
        "PatientID": person.identifier,
        "PatientBirthDate": person.birth_date,
        "PatientSex": person.sex,
        "StudyInstanceUID": study.uid,
        "StudyDate": study.date,
        "StudyTime": study.time,
        "ReferringPhysicianName": study.referring,
        "StudyID": study.identifier,
        "AccessionNumber": study.accession,
        "StudyDescription": study.description,
        "PatientAge": study.age,
        "PatientSize": str(person.height_m),
        "PatientWeight": str(person.weight_kg),
    }


def equipment(machine: Equipment) -> Values:
    """General Equipment module (PS3.3 §C.7.5.1)."""
    return {
        "Manufacturer": machine.manufacturer,
        "ManufacturerModelName": machine.model,
        "StationName": machine.station,
        "SoftwareVersions": machine.software,
        "InstitutionName": machine.institution,
        "DeviceSerialNumber": uid(machine.manufacturer, machine.station)[-8:],
    }
