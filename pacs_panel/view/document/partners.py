"""What a series refers to and what refers to it, in words and links; what is not here is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol
from urllib.parse import urlencode

from pacs_panel.dicom.kind import kind
from pacs_panel.errors import PacsPanelError
from pacs_panel.view.words import day

MOST = 20  # series that are listed

Link = dict[str, str]


class Mentioned(Protocol):
    """What is named."""

    @property
    def target(self) -> str:
        """Its UID."""
        ...

    @property
    def level(self) -> str:
        """``instance``, ``series`` or ``study``."""
        ...

    @property
    def sop_class_uid(self) -> str:
        """As far as that is told."""
        ...

    @property
    def series_uid(self) -> str:
        """As far as that is told."""
        ...


class Named(Protocol):
    """One object that names another."""

    @property
    def source(self) -> str:
        """SOP Instance UID of what names it."""
        ...

    @property
    def source_key(self) -> str:
        """Key of its series."""
        ...

    @property
    def mention(self) -> Any:
        """What is named: `Mentioned`."""
        ...

    @property
    def target_key(self) -> str:
        """Key of the series of what is named; empty where it is not here."""
        ...


class Both(Protocol):
    """What something refers to, and what refers to it."""

    @property
    def refers_to(self) -> Sequence[Any]:
        """`Named`, each."""
        ...

    @property
    def referred_by(self) -> Sequence[Any]:
        """`Named`, each."""
        ...


class HasPartners(Protocol):
    """What is asked of an archive here."""

    def find(self, uid: str) -> Mapping[str, Any]:
        """The row of a series."""
        ...

    def references(self, uid: str, level: Literal["series", "instance"] = "series") -> Both:
        """What a series or an object names, and what names it."""
        ...


def partners(archive: HasPartners, key: str) -> tuple[list[Link], list[Link]]:
    """What a series refers to, and what refers to it, a link each series.

    Parameters
    ----------
    key : str
        Of the series.

    Returns
    -------
    pair of lists of dict
        ``words``, ``more``, ``href``, which is empty for what is not here, and ``verdict`` where there are images.
    """
    found = archive.references(key)
    return refers_to(archive, found.refers_to, key), referred_by(archive, found.referred_by, key)


def refers_to(archive: HasPartners, found: Iterable[Named], key: str) -> list[Link]:
    """Series that are named, then what is missing."""
    here: dict[str, set[str]] = {}
    missing: dict[tuple[str, str, str], set[str]] = {}
    for one in found:
        told: Mentioned = one.mention
        if one.target_key and told.level != "study" and one.target_key != key:
            here.setdefault(one.target_key, set()).add(told.target)
        elif not one.target_key:
            series = told.target if told.level == "series" else told.series_uid
            missing.setdefault((told.level, told.sop_class_uid, series), set()).add(told.target)
    told_where = set().union(*(targets for (_, _, series), targets in missing.items() if series))
    for what, targets in missing.items():
        if not what[2]:  # one that is named with its series elsewhere is not named twice
            targets -= told_where
    links = [_link(archive, place, len(targets)) for place, targets in here.items()]
    return _first(links) + _first([_missing(*what, targets) for what, targets in missing.items() if targets])


def referred_by(archive: HasPartners, found: Iterable[Named], key: str) -> list[Link]:
    """Series in which something names this one."""
    sources = {(one.source_key, one.source) for one in found if one.source_key != key}
    counted = Counter(place for place, _ in sorted(sources))
    return _first([_link(archive, place, number) for place, number in counted.items()])


def _link(archive: HasPartners, key: str, number: int) -> Link:
    try:
        row = archive.find(key)
    except PacsPanelError:
        return {"words": "A series that is no longer here", "more": "", "href": ""}
    title = " · ".join(str(row[k]) for k in ("Modality", "SeriesDescription") if row[k])
    more = (str(row["Kind"] or ""), day(row["StudyDate"]), _objects(number))
    href = f"view?{urlencode({'series': key, 'stack': 0})}"
    told = {"words": title or "Series", "more": " · ".join(filter(None, more)), "href": href}
    return told | ({"verdict": str(row["Verdict"])} if row["Verdict"] else {})


def _missing(level: str, sop_class: str, series: str, targets: set[str]) -> Link:
    if level == "study":
        return {"words": "A study, not here", "more": min(targets), "href": ""}
    what = kind(sop_class, "", None).name if sop_class else ("series" if level == "series" else "object")
    where = f"series {series}" if series else min(targets)
    number = _objects(len(targets)) if level == "instance" else ""
    return {
        "words": f"{what[:1].upper()}{what[1:]}, not here",
        "more": " · ".join(filter(None, (number, where))),
        "href": "",
    }


def _objects(number: int) -> str:
    return f"{number:,} object{'' if number == 1 else 's'}"


def _first(links: list[Link]) -> list[Link]:
    more = len(links) - MOST
    return links[:MOST] + ([{"words": f"and {more:,} more", "more": "", "href": ""}] if more > 0 else [])
