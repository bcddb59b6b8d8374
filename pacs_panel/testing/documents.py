"""Objects without pixels of their own about a phantom CT: how to show it, what is marked, reports and surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import (
    EncapsulatedPDFStorage,
    EncapsulatedSTLStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    RealWorldValueMappingStorage,
    SpatialRegistrationStorage,
)

from pacs_panel.testing.headers import code, dataset, decimal, decimals, instance
from pacs_panel.testing.objects import SUBJECT_AND_STUDY
from pacs_panel.testing.subjects import Values, uid
from pacs_panel.testing.truth import PhantomSeries

CORNERS = ((0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, 10))  # of a tetrahedron, mm
FACES = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))  # outward, counter-clockwise
GREY = {"PresentationLUTShape": "IDENTITY"}


def presentation_on(ct: PhantomSeries, *, rotation: int = 0, flipped: bool = False) -> PhantomSeries:
    """A greyscale presentation state of the CT: a window, a displayed area, two figures and a text.

    The displayed area is the whole image, turned and mirrored as asked; on its first image there are a triangle in
    pixels, with corners at the centres of pixels (column, row) (2, 3), (5, 3) and (2, 6), and a line in fractions of
    the displayed area from its top left to its middle.
    """
    first = ct.datasets[0]
    images = [_reference(d) for d in ct.datasets]
    left, top, right, bottom = 1, 1, int(first.Columns), int(first.Rows)
    if rotation in (90, 180):  # a quarter turn clockwise brings the lower left corner to the top left, and so on
        top, bottom = bottom, top
    if rotation in (180, 270):
        left, right = right, left
    if flipped and rotation in (90, 270):
        top, bottom = bottom, top
    elif flipped:
        left, right = right, left
    triangle = [2.5, 3.5, 5.5, 3.5, 2.5, 6.5, 2.5, 3.5]
    values = {
        **_header(ct, "PR", GrayscaleSoftcopyPresentationStateStorage, "presentation", 30, "Lung window"),
        "PresentationCreationDate": first.StudyDate, "PresentationCreationTime": first.StudyTime,
        "ContentLabel": "LUNG", "ContentDescription": "Lung window with a figure",
        "ContentCreatorName": "Creator^Casey",
        "ReferencedSeriesSequence": [{"SeriesInstanceUID": ct.series_uid, "ReferencedImageSequence": images}],
        "ImageRotation": rotation, "ImageHorizontalFlip": "Y" if flipped else "N",
        "DisplayedAreaSelectionSequence": [{
            "DisplayedAreaTopLeftHandCorner": [left, top], "DisplayedAreaBottomRightHandCorner": [right, bottom],
            "PresentationSizeMode": "SCALE TO FIT", "PresentationPixelAspectRatio": [1, 1],
        }],
        "GraphicLayerSequence": [{"GraphicLayer": "NOTES", "GraphicLayerOrder": "1"}],
        "GraphicAnnotationSequence": [{
            "ReferencedImageSequence": images[:1], "GraphicLayer": "NOTES",
            "GraphicObjectSequence": [
                _figure("PIXEL", "POLYLINE", triangle, filled=True),
                _figure("DISPLAY", "POLYLINE", [0.0, 0.0, 0.5, 0.5]),
            ],
            "TextObjectSequence": [{
                "UnformattedTextValue": "here", "AnchorPointAnnotationUnits": "PIXEL", "AnchorPoint": [2.5, 3.5],
                "AnchorPointVisibility": "Y",
            }],
        }],
        "RescaleIntercept": decimal(float(first.RescaleIntercept)), "RescaleSlope": decimal(float(first.RescaleSlope)),
        "RescaleType": "HU",
        "SoftcopyVOILUTSequence": [
            {"WindowCenter": "-600", "WindowWidth": "1500", "WindowCenterWidthExplanation": "lung"}
        ],
        **GREY,
    }  # fmt: skip
    return _series(values)


def key_objects_on(
    ct: PhantomSeries, *, marked: int = 2, title: tuple[str, str] = ("113000", "Of Interest")
) -> PhantomSeries:
    """A key object selection: the CT's first ``marked`` images are of interest, or what else the title says."""
    chosen = [_reference(d) for d in ct.datasets[:marked]]
    values = {
        **_header(ct, "KO", KeyObjectSelectionDocumentStorage, "key objects", 31, "Key images"),
        "ReferencedPerformedProcedureStepSequence": [],
        "CurrentRequestedProcedureEvidenceSequence": [_evidence(ct, chosen)],
        "ValueType": "CONTAINER", "ContinuityOfContent": "SEPARATE",
        "ConceptNameCodeSequence": [code(title[0], "DCM", title[1])],
        "ContentTemplateSequence": [{"MappingResource": "DCMR", "TemplateIdentifier": "2010"}],
        "ContentSequence": [
            {"RelationshipType": "CONTAINS", "ValueType": "TEXT", "TextValue": "The largest sphere",
             "ConceptNameCodeSequence": [code("113012", "DCM", "Key Object Description")]},
            *({"RelationshipType": "CONTAINS", "ValueType": "IMAGE", "ReferencedSOPSequence": [one]}
              for one in chosen),
        ],
    }  # fmt: skip
    return _series(values)


