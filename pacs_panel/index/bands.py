"""Ranges of numbers and dates, as a page draws them: each is a criterion, and a value lies in one of them at most."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from pacs_panel.attributes import Attribute
from pacs_panel.errors import BadQuery
from pacs_panel.index.values import WHOLE, Value, compared

MOST = 20
TAIL = 0.01  # of all rows, at either end, may lie far out without widening the ranges

Band = tuple[Value, Value]  # both ends belong to it
Counted = Sequence[tuple[float, int]]  # values in order, and how many rows have each


def bands(attribute: Attribute, counted: Iterable[tuple[Value, int]], most: int = MOST) -> list[Band]:
    """Ranges in order, together holding all values; where these are few, one for each.

    Numbers and ages (in years) are divided at round ones, dates at days, months, years, or several of those. The
    first and the last range hold what lies far out.

    Parameters
    ----------
    attribute : Attribute
        Of numbers, ages or dates.
    counted : iterable of (value, int)
        Values as facets give them.
    most : int
        About how many ranges.

    Raises
    ------
    BadQuery
        An attribute of text.
    """
    if attribute.vr == "DA":
        return [*_of_dates(sorted({str(v) for v, _ in counted if re.fullmatch(r"\d{8}", str(v))}), most)]
    if not attribute.measured:
        raise BadQuery(f"{attribute.keyword} is text: it has facets, and no ranges")
    numbers = sorted((float(number), n) for v, n in counted if (number := compared(attribute, v)) is not None)
    if len({number for number, _ in numbers}) <= most:
        return [(number, number) for number in dict.fromkeys(_plain(number) for number, _ in numbers)]
    return _of_numbers(numbers, most, attribute.vr in WHOLE)


def _of_numbers(counted: Counted, most: int, whole: bool) -> list[Band]:
    low, high = _inner(counted)
    digits, factor = _step((high - low) / most, whole)
    edges = [_multiple(n, digits, factor) for n in range(*_places(low, high, digits, factor))]
    ends = [edge - 1 if whole else math.nextafter(edge, -math.inf) for edge in edges[1:]]
    found = [*zip(edges, ends, strict=False)]
    found[0] = (min(edges[0], counted[0][0]), found[0][1])
    found[-1] = (found[-1][0], max(found[-1][1], counted[-1][0]))
    return [(_plain(start), _plain(end)) for start, end in found]


def _inner(counted: Counted) -> tuple[float, float]:
    """Where all but the tails lie."""
    total, passed = sum(n for _, n in counted), 0
    inside = []
    for number, n in counted:
        if passed + n > TAIL * total and passed < (1 - TAIL) * total:
            inside.append(number)
        passed += n
    return inside[0], inside[-1]


def _step(least: float, whole: bool) -> tuple[int, int]:
    """The smallest of 1, 2 and 5 times a power of ten that is not below ``least``: the power, and the factor."""
    least = max(least, 1.0 if whole else 1e-9)
    digits = math.floor(math.log10(least))
    factor = next((f for f in (1, 2, 5) if f * 10.0**digits >= least), 10)
    return (digits, factor) if factor < 10 else (digits + 1, 1)


def _multiple(n: int, digits: int, factor: int) -> float:
    """``n`` steps, rounded once."""
    return float(n * factor * 10**digits) if digits >= 0 else n * factor / 10**-digits


def _places(low: float, high: float, digits: int, factor: int) -> tuple[int, int]:
    step = _multiple(1, digits, factor)
    return math.floor(low / step), max(math.floor(high / step), math.floor(low / step)) + 2


def _plain(number: float) -> int | float:
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


# -- dates -------------------------------------------------------------------------------------------------------------


def _of_dates(days: Sequence[str], most: int) -> Iterator[Band]:
    if not days:
        return
    if len(days) <= min(most, 2) or days[0][:6] == days[-1][:6]:
        yield from ((day, day) for day in days)
        return
    first, last = (12 * int(day[:4]) + int(day[4:6]) - 1 for day in (days[0], days[-1]))
    months = next((m for m in (1, 3, 12) if last // m - first // m < most), 0)
    if not months:
        digits, factor = _step(math.ceil((last - first + 12) / 12 / most), whole=True)
        months = 12 * int(_multiple(1, digits, factor))
    edges = [months * n for n in range(first // months, last // months + 2)]
    for start, following in pairwise(edges):
        year, month = divmod(following - 1, 12)
        end = calendar.monthrange(max(year, 1), month + 1)[1]
        yield f"{start // 12:04}{start % 12 + 1:02}01", f"{year:04}{month + 1:02}{end:02}"
