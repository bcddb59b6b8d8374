"""More objects about a phantom series: any masks as a segmentation, any contours, a dose, overlay planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom import Dataset
from pydicom.uid import RTDoseStorage

from pacs_panel.testing.headers import code, dataset, decimal, decimals, instance, plane
from pacs_panel.testing.objects import rtstruct_on, seg_on
from pacs_panel.testing.subjects import Values, uid
from pacs_panel.testing.truth import Floats, Grid, PhantomSeries, Truth

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
Overlapping = Literal["YES", "NO", "UNDEFINED", ""]


@dataclass(frozen=True, slots=True)
class Region:
    """A region of a structure set: its name, and its contours as ``(geometric type, (n, 3) points in LPS mm)``."""

    name: str
    contours: tuple[tuple[str, Floats], ...]
    number: int = 0


def masks_on(
    ct: PhantomSeries,
    masks: NDArray[Any],
    *,
    kind: Literal["BINARY", "FRACTIONAL", "LABELMAP"] = "BINARY",
    overlapping: Overlapping = "",
    referring: bool = True,
    grid: Grid | None = None,
    frame_of_reference: str = "",
) -> PhantomSeries:
    """A segmentation of given masks; frames without any pixel are left out.

    Parameters
    ----------
    masks : array
        ``(segments, slices, rows, columns)`` of 0 and 1, or of fractions from 0 to 1 for ``FRACTIONAL``;
        ``(slices, rows, columns)`` of segment numbers for ``LABELMAP``.
    overlapping : str
        Segments Overlap, as stated; empty leaves it out.
    referring : bool
        Whether frames name the images that they were made from.
    grid : Grid, optional
        Where the masks lie, if not on the CT's own grid; frames then name no image.
    """
    truth = _placed(ct)
    on = grid or Grid((len(ct.datasets), *truth.stored.shape[-2:]), _affine(truth))
    stacked = masks[None] if kind == "LABELMAP" else masks
    frames = [(s, n) for s, n in np.ndindex(*stacked.shape[:2]) if stacked[s, n].any()]
    numbers = range(1, int(masks.max()) + 1) if kind == "LABELMAP" else range(1, len(masks) + 1)
    template = seg_on(ct, spheres=1).datasets[0]
    pixels = np.concatenate([stacked[s, n].ravel() for s, n in frames])
    named = ct.datasets if referring and grid is None else ()
    values: dict[str, Any] = {
        "SOPInstanceUID": uid(template.SOPInstanceUID, kind, overlapping, referring, len(masks), frame_of_reference),
        "SegmentationType": kind,
        "SegmentSequence": [_segment(template.SegmentSequence[0], number) for number in numbers],
        "NumberOfFrames": str(len(frames)),
        "Rows": stacked.shape[2],
        "Columns": stacked.shape[3],
        **_pixels(pixels, kind),
        "SharedFunctionalGroupsSequence": [_shared(on)],
        "PerFrameFunctionalGroupsSequence": [_frame(kind, on, named, s, n) for s, n in frames],
    }
    if kind == "LABELMAP":
        values["SOPClassUID"] = LABEL_MAP
    if kind == "FRACTIONAL":
        values |= {"SegmentationFractionalType": "PROBABILITY", "MaximumFractionalValue": 200}
    if frame_of_reference:
        values["FrameOfReferenceUID"] = frame_of_reference
    made = instance(template, values)
    made.SegmentsOverlap = overlapping
    if not overlapping:
        del made.SegmentsOverlap
    if not named:
        del made.ReferencedSeriesSequence
    return PhantomSeries((made,), replace(truth, stored=masks, affine=on.affine))


def _pixels(pixels: NDArray[Any], kind: str) -> Values:
    bits = 1 if kind == "BINARY" else 8
    if kind == "BINARY":
        data = np.packbits(pixels.astype(bool), bitorder="little").tobytes()
    elif kind == "FRACTIONAL":
        data = np.rint(pixels * 200).astype(np.uint8).tobytes()
    else:
        data = pixels.astype(np.uint8).tobytes()
    padded = data + b"\0" * (len(data) % 2)
    return {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1, "PixelData": padded}


def _segment(template: Dataset, number: int) -> Values:
    values = {element.keyword: element.value for element in template}
    values |= {"SegmentNumber": number, "SegmentLabel": f"Segment {number}"}
    del values["RecommendedDisplayCIELabValue"]
    return values


def _shared(grid: Grid) -> Values:
    place = plane(grid, 0)
    return {
        "PixelMeasuresSequence": [
            {name: place[name] for name in ("PixelSpacing", "SliceThickness")}
            | {"SpacingBetweenSlices": decimal(grid.spacing[0])}
        ],
        "PlaneOrientationSequence": [{"ImageOrientationPatient": place["ImageOrientationPatient"]}],
    }


def _frame(kind: str, grid: Grid, images: Sequence[Dataset], segment: int, number: int) -> Values:
    made: dict[str, Any] = {
        "FrameContentSequence": [{"DimensionIndexValues": [segment + 1, number + 1]}],
        "PlanePositionSequence": [{"ImagePositionPatient": plane(grid, number)["ImagePositionPatient"]}],
    }
    if kind != "LABELMAP":
        made["SegmentIdentificationSequence"] = [{"ReferencedSegmentNumber": segment + 1}]
    if images:
        source = {
            "ReferencedSOPClassUID": images[number].SOPClassUID,
            "ReferencedSOPInstanceUID": images[number].SOPInstanceUID,
            "PurposeOfReferenceCodeSequence": [code("121322", "DCM", "Source image for image processing operation")],
        }
        derivation = code("113076", "DCM", "Segmentation")
        made["DerivationImageSequence"] = [{"DerivationCodeSequence": [derivation], "SourceImageSequence": [source]}]
    return made


def regions_on(ct: PhantomSeries, regions: Sequence[Region], *, dangling: bool = False) -> PhantomSeries:
    """A structure set of given contours.

    Parameters
    ----------
    dangling : bool
        The slices that it refers to exist nowhere; only the frame of reference is the CT's.
    """
    template = rtstruct_on(ct).datasets[0]
    frame = template.FrameOfReferenceUID
    numbers = [region.number or index for index, region in enumerate(regions, 1)]
    values: dict[str, Any] = {
        "SOPInstanceUID": uid(template.SOPInstanceUID, [region.name for region in regions], dangling),
        "StructureSetROISequence": [
            {"ROINumber": str(n), "ReferencedFrameOfReferenceUID": frame, "ROIName": region.name,
             "ROIGenerationAlgorithm": "MANUAL"} for n, region in zip(numbers, regions, strict=True)
        ],
        "ROIContourSequence": [
            {"ROIDisplayColor": ["10", "20", str(n % 256)], "ReferencedROINumber": str(n),
             "ContourSequence": [_contour(kind, points) for kind, points in region.contours]}
            for n, region in zip(numbers, regions, strict=True)
        ],
        "RTROIObservationsSequence": [
            {"ObservationNumber": str(n), "ReferencedROINumber": str(n), "RTROIInterpretedType": "ORGAN",
             "ROIInterpreter": ""} for n in numbers
        ],
    }  # fmt: skip
    made = instance(template, values)
    if dangling:
        study = made.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
        for number, image in enumerate(study.RTReferencedSeriesSequence[0].ContourImageSequence):
            image.ReferencedSOPInstanceUID = uid(made.SOPInstanceUID, "nowhere", number)
    return PhantomSeries((made,), _placed(ct))


def _contour(kind: str, points: ArrayLike) -> Values:
    corners = np.asarray(points, float)
    return {
        "ContourGeometricType": kind,
        "NumberOfContourPoints": str(len(corners)),
        "ContourData": decimals(corners.ravel().round(6)),
    }


def dose_on(
    ct: PhantomSeries,
    *,
    shape: tuple[int, int, int] = (12, 20, 24),
    spacing: tuple[float, float, float] = (5.0, 4.0, 4.0),
    absolute: bool = False,
    downwards: bool = False,
    scaling: float = 1e-6,
) -> PhantomSeries:
    """A transverse RT dose about the CT's middle, of `dose_at` in Gy.

    Parameters
    ----------
    shape, spacing : tuples of 3 numbers
        Planes, rows and columns of the dose grid, and mm between them.
    absolute : bool
        Grid Frame Offset Vector holds z coordinates instead of distances from the first plane.
    downwards : bool
        The planes are stored from the head to the feet.
    """
    truth = _placed(ct)
    middle = Grid((len(ct.datasets), *truth.stored.shape[-2:]), _affine(truth)).centre
    affine = np.diag([spacing[2], spacing[1], spacing[0], 1.0])
    affine[:3, 3] = middle - affine[:3, :3] @ (np.asarray(shape[::-1]) - 1) / 2
    grid = Grid(shape, affine)
    stored = np.rint(np.stack([dose_at(grid.plane(k)) for k in range(shape[0])]) / scaling).astype(np.uint32)
    order = range(shape[0])[:: -1 if downwards else 1]
    first = plane(grid, order[0])
    heights = [float(grid.at(k, 0, 0)[2]) for k in order]
    template = rtstruct_on(ct).datasets[0]
    kept = {e.keyword: e.value for e in template if e.tag.group in (0x0008, 0x0010, 0x0020)}
    values: dict[str, Any] = {
        **kept,
        "SOPClassUID": RTDoseStorage,
        "SOPInstanceUID": uid(ct.series_uid, "dose", shape, spacing, absolute, downwards),
        "SeriesInstanceUID": uid(ct.series_uid, "dose series"),
        "Modality": "RTDOSE",
        "SeriesDescription": "Dose",
        **{name: first[name] for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")},
        "SliceThickness": decimal(spacing[0]),
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "PixelRepresentation": 0,
        "NumberOfFrames": str(shape[0]), "FrameIncrementPointer": 0x3004000C,
        "Rows": shape[1], "Columns": shape[2], "BitsAllocated": 32, "BitsStored": 32, "HighBit": 31,
        "DoseUnits": "GY", "DoseType": "PHYSICAL", "DoseSummationType": "PLAN",
        "GridFrameOffsetVector": decimals([z - (0.0 if absolute else heights[0]) for z in heights]),
        "DoseGridScaling": decimal(scaling),
        "PixelData": stored[list(order)].tobytes(),
    }  # fmt: skip
    return PhantomSeries(
        (instance(dataset(values), {}),), Truth(affine, grid.spacing, (), "regular", stored, (scaling,))
    )


def dose_at(lps: Floats) -> Floats:
    """The phantom's dose in Gy at points (..., 3): linear, so that interpolation must give it exactly."""
    dose: Floats = 30 + lps @ (0.05, -0.03, 0.08)
    return dose


