"""Every series that is open, ours beside dcm2niix on the same files: each voxel at one place, with one value.

Column ``dcm2niix`` of the table says how the two compare:

- ``agrees``: every voxel at the same place in the patient with the same value, volumes in the same order.
- ``values``: images without a place; dcm2niix gives them one of its own, and may turn rows upside down.
- ``nothing``: dcm2niix makes no image of it.
- else the two differ as `DIFFERENCES` says, with the reason and which is right; the test fails where they no more do.

Segmentations, of which it makes images, too, are no stacks of ours, and compared with others elsewhere.

Tolerances: values 1e-3 of the value, and a millionth of the largest for what NIfTI's float32 rounds near zero. Places
1e-4 mm; dcm2niix computes the step between slices in float32 from two positions, so that the last slice may be off by
as many roundings of a coordinate as there are slices; and where headers round positions, no grid fits them better than
the residual in our passport.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from pacs_panel.errors import PacsPanelError
from pacs_panel.model import Stack
from pacs_panel.volume.export import to_nifti
from tests.truth import niix, table
from tests.truth.importing import Imported, Series, is_colour
from tests.truth.reference import Reference

PLACE = 1e-4  # mm
VALUE = 1e-3  # relative

ROWS: dict[tuple[str, str, str], list[table.Row]] = defaultdict(list)
for _row in table.committed():
    if _row["stack"]:
        ROWS[_row["folder"], _row["series"], _row["object"]].append(_row)


@dataclass(frozen=True)
class Pair:
    """A stack of ours, and what dcm2niix makes of its series."""

    folder: Imported
    series: Series
    number: int
    peers: list[niix.Image]
    scratch: Path

    @property
    def stack(self) -> Stack:
        return self.series.revision.stacks[self.number]

    @property
    def affine(self) -> np.ndarray:
        return np.array(self.stack.passport.affine, float)

    @property
    def peer(self) -> niix.Image:
        """The one image; what dcm2niix resampled is no second."""
        (image,) = (peer for peer in self.peers if "_Tilt" not in peer.name and "_Eq" not in peer.name)
        return image

    def planes(self, *, physical: bool = True) -> np.ndarray:
        return self.folder.planes(self.series, self.number, physical=physical).astype(float)

    def exported(self) -> niix.Image:
        path = self.folder.archive.stack_path(self.series.key, self.number)
        return niix.load(to_nifti(path, self.scratch / f"ours{self.number}.nii"))

    def way(self, peer: niix.Image) -> niix.Way | None:
        return niix.way(self.stack.passport.shape[::-1], self.affine, peer)

    def fitting(self) -> list[tuple[niix.Image, niix.Way]]:
        """Images of the peer on our grid."""
        ways = ((peer, self.way(peer)) for peer in self.peers)
        return [(peer, way) for peer, way in ways if way is not None and way.apart <= self.tolerance]

    @property
    def tolerance(self) -> float:
        """mm."""
        passport = self.stack.passport
        rounding = float(np.spacing(np.float32(np.abs(passport.positions).max())))
        return PLACE + passport.residual + (passport.shape[0] - 1) * rounding


def same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    return ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=VALUE, atol=1e-6 * float(np.abs(theirs).max()))


def like(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether two images are the same, rows upside down or not."""
    return same(ours, theirs) or same(ours[::-1], theirs)


@pytest.mark.parametrize("name", ROWS, ids=lambda name: f"{name[0]}-{name[2][-12:]}")
def test_the_two_compare_as_the_table_says(imported, tmp_path, name):
    folder = imported(name[0])
    (series,) = (one for one in folder.series if (one.uid, one.first) == name[1:])
    peers = niix.images(series.files.values(), tmp_path)
    for row in ROWS[name]:
        CHECKS[row["dcm2niix"]](Pair(folder, series, int(row["stack"]), peers, tmp_path))


def agrees(pair: Pair) -> None:
    assert_same_values(pair, pair.fitting())


def assert_same_values(pair: Pair, found: list[tuple[niix.Image, niix.Way]]) -> None:
    """What we export has the peer's values, volume by volume in its order."""
    assert found
    image = pair.exported()
    assert np.allclose(image.affine, pair.affine, rtol=1e-6, atol=1e-5)  # as far as NIfTI's float32 goes
    first = 0
    for peer, way in found:
        volumes = image.values[first : first + len(peer.values)]
        assert same(way.onto(volumes), peer.values)
        first += len(peer.values)
    assert first == len(image.values)


