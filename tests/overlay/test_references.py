"""What an object refers to, against pydicom's own reading of the same sequences."""

from __future__ import annotations

import warnings
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from pacs_panel.errors import Rejected
from pacs_panel.overlay.references import Referred, match, missing, refers
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, encode, rtstruct_on, seg_on, sr_on

SETTINGS = Settings()
CT = ct_phantom(rows=16, columns=16, slices=8, spacing=(3, 8, 8))
UIDS = {str(image.SOPInstanceUID) for image in CT.datasets}
MANAGEMENT = "1.2.840.10008.3.1.2."


def walked(dataset: Dataset) -> set[str]:
    """Instances that pydicom finds, without studies and procedure steps."""
    found = set()
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                found |= walked(item)
    if "ReferencedSOPInstanceUID" in dataset:
        kind = str(dataset.get("ReferencedSOPClassUID", ""))
        found |= set() if kind.startswith(MANAGEMENT) else {str(dataset.ReferencedSOPInstanceUID)}
    return found


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"])
@pytest.mark.parametrize("make", [seg_on, rtstruct_on, sr_on])
def test_references_are_found_in_every_encoding(make, syntax):
    made = make(CT).datasets[0]
    found = refers(BytesIO(encode(made, syntax)), SETTINGS)
    assert found.sop_class_uid == made.SOPClassUID
    assert set(found.instances) == walked(made) & UIDS
    assert found.series == (CT.series_uid,)
    assert (CT.datasets[0].FrameOfReferenceUID in found.frame_of_reference) == (make is not sr_on)


def test_undefined_lengths_say_the_same():
    made = seg_on(CT).datasets[0]
    plain = refers(BytesIO(encode(made)), SETTINGS)

    def loosen(dataset: Dataset) -> None:
        for element in dataset:
            if element.VR == "SQ":
                element.is_undefined_length = True
                for item in element.value:
                    item.is_undefined_length_sequence_item = True
                    loosen(item)

    loosen(made)
    assert refers(BytesIO(encode(made)), SETTINGS) == plain


def test_roles_and_studies_are_told():
    found = refers(BytesIO(encode(rtstruct_on(CT).datasets[0])), SETTINGS)
    assert found.studies == (CT.study_uid,)
    assert {reference.role for reference in found.references} == {"ContourImageSequence"}
    planned = next(one for one in found.references if one.series_uid)
    assert (planned.series_uid, planned.study_uid) == (CT.series_uid, CT.study_uid)


def test_all_kinds_of_real_objects(data: Path):
    kinds = Counter()
    checked = 0
    for path in sorted(data.rglob("*")):
        with warnings.catch_warnings(action="ignore"):
            try:
                dataset = dcmread(path, stop_before_pixels=True, defer_size=1024)
                kinds[kind := (path.parent.name, dataset.get("SOPClassUID"))] += 1
                expected = walked(dataset) if kinds[kind] < 4 else set()
            except Exception:  # what pydicom can't walk is no measure
                continue
        if kinds[kind] < 4 and not path.name.startswith("rtplan_truncated"):
            with path.open("rb") as source:
                assert set(refers(source, SETTINGS).instances) == expected, path.name
            checked += bool(expected)
    assert checked > 50


@pytest.mark.parametrize("end", [140, 400, 2000])
def test_damage_is_refused_in_words(end):
    with pytest.raises(Rejected):
        refers(BytesIO(encode(rtstruct_on(CT).datasets[0])[:end]), SETTINGS)


def test_damaged_bytes_are_read_or_refused():
    whole = encode(rtstruct_on(CT).datasets[0])
    random = np.random.default_rng(3)
    for _ in range(150):
        damaged = bytearray(whole)
        for at in random.integers(128, len(whole), 3):
            damaged[at] = random.integers(256)
        try:
            assert isinstance(refers(BytesIO(damaged), SETTINGS), Referred)
        except Rejected:
            continue


def test_matching_in_words():
    referred = Referred("1.2", ("1.9",), ("1.5",), ("1.1", "1.2"))
    assert match(referred, ("1.1", "1.7")) == "refers to 1 of the 2 images"
    assert match(referred, ("1.7",), "1.9") == "shares the frame of reference, although to images that are not here"
    assert match(referred, ("1.7",), "", "1.5").startswith("refers to the series")
    assert match(referred, ("1.7",), "1.8") == match(referred, ("1.7",)) == ""
    assert list(missing(referred, ("1.1",))) == ["1.2"]