def planes_on(
    ct: PhantomSeries, bits: NDArray[Any], *, origin: tuple[int, int] = (1, 1), embedded: bool = False
) -> PhantomSeries:
    """The CT with an overlay plane in each image: ``bits`` are ``(slices, rows, columns)`` of 0 and 1.

    Parameters
    ----------
    origin : tuple of 2 ints
        Overlay Origin: row and column, from 1, of the plane's first pixel.
    embedded : bool
        The plane is in bit 15 of the pixels, as it was allowed until 2004; it then has the images' size.
    """
    made = []
    for image, plane_bits in zip(ct.datasets, bits, strict=True):
        copy = instance(image, {"SOPInstanceUID": uid(image.SOPInstanceUID, "planes", embedded)})
        copy.add_new(0x60000010, "US", plane_bits.shape[0])
        copy.add_new(0x60000011, "US", plane_bits.shape[1])
        copy.add_new(0x60000022, "LO", "Outline")
        copy.add_new(0x60000040, "CS", "G")
        copy.add_new(0x60000050, "SS", list(origin))
        copy.add_new(0x60000100, "US", 16 if embedded else 1)
        copy.add_new(0x60000102, "US", 15 if embedded else 0)
        if embedded:
            pixels = np.frombuffer(copy.PixelData, "<u2").reshape(plane_bits.shape)
            copy.PixelData = (pixels | plane_bits.astype("<u2") << 15).tobytes()
        else:
            packed = np.packbits(plane_bits.astype(bool), bitorder="little").tobytes()
            copy.add_new(0x60003000, "OW", packed + b"\0" * (len(packed) % 2))
        made.append(copy)
    return PhantomSeries(tuple(made), ct.truth)


def _placed(ct: PhantomSeries) -> Truth:
    if ct.truth is None or ct.truth.affine is None:
        raise ValueError("only a series with a place can be drawn on")
    return ct.truth


def _affine(truth: Truth) -> Floats:
    assert truth.affine is not None
    return truth.affine
