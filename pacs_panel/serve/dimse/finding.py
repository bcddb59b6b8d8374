"""Answers to C-FIND: the same search as everybody's, as the same principal (PS3.4 §C.4.1)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from pacs_panel.attributes import down_to
from pacs_panel.dicom.answer import LEVELS, answer, asked, unknown
from pacs_panel.errors import PacsPanelError
from pacs_panel.serve.dimse.status import CANCELLED, CANNOT_UNDERSTAND, NO_SUCH_LEVEL, PENDING, PENDING_PARTLY, status

log = logging.getLogger(__name__)

Answer = tuple[int, Any]


def find(archive: Any, identifier: Any, ae_title: str, cancelled: Callable[[], bool]) -> Iterator[Answer]:
    """What matches an identifier, each with its status; nothing after the last, which the library answers itself.

    Parameters
    ----------
    archive : Archive
        As whoever asks may see it.
    identifier : pydicom.Dataset
    ae_title : str
        Ours.
    cancelled : callable
        Whether the asker has lost interest.
    """
    try:
        yield from _found(archive, identifier, ae_title, cancelled)
    except PacsPanelError as error:
        yield status(error), None
    except Exception as error:  # a question that cannot be read; what the library says of it may quote it
        log.warning("a question could not be answered: %s", type(error).__name__)
        yield CANNOT_UNDERSTAND, None


def _found(archive: Any, identifier: Any, ae_title: str, cancelled: Callable[[], bool]) -> Iterator[Answer]:
    level = str(identifier.get("QueryRetrieveLevel", "")).strip()
    if level not in LEVELS:
        yield NO_SUCH_LEVEL, None
        return
    at, everything = LEVELS[level], asked(identifier)
    known = {attribute.keyword for attribute in down_to(at)}
    wanted = {keyword: value for keyword, value in everything.items() if keyword in known}
    state = PENDING_PARTLY if unknown(identifier) or len(wanted) < len(everything) else PENDING
    criteria = {keyword: value for keyword, value in wanted.items() if value}
    for row in archive.search(at, **criteria).rows():
        if cancelled():
            yield CANCELLED, None
            return
        yield state, answer(row, wanted, level, ae_title)
