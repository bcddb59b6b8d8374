"""Who refers to whom: what objects name, as plain links, and which of that is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pacs_panel.overlay.references import Referred

LinkLevel = Literal["instance", "series", "study"]


@dataclass(frozen=True, slots=True)
class Link:
    """One object names another one, or a whole series or study.

    Attributes
    ----------
    source, target : str
        SOP Instance UID of what refers; UID of what is referred to.
    level : str
        What ``target`` is: ``instance``, ``series`` or ``study``.
    role : str
        Keyword of the sequence that holds the reference; empty for a series or study.
    sop_class_uid, series_uid, study_uid : str
        Of the target, as far as the reference tells.
    """

    source: str
    target: str
    level: LinkLevel
    role: str = ""
    sop_class_uid: str = ""
    series_uid: str = ""
    study_uid: str = ""


def links(referred: Mapping[str, Referred]) -> tuple[Link, ...]:
    """What objects refer to, as links: each named instance, and each series and study of which no instance is named.

    Parameters
    ----------
    referred : mapping of str to Referred
        SOP Instance UID of an object to what it refers to. That an object names itself is no link.
    """
    return tuple(link for source, one in referred.items() for link in _of(source, one))


def missing(found: Iterable[Link], present: Collection[str]) -> tuple[Link, ...]:
    """Links whose target is not among the UIDs that are ``present``."""
    here = frozenset(present)
    return tuple(link for link in found if link.target not in here)


def incoming(found: Iterable[Link], targets: Collection[str]) -> tuple[Link, ...]:
    """Links that lead to any of ``targets``: UIDs of instances, or of the series and study that they are in."""
    wanted = frozenset(targets)
    return tuple(link for link in found if link.target in wanted)


def _of(source: str, one: Referred) -> list[Link]:
    found = [
        Link(source, r.sop_instance_uid, "instance", r.role, r.sop_class_uid, r.series_uid, r.study_uid)
        for r in one.references
        if r.sop_instance_uid != source
    ]
    series = {r.series_uid for r in one.references}
    studies = {r.study_uid for r in one.references}
    found += [Link(source, uid, "series") for uid in one.series if uid not in series]
    return found + [Link(source, uid, "study") for uid in one.studies if uid not in studies]