def values(pair: Pair) -> None:
    assert pair.stack.passport.affine is None
    theirs = [image for peer in pair.peers for image in peer.slices]
    for plane in pair.planes():
        assert any(like(plane, image) for image in theirs)


def nothing(pair: Pair) -> None:
    theirs = [image for peer in pair.peers for image in peer.slices]
    for plane in pair.planes(physical=False):
        assert not any(like(plane, image) for image in theirs)


# -- where the two differ ----------------------------------------------------------------------------------------------


def tilted(pair: Pair) -> None:
    """Ours is right: dcm2niix stacks the slices of a tilted gantry upright, the headers say that each is shifted.

    The voxels and the distance of the slices along their normal are the same. Its second image, which it resamples to
    undo the shift, is compared with ours made upright elsewhere.
    """
    way = pair.way(pair.peer)
    passport = pair.stack.passport
    assert way is not None
    assert way.apart > 1
    assert same(way.onto(pair.exported().values), pair.peer.values)
    assert np.isclose(np.linalg.norm(pair.peer.affine[:3, 2]), passport.step_normal, atol=2e-3)
    assert passport.verdict == "sheared"
    assert np.isclose(passport.tilt, 16.5, atol=0.1)


def uneven(pair: Pair) -> None:
    """Ours is right: slices have no even distance, so the affine of dcm2niix holds for the first two of them only.

    It says so in a warning, and writes a second image with slices interpolated. The voxels are the same, and so are
    rows and columns; our passport holds every slice's place, and export to NIfTI is refused.
    """
    peer, passport = pair.peer, pair.stack.passport
    assert len(pair.peers) == 2
    assert passport.verdict == "irregular"
    assert all(same(plane[::-1], image) for plane, image in zip(pair.planes(), peer.slices, strict=True))
    first = peer.affine[:3, 3] + peer.affine[:3, 1] * (peer.shape[1] - 1)
    theirs = first + np.arange(peer.shape[2])[:, None] * peer.affine[:3, 2]
    off = np.linalg.norm(theirs - np.array(passport.positions), axis=1)
    assert off[0] < PLACE
    assert off.max() > 5
    with pytest.raises(PacsPanelError, match="NIfTI"):
        pair.exported()


def scouts(pair: Pair) -> None:
    """Ours is right: a sagittal and a coronal scout are two images; dcm2niix piles them up as one volume."""
    one, other = (np.array(stack.passport.affine) for stack in pair.series.revision.stacks)
    assert abs(one[:3, 0] @ other[:3, 0]) < 1e-9
    assert pair.peer.shape[2] == 2
    assert pair.way(pair.peer) is None
    assert any(same(pair.planes()[0][::-1], image) for image in pair.peer.slices)


def displaced(pair: Pair) -> None:
    """Ours is right: dcm2niix places this volume 0.01 mm away from Image Position (Patient)."""
    way = pair.way(pair.peer)
    assert way is not None
    assert 0.005 < way.apart < 0.015
    assert_same_values(pair, [(pair.peer, way)])


def nine(pair: Pair) -> None:
    """One mosaic in nine encodings under nine SOP Instance UIDs: dcm2niix writes nine volumes, all the same.

    Ours is one stack of all their slices, called ambiguous, since no attribute that could order them differs; each
    object's slices are those of dcm2niix, at the places that it gives them.
    """
    planes, members = pair.planes(), np.array(pair.stack.members)
    positions = np.array(pair.stack.passport.positions)
    first = pair.peers[0]
    assert len(pair.peers) == len(set(members)) == 9
    assert all(np.array_equal(first.values, peer.values) for peer in pair.peers)
    start = first.affine[:3, 3] + first.affine[:3, 1] * (first.shape[1] - 1)
    for uid in set(members):
        assert np.array_equal(planes[members == uid][:, ::-1], first.slices)
        theirs = start + np.arange(first.shape[2])[:, None] * first.affine[:3, 2]
        assert np.abs(theirs - positions[members == uid]).max() < PLACE


