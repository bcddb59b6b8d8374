"""Tags and lists go from the records, which keep them, to the index, which searches them."""

from __future__ import annotations

from collections.abc import Iterator

from pacs_panel.index.labels import Label, count, mirror
from pacs_panel.index.store import Index
from pacs_panel.records.store import Records
from pacs_panel.records.values import Mark, MarkKind

KINDS: tuple[MarkKind, ...] = ("tag", "collection")


def to_label(mark: Mark) -> Label:
    """What the index keeps of a mark."""
    return Label(mark.level, mark.kind, mark.key, mark.name)


def follow(index: Index, records: Records, *, wholly: bool = False) -> None:
    """Bring the labels of the index up to date where a kill kept them from it.

    Both are written one after the other, so what is missing shows in their number; ``wholly`` compares each.
    """
    if wholly or count(index.database) != records.count_marks(*KINDS):
        mirror(index.database, lambda: _told(records))


def _told(records: Records) -> Iterator[Label]:
    for kind in KINDS:
        yield from map(to_label, records.marks(kind))
