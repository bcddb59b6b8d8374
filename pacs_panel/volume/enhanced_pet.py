"""Uptake values of an enhanced PET, which says outright to which moment its activities are corrected (PS3.3 §C.8.22).

Of a legacy converted one, what the images that it was made from said.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pacs_panel.dicom.dataset import number_of, text_of
from pacs_panel.pixels import suv
from pacs_panel.pixels.suv import NoSUV, Source, SuvFactor

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.130"
NUMBERS = ("PatientWeight", "PatientSize")
TEXTS = ("PatientSex", "DecayCorrected", "AttenuationCorrected", "DecayCorrectionDateTime", "TimezoneOffsetFromUTC")
DOSE = ("RadionuclideTotalDose", "RadionuclideHalfLife")
NAMES = {
    "DecayCorrected": "Decay Corrected (0018,9758)",
    "AttenuationCorrected": "Attenuation Corrected (0018,9759)",
    "DecayCorrectionDateTime": "Decay Correction DateTime (0018,9701)",
    "RadionuclideTotalDose": "Radionuclide Total Dose (0018,1074)",
    "RadionuclideHalfLife": "Radionuclide Half Life (0018,1075)",
    "RadiopharmaceuticalStartDateTime": "Radiopharmaceutical Start DateTime (0018,1078)",
}
UNIT = "Measurement Units Code Sequence (0040,08EA)"
ACTIVITY = {"BQML": 1.0, "Bq/ml": 1.0, "Bq/mL": 1.0, "kBq/ml": 1e3, "kBq/mL": 1e3, "MBq/ml": 1e6, "MBq/mL": 1e6}
TYPES = {"SUVbw": "BW", "SUVbsa": "BSA", "SUVlbm(Janma)": "LBMJANMA", "SUVlbm(James128)": "LBMJAMES128"}
BODY = ("PatientWeight", "PatientSize", "PatientSex")


def wanted(dataset: Any, unit: str) -> dict[str, Any]:
    """What `factors` needs of an enhanced PET, as plain JSON types; it does not tell who the patient is.

    Parameters
    ----------
    dataset : pydicom.Dataset
    unit : str
        Of the physical values (UCUM), as the functional groups say; empty where they do not.
    """
    found: dict[str, Any] = {"Enhanced": True, "Unit": unit}
    items = list(dataset.get("RadiopharmaceuticalInformationSequence") or [])
    found["Radiopharmaceuticals"] = len(items)
    numbers = {key: number_of(dataset, key) for key in NUMBERS}
    texts = {key: text_of(dataset, key) for key in TEXTS}
    for item in items[:1]:
        numbers |= {key: number_of(item, key) for key in DOSE}
        texts["RadiopharmaceuticalStartDateTime"] = text_of(item, "RadiopharmaceuticalStartDateTime")
    return found | {key: value for key, value in (numbers | texts).items() if value not in (None, "")}


def factors(facts: Mapping[str, Any], kind: suv.Kind = "bw") -> SuvFactor:
    """The factor from an enhanced PET's physical values to uptake values, as `pacs_panel.pixels.suv.factors` gives it.

    Raises
    ------
    NoSUV
        The unit is neither of activity nor of uptake; something that is needed is missing, or cannot be.
    """
    unit = str(facts.get("Unit", ""))
    body = {key: facts[key] for key in BODY if key in facts}
    told = ("Unit", unit, UNIT)
    if (stated := re.fullmatch(r"(?:\{(SUV.+)\})?(?:g|cm2)/m[lL](?:\{(SUV.+)\})?", unit)) is not None:
        of = stated[1] or stated[2] or ""
        if of not in TYPES:
            raise NoSUV(f"values are uptake values already, of type {of or 'unknown'}, whose formula is not stated")
        found = suv.factors({"Units": "GML", "SUVType": TYPES[of], **body}, kind)
        return replace(found, sources=(told, *_without(found.sources, "Units", "SUVType")))
    if unit not in ACTIVITY:
        raise NoSUV(f"the unit of the values is {unit or 'not stated'}; uptake values follow from Bq/ml ({UNIT})")
    return _of_activity(facts, kind, told, body)


def _of_activity(facts: Mapping[str, Any], kind: suv.Kind, told: Source, body: Mapping[str, Any]) -> SuvFactor:
    """By the dose, decayed from its administration to the moment that activities are corrected to."""
    corrections = [(key, _needed(facts, key), NAMES[key]) for key in ("DecayCorrected", "AttenuationCorrected")]
    for _, stated, name in corrections:
        if stated != "YES":
            raise NoSUV(f"{name} is {stated}: activities are not quantitative")
    if (count := facts.get("Radiopharmaceuticals")) != 1:
        raise NoSUV(f"{count or 0} radiopharmaceuticals are stated in Radiopharmaceutical Information (0054,0016)")
    left, decay = _decay(facts)
    dose = _needed(facts, "RadionuclideTotalDose")
    at_once = {"Units": "BQML", "CorrectedImage": "ATTN\\DECY", "DecayCorrection": "ADMIN", "Radiopharmaceuticals": 1}
    found = suv.factors({**at_once, "RadionuclideTotalDose": dose, **body}, kind)
    sources = (told, *corrections, *_without(found.sources, *at_once), *decay)
    return replace(found, factor=found.factor * ACTIVITY[told[1]] / left, sources=sources)


def _decay(facts: Mapping[str, Any]) -> tuple[float, list[Source]]:
    """Which part of the dose was left at the moment that activities are corrected to, and why."""
    keys = ("RadiopharmaceuticalStartDateTime", "DecayCorrectionDateTime")
    injected, corrected = (_moment(facts, key) for key in keys)
    if (injected.tzinfo is None) != (corrected.tzinfo is None):
        raise NoSUV("one of the two times states a time zone, and that of the other is not known")
    half_life, seconds = float(_needed(facts, "RadionuclideHalfLife")), (corrected - injected).total_seconds()
    if half_life <= 0:
        raise NoSUV(f"{NAMES['RadionuclideHalfLife']} is not above 0")
    if not 0 <= seconds <= suv.MOST_HALF_LIVES * half_life:
        raise NoSUV(f"activities are corrected to {seconds:g} s after administration, which cannot be")
    sources = [
        ("RadionuclideHalfLife", f"{half_life:g} s", NAMES["RadionuclideHalfLife"]),
        (keys[0], injected.isoformat(sep=" "), NAMES[keys[0]]),
        (keys[1], corrected.isoformat(sep=" "), NAMES[keys[1]]),
        ("decay since administration", f"{seconds:g} s", "the difference of the two times"),
    ]
    return 0.5 ** (seconds / half_life), sources


def _needed(facts: Mapping[str, Any], key: str) -> Any:
    if key not in facts:
        raise NoSUV(f"{NAMES[key]} is missing")
    return facts[key]


def _moment(facts: Mapping[str, Any], key: str) -> datetime:
    """A date with a time (DT, PS3.5 §6.2), to the hour at least; in the data set's time zone where it states none."""
    stated = re.fullmatch(r"(\d{10}(?:\d\d){0,2})(\.\d{1,6})?([+-]\d{4})?", str(_needed(facts, key)).strip())
    if stated is not None:
        clock, fraction, zone = stated.groups()
        zone = zone or str(facts.get("TimezoneOffsetFromUTC", ""))
        try:
            shape = "%Y%m%d%H%M%S.%f" + ("%z" if zone else "")
            return datetime.strptime(f"{clock:0<14}{fraction or '.0'}{zone}", shape)
        except ValueError:
            pass
    raise NoSUV(f"{NAMES[key]} is no date with a time")


def _without(sources: tuple[Source, ...], *names: str) -> Iterator[Source]:
    return (source for source in sources if source[0] not in names)


def converted(dataset: Any) -> Iterator[Any]:
    """A legacy converted PET as the data sets of the images that it was made from, as far as it kept their attributes.

    What all of them had stands at the top, or among what is shared; what differed stands with each frame (PS3.3
    §C.7.6.16.2.25).
    """
    shared = _items(dataset, "SharedFunctionalGroupsSequence", "UnassignedSharedConvertedAttributesSequence")
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    own = [_items(frame, "UnassignedPerFrameConvertedAttributesSequence") for frame in frames]
    for items in own or [[]]:
        one = copy.copy(dataset)
        for item in (*shared, *items):
            one.update(item)
        yield one


def _items(dataset: Any, *path: str) -> list[Any]:
    """Items of a sequence in a sequence."""
    found = [dataset]
    for keyword in path:
        found = [item for one in found for item in one.get(keyword) or []]
    return found
