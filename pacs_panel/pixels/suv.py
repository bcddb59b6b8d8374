"""Standardized uptake values of a PET: the factor, from which header values it follows, or why there is none.

The way is that of the Quantitative Imaging Biomarkers Alliance for all vendors: activity, decay corrected to a moment
(the scan's start, or the administration), over the activity administered, decayed to that same moment, times a measure
of the body. Nothing is guessed: a value that is missing, or that cannot be, is a refusal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from pydicom import Dataset

from pacs_panel.errors import PacsPanelError

Kind = Literal["bw", "lbm", "lbm_james", "bsa"]
Source = tuple[str, str, str]

WANTED = (
    "Units", "SUVType", "CorrectedImage", "DecayCorrection", "PatientWeight", "PatientSize", "PatientSex",
    "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime", "FrameReferenceTime", "ActualFrameDuration",
)  # fmt: skip
DOSE = (
    "RadionuclideTotalDose", "RadionuclideHalfLife", "RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime",
)  # fmt: skip
# Our name, group, creator, element.
PRIVATE = (
    ("GEScanDateTime", 0x0009, "GEMS_PETD_01", 0x0D),
    ("SiemensDecayCorrectionDateTime", 0x0071, "SIEMENS MED PT", 0x22),
    ("PhilipsSUVScaleFactor", 0x7053, "Philips PET Private Group", 0x00),
    ("PhilipsActivityConcentrationScaleFactor", 0x7053, "Philips PET Private Group", 0x09),
)
TAGS = {
    "Units": "(0054,1001)", "SUVType": "(0054,1006)", "CorrectedImage": "(0028,0051)",
    "DecayCorrection": "(0054,1102)", "PatientWeight": "(0010,1030)", "PatientSize": "(0010,1020)",
    "PatientSex": "(0010,0040)", "SeriesTime": "(0008,0021), (0008,0031)",
    "AcquisitionTime": "(0008,0022), (0008,0032)",
    "EarliestAcquisitionTime": "(0008,0032) of all images", "FrameReferenceTime": "(0054,1300)",
    "ActualFrameDuration": "(0018,1242)", "RadionuclideTotalDose": "(0018,1074)",
    "RadionuclideHalfLife": "(0018,1075)", "RadiopharmaceuticalStartDateTime": "(0018,1078)",
    "RadiopharmaceuticalStartTime": "(0018,1072)", "GEScanDateTime": "private (0009,xx0D) GEMS_PETD_01",
    "SiemensDecayCorrectionDateTime": "private (0071,xx22) SIEMENS MED PT",
    "PhilipsSUVScaleFactor": "private (7053,xx00) Philips PET Private Group",
    "PhilipsActivityConcentrationScaleFactor": "private (7053,xx09) Philips PET Private Group",
}  # fmt: skip
TYPES = {"": "bw", "BW": "bw", "BSA": "bsa", "LBMJANMA": "lbm", "LBMJAMES128": "lbm_james"}
HALF_DAY = timedelta(hours=12)
LEAST_DOSE = 1e5  # Bq: less was stated in another unit
MOST_HALF_LIVES = 10
LONGEST = 6 * 3600  # s: half-life of tracers that are given and imaged on one day


class NoSUV(PacsPanelError, ValueError):
    """Uptake values do not follow from the header; the message says why."""


@dataclass(frozen=True, slots=True)
class SuvFactor:
    """What a PET's values are to be multiplied by, after Rescale Slope and Intercept.

    Attributes
    ----------
    factor : float
    unit : str
        Of the product: ``g/ml``, or ``cm2/ml`` for ``bsa``.
    sources : tuple of (name, value, where it came from)
        All that the factor was made from.
    """

    factor: float
    unit: str
    sources: tuple[Source, ...]


def wanted(dataset: Dataset, acquisition_times: Iterable[str] = ()) -> dict[str, Any]:
    """What `factors` needs of a PET's header, as plain JSON types; it does not tell who the patient is.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Of one image of the series.
    acquisition_times : iterable of str
        Acquisition Time of all images, ``HHMMSS.FFFFFF``: the scan's start may be that of another image.
    """
    found: dict[str, Any] = {key: value for key in WANTED if (value := _plain(dataset, key)) is not None}
    items = list(_item(dataset, "RadiopharmaceuticalInformationSequence") or ())
    found["Radiopharmaceuticals"] = len(items)
    for item in items[:1]:
        found |= {key: value for key in DOSE if (value := _plain(item, key)) is not None}
    for name, group, creator, element in PRIVATE:
        try:
            value = dataset.private_block(group, creator)[element].value
            found[name] = float(value) if name.startswith("Philips") else _text(value)
        except (KeyError, ValueError, TypeError):
            continue
    if times := [time for text in acquisition_times if (time := _time(text)) is not None]:
        found["EarliestAcquisitionTime"] = _earliest(times).strftime("%H%M%S.%f")
    return found


def _item(dataset: Dataset, key: str) -> Any:
    try:
        return dataset.get(key)
    except Exception:  # pydicom raises whatever a bad value provokes
        return None


def _plain(dataset: Dataset, key: str) -> str | float | None:
    value = _item(dataset, key)
    if value is None or value == "":
        return None
    try:
        return float(value) if isinstance(value, int | float) else _text(value)
    except ValueError:
        return None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return str(value).strip(" \0") if isinstance(value, str) else "\\".join(str(part) for part in value)


def _earliest(times: list[datetime]) -> datetime:
    """The first of times of day; those of a scan that passes midnight are more than half a day apart."""
    last = max(times)
    late = [time for time in times if last - min(times) <= HALF_DAY or time > last - HALF_DAY]
    return min(late)


# -- the factor --------------------------------------------------------------------------------------------------------


def factors(header: Mapping[str, Any], kind: Kind = "bw") -> SuvFactor:
    """The factor from a PET's physical values to uptake values.

    Parameters
    ----------
    header : mapping
        As `wanted` gives it.
    kind : str
        By body weight (``bw``); by lean body mass, after Janmahasatian 2005 (``lbm``) or James 1976 with 128
        (``lbm_james``); by body surface area, after Du Bois 1916 (``bsa``).

    Raises
    ------
    NoSUV
        PS3.3 §C.8.9.1: the units are neither ``BQML``, ``GML`` nor Philips' ``CNTS``; something that is needed is
        missing, or cannot be.
    """
    if kind not in get_args(Kind):
        raise NoSUV(f"no kind {kind!r} of uptake value: one of {', '.join(get_args(Kind))}")
    facts = _Facts(header)
    units = facts.text("Units")
    if units in ("GML", "CM2ML"):
        factor = _of_uptake(facts, kind, units)
    elif units == "CNTS" and facts.positive("PhilipsSUVScaleFactor"):
        factor = facts.number("PhilipsSUVScaleFactor") * _converted(facts, "bw", kind)
    elif units == "CNTS" and facts.positive("PhilipsActivityConcentrationScaleFactor"):
        factor = facts.number("PhilipsActivityConcentrationScaleFactor") * _body(facts, kind) / _dose(facts)
    elif units == "BQML":
        factor = _body(facts, kind) / _dose(facts)
    else:
        known = "BQML, GML, or CNTS with Philips' private factors"
        raise NoSUV(f"Units are {units or 'not stated'}; uptake values follow from {known}")
    return SuvFactor(factor, "cm2/ml" if kind == "bsa" else "g/ml", tuple(facts.used))


class _Facts:
    """Header values, and which of them were used."""

    def __init__(self, header: Mapping[str, Any]) -> None:
        self._header = header
        self.used: list[Source] = []

    def note(self, name: str, value: object, where: str) -> None:
        self.used.append((name, str(value), where))

    def text(self, key: str) -> str:
        if value := str(self._header.get(key, "")):
            self.note(key, value, TAGS[key])
        return value

    def positive(self, key: str) -> bool:
        value = self._header.get(key)
        return isinstance(value, int | float) and math.isfinite(value) and value > 0

    def number(self, key: str, low: float = 0, high: float = math.inf, unit: str = "") -> float:
        """A number that is there and between ``low`` and ``high``."""
        if not self.positive(key):
            raise NoSUV(f"{key} {TAGS[key]} is missing or not above 0")
        value = float(self._header[key])
        if not low <= value <= high:
            raise NoSUV(f"{key} {TAGS[key]} is {value:g}, which cannot be {unit}: it may be in another unit")
        self.note(key, f"{value:g} {unit}".strip(), TAGS[key])
        return value

    def moment(self, date: str, time: str, name: str) -> datetime | None:
        """A date with a time; where the date is missing, a day that is the same for all."""
        at, day = _time(str(self._header.get(time, ""))), _date(str(self._header.get(date, "")))
        return None if at is None else datetime.combine((day or at).date(), at.time())

    def stamp(self, key: str) -> datetime | None:
        text = str(self._header.get(key, ""))
        if any(sign in text[8:] for sign in "+-"):
            raise NoSUV(f"{key} {TAGS[key]} states a time zone, while that of the other times is not known")
        day, at = _date(text[:8]), _time(text[8:])
        return None if day is None or at is None else datetime.combine(day.date(), at.time())

    def seconds(self, key: str) -> float:
        """A positive duration that the header states in ms; 0 where it does not."""
        return float(self._header[key]) / 1000 if self.positive(key) else 0.0

    @property
    def radiopharmaceuticals(self) -> int:
        count = self._header.get("Radiopharmaceuticals", 0)
        return count if isinstance(count, int) else 0

    def has(self, key: str) -> bool:
        return bool(self._header.get(key))


def _date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text[:10].replace(".", ""), "%Y%m%d")
    except ValueError:
        return None


def _time(text: str) -> datetime | None:
    """A time of day (PS3.5 §6.2, TM): of ``HHMMSS.FFFFFF`` all but the hour may be missing."""
    clock, _, fraction = text.partition("+")[0].partition("-")[0].replace(":", "").partition(".")
    try:
        if len(clock.strip()) not in (2, 4, 6):
            return None
        at = datetime.strptime(clock.strip().ljust(6, "0"), "%H%M%S")
        return at + timedelta(seconds=float(f"0.{fraction.strip() or 0}"))
    except ValueError:
        return None


# -- bodies ------------------------------------------------------------------------------------------------------------


def _of_uptake(facts: _Facts, kind: Kind, units: str) -> float:
    stated = facts.text("SUVType") or ("BSA" if units == "CM2ML" else "")
    if stated not in TYPES:
        raise NoSUV(f"values are uptake values already, of type {stated}, whose formula is not stated")
    if not stated:
        facts.note("SUVType", "BW", "Units are GML, and no SUV Type is stated (PS3.3 §C.8.9.1.1.3)")
    return _converted(facts, TYPES[stated], kind)


def _converted(facts: _Facts, have: str, kind: str) -> float:
    """From uptake values of one kind to another."""
    return 1.0 if have == kind else _body(facts, kind) / _body(facts, have)


def _body(facts: _Facts, kind: str) -> float:
    """Body weight or lean body mass in g; body surface area in cm²."""
    kilograms = facts.number("PatientWeight", 1e-3, 500, "kg")
    if kind == "bw":
        return 1000 * kilograms
    metres = facts.number("PatientSize", 0.2, 2.8, "m")
    if kind == "bsa":
        facts.note("body surface area", f"{_area(kilograms, metres):.4g} m2", "Du Bois 1916")
        return 1e4 * _area(kilograms, metres)
    if (sex := facts.text("PatientSex")) not in ("M", "F"):
        raise NoSUV("lean body mass depends on the sex, and Patient's Sex (0010,0040) is neither M nor F")
    mass, formula = (_james, "James 1976, with 128") if kind == "lbm_james" else (_janmahasatian, "Janmahasatian 2005")
    lean = mass(kilograms, metres, sex)
    facts.note("lean body mass", f"{lean:.4g} kg", formula)
    return 1000 * lean


def _area(kilograms: float, metres: float) -> float:
    return float(0.007184 * kilograms**0.425 * (100 * metres) ** 0.725)


def _james(kilograms: float, metres: float, sex: str) -> float:
    ratio = (kilograms / (100 * metres)) ** 2
    lean = 1.10 * kilograms - 128 * ratio if sex == "M" else 1.07 * kilograms - 148 * ratio
    if lean <= 0:
        raise NoSUV("the formula of James gives no lean body mass for a body of this weight and size")
    return lean


def _janmahasatian(kilograms: float, metres: float, sex: str) -> float:
    index = kilograms / metres**2
    return 9270 * kilograms / (6680 + 216 * index if sex == "M" else 8780 + 244 * index)


# -- the dose at the moment that activities are corrected to -----------------------------------------------------------


def _dose(facts: _Facts) -> float:
    """Bq of what was administered, at the moment to which the image's activities are corrected."""
    corrected = facts.text("CorrectedImage").split("\\")
    if missing := [name for name in ("ATTN", "DECY") if name not in corrected]:
        raise NoSUV(
            f"Corrected Image (0028,0051) does not name {' and '.join(missing)}: activities are not quantitative"
        )
    if facts.radiopharmaceuticals != 1:
        raise NoSUV(f"{facts.radiopharmaceuticals} radiopharmaceuticals are stated: which dose counts is not clear")
    dose = facts.number("RadionuclideTotalDose", LEAST_DOSE, unit="Bq")
    reference = facts.text("DecayCorrection")
    if reference == "ADMIN":
        return dose
    if reference != "START":
        raise NoSUV(f"Decay Correction (0054,1102) is {reference or 'not stated'}; START or ADMIN is needed")
    half_life = facts.number("RadionuclideHalfLife", 1, unit="s")
    start = _scan_start(facts, half_life)
    seconds = _since_injection(facts, start, half_life)
    facts.note("decay since administration", f"{seconds:g} s", "the difference of the two times")
    return float(dose * 0.5 ** (seconds / half_life))


