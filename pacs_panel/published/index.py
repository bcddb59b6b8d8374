"""The index of a published archive: as any other, but its objects come later, and its revisions from the server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

from pacs_panel.attributes import Level
from pacs_panel.errors import Damaged
from pacs_panel.index.criteria import Criteria, known
from pacs_panel.index.search import Search
from pacs_panel.index.store import Index
from pacs_panel.index.values import Value
from pacs_panel.model import Kept, Revision
from pacs_panel.published.fetching import Fetched
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.remote import RemotePath
from pacs_panel.volume.build import published

AT_HAND = 256  # revisions
_REVISION = re.compile(r"[a-z0-9]{1,64}")


class PublishedIndex(Index):
    """What was fetched of one state of a published archive.

    Parameters
    ----------
    fetched : Fetched
    root : RemotePath
        Of the archive, on the server.
    settings : Settings
    """

    def __init__(self, fetched: Fetched, root: RemotePath, settings: Settings) -> None:
        super().__init__(fetched.path, settings)
        self.fetched, self._root = fetched, root
        self._published = lru_cache(AT_HAND)(self._read)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_reopened, (self.fetched.remote, self.fetched.described, self._root, self.settings))

    def close(self) -> None:
        """Let go of what was fetched."""
        super().close()
        self.fetched.close()

    def objects(self, series_key: str, current: bool = True) -> list[Kept]:
        """See `Index.objects`."""
        self.fetched.ensure_objects()
        return super().objects(series_key, current)

    def object(self, sop_instance_uid: str) -> Kept:
        """See `Index.object`."""
        self.fetched.ensure_objects()
        return super().object(sop_instance_uid)

    def search(
        self,
        level: Level = "series",
        asked: Criteria | None = None,
        order: Sequence[tuple[str, str]] | None = None,
        scope: Criteria | Sequence[Criteria] | None = None,
    ) -> Search:
        """See `Index.search`."""
        found = super().search(level, asked, order, scope)
        if level == "instance" or _of_objects(found):
            self.fetched.ensure_objects()
        if self.fetched.complete:
            return found
        return _Found(**{each.name: getattr(found, each.name) for each in fields(Search)}, fetched=self.fetched)

    def revision(self, series_key: str, revision: str | None = None) -> Revision | None:
        """See `Index.revision`."""
        if (found := super().revision(series_key, revision)) is not None:  # without files
            return found
        rows = self.search("series").named(series_key)
        current = str(rows[0]["revision"] or "") if rows else ""
        wanted = current if revision is None else revision
        if not wanted or not _REVISION.fullmatch(wanted):
            return None
        found = self._published(series_key, wanted)
        if found is None and wanted == current:
            raise Damaged(f"the server no longer has series {series_key} as it was published: refresh() the archive")
        return found

    def _read(self, series_key: str, revision: str) -> Revision | None:
        return published(self._root / layout.revision(series_key, revision))


def _reopened(remote: Any, described: Any, root: RemotePath, settings: Settings) -> PublishedIndex:
    return PublishedIndex(Fetched(remote, described, settings), root, settings)


def _of_objects(search: Search) -> bool:
    asked = [search.criteria, *(search.scopes or ())]
    return any(criterion.attribute.level == "instance" for each in asked for criterion in each.wanted)


@dataclass(frozen=True, slots=True)
class _Found(Search):
    """A search that has no objects yet, and fetches them where facets are of objects."""

    fetched: Fetched | None = field(default=None, compare=False, repr=False)

    def facets(self, *keywords: str, limit: int = 100) -> dict[str, list[tuple[Value, int]]]:
        """See `Search.facets`."""
        if self.fetched is not None and _any_of_objects(keywords):
            self.fetched.ensure_objects()
        return Search.facets(self, *keywords, limit=limit)


def _any_of_objects(keywords: Iterable[str]) -> bool:
    return any(known(keyword).level == "instance" for keyword in keywords)
