"""What the index is told of one kept object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pacs_panel.index.mention import Mention
from pacs_panel.model import Kept


@dataclass(frozen=True, slots=True)
class Arrival:
    """One kept object and what its header says.

    Attributes
    ----------
    kept : Kept
        Which, where, since when; ``current`` is not read: the index decides it.
    values : mapping of str to str, int or float
        ``Header.values``.
    study_key, patient_key : str
        Keys of the levels above; the series' is ``kept.series_key``.
    collection, kind : str
        Filled in as ``Collection`` and ``Kind``.
    mentions : tuple of Mention
        What it names.
    """

    kept: Kept
    values: Mapping[str, str | int | float]
    study_key: str
    patient_key: str
    collection: str = ""
    kind: str = ""
    mentions: tuple[Mention, ...] = ()
