"""Objects about a phantom CT: a segmentation, contours, and a report of measurements."""

from __future__ import annotations

from math import cos, pi, sin, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import ComprehensiveSRStorage, RTStructureSetStorage, SegmentationStorage

from pacs_panel.testing.headers import code, dataset, decimal, decimals, instance, plane
from pacs_panel.testing.subjects import Values, uid
from pacs_panel.testing.truth import Grid, PhantomSeries, Sphere, Truth

SUBJECT_AND_STUDY = (
    "SpecificCharacterSet", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
    "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber", "StudyDescription", "PatientAge",
    "PatientSize", "PatientWeight",
)  # fmt: skip
COLOURS = ((255, 80, 80), (80, 200, 120), (90, 140, 255), (240, 200, 60), (200, 100, 240), (80, 220, 220))
LAB = ((41000, 45000, 41000), (46000, 22000, 40000), (38000, 33000, 8000), (53000, 32000, 52000), (36000, 47000, 9000),
       (52000, 20000, 28000))  # fmt: skip


def seg_on(ct: PhantomSeries, *, spheres: int = 3) -> PhantomSeries:
    """A binary segmentation of the CT's first ``spheres`` spheres, one segment each, of the slices they touch.

    Returns
    -------
    PhantomSeries
        Its truth has ``stored`` of shape ``(segments, slices, rows, columns)``: 1 where a voxel's centre is in
        the sphere.
    """
    truth = _placed(ct)
    chosen = truth.spheres[:spheres]
    masks = np.stack([_mask(truth, sphere) for sphere in chosen])
    frames = [(s, n) for s, n in np.ndindex(*masks.shape[:2]) if masks[s, n].any()]
    if not frames:
        raise ValueError("no voxel's centre lies in these spheres, and a segmentation needs a frame")
    bits = np.packbits(np.concatenate([masks[s, n].ravel() for s, n in frames]), bitorder="little").tobytes()
    values = {
        **_header(ct, "SEG", SegmentationStorage, "segmentation", 20, "Spheres"),
        "FrameOfReferenceUID": ct.datasets[0].FrameOfReferenceUID, "PositionReferenceIndicator": "",
        "ImageType": ["DERIVED", "PRIMARY"], "ContentLabel": "SPHERES", "ContentDescription": "Spheres of the phantom",
        "ContentCreatorName": "Creator^Casey", "LossyImageCompression": "00",
        "SegmentationType": "BINARY", "SegmentsOverlap": "NO",
        "SegmentSequence": [_segment(s) for s in range(len(chosen))],
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "PixelRepresentation": 0,
        "Rows": masks.shape[2], "Columns": masks.shape[3], "BitsAllocated": 1, "BitsStored": 1, "HighBit": 0,
        "NumberOfFrames": str(len(frames)),
        **_frame_groups(ct, truth, frames),
        "PixelData": bits + b"\0" * (len(bits) % 2),
    }  # fmt: skip
    made = Truth(truth.affine, truth.spacing, chosen, truth.verdict, masks, slices=truth.slices)
    return PhantomSeries((instance(dataset(values), {}),), made)


def rtstruct_on(ct: PhantomSeries, *, corners: int = 60) -> PhantomSeries:
    """Contours of the CT's spheres: in each slice's plane a polygon whose ``corners`` lie exactly on the sphere."""
    truth = _placed(ct)
    first = ct.datasets[0]
    rois = range(1, len(truth.spheres) + 1)
    images = [_reference(d) for d in ct.datasets]
    values = {
        **_header(ct, "RTSTRUCT", RTStructureSetStorage, "structures", 21, "Contours"),
        "FrameOfReferenceUID": first.FrameOfReferenceUID, "PositionReferenceIndicator": "",
        "StructureSetLabel": "SPHERES", "StructureSetDate": first.StudyDate, "StructureSetTime": first.StudyTime,
        "ReferencedFrameOfReferenceSequence": [{
            "FrameOfReferenceUID": first.FrameOfReferenceUID,
            "RTReferencedStudySequence": [{
                "ReferencedSOPClassUID": "1.2.840.10008.3.1.2.3.1", "ReferencedSOPInstanceUID": first.StudyInstanceUID,
                "RTReferencedSeriesSequence": [
                    {"SeriesInstanceUID": first.SeriesInstanceUID, "ContourImageSequence": images}
                ],
            }],
        }],
        "StructureSetROISequence": [
            {"ROINumber": str(n), "ReferencedFrameOfReferenceUID": first.FrameOfReferenceUID, "ROIName": f"Sphere {n}",
             "ROIGenerationAlgorithm": "AUTOMATIC"} for n in rois
        ],
        "ROIContourSequence": [
            {"ROIDisplayColor": [str(c) for c in COLOURS[(n - 1) % 6]], "ReferencedROINumber": str(n),
             "ContourSequence": _contours(truth, sphere, images, corners)}
            for n, sphere in zip(rois, truth.spheres, strict=True)
        ],
        "RTROIObservationsSequence": [
            {"ObservationNumber": str(n), "ReferencedROINumber": str(n), "RTROIInterpretedType": "ORGAN",
             "ROIInterpreter": ""} for n in rois
        ],
        "ApprovalStatus": "UNAPPROVED",
    }  # fmt: skip
    return PhantomSeries((instance(dataset(values), {}),), Truth(
        truth.affine, truth.spacing, truth.spheres, truth.verdict, np.empty((0, 0, 0), np.uint8), slices=truth.slices
    ))  # fmt: skip


