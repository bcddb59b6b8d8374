"""Files that lie as others did are read without walking: never otherwise than by a walk, nor than by pydicom."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pacs_panel.dicom import header, scan, values
from pacs_panel.dicom.quick import MOST, Layout, Layouts, Raw, Trail
from pacs_panel.errors import Rejected
from pacs_panel.model import Header
from pacs_panel.testing import write_small_files
from tests.dicom.objects import element, raw_file, with_pixels, written
from tests.dicom.test_header import REFUSED, SETTINGS, WHEEL, dicom_files, differences

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)
PIXELS = element(0x7FE00010, "OW", bytes(32))
Outcome = Header | tuple[type, str]


def warm(data: bytes) -> Outcome:
    """What is read, or why it is refused, with all that earlier files taught."""
    try:
        return header.read(io.BytesIO(data), len(data), SETTINGS)
    except Rejected as error:
        return type(error), error.detail


def forget() -> None:
    for cache in (scan._layouts, header._alike, values._text_again, values._numbers_again):
        cache.cache_clear()


def cold(data: bytes) -> Outcome:
    """The same as of the first file ever."""
    forget()
    return warm(data)


def learned() -> tuple[Layout[scan.Scan], ...]:
    return scan._layouts(header.WANTED, SETTINGS.max_depth).known


def teach(*files: bytes) -> None:
    """Forget all, and see files often enough for their layouts to be learned."""
    forget()
    for data in (*files, *files):
        warm(data)


def unlike_the_first(paths: Iterable[Path]) -> list[str]:
    """Names of files that are read otherwise after others, or again, than by themselves."""
    files = [(path.name, path.read_bytes()) for path in paths if path.stat().st_size < 4_000_000]
    alone = [cold(data) for _, data in files]
    forget()
    told = [(name, [warm(data) for _ in range(3)]) for name, data in files]
    return [name for (name, found), first in zip(told, alone, strict=True) if any(each != first for each in found)]


def test_wheel_files_are_read_as_by_themselves() -> None:
    assert unlike_the_first(dicom_files(WHEEL)) == []


def test_real_files_are_read_as_by_themselves(data: Path) -> None:
    assert unlike_the_first(dicom_files(data)) == []
    assert len(learned()) == MOST


def test_known_layouts_are_read_as_pydicom_reads_them() -> None:
    paths = [path for path in dicom_files(WHEEL) if path.name not in REFUSED and path.stat().st_size < 1_000_000]
    for path in paths[::3]:
        teach(path.read_bytes())
        assert list(differences(path)) == []


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_second_walk_teaches(syntax: str) -> None:
    first, second, third = (
        written(with_pixels(np.full((4, 4), n, np.uint16), PatientID=f"P{n}", InstanceNumber=n), syntax)
        for n in (1, 2, 3)
    )
    forget()
    for data, count in ((first, 0), (second, 1), (third, 1)):
        found = warm(data)
        assert len(learned()) == count
    assert isinstance(found, Header)
    assert (found.values["PatientID"], found.values["InstanceNumber"]) == ("P3", 3)
    assert found == cold(third)


def test_made_files_are_read_as_pydicom_reads_them(tmp_path: Path) -> None:
    write_small_files(tmp_path, 24, 2)
    forget()
    paths = sorted(tmp_path.rglob("*.dcm"))
    assert [line for path in paths for line in differences(path)] == []
    assert len(learned()) == 2


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\\=^"), max_size=12)
NUMBER = st.floats(-1e6, 1e6).map(lambda number: f"{number:.6g}")
ODD = st.fixed_dictionaries(
    {
        "PatientName": TEXT,
        "PatientID": TEXT,
        "SeriesDescription": TEXT,
        "ImageType": st.lists(st.sampled_from(("ORIGINAL", "PRIMARY", "A ")), max_size=3),
        "InstanceNumber": st.integers(-99, 99),
        "SliceThickness": NUMBER,
        "PatientWeight": NUMBER,
        "MagneticFieldStrength": st.one_of(st.just(""), NUMBER),
        "WindowCenter": st.lists(NUMBER, max_size=2),
        "WindowWidth": st.lists(NUMBER, max_size=2),
    }
)


@given(st.lists(ODD, min_size=2, max_size=4), st.sampled_from(("ISO_IR 192", "ISO_IR 100", None)))
@settings(max_examples=40, deadline=None, phases=[Phase.generate])
def test_odd_values_are_read_as_pydicom_reads_them(each: list[dict[str, object]], charset: str | None) -> None:
    forget()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.dcm"
        for told in (*each, *each, *each):
            ascii_only = {k: v.encode("ascii", "ignore").decode() if isinstance(v, str) else v for k, v in told.items()}
            own = told if charset == "ISO_IR 192" else ascii_only
            dataset = with_pixels(np.zeros((4, 4), np.uint16), **own)
            if charset:
                dataset.SpecificCharacterSet = charset
            path.write_bytes(written(dataset))
            assert list(differences(path)) == []


SEED = written(
    with_pixels(
        np.zeros((4, 4), np.uint16),
        SpecificCharacterSet="ISO_IR 100",
        PatientID="P1",
        ImagePositionPatient=[1, 2, 3],
        PixelSpacing=[1, 1],
        InstanceNumber=7,
        RescaleSlope=2,
    )
)


@given(
    st.sampled_from(SYNTAXES),
    st.lists(st.tuples(st.integers(128, len(SEED) + 20), st.integers(0, 255)), max_size=3),
    st.integers(-40, 20),
)
@settings(max_examples=300, deadline=None)
def test_damage_is_seen_as_a_walk_sees_it(syntax: str, bytes_of: list[tuple[int, int]], longer: int) -> None:
    whole = written(with_pixels(np.zeros((4, 4), np.uint16), PatientID="P1", PixelSpacing=[1, 1]), syntax)
    damaged = bytearray(whole)
    for position, byte in bytes_of:
        damaged[position % len(damaged)] = byte
    changed = bytes(damaged[:longer] if longer < 0 else damaged + bytes(longer))
    alone = cold(changed)
    teach(whole, SEED)
    assert warm(changed) == alone


def test_sequences_lie_as_their_items_do() -> None:
    def nested(value: bytes, *tail: bytes) -> bytes:
        item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + value + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
        end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
        return raw_file(element(0x00081140, "SQ", item + end, 0xFFFFFFFF), *tail, PIXELS)

    one = element(0x00080100, "SH", b"1234")
    hidden = element(0x00080100, "SH", struct.pack("<HHI", 0xFFFE, 0xE00D, 0)[:4])
    teach(nested(one, element(0x00100020, "LO", b"P1")))
    assert len(learned()) == 1
    for data in (nested(hidden, element(0x00100020, "LO", b"P2")), nested(b"\0" * len(one)), nested(one)):
        found = warm(data)
        assert found == cold(data)
        teach(nested(one, element(0x00100020, "LO", b"P1")))


@pytest.mark.parametrize(
    "data",
    [
        raw_file(element(0x00100020, "LO", b"P1")),  # no pixels: the end of the file would have to be at the same place
        raw_file(PIXELS)[132:],  # no prefix
        raw_file(element(0x00091001, "OB", bytes(scan.CHUNK)), PIXELS),  # beyond what is read at once
        raw_file(PIXELS[:12]),  # nothing after the last header
    ],
)
def test_what_is_not_certain_is_walked(data: bytes) -> None:
    teach(data, data)
    assert learned() == ()
    assert warm(data) == cold(data)


def test_transfer_syntax_and_long_values_belong_to_the_layout() -> None:
    long = element(0x00104000, "UT", bytes(scan.MAX_VALUE // 4))
    data = raw_file(element(0x00100020, "LO", b"P1"), long, PIXELS)
    other = data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    teach(data)
    found = warm(other)
    assert isinstance(found, Header)
    assert found.identity.transfer_syntax == "1.2.840.10008.1.2.5"


def _told(number: int, _meta: Mapping[int, Raw], _elements: Mapping[int, Raw]) -> int:
    return number


def test_a_trail_is_worth_learning_when_it_comes_again() -> None:
    layouts: Layouts[str] = Layouts()
    trail = Trail([(0, 8)], [])
    assert (layouts.again(trail), layouts.again(trail), layouts.again(Trail([(0, 12)], []))) == (False, True, False)


def test_the_layout_met_last_comes_first_and_few_are_kept() -> None:
    layouts: Layouts[int] = Layouts()
    heads = [struct.pack("<Q", number) + bytes(20) for number in range(MOST + 2)]
    for number, head in enumerate(heads):
        layouts.learn(Layout(head, Trail([(0, 8)], []), 0, partial(_told, number)))
    assert [layouts.read(head) for head in heads[:4]] == [None, None, 2, 3]
    assert layouts.read(heads[-1]) == MOST + 1
    assert len(layouts.known) == MOST
