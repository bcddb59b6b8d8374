"""Every real object re-encoded: pixels as decoded before, all other elements as they were."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pacs_panel.dicom import header
from pacs_panel.errors import BadPixels, Rejected
from pacs_panel.model import Digests, Header, Kept, Location
from pacs_panel.pixels import decode
from pacs_panel.pixels.transcode import transcode
from pacs_panel.settings import Settings

EXPLICIT_LE = "1.2.840.10008.1.2.1"
CHANGED = {0x00280002, 0x00280004, 0x00280006, 0x00280100, 0x00280102, 0x00282110, 0x00282114}
PIXELS = {0x7FE00001, 0x7FE00002, 0x7FE00003, 0x7FE00008, 0x7FE00009, 0x7FE00010, 0x00880200}
DAMAGED = ["JPEG2000-embedded-sequence-delimiter.dcm"]
FOLDERS = ("pydicom_test_files", "syntaxes_multiframe_small", "charsets")


def kept_of(content: bytes) -> Kept:
    read: Header = header.read(io.BytesIO(content), len(content), Settings())
    identity = read.identity
    return Kept(
        identity.sop_instance_uid, identity.sop_class_uid, "k", identity.transfer_syntax,
        Location("p", 0, len(content)), Digests("", ""), read.dataset_offset, 0, True, read.image,
    )  # fmt: skip


def transcoded(content: bytes, kept: Kept) -> bytes:
    out = io.BytesIO()
    transcode(io.BytesIO(content), kept, out, Settings())
    return out.getvalue()


def same_elements(before: pydicom.Dataset, after: pydicom.Dataset) -> None:
    left = {int(tag) for tag in before.keys() if tag & 0xFFFF} - PIXELS - CHANGED  # noqa: SIM118 -- would parse values
    right = {int(tag) for tag in after.keys()} - PIXELS - CHANGED  # noqa: SIM118
    assert left == right
    for tag in sorted(left):
        try:
            wanted = before[tag]
        except Exception:  # a value that pydicom cannot read is not there to compare
            continue
        if wanted.VR == after[tag].VR == "SQ":
            for one, other in zip(wanted.value, after[tag].value, strict=True):
                same_elements(one, other)
        elif wanted.VR == "OW" and before.original_encoding == (False, False):  # pydicom leaves those words swapped
            assert after[tag].value == np.frombuffer(wanted.value, ">u2").astype("<u2").tobytes()
        elif wanted.VR != "UN" and after[tag].VR == wanted.VR:
            assert str(after[tag].value) == str(wanted.value), f"{tag:08X}"


def test_every_real_object_is_as_before_but_in_explicit_little_endian(data: Path) -> None:
    done, refused = 0, []
    for path in sorted(path for folder in FOLDERS for path in (data / folder).rglob("*") if path.is_file()):
        content = path.read_bytes()
        try:
            kept = kept_of(content)
        except Rejected:
            continue
        try:
            made = transcoded(content, kept)
        except BadPixels:
            refused.append(path.name)
            continue
        again = kept_of(made)
        assert again.transfer_syntax == EXPLICIT_LE
        assert again.sop_instance_uid == kept.sop_instance_uid
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before, after = (
                pydicom.dcmread(io.BytesIO(each), force=True, stop_before_pixels=True) for each in (content, made)
            )
            same_elements(before, after)
        if kept.image is not None:
            same_pixels(kept, content, again, made, path.name)
        done += 1
    assert done > 100
    assert refused == DAMAGED


def decoded(kept: Kept, content: bytes) -> list[np.ndarray]:
    assert kept.image is not None
    with decode.Frames(kept.image, content) as frames:
        return [frames.read(index) for index in range(kept.image.frames)]


def same_pixels(kept: Kept, content: bytes, again: Kept, made: bytes, name: str) -> None:
    try:
        wanted = decoded(kept, content)
    except BadPixels:  # uncompressed pixels are taken bit by bit, whether or not they can be shown
        with pytest.raises(BadPixels):
            decoded(again, made)
        return
    for one, other in zip(wanted, decoded(again, made), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)
