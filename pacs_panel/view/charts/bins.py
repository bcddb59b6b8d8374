"""Values of one attribute, sorted into the bars of its chart: once, so that brushing only has to count.

For every row a small number says where it belongs. A million rows are a megabyte or two, and are counted in
milliseconds whatever is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pacs_panel.view.charts import edges
from pacs_panel.view.charts.measures import Measure

if TYPE_CHECKING:
    import pandas as pd

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]
NONE = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """The bars of one chart.

    Attributes
    ----------
    measure : Measure
    labels : tuple of str
        What each bar stands for, in words.
    asked : tuple of tuple
        What to ask a search for to find each: values, of which any may match.
    place : array of int, (rows,)
        Which bar a row belongs to or, where rows have several values, which combination of them.
    pairs : pair of arrays of int, optional
        Combinations, and a bar that each belongs to.
    edges : array of (bars + 1), optional
        Where the bars of a histogram begin and end, as numbers or dates; a last bar beyond them is of rows without a
        value. Values that lie outside belong to the first or last one.
    log : bool
        Whether they are to be drawn on a logarithmic axis.
    """

    measure: Measure
    labels: tuple[str, ...]
    asked: tuple[tuple[Any, ...], ...]
    place: NDArray[Any]
    pairs: tuple[NDArray[Any], NDArray[Any]] | None = None
    edges: NDArray[Any] | None = None
    log: bool = False

    @property
    def ranges(self) -> int:
        """How many bars lie between edges."""
        return 0 if self.edges is None else len(self.edges) - 1

    @property
    def said(self) -> bool:
        """Whether any row has a value."""
        return self.ranges > 0 if self.edges is not None else any(label != NONE for label in self.labels)

    def counts(self, mask: Mask | None = None) -> Counts:
        """How many rows each bar has, of all or of those that ``mask`` says."""
        places = self.place if mask is None else self.place[mask]
        if self.pairs is None:
            return np.bincount(places, minlength=len(self.labels))
        whole, bars = self.pairs
        counted = np.bincount(places, minlength=int(whole.max(initial=0)) + 1)
        return np.bincount(bars, counted[whole], len(self.labels)).astype(np.int64)

    def rows(self, chosen: Iterable[int]) -> Mask:
        """The rows that belong to any of these bars."""
        met = np.zeros(len(self.labels), np.bool_)
        met[list(chosen)] = True
        if self.pairs is None:
            return met[self.place]
        whole, bars = self.pairs
        combinations = np.zeros(int(whole.max(initial=0)) + 1, np.bool_)
        combinations[whole[met[bars]]] = True
        return combinations[self.place]

    def criterion(self, chosen: Iterable[int]) -> list[Any]:
        """What to search by to find the rows of these bars; those beside each other are one range."""
        found: list[Any] = []
        last = -2
        for bar in sorted(chosen):
            low_high = self.asked[bar]
            is_range = bar < self.ranges and isinstance(low_high[0], edges.Span)
            if is_range and bar == last + 1:
                found[-1] = edges.Span(found[-1].low, low_high[0].high)
            else:
                found += low_high
            last = bar if is_range else -2
        return [str(each) if isinstance(each, edges.Span) else each for each in found]


def of(measure: Measure, values: pd.Series[Any]) -> Bins:
    """A column of a table of series, sorted into bars."""
    text = values.dtype.name in ("category", "object", "str", "string")
    if measure.kind == "dates" and text:
        return _dates(measure, values)
    if measure.kind == "ages" and text:
        codes, categories = _codes(values)
        years = np.array([*map(edges.years, categories), np.nan])
        return _numbers(measure, years[codes], whole=False)
    if measure.kind in ("numbers", "ages") and not text:
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        return _numbers(measure, numbers, whole=values.dtype.kind in "iu")
    return _values(measure, values)


def small(places: NDArray[Any], most: int) -> NDArray[Any]:
    """The same numbers, in as few bytes as ``most`` needs."""
    return places.astype(np.min_scalar_type(max(most, 1)))


# -- values ------------------------------------------------------------------------------------------------------------


def _values(measure: Measure, values: pd.Series[Any]) -> Bins:
    """Spellings that differ in case are one bar, as in a search; each of several values of a row has its own."""
    codes, categories = _codes(values)
    bars: dict[str | None, int] = {}
    labels: list[str] = []
    asked: list[tuple[Any, ...]] = []
    pairs: list[tuple[int, int]] = []
    for code, value in enumerate([*categories, None]):
        for part in (None,) if value is None else dict.fromkeys(_parts(value)):
            folded = None if part is None else str(part).casefold()
            if folded not in bars:
                bars[folded] = len(labels)
                labels.append(NONE if part is None else measure.names.get(str(part), _said(part, measure.unit)))
                asked.append((part,))
            pairs.append((code, bars[folded]))
    codes = np.where(codes < 0, len(categories), codes)
    whole, bar = np.array(pairs, np.int64).T
    if len(whole) > len(categories) + 1:
        return Bins(measure, tuple(labels), tuple(asked), small(codes, len(categories)), pairs=(whole, bar))
    return Bins(measure, tuple(labels), tuple(asked), small(bar, len(labels))[codes])


def _codes(values: pd.Series[Any]) -> tuple[NDArray[Any], list[Any]]:
    """For each row the number of its value, -1 where there is none, and the values."""
    if values.dtype.name == "category":
        return values.cat.codes.to_numpy().astype(np.int64), list(values.cat.categories)
    import pandas as pd

    codes, found = pd.factorize(values, sort=True)
    return codes, list(found)


def _parts(value: Any) -> list[Any]:
    return [part for part in value.split("\\") if part] if isinstance(value, str) else [value]


def _said(value: Any, unit: str) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text} {unit}" if unit else text


# -- ranges ------------------------------------------------------------------------------------------------------------


def _numbers(measure: Measure, numbers: NDArray[np.float64], whole: bool) -> Bins:
    there = np.isfinite(numbers)
    if not there.any():
        return _nothing(measure, len(numbers))
    ages = measure.kind == "ages"
    scale = edges.for_numbers(numbers[there], whole, step=edges.AGES if ages else None)
    size = len(scale.at) - 1
    place = np.clip(np.searchsorted(scale.at, numbers, side="right") - 1, 0, size - 1)
    least, most = numbers[there].min(), numbers[there].max()
    labels, asked = edges.in_words(scale, least, most, measure.unit)
    if ages:
        asked = edges.age_spans(scale.at, least, most)
    place = small(np.where(there, place, size), size)
    return Bins(measure, (*labels, NONE), (*((span,) for span in asked), (None,)), place, edges=scale.at, log=scale.log)


def _dates(measure: Measure, values: pd.Series[Any]) -> Bins:
    codes, categories = _codes(values)
    days = np.array([edges.day(value) for value in categories], "datetime64[D]")
    there = ~np.isnat(days)
    if not there.any():
        return _nothing(measure, len(codes))
    at = edges.for_dates(days[there].min(), days[there].max())
    size = len(at) - 1
    place = np.where(there, np.searchsorted(at, days, side="right") - 1, size)
    labels, spans = edges.dates_in_words(at, days[there].min(), days[there].max())
    odd = tuple(value for value, good in zip(categories, there, strict=True) if not good)
    place = small(np.append(place, size), size)[codes]  # code -1, of no value, is the last
    return Bins(measure, (*labels, NONE), (*((span,) for span in spans), (None, *odd)), place, edges=at)


def _nothing(measure: Measure, rows: int) -> Bins:
    return Bins(measure, (NONE,), ((None,),), np.zeros(rows, np.uint8), edges=np.zeros(1))
