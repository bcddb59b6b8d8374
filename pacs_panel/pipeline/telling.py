"""How much has come by a session, told to the records from time to time: often enough to be watched, and cheap."""

from __future__ import annotations

import logging
import time

from pacs_panel.errors import PacsPanelError
from pacs_panel.receive.report import Report
from pacs_panel.records.store import Records

log = logging.getLogger(__name__)
OFTEN = 1.0  # seconds between two times


class Telling:
    """Tells the counts of one session. Threads may share it."""

    def __init__(self, records: Records, session: str, often: float = OFTEN) -> None:
        self._records, self._session, self._often = records, session, often
        self._last = 0.0

    def now(self, report: Report, *, last: bool = False) -> None:
        """Tell, unless that was done a moment ago. Nothing that is kept depends on it, so a failure passes."""
        if not last and time.monotonic() - self._last < self._often:
            return
        self._last = time.monotonic()
        try:
            self._records.count(
                self._session,
                time.time_ns(),
                accepted=report.accepted,
                duplicates=report.duplicates,
                new_versions=report.new_versions + report.alternative_encodings,
                refused=report.refused,
                bytes=report.bytes,
            )
        except PacsPanelError as error:
            log.warning("how much came could not be noted: %s", type(error).__name__)
