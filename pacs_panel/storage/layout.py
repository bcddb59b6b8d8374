"""The only place where a path of the archive is spelled.

Keys are the archive's own: made from UIDs, but safe as names on any file system, and telling nothing about a patient.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

FORMAT_VERSION = 1
ARCHIVE_TOML = "archive.toml"
INDEX = "index.sqlite"
RECORDS = "records.sqlite"
DIRECTORIES = ("incoming", "originals", "volumes", "quarantine", "locks")


@lru_cache(maxsize=4096)  # objects of a series ask for the same three
def key(*parts: str) -> str:
    """A name of 26 letters and digits made from ``parts`` (128 bits of SHA-256, base 32, lower case)."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:16]
    return base64.b32encode(digest).decode("ascii").rstrip("=").lower()


def study_key(study_uid: str, patient: str = "", date: str = "") -> str:
    """Key of a study; where its UID is missing, derived from the patient's key and the study's date."""
    return key("study", study_uid) if study_uid else key("study without uid", patient, date)


def series_key(study: str, series_uid: str, sop_class_uid: str = "") -> str:
    """Key of a series in the study with key ``study``; where its UID is missing, derived from the SOP class."""
    return key("series", study, series_uid) if series_uid else key("series without uid", study, sop_class_uid)


def patient_key(patient_id: str, issuer: str, collection: str, study_uid: str) -> str:
    """Key of a patient: (issuer or collection, Patient ID); a blank ID never merges with another."""
    if not patient_id:
        return key("patient without id", study_uid)
    return key("patient", issuer or collection, patient_id)


def pack_id(series: str, session: str, writer: int) -> str:
    """Name of the pack that one writer of one session (an import, an association) fills for one series."""
    return f"{series}/{session}-{writer}"


def pack(pack_id: str) -> str:
    """A sealed pack of a series' originals."""
    return f"originals/{pack_id[:2]}/{pack_id}.tar"


def log(pack_id: str) -> str:
    """The append log that becomes the pack of this id when its session ends."""
    series, name = pack_id.split("/")
    return f"incoming/{name.rsplit('-', 1)[0]}/{series}/{name}.tar"


def session(session: str) -> str:
    """Folder of the append logs of one session."""
    return f"incoming/{session}"


def session_lock(session: str) -> str:
    """Lock file of the process that owns a session."""
    return f"locks/session-{session}"


def writers_lock(session: str) -> str:
    """Lock file that all who append to a session's logs share; whoever recovers the session holds it alone."""
    return f"locks/writers-{session}"


def revision(series: str, revision: str) -> str:
    """Folder of one published revision of a series."""
    return f"volumes/{series[:2]}/{series}/{revision}"


def stack(series: str, revision_id: str, number: int) -> str:
    """OME-Zarr group of one stack."""
    return f"{revision(series, revision_id)}/{number}"


def thumbnail(series: str, revision_id: str) -> str:
    """PNG of a series' middle slice."""
    return f"{revision(series, revision_id)}/thumbnail.png"


def quarantine(digest: str) -> str:
    """Bytes that were refused; ``.json`` beside them says why."""
    return f"quarantine/{digest[:2]}/{digest}"


def cohort(name: str) -> str:
    """File of the cohort of that name."""
    return f"cohorts/{key('cohort', name)}.parquet"


def cohorts_lock() -> str:
    """Lock file under which a cohort takes its name."""
    return "locks/cohorts"


def spool(name: str = "") -> str:
    """Folder of what is on its way in or out, such as an upload; all of them, without a name. Never lasting."""
    return f"spool/{name}".rstrip("/")


def reindex_lock() -> str:
    """Lock file that imports share, and that a reindex holds alone."""
    return "locks/reindex"


def reindex_mark() -> str:
    """File that is there from the start of a reindex to its end: while it is, the index is incomplete."""
    return "locks/reindexing"


def make_lock() -> str:
    """Lock file under which the archive itself is made."""
    return "locks/make"


def admit_lock() -> str:
    """Lock file under which identities are decided and committed."""
    return "locks/admit"


def build_lock(series: str) -> str:
    """Lock file of the one builder a series may have."""
    return f"locks/build-{series}"