def pdf_on(ct: PhantomSeries, content: bytes | None = None) -> PhantomSeries:
    """An encapsulated PDF, by default of one empty page, made from the CT's first image; 0 pads it to even length."""
    content = empty_pdf() if content is None else content
    return _series({
        **_header(ct, "DOC", EncapsulatedPDFStorage, "pdf", 32, "Report"),
        **_wrapped(ct, content, "application/pdf", "Report on the phantom"),
        "ConversionType": "WSD", "BurnedInAnnotation": "NO",
        "ConceptNameCodeSequence": [code("18748-4", "LN", "Diagnostic imaging study")],
        "SourceInstanceSequence": [_reference(ct.datasets[0])],
    })  # fmt: skip


def stl_on(ct: PhantomSeries) -> PhantomSeries:
    """A tetrahedron as encapsulated STL, in the CT's frame of reference."""
    return _series({
        **_header(ct, "M3D", EncapsulatedSTLStorage, "stl", 33, "Tetrahedron"),
        **_wrapped(ct, stl(CORNERS, FACES), "model/stl", "Tetrahedron"),
        "BurnedInAnnotation": "NO",
        "FrameOfReferenceUID": ct.datasets[0].FrameOfReferenceUID, "PositionReferenceIndicator": "",
        "ConceptNameCodeSequence": [code("85040-4", "LN", "3D printable model")],
        "MeasurementUnitsCodeSequence": [code("mm", "UCUM", "mm")],
        "ModelModification": "NO", "ModelMirroring": "NO", "ModelUsageCodeSequence": [
            code("129013", "DCM", "Planning Intent")
        ],
    })  # fmt: skip


def value_maps_on(ct: PhantomSeries) -> PhantomSeries:
    """Real world value maps of the CT: HU of stored 0 to 4095, and a table that says 10, 20, 40 of stored 1 to 3."""
    first = ct.datasets[0]
    images = [_reference(d) for d in ct.datasets]
    quantity = {
        "QuantityDefinitionSequence": [{
            "ValueType": "CODE", "ConceptNameCodeSequence": [code("246205007", "SCT", "Quantity")],
            "ConceptCodeSequence": [code("112031", "DCM", "Attenuation Coefficient")],
        }]
    }  # fmt: skip
    maps = [
        {"LUTExplanation": "Hounsfield units", "LUTLabel": "HU", **quantity,
         "MeasurementUnitsCodeSequence": [code("[hnsf'U]", "UCUM", "Hounsfield unit")],
         "RealWorldValueFirstValueMapped": 0, "RealWorldValueLastValueMapped": 4095,
         "RealWorldValueSlope": float(first.RescaleSlope), "RealWorldValueIntercept": float(first.RescaleIntercept)},
        {"LUTExplanation": "A table", "LUTLabel": "TABLE",
         "MeasurementUnitsCodeSequence": [code("1", "UCUM", "no units")],
         "RealWorldValueFirstValueMapped": 1, "RealWorldValueLastValueMapped": 3,
         "RealWorldValueLUTData": [10.0, 20.0, 40.0]},
    ]  # fmt: skip
    values = {
        **_header(ct, "RWV", RealWorldValueMappingStorage, "values", 34, "Real values"),
        "ContentLabel": "VALUES", "ContentDescription": "", "ContentCreatorName": "Creator^Casey",
        "ReferencedImageRealWorldValueMappingSequence": [
            {"RealWorldValueMappingSequence": maps, "ReferencedImageSequence": images}
        ],
        "ReferencedSeriesSequence": [
            {"SeriesInstanceUID": ct.series_uid, "ReferencedInstanceSequence": images}
        ],
    }  # fmt: skip
    made = dataset(values)
    for one in made.ReferencedImageRealWorldValueMappingSequence[0].RealWorldValueMappingSequence:
        for keyword in ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"):
            one[keyword].VR = "US"
    return PhantomSeries((instance(made, {}),))


