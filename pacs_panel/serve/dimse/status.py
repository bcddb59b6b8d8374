"""What went wrong, as a status of DIMSE: one table (PS3.4 §B.2.3 and §C.4.1.1.4, PS3.7 Annex C)."""

from __future__ import annotations

from pacs_panel.errors import BadQuery, Busy, Denied, PacsPanelError, Rejected, TooLarge

SUCCESS = 0x0000
PENDING, PENDING_PARTLY = 0xFF00, 0xFF01  # partly: some of what was asked for is not held here
CANCELLED = 0xFE00
NO_SUCH_LEVEL = 0xA900
OUT_OF_RESOURCES = 0xA700
OTHER_IDENTITY = 0xB007  # a warning: kept, under the UID that stands in the data set, which is not its command's
CANNOT_UNDERSTAND = 0xC000
NOT_AUTHORISED = 0x0124
PROCESSING_FAILURE = 0x0110
NO_SUCH_OBJECT = 0x0112
CLASS_CONFLICT = 0x0119

STATUS: dict[type[Exception], int] = {
    TooLarge: OUT_OF_RESOURCES,
    Rejected: CANNOT_UNDERSTAND,
    BadQuery: CANNOT_UNDERSTAND,
    Denied: NOT_AUTHORISED,
    Busy: OUT_OF_RESOURCES,
    OSError: OUT_OF_RESOURCES,
    PacsPanelError: PROCESSING_FAILURE,
}


def status(error: Exception) -> int:
    """The status of the nearest class of an error in the table; a processing failure where there is none."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), PROCESSING_FAILURE)
