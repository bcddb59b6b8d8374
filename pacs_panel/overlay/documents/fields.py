"""Elements of a data set as plain values: what is absent or bad is empty, never an exception."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom import Dataset

from pacs_panel.dicom.dataset import number_of, numbers_of, text_of
from pacs_panel.dicom.kind import kind
from pacs_panel.errors import PacsPanelError, TooLarge

MAX_ITEMS = 1_000_000  # of one sequence


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 §8.8); as text it is its meaning."""

    value: str
    scheme: str
    meaning: str

    def __str__(self) -> str:
        return self.meaning or self.value


@dataclass(frozen=True, slots=True)
class Referenced:
    """An object that a document names.

    Attributes
    ----------
    sop_instance_uid, sop_class_uid : str
    frames, segments : tuple of int
        Frame numbers from 1, Segment Numbers; empty where the whole object is meant.
    series_uid, study_uid : str
        As far as the document tells.
    """

    sop_instance_uid: str
    sop_class_uid: str = ""
    frames: tuple[int, ...] = ()
    segments: tuple[int, ...] = ()
    series_uid: str = ""
    study_uid: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """What every document has.

    Attributes
    ----------
    sop_instance_uid, sop_class_uid : str
    kind : str
        In words, such as ``"structured report"``.
    modality, description, manufacturer : str
        Modality, Series Description, Manufacturer.
    date, time : str
        Of its content, else of its series or study: ``YYYYMMDD``, ``HHMMSS``.
    """

    sop_instance_uid: str
    sop_class_uid: str
    kind: str
    modality: str = ""
    description: str = ""
    manufacturer: str = ""
    date: str = ""
    time: str = ""


def head(dataset: Dataset) -> Head:
    """The `Head` of a data set."""
    text = [text_of(dataset, k) for k in ("SOPInstanceUID", "SOPClassUID", "Modality")]
    instance, sop_class, modality = text
    times = [
        (text_of(dataset, f"{what}Date"), text_of(dataset, f"{what}Time"))
        for what in ("Content", "PresentationCreation", "Series", "Study")
    ]
    return Head(
        instance,
        sop_class,
        kind(sop_class, modality, None).name,
        modality,
        text_of(dataset, "SeriesDescription"),
        text_of(dataset, "Manufacturer"),
        *next((one for one in times if one[0]), ("", "")),
    )


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Items of a sequence; none where it is absent or no sequence.

    Raises
    ------
    TooLarge
        More than `MAX_ITEMS` of them.
    """
    try:
        found = [item for item in dataset.get(keyword) or () if isinstance(item, Dataset)]
    except (PacsPanelError, RecursionError):
        raise
    except Exception:  # pydicom raises whatever the bad value provokes
        return []
    if len(found) > MAX_ITEMS:
        raise TooLarge(f"{keyword} has {len(found)} items")
    return found


def item(dataset: Dataset, keyword: str) -> Dataset:
    """The first item of a sequence, or an empty data set."""
    return next(iter(items(dataset, keyword)), Dataset())


def integer(dataset: Dataset, keyword: str, default: int = 0) -> int:
    """The first number of an element as a whole one."""
    number = number_of(dataset, keyword)
    return default if number is None else int(number)


def integers(dataset: Dataset, keyword: str) -> tuple[int, ...]:
    """The numbers of an element as whole ones."""
    return tuple(int(number) for number in numbers_of(dataset, keyword) or ())


def data(dataset: Dataset, keyword: str) -> bytes:
    """The bytes of an element; none where it is absent or is no byte string."""
    try:
        value = dataset.get(keyword)
    except Exception:  # pydicom raises whatever the bad value provokes
        return b""
    return bytes(value) if isinstance(value, bytes | bytearray) else b""


def code(dataset: Dataset, keyword: str) -> Code | None:
    """The first code of a sequence."""
    return next(iter(codes(dataset, keyword)), None)


def codes(dataset: Dataset, keyword: str) -> tuple[Code, ...]:
    """All codes of a sequence; long values and URNs (PS3.3 §8.1) count as values."""
    return tuple(
        Code(
            next((v for k in ("CodeValue", "LongCodeValue", "URNCodeValue") if (v := text_of(one, k))), ""),
            text_of(one, "CodingSchemeDesignator"),
            text_of(one, "CodeMeaning"),
        )
        for one in items(dataset, keyword)
    )


def references(dataset: Dataset, keyword: str, series_uid: str = "", study_uid: str = "") -> tuple[Referenced, ...]:
    """Objects that the items of a sequence name by SOP Instance UID."""
    return tuple(
        Referenced(
            instance,
            text_of(one, "ReferencedSOPClassUID"),
            integers(one, "ReferencedFrameNumber"),
            integers(one, "ReferencedSegmentNumber"),
            series_uid,
            study_uid,
        )
        for one in items(dataset, keyword)
        if (instance := text_of(one, "ReferencedSOPInstanceUID"))
    )


def in_series(dataset: Dataset, within: str, study_uid: str = "") -> tuple[Referenced, ...]:
    """Objects that a Referenced Series Sequence names, each series' in the sequence ``within``."""
    return tuple(
        found
        for series in items(dataset, "ReferencedSeriesSequence")
        for found in references(series, within, text_of(series, "SeriesInstanceUID"), study_uid)
    )


def evidence(dataset: Dataset) -> Iterator[Referenced]:
    """Objects of the evidence sequences (PS3.3 §C.17.2), each with its series and study."""
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in items(dataset, keyword):
            yield from in_series(study, "ReferencedSOPSequence", text_of(study, "StudyInstanceUID"))


def person(name: str) -> str:
    """A person's name to read: components in the order of speech, without the other representations."""
    family, given, middle, prefix, suffix = (name.split("=")[0].split("^") + [""] * 5)[:5]
    return " ".join(part for part in (prefix, given, middle, family, suffix) if part)


def plain(number: float | None, unit: str = "") -> str:
    """A number to read, with its unit; empty where there is none."""
    if number is None:
        return ""
    return f"{number:.6g} {unit}".strip() if abs(number) < 1e15 else f"{number} {unit}".strip()
