"""Everything that can go wrong, under one root.

Every error says *what* is wrong, *where*, and *what to do*; none of them carries a patient's name,
identifier or birth date, so any of them may be logged or shown.
"""


class PacsPanelError(Exception):
    """Root of all errors raised on purpose by pacs_panel."""


# -- bad input ---------------------------------------------------------------------------------------------------------


class Rejected(PacsPanelError):
    """An object was refused; its bytes go to quarantine under ``reason``.

    Parameters
    ----------
    reason : str
        Short phrase by which a report groups rejections, e.g. ``"not DICOM"``.
    detail : str, optional
        One sentence on this object: what, where, and what to do.
    """

    reason = "rejected"

    def __init__(self, detail: str = "", reason: str | None = None) -> None:
        if reason is not None:
            self.reason = reason
        self.detail = detail
        super().__init__(f"{self.reason}: {detail}" if detail else self.reason)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.detail, self.reason))


class NotDicom(Rejected):
    """The bytes are no DICOM object (text, HTML, an empty file, …)."""

    reason = "not DICOM"


class Unreadable(Rejected):
    """The bytes claim to be DICOM, but cannot be read as a data set."""

    reason = "unreadable"


class TooLarge(Rejected):
    """Reading the object would need more memory or depth than the settings allow."""

    reason = "beyond the limits"


class Unidentified(Rejected):
    """The object has no SOP Instance UID or no SOP Class UID (PS3.10 §7.1), so it cannot be told from others."""

    reason = "no identity"


# -- questions that have no answer -------------------------------------------------------------------------------------


class NotFound(PacsPanelError, LookupError):
    """Nothing in the archive has this UID or key (or the principal may not see it: the two are not told apart)."""


class Ambiguous(PacsPanelError, LookupError):
    """A UID names more than one thing; ``choices`` are the keys to ask by."""

    def __init__(self, message: str, choices: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.choices = choices

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (str(self), self.choices))


class SeveralStacks(Ambiguous):
    """A series holds more than one stack: ask for one by ``stack=``, or for all by ``archive.volumes(uid)``."""


class NotYetShown(PacsPanelError):
    """The object is kept, byte for byte, but this version makes no volume of its kind."""


class BadQuery(PacsPanelError, ValueError):
    """A search names an unknown attribute, or a value that does not fit it."""


class BadPixels(PacsPanelError, ValueError):
    """Pixel data cannot be decoded as its header says."""


# -- the archive itself ------------------------------------------------------------------------------------------------


class ArchiveError(PacsPanelError):
    """The archive's own files are missing, of another format version, or on storage that cannot hold them."""


class Damaged(ArchiveError):
    """Stored bytes no longer have the digest under which they were kept."""


class Busy(ArchiveError):
    """Another process holds what is needed; trying again later will do."""


class Denied(PacsPanelError, PermissionError):
    """No rule grants this principal what was asked."""


# -- a published archive -----------------------------------------------------------------------------------------------


class Unreachable(ArchiveError):
    """A server does not answer, answers with an error, or has a certificate that is not trusted."""


class ReadOnly(Denied):
    """A published archive cannot be changed; its source can, and is then published again."""


class NotPublished(PacsPanelError, LookupError):
    """What is asked for was left out when the archive was published."""
