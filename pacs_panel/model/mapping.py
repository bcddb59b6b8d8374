"""What stored values mean in the real world."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RealWorldMap:
    """One mapping of stored values to values in the real world (PS3.3 §C.7.6.16.2.11).

    Attributes
    ----------
    label, explanation : str
        LUT Label and LUT Explanation.
    unit, quantity : str
        Code of the unit (UCUM); meaning of what is measured.
    first, last : float, optional
        Stored values for which it holds, both inclusive; ``None`` where there is no bound.
    slope, intercept : float, optional
        Real value = stored · slope + intercept; ``None`` where there is a table instead.
    table : tuple of float
        Real value of ``first``, ``first + 1``, …
    """

    label: str
    explanation: str = ""
    unit: str = ""
    quantity: str = ""
    first: float | None = None
    last: float | None = None
    slope: float | None = None
    intercept: float | None = None
    table: tuple[float, ...] = field(default=(), repr=False)
