"""What an object says of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Codes (DCM) of titles of key object selections that reject what they name, to the role in which they name it.
REJECTIONS = {
    "113001": "RejectedForQualityReasons",
    "113037": "RejectedForPatientSafetyReasons",
    "113038": "RejectedForIncorrectWorklistEntry",
    "113039": "RejectedForDataRetentionExpired",
}


@dataclass(frozen=True, slots=True)
class Mention:
    """What an object names.

    Attributes
    ----------
    target : str
        UID.
    level : str
        What that is: ``instance``, ``series`` or ``study``.
    role : str
        Keyword of the sequence that names it, or one of `REJECTIONS`.
    sop_class_uid, series_uid : str
        Of the target, as far as the object tells.
    """

    target: str
    level: Literal["instance", "series", "study"] = "instance"
    role: str = ""
    sop_class_uid: str = ""
    series_uid: str = ""
