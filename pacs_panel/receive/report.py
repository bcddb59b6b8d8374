"""What an import did: exact counts, and as many examples as are wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pacs_panel.errors import Rejected

Outcome = Literal["accepted", "duplicate", "new version", "alternative encoding"]
OUTCOMES: tuple[Outcome, ...] = ("accepted", "duplicate", "new version", "alternative encoding")
SHOWN = 5  # examples of a reason in the summary


@dataclass(slots=True)
class Tally:
    """How many, and the first ``limit`` of them as (origin, detail)."""

    limit: int
    count: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, origin: str, detail: str = "") -> None:
        """Count one."""
        self.count += 1
        if len(self.examples) < self.limit:
            self.examples.append((origin, detail))

    def merge(self, other: Tally) -> None:
        """Count what another has counted."""
        self.count += other.count
        self.examples.extend(other.examples[: max(0, self.limit - len(self.examples))])


class Report:
    """What became of everything that an import was given; counts are exact, lists are cut at ``examples``.

    Parameters
    ----------
    examples : int
        Most origins that are remembered of each outcome and each reason.

    Attributes
    ----------
    outcomes : dict of str to Tally
        ``accepted``, ``duplicate``, ``new version``, ``alternative encoding``.
    rejected : dict of str to Tally
        By reason.
    series : set of str
        Keys of the series that were touched.
    bytes : int
        Bytes of the objects that were taken in.
    seconds : float
        How long it took.
    """

    def __init__(self, examples: int = 1000) -> None:
        self.examples = examples
        self.outcomes: dict[Outcome, Tally] = {outcome: Tally(examples) for outcome in OUTCOMES}
        self.rejected: dict[str, Tally] = {}
        self.series: set[str] = set()
        self.bytes = 0
        self.seconds = 0.0

    def add(self, outcome: Outcome, origin: str, *, series: str = "", size: int = 0, detail: str = "") -> None:
        """Count an object: what became of it, the key of the series it touched, its bytes if they were taken in."""
        self.outcomes[outcome].add(origin, detail)
        self.bytes += size
        if series:
            self.series.add(series)

    def refuse(self, origin: str, error: Rejected) -> None:
        """Count a rejection under its reason."""
        self.rejected.setdefault(error.reason, Tally(self.examples)).add(origin, error.detail)

    def merge(self, other: Report) -> Report:
        """Count what another report has counted, and return this one; seconds add up."""
        for outcome, tally in other.outcomes.items():
            self.outcomes[outcome].merge(tally)
        for reason, tally in other.rejected.items():
            self.rejected.setdefault(reason, Tally(self.examples)).merge(tally)
        self.series |= other.series
        self.bytes += other.bytes
        self.seconds += other.seconds
        return self

    @property
    def accepted(self) -> int:
        """Objects that are new."""
        return self.outcomes["accepted"].count

    @property
    def duplicates(self) -> int:
        """Objects that were there already, bit for bit."""
        return self.outcomes["duplicate"].count

    @property
    def new_versions(self) -> int:
        """Objects that differ from one of the same SOP Instance UID."""
        return self.outcomes["new version"].count

    @property
    def alternative_encodings(self) -> int:
        """Objects that were there already, encoded otherwise."""
        return self.outcomes["alternative encoding"].count

    @property
    def refused(self) -> int:
        """Everything that was rejected, for whatever reason."""
        return sum(tally.count for tally in self.rejected.values())

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types, with all remembered examples."""
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "new_versions": self.new_versions,
            "alternative_encodings": self.alternative_encodings,
            "refused": self.refused,
            "rejected": {reason: _plain(tally) for reason, tally in self._reasons()},
            "origins": {outcome: _plain(tally) for outcome, tally in self.outcomes.items()},
            "series": sorted(self.series),
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
        }

    def __str__(self) -> str:
        parts = [f"{tally.count:,} {outcome}" for outcome, tally in self.outcomes.items()]
        lines = [
            f"{', '.join(parts)}, {self.refused:,} rejected",
            f"{len(self.series):,} series touched, {self.bytes / 1e6:,.1f} MB, {self.seconds:.1f} s",
        ]
        for reason, tally in self._reasons():
            lines.append(f"{reason}: {tally.count:,}")
            lines += [f"  {origin}{f' ({detail})' if detail else ''}" for origin, detail in tally.examples[:SHOWN]]
            if tally.count > SHOWN:
                lines.append(f"  and {tally.count - SHOWN:,} more")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Report: {str(self).splitlines()[0]}>"

    def _reasons(self) -> list[tuple[str, Tally]]:
        """Reasons, the most frequent first."""
        return sorted(self.rejected.items(), key=lambda item: (-item[1].count, item[0]))


def _plain(tally: Tally) -> dict[str, Any]:
    return {"count": tally.count, "examples": [{"origin": o, "detail": d} for o, d in tally.examples]}
