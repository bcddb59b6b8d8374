"""Where the bars of histograms begin and end: round numbers, whole months, whole years."""

from __future__ import annotations

import datetime
import itertools
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_panel.view.words import number

MOST = 40  # bars
WIDE = 30  # of which multiple the largest usual value is, from where on an axis is logarithmic
TAIL = 0.005  # of the values, at either end, may lie beyond the axis: they belong to the outermost bars
RENARD = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)  # ISO 3, R10: round, and evenly spaced on a logarithmic axis
AGES = 5.0  # years to a bar
AGE = re.compile(r"(\d{1,4})([DWMY])", re.IGNORECASE)
PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}


@dataclass(frozen=True, slots=True)
class Scale:
    """Edges of bars; ``whole``: there are only whole numbers."""

    at: NDArray[np.float64]
    log: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A range with both ends included, as a search takes it."""

    low: str
    high: str

    def __str__(self) -> str:
        return f"{self.low}-{self.high}"


# -- numbers -----------------------------------------------------------------------------------------------------------


def for_numbers(values: NDArray[np.float64], whole: bool = False, step: float | None = None) -> Scale:
    """Edges for some numbers; logarithmic where they are of very different size."""
    low, high = np.quantile(values, (TAIL, 1 - TAIL))
    if step is None and low > 0 and high / low > WIDE:
        return Scale(_renard(low, high, whole), log=True, whole=whole)
    width = step or _width((high - low) / MOST)
    width = max(width, 1.0) if whole else width
    first = math.floor(low / width)
    size = max(math.floor(high / width) - first + 1, 1)
    return Scale(np.round((first + np.arange(size + 1)) * width, 10), whole=whole)


def _width(least: float) -> float:
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= least * (1 - 1e-9))


def _renard(low: float, high: float, whole: bool) -> NDArray[np.float64]:
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 2)
    steps = np.array([each * 10.0**power for power in powers for each in RENARD])
    steps = np.unique(np.rint(steps)[steps >= 1]) if whole else np.array([float(f"{each:.6g}") for each in steps])
    first = max(int(np.searchsorted(steps, low, side="right")) - 1, 0)
    last = int(np.searchsorted(steps, high, side="right"))
    return np.asarray(steps[first : last + 1], np.float64)


def in_words(scale: Scale, least: float, most: float, unit: str) -> tuple[list[str], list[Span]]:
    """What each bar holds, in words and as a range to search for; the outermost go on to ``least`` and ``most``."""
    labels, spans = [], []
    size = len(scale.at) - 1
    for bar, (low, high) in enumerate(itertools.pairwise(scale.at)):
        below, above = bar == 0 and least < low, bar == size - 1 and most >= high
        last = high - 1 if scale.whole else math.nextafter(high, -math.inf)
        spans.append(Span(_plain(least if below else low), _plain(most if above else last)))
        labels.append(_words(low, high - 1 if scale.whole else high, below, above, f" {unit}" if unit else ""))
    return labels, spans


def _words(low: float, high: float, below: bool, above: bool, unit: str) -> str:
    first, last = number(low, 4), number(high, 4)
    if below and above:
        return "all"
    if below or above:
        return f"up to {last}{unit}" if below else f"{first}{unit} and more"
    return f"{first if first == last else f'{first} – {last}'}{unit}"


def _plain(value: float) -> str:
    """A number as a search reads it, exactly."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


# -- dates and ages ----------------------------------------------------------------------------------------------------


def day(value: Any) -> np.datetime64:
    """A date (DA) as a day, or not a time."""
    text = str(value)
    if len(text) != 8 or not text.isdigit():
        return np.datetime64("NaT", "D")
    try:
        return np.datetime64(datetime.date(int(text[:4]), int(text[4:6]), int(text[6:])), "D")
    except ValueError:
        return np.datetime64("NaT", "D")


def for_dates(first: np.datetime64, last: np.datetime64) -> NDArray[Any]:
    """Edges for days from ``first`` to ``last``: whole days, months or years, as far apart as they lie."""
    days = int((last - first).astype(int)) + 1
    unit = "D" if days <= MOST else "M" if days <= 36 * 31 else "Y"
    start, end = first.astype(f"datetime64[{unit}]"), last.astype(f"datetime64[{unit}]")
    steps = np.arange(int(start.astype(int)), int(end.astype(int)) + 2)
    return steps.astype(f"datetime64[{unit}]").astype("datetime64[D]")


def dates_in_words(at: NDArray[Any], least: np.datetime64, most: np.datetime64) -> tuple[list[str], list[Span]]:
    """What each bar holds, in words and as a range to search for, within ``least`` and ``most``."""
    unit = {True: 10, False: 4}[bool((at[1] - at[0]).astype(int) < 28)]
    if unit == 4 and (at[1] - at[0]).astype(int) < 360:
        unit = 7
    labels, spans = [], []
    for low, high in itertools.pairwise(at):
        labels.append(str(low)[:unit])
        first, last = max(low, least), min(high - np.timedelta64(1, "D"), most)
        spans.append(Span(str(first).replace("-", ""), str(last).replace("-", "")))
    return labels, spans


def age_spans(at: NDArray[np.float64], least: float, most: float) -> list[Span]:
    """Bars of ages as ranges to search for, to which an age is a whole number of a unit.

    They end with the last week before the next begins: a header can't say any age between.
    """
    lows, highs = [f"{low:.0f}Y" for low in at[:-1]], [f"{math.ceil(high * PER_YEAR['W']) - 1}W" for high in at[1:]]
    lows[0] = f"{math.floor(min(least, at[0]))}Y"
    if most >= at[-1]:
        highs[-1] = f"{math.ceil(most)}Y"
    return [Span(low, high) for low, high in zip(lows, highs, strict=True)]


def years(value: Any) -> float:
    """An age (AS, PS3.5 §6.2) in years, or not a number."""
    found = AGE.fullmatch(str(value).strip())
    return int(found[1]) / PER_YEAR[found[2].upper()] if found else math.nan
