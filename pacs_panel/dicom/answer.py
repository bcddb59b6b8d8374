"""Rows of a search as data sets, for whoever asks over the network (PS3.4 §C.4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

from pacs_panel.attributes import BY_KEYWORD, Level

config.settings.reading_validation_mode = config.IGNORE  # for the whole process: its warnings quote values

LEVELS: dict[str, Level] = {"PATIENT": "patient", "STUDY": "study", "SERIES": "series", "IMAGE": "instance"}
UNIQUE = {  # keys by which objects are retrieved, PS3.4 §C.6
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
UTF_8 = "ISO_IR 192"
STATE = (
    "QueryRetrieveLevel",
    "SpecificCharacterSet",
    "RetrieveAETitle",
    "InstanceAvailability",
    "TimezoneOffsetFromUTC",
)


def asked(identifier: Dataset) -> dict[str, str]:
    """What an identifier asks for: keyword to what must match, empty where only the value is wanted.

    Keywords that the archive does not hold are left out.
    """
    return {element.keyword: _text(element.value) for element in identifier if element.keyword in BY_KEYWORD}


def unknown(identifier: Dataset) -> bool:
    """Whether an identifier asks for what the archive does not hold."""
    named = {element.keyword for element in identifier if not element.tag.is_private}
    return not named <= BY_KEYWORD.keys() | STATE


def _text(value: object) -> str:
    several = value if isinstance(value, MultiValue) else [value]
    return "\\".join("" if each is None else str(each) for each in several)


def answer(row: Mapping[str, object], keywords: Iterable[str], level: str, ae_title: str) -> Dataset:
    """A row as the identifier of a response.

    Parameters
    ----------
    row : mapping
        Of a search.
    keywords : iterable of str
        What was asked for.
    level : str
        Query/Retrieve Level.
    ae_title : str
        From which it can be retrieved.
    """
    made = Dataset()
    made.SpecificCharacterSet = UTF_8
    made.QueryRetrieveLevel = level
    made.RetrieveAETitle = ae_title
    made.InstanceAvailability = "ONLINE"
    for keyword in keywords:
        value = row.get(keyword)
        setattr(made, keyword, _value(keyword, value))
    return made


def _value(keyword: str, value: object) -> object:
    if value is None:
        return None
    vr = dictionary_VR(keyword)
    if vr == "PN":
        return PersonName(str(value))
    if vr in ("DS", "IS"):
        return str(value)
    if isinstance(value, str) and "\\" in value:
        return value.split("\\")
    return value


def named(sop_instance_uid: str) -> Dataset:
    """An object by its name alone."""
    made = Dataset()
    made.SOPInstanceUID = sop_instance_uid
    return made


def told(status: int, comment: str) -> Dataset:
    """A status with its reason (PS3.7 §C)."""
    made = Dataset()
    made.Status = status
    if comment:
        made.ErrorComment = comment[:64]
    return made


def referenced(information: Dataset) -> dict[str, str]:
    """Objects of a request for storage commitment: SOP Instance UID to SOP Class UID (PS3.4 §J.3.2)."""
    items = information.get("ReferencedSOPSequence", None) or ()
    return {str(item.ReferencedSOPInstanceUID): str(item.ReferencedSOPClassUID) for item in items}


def committed(transaction: str, objects: Mapping[str, str], failed: Mapping[str, int]) -> Dataset:
    """What is told of a transaction: objects that are kept safely, and why others are not (PS3.4 §J.3.3)."""
    made = Dataset()
    made.TransactionUID = transaction
    made.ReferencedSOPSequence = [_reference(uid, kind) for uid, kind in objects.items() if uid not in failed]
    if failed:
        made.FailedSOPSequence = [_reference(uid, objects[uid]) for uid in failed]
        for item, reason in zip(made.FailedSOPSequence, failed.values(), strict=True):
            item.FailureReason = reason
    return made


def _reference(uid: str, kind: str) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = kind, uid
    return made