def sr_on(ct: PhantomSeries) -> PhantomSeries:
    """A Comprehensive SR: diameter and volume of the CT's first sphere, each inferred from the image at its middle."""
    truth = _placed(ct)
    sphere = truth.spheres[0]
    nearest = int(np.argmin([abs(_height(truth, k, sphere)) for k in truth.slices]))
    image = _reference(ct.datasets[nearest])
    evidence = {
        "StudyInstanceUID": ct.study_uid,
        "ReferencedSeriesSequence": [{"SeriesInstanceUID": ct.series_uid, "ReferencedSOPSequence": [image]}],
    }
    sizes = (
        ("81827009", "Diameter", 2 * sphere.radius_mm, code("mm", "UCUM", "millimeter")),
        ("118565006", "Volume", sphere.volume_ml, code("ml", "UCUM", "milliliter")),
    )
    values = {
        **_header(ct, "SR", ComprehensiveSRStorage, "report", 22, "Measurements"),
        "ReferencedPerformedProcedureStepSequence": [], "PerformedProcedureCodeSequence": [],
        "CompletionFlag": "COMPLETE", "VerificationFlag": "UNVERIFIED",
        "CurrentRequestedProcedureEvidenceSequence": [evidence],
        "ValueType": "CONTAINER", "ContinuityOfContent": "SEPARATE",
        "ConceptNameCodeSequence": [code("126000", "DCM", "Imaging Measurement Report")],
        "ContentSequence": [
            {"RelationshipType": "CONTAINS", "ValueType": "TEXT", "TextValue": "Sphere 1 of the phantom",
             "ConceptNameCodeSequence": [code("121071", "DCM", "Finding")]},
            *(_measurement(*size, image) for size in sizes),
        ],
    }  # fmt: skip
    return PhantomSeries((instance(dataset(values), {}),))


def _placed(ct: PhantomSeries) -> Truth:
    if ct.truth is None or ct.truth.affine is None or not ct.truth.spheres:
        raise ValueError("only a series with a place and with spheres can be drawn on")
    return ct.truth


def _header(ct: PhantomSeries, modality: str, sop_class: str, kind: str, number: int, description: str) -> Values:
    """The CT's subject and study, and a series of its own, made by software of ours."""
    first = ct.datasets[0]
    series = uid(ct.series_uid, kind)
    return {
        **{name: first[name].value for name in SUBJECT_AND_STUDY if name in first},
        "Manufacturer": "pacs_panel", "ManufacturerModelName": "phantom", "SoftwareVersions": "1",
        "DeviceSerialNumber": "1",
        "SOPClassUID": sop_class, "SOPInstanceUID": uid(series, 1), "InstanceNumber": "1",
        "Modality": modality, "SeriesInstanceUID": series, "SeriesNumber": str(number),
        "SeriesDescription": description, "SeriesDate": first.StudyDate, "SeriesTime": first.StudyTime,
        **({"OperatorsName": ""} if modality == "RTSTRUCT" else
           {"ContentDate": first.StudyDate, "ContentTime": first.StudyTime}),
    }  # fmt: skip


def _reference(image: Dataset) -> dict[str, Any]:
    return {"ReferencedSOPClassUID": image.SOPClassUID, "ReferencedSOPInstanceUID": image.SOPInstanceUID}


def _mask(truth: Truth, sphere: Sphere) -> NDArray[np.uint8]:
    return sphere.contains(truth.points()).astype(np.uint8)


def _segment(index: int) -> Values:
    return {
        "SegmentNumber": index + 1, "SegmentLabel": f"Sphere {index + 1}", "SegmentAlgorithmType": "MANUAL",
        "SegmentedPropertyCategoryCodeSequence": [code("260787004", "SCT", "Physical object")],
        "SegmentedPropertyTypeCodeSequence": [code("260787004", "SCT", "Physical object")],
        "RecommendedDisplayCIELabValue": list(LAB[index % 6]),
    }  # fmt: skip