def registration_on(ct: PhantomSeries, steps: Sequence[NDArray[np.float64]]) -> PhantomSeries:
    """A spatial registration of the CT into a frame of reference of its own.

    Parameters
    ----------
    steps : sequence of arrays of shape (4, 4)
        Applied one after the other to ``(x, y, z, 1)`` in LPS mm.
    """
    source = ct.datasets[0].FrameOfReferenceUID
    images = [_reference(d) for d in ct.datasets]
    matrices = [
        {"FrameOfReferenceTransformationMatrixType": "AFFINE",
         "FrameOfReferenceTransformationMatrix": decimals(step.ravel())} for step in steps
    ]  # fmt: skip
    own = uid(source, "registered")
    still = {"FrameOfReferenceTransformationMatrixType": "RIGID",
             "FrameOfReferenceTransformationMatrix": decimals(np.eye(4).ravel())}  # fmt: skip
    method = {"FrameOfReferenceTransformationComment": "", "RegistrationTypeCodeSequence": []}
    return _series({
        **_header(ct, "REG", SpatialRegistrationStorage, "registration", 35, "Into the atlas"),
        "FrameOfReferenceUID": own, "PositionReferenceIndicator": "",
        "ContentLabel": "ATLAS", "ContentDescription": "", "ContentCreatorName": "Creator^Casey",
        "RegistrationSequence": [
            {"FrameOfReferenceUID": source, "ReferencedImageSequence": images,
             "MatrixRegistrationSequence": [{**method, "MatrixSequence": matrices}]},
            {"FrameOfReferenceUID": own, "MatrixRegistrationSequence": [{**method, "MatrixSequence": [still]}]},
        ],
        "ReferencedSeriesSequence": [{"SeriesInstanceUID": ct.series_uid, "ReferencedInstanceSequence": images}],
    })  # fmt: skip


def stl(corners: Sequence[Sequence[float]], faces: Sequence[Sequence[int]]) -> bytes:
    """A surface as binary STL: an 80-byte header, the number of triangles, and of each its normal and corners."""
    points = np.asarray(corners, "<f4")[np.asarray(faces)]
    normals = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    triangles = np.zeros(len(points), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    triangles["normal"], triangles["corners"] = normals, points
    return b"pacs_panel".ljust(80) + len(points).to_bytes(4, "little") + triangles.tobytes()


def empty_pdf() -> bytes:
    """One empty page."""
    parts = ("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
             "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>")  # fmt: skip
    made, places = "%PDF-1.1\n", []
    for number, part in enumerate(parts, 1):
        places.append(f"{len(made):010d} 00000 n \n")
        made += f"{number} 0 obj{part}endobj\n"
    end = f"trailer<</Size 4/Root 1 0 R>>\nstartxref\n{len(made)}\n%%EOF\n"
    return f"{made}xref\n0 4\n0000000000 65535 f \n{''.join(places)}{end}".encode("ascii")


def _series(values: Values) -> PhantomSeries:
    return PhantomSeries((instance(dataset(values), {}),))


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
        "SeriesDescription": description,
        **({} if modality == "PR" else {"ContentDate": first.StudyDate, "ContentTime": first.StudyTime}),
        **({"BodyPartExamined": "CHEST"} if modality in ("PR", "RWV", "REG") else {}),
    }  # fmt: skip


def _reference(image: Dataset) -> dict[str, Any]:
    return {"ReferencedSOPClassUID": image.SOPClassUID, "ReferencedSOPInstanceUID": image.SOPInstanceUID}


def _evidence(ct: PhantomSeries, images: list[dict[str, Any]]) -> dict[str, Any]:
    series = {"SeriesInstanceUID": ct.series_uid, "ReferencedSOPSequence": images}
    return {"StudyInstanceUID": ct.study_uid, "ReferencedSeriesSequence": [series]}


def _figure(units: str, shape: str, numbers: list[float], *, filled: bool = False) -> dict[str, Any]:
    return {
        "GraphicAnnotationUnits": units, "GraphicDimensions": 2, "NumberOfGraphicPoints": len(numbers) // 2,
        "GraphicData": numbers, "GraphicType": shape, "GraphicFilled": "Y" if filled else "N",
    }  # fmt: skip


def _wrapped(ct: PhantomSeries, content: bytes, media: str, title: str) -> Values:
    """Encapsulated Document module (PS3.3 §C.24.2)."""
    return {
        "AcquisitionDateTime": ct.datasets[0].StudyDate + ct.datasets[0].StudyTime,
        "DocumentTitle": title, "MIMETypeOfEncapsulatedDocument": media,
        "EncapsulatedDocumentLength": len(content), "EncapsulatedDocument": content + b"\0" * (len(content) % 2),
    }  # fmt: skip