def _since_injection(facts: _Facts, start: datetime, half_life: float) -> float:
    """Seconds from administration to the moment of the decay correction."""
    key = "RadiopharmaceuticalStartDateTime"
    injected = facts.stamp(key)
    if injected is None:
        key = "RadiopharmaceuticalStartTime"
        if (clock := facts.moment("", key, "")) is None:
            raise NoSUV("neither Radiopharmaceutical Start Date Time (0018,1078) nor Start Time (0018,1072) is stated")
        if half_life > LONGEST:
            raise NoSUV("the day of administration is not stated, and the half-life is of a tracer given days before")
        injected = datetime.combine(start.date(), clock.time())
        if injected > start:  # administered before midnight
            injected -= timedelta(days=1)
        if start - injected > HALF_DAY:
            raise NoSUV("administration seems to come after the scan, or more than 12 hours before")
    facts.note(key, injected.isoformat(sep=" "), TAGS[key])
    seconds = (start - injected).total_seconds()
    if not 0 <= seconds <= MOST_HALF_LIVES * half_life:
        raise NoSUV(f"the scan starts {seconds:g} s after administration, which cannot be: dates may have been altered")
    return seconds


def _scan_start(facts: _Facts, half_life: float) -> datetime:
    """The moment that activities are corrected to: what the vendor states, else what fits the acquisition times.

    Series Time is it, unless it is later than an acquisition: then the series was made, or stored again, afterwards.
    """
    own = facts.moment("AcquisitionDate", "AcquisitionTime", "")
    first = _first_acquisition(facts, own)
    for key in ("SiemensDecayCorrectionDateTime", "GEScanDateTime"):
        stated = facts.stamp(key)
        if stated is not None and (own is None or abs(stated - own) <= HALF_DAY):  # else dates were altered
            return _noted(facts, key, stated)
    series = facts.moment("SeriesDate", "SeriesTime", "")
    if series is not None and first is not None and timedelta(0) <= first - series <= HALF_DAY:
        return _noted(facts, "SeriesTime", series)
    reference, duration = facts.seconds("FrameReferenceTime"), facts.seconds("ActualFrameDuration")
    if own is not None and reference and duration:
        facts.note("AcquisitionTime", own.isoformat(sep=" "), TAGS["AcquisitionTime"])
        facts.note("FrameReferenceTime", f"{reference:g} s", TAGS["FrameReferenceTime"])
        facts.note("ActualFrameDuration", f"{duration:g} s", TAGS["ActualFrameDuration"])
        middle = timedelta(seconds=_mean_time(duration, math.log(2) / half_life))
        return _noted(facts, "computed", own - timedelta(seconds=reference) + middle)
    if facts.has("EarliestAcquisitionTime") and first is not None:
        return _noted(facts, "EarliestAcquisitionTime", first)
    raise NoSUV("when the scan started is not clear: Series Time is missing or later than the acquisition")


def _mean_time(duration: float, rate: float) -> float:
    """Seconds into a frame at which activity is its mean over the frame."""
    decay = rate * duration
    return math.log(decay / -math.expm1(-decay)) / rate


def _first_acquisition(facts: _Facts, own: datetime | None) -> datetime | None:
    clock = facts.moment("", "EarliestAcquisitionTime", "")
    if clock is None or own is None:
        return own
    first = datetime.combine(own.date(), clock.time())
    return first - timedelta(days=1) if first > own + HALF_DAY else min(first, own)


def _noted(facts: _Facts, key: str, moment: datetime) -> datetime:
    where = TAGS.get(key, "Acquisition Time less Frame Reference Time, plus when the frame has its mean activity")
    facts.note("start of the scan", moment.isoformat(sep=" "), where if key not in TAGS else f"{key} {where}")
    return moment
