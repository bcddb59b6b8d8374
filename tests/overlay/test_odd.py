"""Objects that lack what they should have, or have it twice: told in words, never drawn as if nothing were odd."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from pydicom import Dataset

from pacs_panel.errors import NotYetShown, PacsPanelError
from pacs_panel.testing import ct_phantom, encode, rtstruct_on
from pacs_panel.testing.overlays import dose_on, masks_on
from tests.overlay.laid import lay, phantom_stack

CT = ct_phantom(rows=24, columns=32, slices=6, spacing=(4.0, 6.0, 6.0))
STACK = phantom_stack(CT)
MASKS = np.zeros((2, 6, 24, 32), np.uint8)
MASKS[0, 1:3, 3:9, 3:9] = MASKS[1, 2:4, 12:15, 4:9] = 1
SEG = masks_on(CT, MASKS).datasets[0]
RT = rtstruct_on(CT, corners=12).datasets[0]
DOSE = dose_on(CT, shape=(4, 10, 12)).datasets[0]


def notes(dataset: Dataset) -> str:
    return " ".join(lay(dataset, STACK).overlay.notes)


def said(content: Dataset | bytes) -> str:
    """Why an object cannot be laid over the images; empty where it can."""
    try:
        lay(content, STACK).close()
    except PacsPanelError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("value", [None, ""])
def test_without_number_of_frames(value):
    seg, dose = deepcopy(SEG), deepcopy(DOSE)
    for dataset in (seg, dose):
        dataset.NumberOfFrames = value
    assert "Describes 3 frames beyond its Number of Frames, 1" in notes(seg)
    assert "tells of 4 planes, Number of Frames of 1" in notes(dose)


def test_names_that_are_missing():
    structures = deepcopy(RT)
    del structures.StructureSetROISequence[0].ROIName
    structures.StructureSetROISequence[1].ROIName = ""
    assert [one.label for one in lay(structures, STACK).overlay.segments][:3] == ["Region 1", "Region 2", "Sphere 3"]


def test_regions_that_are_not_described():
    structures = deepcopy(RT)
    count = len(structures.ROIContourSequence[0].ContourSequence)
    structures.ROIContourSequence[0].ReferencedROINumber = "77"
    assert f"{count} of " in notes(structures)
    assert "regions that are not described, and are not shown" in notes(structures)
    structures.StructureSetROISequence = []
    assert "regions that are not described, and are not shown" in notes(structures)
    assert not lay(structures, STACK).volume(0).any()


def test_regions_that_share_a_number():
    structures = deepcopy(RT)
    structures.StructureSetROISequence[1].ROINumber = "1"
    laid = lay(structures, STACK)
    assert [one.number for one in laid.overlay.segments] == [1, 3, 4, 5, 6]
    assert laid.overlay.segments[0].label == "Sphere 1"
    assert "Several regions share a number, and are shown as the first of them: 1." in laid.overlay.notes


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ("SegmentSequence", "describes no segment"),
        ("PerFrameFunctionalGroupsSequence", "fewer frames"),
        ("PixelData", "holds no pixels"),
    ],
)
def test_segmentations_without_what_they_need(keyword, words):
    dataset = deepcopy(SEG)
    del dataset[keyword]
    with pytest.raises(NotYetShown, match=words):
        lay(dataset, STACK)


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.66.5", "1.2.840.10008.5.1.4.1.1.104.3"])
def test_meshes_are_kept_and_it_is_said(uid):
    dataset = deepcopy(SEG)
    dataset.SOPClassUID = uid
    with pytest.raises(NotYetShown, match="is kept; it is not yet drawn"):
        lay(dataset, STACK)


@pytest.mark.parametrize("made", [SEG, RT, DOSE], ids=["SEG", "RTSTRUCT", "RTDOSE"])
@pytest.mark.parametrize("change", ["absent", "no items", "an empty item"])
def test_each_sequence_may_be_anything(made, change):
    for sequence in [element.keyword for element in made if element.VR == "SQ"]:
        dataset = deepcopy(made)
        if change == "absent":
            del dataset[sequence]
        else:
            setattr(dataset, sequence, [] if change == "no items" else [Dataset()])
        assert len(said(dataset)) > 20 or lay(dataset, STACK).volume(0).shape == (6, 24, 32)


def test_bytes_where_a_sequence_should_be():
    content = encode(SEG)
    derivation = b"\x08\x00\x24\x91SQ"  # Derivation Image Sequence
    assert content.count(derivation) > 1
    damaged = content.replace(derivation, derivation[:4] + b"OB")
    assert said(damaged) or lay(damaged, STACK).volume(0).any()
