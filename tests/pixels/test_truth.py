"""All real files: every frame is what other decoders make of it, or is refused in words."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array

from pacs_panel.dicom import header
from pacs_panel.errors import BadPixels, Rejected
from pacs_panel.model import ImageHeader
from pacs_panel.pixels import decode
from pacs_panel.settings import Settings
from tests.pixels import encoding

Array = np.ndarray
SMALL, MANY = "syntaxes_multiframe_small", "pydicom_test_files"

# Decoders of other origin than the ones in use, for what pydicom's own plugins do not decode.
SECOND: dict[str, Callable[[bytes], Array]] = {
    encoding.LOSSLESS: imagecodecs.jpegsof3_decode,
    encoding.LOSSLESS_1: imagecodecs.jpegsof3_decode,
    encoding.HTJ2K: imagecodecs.jpeg2k_decode,
    encoding.J2K: imagecodecs.jpeg2k_decode,
}
ALONE = {"JPEG-lossy.dcm", "JPGExtended.dcm", "HTJ2K_08_RGB.dcm"}  # lossy, and no second decoder for them here
OUR_OWN = {"SC_rgb_jpeg.dcm", "badVR.dcm", "image_dfl.dcm"}  # pydicom stumbles over something else in the file
LIVER = {"liver_deflate.dcm", "liver_rle.dcm", "liver_nonbyte_aligned_deflate.dcm", "liver_nonbyte_aligned_rle.dcm"}
REFUSED = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "the codestream has 1024 x 3722445056 pixels",
    "MR_truncated.dcm": "the file ends 62 bytes before the end of the frame",
    "meta_missing_tsyntax.dcm": "0 x 0 pixels with 1 samples are no image",
    "nested_priv_SQ.dcm": "0 x 0 pixels with 1 samples are no image",
}


def images(data: Path, *folders: str) -> list[tuple[Path, bytes, ImageHeader]]:
    found = []
    for path in sorted(path for folder in folders for path in (data / folder).rglob("*") if path.is_file()):
        content = path.read_bytes()
        try:
            image = header.image(io.BytesIO(content), len(content), Settings())
        except Rejected:
            continue
        if image is not None:
            found.append((path, content, image))
    return found


def theirs(path: Path, image: ImageHeader, index: int) -> Array | None:
    """The frame as pydicom decodes it, or else a second decoder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pixel_array(path, index=index)
        except Exception:
            second = SECOND.get(image.transfer_syntax)
            if second is None:
                return None
            frames = list(generate_frames(pydicom.dcmread(path, force=True).PixelData, number_of_frames=image.frames))
    return second(frames[index])


def compare(path: Path, content: bytes, image: ImageHeader) -> int:
    """How many of the first and last frame could be compared; the others are told by name."""
    compared = 0
    with decode.Frames(image, content) as frames:
        for index in {0, image.frames - 1}:
            ours, other = frames.read(index), theirs(path, image, index)
            if other is None:
                assert path.name in ALONE | OUR_OWN | LIVER, path.name
                continue
            np.testing.assert_array_equal(ours, other, err_msg=path.name)
            compared += 1
    return compared


FOLDERS = {  # and how many frames of each are compared
    SMALL: 62,
    MANY: 61,
    "mr_t1_jpeg_fragmented": 96,
    "mg_mammogram_ge": 1,
    "transfer_syntaxes_mr": 9,
    "mr_enhanced_multiframe": 10,
    "mr_dwi_and_fmri_small": 28,
    "seg_ct_pair": 14,
    "seg_sm_ann_highdicom": 19,
    "us_color_gray": 2,
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_frames_are_what_others_decode(data: Path, folder: str) -> None:
    compared = 0
    for path, content, image in images(data, folder):
        if path.name in REFUSED:
            continue
        compared += compare(path, content, image)
    assert compared == FOLDERS[folder]


def test_every_other_real_file(data: Path) -> None:
    rest = sorted(path.name for path in data.iterdir() if path.is_dir() and path.name not in FOLDERS)
    compared = sum(compare(*found) for found in images(data, *rest))
    assert compared > 600


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(data: Path, name: str) -> None:
    [(_, content, image)] = [found for found in images(data, MANY) if found[0].name == name]
    with pytest.raises(BadPixels, match=REFUSED[name]):
        decode.frame(image, content)


@pytest.mark.parametrize("name", sorted(LIVER))
def test_segments_that_only_this_package_decodes(data: Path, name: str) -> None:
    """The same three frames of single bits, uncompressed, deflated and in run lengths, 512 x 512 and not so even."""
    plain = name.replace("_deflate", "").replace("_rle", "")
    by_name = {path.name: (image, content) for path, content, image in images(data, SMALL)}
    found, wanted = (list(decode.frames(*by_name[which])) for which in (name, plain))
    assert len(found) == 3
    np.testing.assert_array_equal(np.stack(found), np.stack(wanted))  # type: ignore[arg-type]
    assert np.stack(wanted).any()  # type: ignore[arg-type]


def test_all_enhanced_mr_encodings_are_one_image(data: Path) -> None:
    by_name = {path.name: (image, content) for path, content, image in images(data, SMALL)}
    names = ["", "_RLE", "_big_endian", "_jpeg_2k_lossless", "_jpeg_ls_lossless"]
    stacks = [np.stack(list(decode.frames(*by_name[f"emri_small{name}.dcm"]))) for name in names]  # type: ignore[arg-type]
    assert stacks[0].shape == (10, 64, 64)
    for stack in stacks[1:]:
        np.testing.assert_array_equal(stack, stacks[0])


def test_twelve_bits_of_lossy_jpeg(data: Path) -> None:
    """No other decoder is here for them, but their JPEG 2000 twin of 250 bytes shows the same picture, roughly."""
    by_name = {path.name: (image, content) for path, content, image in images(data, MANY)}
    twin = decode.frame(*by_name["JPEG2000.dcm"]).astype(int)
    for name in ("JPGExtended.dcm", "JPEG-lossy.dcm"):
        found = decode.frame(*by_name[name])
        assert (found.shape, found.dtype, int(found.max())) == ((1024, 256), np.uint16, 264)
        assert np.corrcoef(found.ravel(), twin.ravel())[0, 1] > 0.95
        assert np.abs(found - twin).mean() < 5