def stripped(pair: Pair) -> None:
    """b-values in GE's private elements, whose creators were stripped: dcm2niix takes them by the manufacturer's name.

    Here it is right, and ours says nothing of them: an element without its creator may be anybody's (PS3.5 §7.8.1).
    Places, values, and the order of the volumes agree.
    """
    agrees(pair)
    assert np.array_equal(pair.peer.bval, [0, 1000])
    assert not pair.stack.passport.dimensions[0].b_values


def untransformed(pair: Pair) -> None:
    """Ours is right: dcm2niix leaves out the Modality LUT, so its values are the stored ones."""
    assert same(pair.planes(physical=False)[0][::-1], pair.peer.slices[0])
    assert not like(pair.planes()[0], pair.peer.slices[0])


def unscaled(pair: Pair) -> None:
    """Ours is right: dcm2niix does not know Dose Grid Scaling, so its values of a dose are the stored ones."""
    way = pair.way(pair.peer)
    assert way is not None
    assert way.apart < PLACE
    assert same(pair.planes(physical=False)[0][::-1], pair.peer.slices[0])
    assert not like(pair.planes()[0], pair.peer.slices[0])


def unsigned(pair: Pair) -> None:
    """Ours is right, as pydicom is: dcm2niix does not extend the sign of values of less than 16 bits.

    It takes 13 bits out of JPEG 2000 whose own header says that they have no sign, and 15 out of JPEG-LS, as they are.
    """
    difference = np.unique(pair.peer.slices[0] - pair.planes()[0][::-1])
    assert len(difference) == 2
    assert difference[0] == 0
    assert difference[1] in (1 << 13, 1 << 15)


def scaled(pair: Pair) -> None:
    """Both are right: dcm2niix takes the slope from Philips's private element, ours is Rescale Slope (PS3.3 §C.11.1).

    Asked for the latter, it agrees.
    """
    assert not same(pair.fitting()[0][1].onto(pair.exported().values[:1]), pair.fitting()[0][0].values)
    agrees(replace(pair, peers=niix.images(pair.series.files.values(), pair.scratch / "display", "-p", "n")))


def rounded(pair: Pair) -> None:
    """Lossy JPEG in YBR: decoders round and widen colours differently. Ours is what pydicom has by libjpeg-turbo."""
    theirs = [image for peer in pair.peers for image in peer.slices if image.ndim == 3]
    largest = []
    for plane in pair.planes():
        ways = (np.abs(one - image) for image in theirs for one in (plane, plane[::-1]) if one.shape == image.shape)
        nearest = min(ways, key=lambda difference: float(difference.mean()))
        assert nearest.mean() < 1
        largest.append(float(nearest.max()))
    assert 0 < max(largest) < 24


def tiles(pair: Pair) -> None:
    """A whole slide: dcm2niix piles up its tiles as slices; ours are the same, each at its place in the large image."""
    (plane,) = pair.planes()
    size = pair.peer.shape[0]
    across = plane.shape[1] // size
    assert pair.peer.shape[2] == across * across
    for number, image in enumerate(pair.peer.slices):
        row, column = (size * place for place in divmod(number, across))
        assert like(plane[row : row + size, column : column + size], image)


def indices(pair: Pair) -> None:
    """Ours is right: a palette gives colours, dcm2niix writes the indices as if they were greys."""
    assert is_colour(pair.stack.passport)
    theirs = [image for peer in pair.peers for image in peer.slices]
    for uid, frame in pair.stack.planes():
        index = Reference(pair.series.files[uid]).stored(frame).astype(float)
        assert any(like(index, image) for image in theirs)


AGREE: tuple[Callable[[Pair], None], ...] = (agrees, values, nothing)
DIFFERENCES: tuple[Callable[[Pair], None], ...] = (
    tilted, uneven, scouts, displaced, nine, stripped, scaled, untransformed, unscaled, unsigned, rounded, tiles,
    indices,
)  # fmt: skip
CHECKS = {check.__name__: check for check in (*AGREE, *DIFFERENCES)}


@pytest.mark.parametrize("check", DIFFERENCES, ids=lambda check: check.__name__)
def test_each_difference_has_a_reason(check):
    assert check.__doc__