def _frame_groups(ct: PhantomSeries, truth: Truth, frames: list[tuple[int, int]]) -> Values:
    """Multi-frame Functional Groups and Dimension modules (PS3.3 §C.7.6.16, §C.7.6.17) for (segment, slice) frames."""
    assert truth.affine is not None
    grid = Grid(truth.stored.shape[-3:], truth.affine)
    places = [plane(grid, k) for k in truth.slices]
    dimensions = uid(ct.series_uid, "dimensions")
    purpose = code("121322", "DCM", "Source image for image processing operation")
    derivation = code("113076", "DCM", "Segmentation")
    return {
        "DimensionOrganizationSequence": [{"DimensionOrganizationUID": dimensions}],
        "DimensionIndexSequence": [
            {"DimensionOrganizationUID": dimensions, "DimensionIndexPointer": 0x0062000B,
             "FunctionalGroupPointer": 0x0062000A, "DimensionDescriptionLabel": "Segment"},
            {"DimensionOrganizationUID": dimensions, "DimensionIndexPointer": 0x00200032,
             "FunctionalGroupPointer": 0x00209113, "DimensionDescriptionLabel": "Position"},
        ],
        "SharedFunctionalGroupsSequence": [{
            "PixelMeasuresSequence": [
                {name: places[0][name] for name in ("PixelSpacing", "SliceThickness")}
                | {"SpacingBetweenSlices": decimal(truth.spacing[0])}
            ],
            "PlaneOrientationSequence": [{"ImageOrientationPatient": places[0]["ImageOrientationPatient"]}],
        }],
        "PerFrameFunctionalGroupsSequence": [{
            "FrameContentSequence": [{"DimensionIndexValues": [s + 1, n + 1]}],
            "PlanePositionSequence": [{"ImagePositionPatient": places[n]["ImagePositionPatient"]}],
            "SegmentIdentificationSequence": [{"ReferencedSegmentNumber": s + 1}],
            "DerivationImageSequence": [{
                "DerivationCodeSequence": [derivation],
                "SourceImageSequence": [_reference(ct.datasets[n]) | {"PurposeOfReferenceCodeSequence": [purpose]}],
            }],
        } for s, n in frames],
        "ReferencedSeriesSequence": [
            {"SeriesInstanceUID": ct.series_uid, "ReferencedInstanceSequence": [_reference(d) for d in ct.datasets]}
        ],
    }  # fmt: skip


def _height(truth: Truth, slice_: int, sphere: Sphere) -> float:
    """Distance in mm, along the normal, from a slice's plane to a sphere's centre."""
    assert truth.affine is not None
    normal = np.cross(truth.affine[:3, 0], truth.affine[:3, 1])
    offset = np.asarray(sphere.centre_lps_mm) - truth.lps(slice_, 0, 0)
    return float(offset @ normal / np.linalg.norm(normal))


def _contours(truth: Truth, sphere: Sphere, images: list[dict[str, Any]], corners: int) -> list[Values]:
    assert truth.affine is not None
    across, down = truth.affine[:3, 0] / truth.spacing[2], truth.affine[:3, 1] / truth.spacing[1]
    normal = np.cross(across, down)
    found: list[Values] = []
    for image, k in zip(images, truth.slices, strict=True):
        height = _height(truth, k, sphere)
        if abs(height) >= sphere.radius_mm:
            continue
        radius = sqrt(sphere.radius_mm**2 - height**2)
        middle = np.asarray(sphere.centre_lps_mm) - height * normal
        angles = (2 * pi * i / corners for i in range(corners))
        points = np.concatenate([middle + radius * (cos(a) * across + sin(a) * down) for a in angles])
        found.append({
            "ContourImageSequence": [image], "ContourGeometricType": "CLOSED_PLANAR",
            "NumberOfContourPoints": str(corners), "ContourData": decimals(points.round(6)),
        })  # fmt: skip
    return found


def _measurement(value: str, meaning: str, number: float, unit: Values, image: Values) -> Values:
    return {
        "RelationshipType": "CONTAINS", "ValueType": "NUM",
        "ConceptNameCodeSequence": [code(value, "SCT", meaning)],
        "MeasuredValueSequence": [
            {"NumericValue": decimal(number), "FloatingPointValue": number, "MeasurementUnitsCodeSequence": [unit]}
        ],
        "ContentSequence": [
            {"RelationshipType": "INFERRED FROM", "ValueType": "IMAGE", "ReferencedSOPSequence": [image]}
        ],
    }  # fmt: skip
