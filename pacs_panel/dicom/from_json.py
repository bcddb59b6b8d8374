"""Objects from the DICOM JSON model, with bulk data beside it (PS3.18 §10.5.1 and Annex F)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydicom import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from pacs_panel.dicom.dataset import quiet
from pacs_panel.errors import Unidentified, Unreadable

PIXEL_DATA = "7FE00010"
META = "0002"  # its group does not belong into a data set


def described(content: bytes) -> list[Mapping[str, Any]]:
    """The data sets of a document: a list of them, or one.

    Raises
    ------
    Unreadable
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable("the metadata are no JSON") from None
    listed = found if isinstance(found, list) else [found]
    if not all(isinstance(each, dict) for each in listed):
        raise Unreadable("the metadata are no data sets of the DICOM JSON model")
    return listed


def uid_of(item: Mapping[str, Any], tag: str) -> str:
    """The value of an element with one UID; empty where there is none."""
    try:
        return str(item[tag]["Value"][0])
    except (KeyError, IndexError, TypeError):
        return ""


def write_object(item: Mapping[str, Any], bulk: Mapping[str, Path], target: Path) -> None:
    """Write an object as a file in Explicit VR Little Endian.

    Parameters
    ----------
    item : mapping
        Its data set.
    bulk : mapping of str to Path
        Files of the values, uncompressed and little-endian, by the addresses under which the data set names them.
        Pixel data are copied piece by piece.
    target : Path

    Raises
    ------
    Unidentified, Unreadable
    """
    sop_class, instance = uid_of(item, "00080016"), uid_of(item, "00080018")
    if not sop_class or not instance:
        raise Unidentified("the metadata name no SOP Class UID or no SOP Instance UID")
    with quiet(), ExitStack() as stack:

        def value(tag: str, _vr: str, address: str) -> Any:
            path = bulk[address]
            return stack.enter_context(path.open("rb")) if tag == PIXEL_DATA else path.read_bytes()

        try:
            dataset = Dataset.from_json({k: v for k, v in item.items() if not k.startswith(META)}, value)
            dataset.file_meta = FileMetaDataset()
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.file_meta.MediaStorageSOPClassUID = UID(sop_class)
            dataset.file_meta.MediaStorageSOPInstanceUID = UID(instance)
            dataset.save_as(target, enforce_file_format=True)
        except OSError:
            raise
        except KeyError:
            raise Unreadable("bulk data that the metadata name were not sent, or are compressed") from None
        except Exception as error:  # pydicom raises whatever a bad value provokes
            raise Unreadable(f"the metadata make no object ({type(error).__name__})") from None
