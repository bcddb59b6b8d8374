"""Arrivals made up for tests."""

from __future__ import annotations

from typing import Any

from pacs_panel.index.arrival import Arrival
from pacs_panel.model import Digests, ImageHeader, Kept, Location
from pacs_panel.storage import layout

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def arrival(
    instance: int = 1,
    series: int = 1,
    study: int = 1,
    *,
    patient: str = "P1",
    received: int = 1,
    content: str = "",
    collection: str = "lung",
    uid: str = "",
    in_place: bool = False,
    image: ImageHeader | None = None,
    **values: Any,
) -> Arrival:
    """One object of ``1.2.<study>.<series>.<instance>``; ``content`` tells versions apart."""
    study_uid, series_uid = f"1.2.{study}", f"1.2.{study}.{series}"
    uid = uid or f"{series_uid}.{instance}"
    study_key = layout.study_key(study_uid)
    series_key = layout.series_key(study_key, series_uid)
    told = {
        "PatientID": patient,
        "StudyInstanceUID": study_uid,
        "SeriesInstanceUID": series_uid,
        "Modality": "CT",
        "SOPInstanceUID": uid,
        "InstanceNumber": instance,
    }
    digests = Digests(f"file of {uid} {content}", f"data set of {uid} {content}")
    location = Location(f"{series_key}/pack", 1000 * instance, 900, in_place)
    kept = Kept(uid, CT, series_key, EXPLICIT, location, digests, 132, received, True, image)
    patient_key = layout.patient_key(patient, "", collection, study_uid)
    return Arrival(kept, told | values, study_key, patient_key, collection, "image")
