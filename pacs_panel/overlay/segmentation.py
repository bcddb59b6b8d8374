"""What the header of a segmentation says: its segments, and which frame shows which of them where (PS3.3 §A.51)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from pacs_panel.errors import NotYetShown
from pacs_panel.model import Segment
from pacs_panel.overlay import colours, tree
from pacs_panel.overlay.references import SILENT, Referred, of_tree
from pacs_panel.overlay.tree import Item, Tree, tag_of
from pacs_panel.settings import Settings

SHARED, PER_FRAME = tag_of("SharedFunctionalGroupsSequence"), tag_of("PerFrameFunctionalGroupsSequence")
MATRIX = ("TotalPixelMatrixColumns", "TotalPixelMatrixRows")
METHODS = {"AUTOMATIC": "automatic", "SEMIAUTOMATIC": "semi-automatic", "MANUAL": "manual"}
Source = tuple[str, tuple[int, ...]]
Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a segmentation.

    Attributes
    ----------
    segment : int
        Referenced Segment Number; 0 in a label map, whose pixels tell.
    position, orientation, spacing : tuples of 3, 6 and 2 floats
        As Image Position (Patient) and so on; empty where absent.
    sources : tuple of (str, tuple of int)
        SOP Instance UIDs of the images that it was made from, and which of their frames, from 0 (empty: all).
    """

    segment: int = 0
    position: Numbers = ()
    orientation: Numbers = ()
    spacing: Numbers = ()
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A segmentation's header.

    Attributes
    ----------
    kind : str
        ``BINARY``, ``FRACTIONAL`` or ``LABELMAP``.
    fraction : str
        ``probability`` or ``occupancy``, of a fractional one.
    maximum : int
        The stored value that stands for a fraction of 1.
    overlapping : str
        What it says of its segments: ``YES``, ``NO``, ``UNDEFINED`` or nothing.
    step : float
        mm between planes as stated; 0 where it is not.
    background : int
        The pixel value of a label map where there is no segment.
    """

    title: str
    kind: str
    fraction: str
    maximum: int
    overlapping: str
    segments: tuple[Segment, ...]
    frames: tuple[Frame, ...]
    step: float
    background: int
    frame_of_reference: str
    referred: Referred


def read(source: BinaryIO, settings: Settings, expected: int = 0) -> Segmentation:
    """Read a segmentation's header.

    Parameters
    ----------
    expected : int
        Bytes up to the pixel data, where known.

    Raises
    ------
    NotYetShown
        A segmentation of a whole slide, or one without segments or frames.
    NotDicom, Unreadable, TooLarge
    """
    found = tree.read(source, settings, {PER_FRAME: _raw}, SILENT, expected)
    root = found.root
    if any(tag_of(keyword) in root for keyword in MATRIX):
        raise NotYetShown("a segmentation of a whole slide is kept; it is not yet shown on the slide")
    frames = _frames(found)
    kind = found.text(root, "SegmentationType") or "BINARY"
    segments = tuple(_segments(found))
    if not segments:
        raise NotYetShown("the segmentation describes no segment")
    named = dict.fromkeys(uid for frame in frames for uid, _ in frame.sources)
    return Segmentation(
        title=found.text(root, "SeriesDescription") or found.text(root, "ContentLabel") or "Segmentation",
        kind=kind,
        fraction=found.text(root, "SegmentationFractionalType").lower(),
        maximum=int(found.number(root, "MaximumFractionalValue", 255)) or 255,
        overlapping=found.text(root, "SegmentsOverlap"),
        segments=segments,
        frames=frames,
        step=_step(found),
        background=int(found.number(root, "PixelPaddingValue", 0)),
        frame_of_reference=found.text(root, "FrameOfReferenceUID"),
        referred=of_tree(found, named),
    )


# -- frames ------------------------------------------------------------------------------------------------------------

_CONTENT = tag_of("SegmentIdentificationSequence"), tag_of("ReferencedSegmentNumber")
_POSITION = tag_of("PlanePositionSequence"), tag_of("ImagePositionPatient")
_ORIENTATION = tag_of("PlaneOrientationSequence"), tag_of("ImageOrientationPatient")
_MEASURES = tag_of("PixelMeasuresSequence")
_SPACING = tag_of("PixelSpacing")
_DERIVATION, _SOURCE = tag_of("DerivationImageSequence"), tag_of("SourceImageSequence")
_UID, _FRAME_NUMBER = tag_of("ReferencedSOPInstanceUID"), tag_of("ReferencedFrameNumber")

Raw = tuple[bytes, bytes, bytes, bytes, tuple[tuple[bytes, bytes], ...]]


def _raw(item: Item) -> Raw:
    """What counts of a frame's functional groups, as bytes: made of each item at once, so the rest is let go."""
    segment = _first(item, _CONTENT[0]).get(_CONTENT[1], b"")
    position = _first(item, _POSITION[0]).get(_POSITION[1], b"")
    orientation = _first(item, _ORIENTATION[0]).get(_ORIENTATION[1], b"")
    spacing = _first(item, _MEASURES).get(_SPACING, b"")
    sources = tuple(
        (image.get(_UID, b""), image.get(_FRAME_NUMBER, b""))
        for derivation in _items(item, _DERIVATION)
        for image in _items(derivation, _SOURCE)
    )
    return segment, position, orientation, spacing, sources


