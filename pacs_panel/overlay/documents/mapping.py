"""Real world value maps: what stored values mean (PS3.3 §C.7.6.16.2.11, §A.46)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from pydicom import Dataset

from pacs_panel.dicom.dataset import number_of, numbers_of, text_of
from pacs_panel.overlay.documents.fields import Code, Head, Referenced, code, head, in_series, items, references

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ValueMap:
    """One map, for some images.

    Attributes
    ----------
    label, explanation : str
    unit, quantity : Code, optional
    first, last : float, optional
        Stored values for which it holds, both inclusive.
    slope, intercept : float, optional
        Real value = stored · slope + intercept; ``None`` where there is a table instead.
    table : tuple of float
        Real value of ``first``, ``first + 1``, …
    images : tuple of Referenced
    """

    label: str
    explanation: str
    unit: Code | None
    quantity: Code | None
    first: float | None
    last: float | None
    slope: float | None
    intercept: float | None
    table: tuple[float, ...] = field(default=(), repr=False)
    images: tuple[Referenced, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ValueMaps:
    """An object of real world value maps."""

    head: Head
    label: str
    maps: tuple[ValueMap, ...]

    def to_frame(self) -> pd.DataFrame:
        """The maps as a table, one row each."""
        import pandas as pd

        rows = [
            asdict(one)
            | {
                "unit": one.unit.value if one.unit else "",
                "quantity": str(one.quantity or ""),
                "images": [r.sop_instance_uid for r in one.images],
            }
            for one in self.maps
        ]
        return pd.DataFrame(rows, columns=list(ValueMap.__dataclass_fields__))


def mapping(dataset: Dataset) -> ValueMaps:
    """Maps from their data set; those that name no image hold for all that the object refers to."""
    everywhere = in_series(dataset, "ReferencedInstanceSequence")
    found = []
    for one in items(dataset, "ReferencedImageRealWorldValueMappingSequence"):
        named = references(one, "ReferencedImageSequence") or everywhere
        found += [_map(each, named) for each in items(one, "RealWorldValueMappingSequence")]
    return ValueMaps(head(dataset), text_of(dataset, "ContentLabel"), tuple(found))


def _map(one: Dataset, images: tuple[Referenced, ...]) -> ValueMap:
    ends = []
    for end in ("First", "Last"):
        stored = number_of(one, f"RealWorldValue{end}ValueMapped")
        ends.append(number_of(one, f"DoubleFloatRealWorldValue{end}ValueMapped") if stored is None else stored)
    quantity = [
        value
        for each in items(one, "QuantityDefinitionSequence")
        if (value := code(each, "ConceptCodeSequence")) is not None
    ]
    return ValueMap(
        text_of(one, "LUTLabel"),
        text_of(one, "LUTExplanation"),
        code(one, "MeasurementUnitsCodeSequence"),
        quantity[0] if quantity else None,
        ends[0],
        ends[1],
        number_of(one, "RealWorldValueSlope"),
        number_of(one, "RealWorldValueIntercept"),
        numbers_of(one, "RealWorldValueLUTData") or (),
        images,
    )
