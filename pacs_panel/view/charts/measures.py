"""What is drawn of a selection of series: THE table of charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pacs_panel.attributes import BY_KEYWORD

Kind = Literal["values", "numbers", "dates", "ages"]
SEXES = {"F": "female", "M": "male", "O": "other"}


@dataclass(frozen=True, slots=True)
class Measure:
    """One chart.

    Attributes
    ----------
    keyword : str
        Of the attribute that is counted.
    title : str
    kind : str
        ``values`` are drawn as bars, the others as histograms; ``ages`` are text (AS, PS3.5 §6.2) or years.
    unit : str
    names : mapping
        Words for values that are codes.
    """

    keyword: str
    title: str
    kind: Kind = "values"
    unit: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def axis(self) -> str:
        """What stands at its axis."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


MEASURES = (
    Measure("StudyDate", "Study date", "dates"),
    Measure("Modality", "Modality"),
    Measure("BodyPartExamined", "Body part"),
    Measure("Manufacturer", "Manufacturer"),
    Measure("ManufacturerModelName", "Scanner model"),
    Measure("NumberOfSeriesRelatedInstances", "Images per series", "numbers"),
    Measure("PixelSpacing", "In-plane spacing", "numbers", "mm"),
    Measure("SliceThickness", "Slice thickness", "numbers", "mm"),
    Measure("Columns", "Matrix: columns", "numbers", "pixels"),
    Measure("Rows", "Matrix: rows", "numbers", "pixels"),
    Measure("PatientAge", "Age", "ages", "years"),
    Measure("PatientSex", "Sex", names=SEXES),
    Measure("MagneticFieldStrength", "Field strength", unit="T"),
    Measure("Collection", "Collection"),
    Measure("Kind", "Kind of object"),
)
VOXELS = ("PixelSpacing", "SliceThickness")  # drawn against each other, too
BY_NAME = {each.keyword: each for each in MEASURES}


def measure(keyword: str) -> Measure:
    """How an attribute is drawn: as the table says, else its values as bars or, if they are numbers, a histogram."""
    if keyword in BY_NAME:
        return BY_NAME[keyword]
    attribute = BY_KEYWORD.get(keyword)
    if attribute is None or not (attribute.number or attribute.vr == "DA"):
        return Measure(keyword, keyword)
    return Measure(keyword, keyword, "numbers" if attribute.number else "dates")


def searched() -> tuple[str, ...]:
    """Keywords of the charts that a search of series knows."""
    return tuple(each.keyword for each in MEASURES if BY_KEYWORD[each.keyword].level != "instance")
