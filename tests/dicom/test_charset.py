"""Names in the world's scripts, as PS3.5's annexes H to K and D. Clunie's samples spell them."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_panel.dicom import header
from pacs_panel.dicom.charset import decode
from pacs_panel.settings import Settings

SAMPLES = Path(pydicom.__file__).parent / "data" / "charset_files"
NAMES = {
    "chrArab": "قباني^لنزار",
    "chrFren": "Buc^Jérôme",
    "chrGerm": "Äneas^Rüdiger",
    "chrGreek": "Διονυσιος",
    "chrH31": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "chrH32": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "chrHbrw": "שרון^דבורה",
    "chrI2": "Hong^Gildong=洪^吉洞=홍^길동",
    "chrRuss": "Люкceмбypг",
    "chrX1": "Wang^XiaoDong=王^小東",
    "chrX2": "Wang^XiaoDong=王^小东",
}


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
def test_samples(name: str, expected: str) -> None:
    path = SAMPLES / f"{name}.dcm"
    with path.open("rb") as file:
        found = header.read(file, path.stat().st_size, Settings())
    assert found.values["PatientName"] == expected


def test_real_samples(data: Path) -> None:
    files = [path for path in (data / "charsets").iterdir() if path.stem in NAMES]
    assert len(files) >= 5
    for path in files:
        with path.open("rb") as file:
            assert header.read(file, path.stat().st_size, Settings()).values["PatientName"] == NAMES[path.stem]


def test_chinese_by_escapes() -> None:
    """PS3.5 annex K.2: GB 2312 in G1 by ISO 2022 IR 58; each delimiter resets."""
    value = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="
    assert decode(value, ("", "ISO 2022 IR 58")) == "Zhang^XiaoDong=张^小东="


def test_delimiters_that_are_halves_of_characters() -> None:
    """In JIS X 0208 a byte 5C or 5E or 3D may be half of a character, and separates nothing."""
    text = "".join(bytes((0x30, low)).join((b"\x1b$B", b"\x1b(B")).decode("iso2022_jp") for low in (0x3D, 0x5C, 0x5E))
    value = b"".join(b"\x1b$B" + bytes((0x30, low)) + b"\x1b(B" for low in (0x3D, 0x5C, 0x5E))
    assert decode(value, ("", "ISO 2022 IR 87")) == text
    assert len(text) == 3


def test_gbk_second_byte_may_be_a_backslash() -> None:
    assert decode("誠".encode("gbk"), ("GBK",)) == "誠"
    assert b"\\" in "誠".encode("gbk")


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO IR 100", "ISO-IR 100", "iso_ir 100 ", "no such charset", ""])
def test_loose_terms_and_unknown_ones_are_read_as_latin(charset: str) -> None:
    assert decode("Jérôme".encode("latin_1"), (charset,)) == "Jérôme"


def test_bytes_of_another_charset_are_replaced() -> None:
    assert decode("Jérôme".encode("latin_1"), ("ISO_IR 192",)) == "J\ufffdr\ufffdme"


CHARSETS = st.lists(
    st.sampled_from(["", "ISO_IR 13", "ISO_IR 192", "ISO 2022 IR 87", "ISO 2022 IR 149", "GB18030", "?"])
)


@given(
    st.lists(st.sampled_from([b"\x1b", b"\x1b$B", b"\x1b$)C", b"\x1b(J", b"^", b"\\", b"a", b"\xff", b"\x90"])),
    CHARSETS,
)
def test_never_raises(pieces: list[bytes], charsets: list[str]) -> None:
    assert isinstance(decode(b"".join(pieces), tuple(charsets)), str)