def _first(item: Item, tag: int) -> Item:
    return next(iter(_items(item, tag)), {})


def _items(item: Item, tag: int) -> list[Item]:
    found = item.get(tag)
    return found if isinstance(found, list) else []  # a damaged one may be no sequence


def _frames(found: Tree) -> tuple[Frame, ...]:
    shared = _frame(_raw(next(iter(found.items(found.root, "SharedFunctionalGroupsSequence")), {})), found.little)
    raws: list[Raw] = found.root.get(PER_FRAME, [])
    return tuple(_over(shared, _frame(raw, found.little)) for raw in raws) or (shared,)


def _over(shared: Frame, own: Frame) -> Frame:
    return Frame(
        own.segment or shared.segment,
        own.position or shared.position,
        own.orientation or shared.orientation,
        own.spacing or shared.spacing,
        own.sources or shared.sources,
    )


def _frame(raw: Raw, little: bool) -> Frame:
    segment, position, orientation, spacing, sources = raw
    number = int.from_bytes(segment[:2], "little" if little else "big")
    images = tuple(_source(uid, frames) for uid, frames in sources if uid)
    return Frame(number, _numbers(position, 3), _numbers(orientation, 6), _numbers(spacing, 2), images)


@lru_cache(maxsize=8192)
def _numbers(value: bytes, count: int) -> Numbers:
    """All ``count`` numbers, or none."""
    try:
        numbers = tuple(float(part) for part in value.split(b"\\")) if value.strip(b" \0") else ()
    except ValueError:
        return ()
    return numbers if len(numbers) == count else ()


@lru_cache(maxsize=8192)
def _source(uid: bytes, frames: bytes) -> Source:
    numbers = (part.strip(b" \0") for part in frames.split(b"\\"))
    return uid.decode("ascii", "replace").strip(" \0"), tuple(int(part) - 1 for part in numbers if part.isdigit())


def _step(found: Tree) -> float:
    measures = found.first(found.root, "SharedFunctionalGroupsSequence", "PixelMeasuresSequence")
    stated = (abs(float(found.number(measures, name))) for name in ("SpacingBetweenSlices", "SliceThickness"))
    return next((step for step in stated if step > 0), 0.0)


# -- segments ----------------------------------------------------------------------------------------------------------


def _segments(found: Tree) -> list[Segment]:
    """By number; the background, number 0 of a label map, is none."""
    made = []
    for index, item in enumerate(found.items(found.root, "SegmentSequence")):
        number = int(found.number(item, "SegmentNumber", 0))
        if number:
            made.append(_segment(found, item, number, index))
    return sorted(made, key=lambda segment: segment.number)


def _segment(found: Tree, item: Item, number: int, index: int) -> Segment:
    colour = colours.from_cielab(found.numbers(item, "RecommendedDisplayCIELabValue"))
    meaning = code_meaning(found)
    category = meaning(found.first(item, "SegmentedPropertyCategoryCodeSequence"))
    kind = found.first(item, "SegmentedPropertyTypeCodeSequence")
    modifier = meaning(found.first(kind, "SegmentedPropertyTypeModifierCodeSequence"))
    method = found.text(item, "SegmentAlgorithmType")
    name = found.text(item, "SegmentAlgorithmName")
    return Segment(
        number=number,
        label=found.text(item, "SegmentLabel") or f"Segment {number}",
        colour=colour or colours.from_palette(index),
        meaning=", ".join(dict.fromkeys(filter(None, (category, meaning(kind), modifier)))),
        method=": ".join(filter(None, (METHODS.get(method, method.lower()), name))),
    )


def code_meaning(found: Tree) -> Callable[[Item], str]:
    """The meaning of an item of a code sequence, else its code."""
    return lambda item: found.text(item, "CodeMeaning") or found.text(item, "CodeValue")
