"""What a DICOMDIR lists (PS3.3 Annex F)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO

from pydicom import Dataset, dcmread

from pacs_panel.dicom.scan import scan
from pacs_panel.errors import Rejected, Unreadable
from pacs_panel.settings import Settings

NOT_IN_USE = 0x0000  # Record In-use Flag (0004,1410) of a record to be ignored


def referenced_files(data: bytes) -> list[tuple[str, ...]]:
    """File IDs that the records of a DICOMDIR refer to, in the order of the records, each as its path's components.

    The components are as written: whoever makes a path of them checks them first.

    Parameters
    ----------
    data : bytes
        The whole file.

    Raises
    ------
    Rejected
        The bytes are no basic directory, or nest too deeply.
    """
    # The scan bounds depth and inflation, which pydicom doesn't; a directory isn't deflated anyway (PS3.10 §8.6).
    scan(BytesIO(data), len(data), (), replace(Settings(), max_object_bytes=len(data)))
    try:
        dataset = dcmread(BytesIO(data), force=True, specific_tags=["DirectoryRecordSequence"])
        records = dataset.get("DirectoryRecordSequence")
        if records is None:
            raise Unreadable("a DICOMDIR without directory records")
        return list(_file_ids(records))
    except Rejected:
        raise
    except Exception as error:  # damaged bytes make pydicom fail in many ways, recursion among them
        raise Unreadable(f"a damaged DICOMDIR ({type(error).__name__})") from None


def _file_ids(records: Iterable[Dataset]) -> Iterator[tuple[str, ...]]:
    for record in records:
        file_id = record.get("ReferencedFileID")
        if not file_id or record.get("RecordInUseFlag") == NOT_IN_USE:
            continue
        yield (file_id,) if isinstance(file_id, str) else tuple(str(part) for part in file_id)
