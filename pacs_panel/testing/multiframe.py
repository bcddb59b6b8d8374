"""Phantom series in fewer objects, of the same truth: enhanced multi-frame, Siemens mosaics, whole-slide tiles."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import EnhancedCTImageStorage, EnhancedMRImageStorage, EnhancedPETImageStorage
from pydicom.uid import VLWholeSlideMicroscopyImageStorage as WholeSlide

from pacs_panel.testing.headers import decimals, instance, pixels
from pacs_panel.testing.subjects import Values, uid
from pacs_panel.testing.truth import PhantomSeries

ENHANCED = {"CT": EnhancedCTImageStorage, "MR": EnhancedMRImageStorage, "PT": EnhancedPETImageStorage}
PER_FRAME = (
    "ImagePositionPatient", "InstanceNumber", "SliceLocation", "RescaleSlope", "RescaleIntercept", "RescaleType",
    "TemporalPositionIdentifier", "EchoTime", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
    "SpacingBetweenSlices", "WindowCenter", "WindowWidth", "AcquisitionTime", "DiffusionBValue",
    "DiffusionGradientOrientation", "PixelData", "Rows", "Columns", "ImageIndex",
)  # fmt: skip


def enhanced(series: PhantomSeries, order: Sequence[int] | None = None) -> PhantomSeries:
    """A classic series as one enhanced multi-frame object (PS3.3 §C.7.6.16).

    Parameters
    ----------
    order : sequence of int, optional
        Which data set becomes which frame; as they are by default.
    """
    datasets = [series.datasets[n] for n in order or range(len(series.datasets))]
    first = datasets[0]
    data = np.stack([_stored(dataset) for dataset in datasets])
    frames = [_groups(dataset) for dataset in datasets]
    values: dict[str, Any] = {
        "SOPClassUID": ENHANCED[first.Modality],
        "SOPInstanceUID": uid("enhanced", first.SOPInstanceUID),
        "InstanceNumber": "1",
        "NumberOfFrames": str(len(frames)),
        "SharedFunctionalGroupsSequence": [_shared(first)],
        "PerFrameFunctionalGroupsSequence": frames,
        **_pixels(data, first),
    }
    return PhantomSeries((instance(_without(first), values),), series.truth)


def _shared(dataset: Dataset) -> Values:
    measures = {"PixelSpacing": list(dataset.PixelSpacing), "SliceThickness": str(dataset.SliceThickness)}
    return {
        "PixelMeasuresSequence": [measures],
        "PlaneOrientationSequence": [{"ImageOrientationPatient": list(dataset.ImageOrientationPatient)}],
    }


def _groups(dataset: Dataset) -> Values:
    made: dict[str, Any] = {"PlanePositionSequence": [{"ImagePositionPatient": list(dataset.ImagePositionPatient)}]}
    content: dict[str, Any] = {}
    if (position := dataset.get("TemporalPositionIdentifier")) is not None:
        content["TemporalPositionIndex"] = int(position)
    made["FrameContentSequence"] = [content]
    if (slope := dataset.get("RescaleSlope")) is not None:
        transform = {"RescaleSlope": str(slope), "RescaleIntercept": str(dataset.RescaleIntercept), "RescaleType": "US"}
        made["PixelValueTransformationSequence"] = [transform]
    if (b := dataset.get("DiffusionBValue")) is not None:
        diffusion: dict[str, Any] = {"DiffusionBValue": float(b), "DiffusionDirectionality": "NONE"}
        if vector := dataset.get("DiffusionGradientOrientation"):
            direction = {"DiffusionGradientOrientation": [float(number) for number in vector]}
            diffusion |= {"DiffusionDirectionality": "DIRECTIONAL", "DiffusionGradientDirectionSequence": [direction]}
        made["MRDiffusionSequence"] = [diffusion]
    return made


def mosaic(series: PhantomSeries) -> PhantomSeries:
    """Each volume of an MR series as one Siemens mosaic, with a CSA header that tells tiles and normal."""
    if series.truth is None:
        raise ValueError("a series without a truth has no known number of slices")
    slices = series.truth.stored.shape[-3]
    groups = [series.datasets[n : n + slices] for n in range(0, len(series.datasets), slices)]
    return PhantomSeries(tuple([_mosaic(group, number) for number, group in enumerate(groups)]), series.truth)


def _mosaic(datasets: Sequence[Dataset], number: int) -> Dataset:
    first = datasets[0]
    rows, columns = first.Rows, first.Columns
    across = ceil(sqrt(len(datasets)))
    data = np.zeros((across * rows, across * columns), np.uint16)
    for n, dataset in enumerate(datasets):
        down, right = divmod(n, across)
        data[down * rows : (down + 1) * rows, right * columns : (right + 1) * columns] = _stored(dataset)
    cosines = np.asarray(first.ImageOrientationPatient, float)
    between_rows, between_columns = (float(number) for number in first.PixelSpacing)
    position = np.asarray(first.ImagePositionPatient, float)
    position = position - cosines[:3] * between_columns * columns * (across - 1) / 2
    position = position - cosines[3:] * between_rows * rows * (across - 1) / 2
    places = [np.asarray(dataset.ImagePositionPatient, float) for dataset in datasets[:2]]
    step = float(np.linalg.norm(places[1] - places[0]))
    values: dict[str, Any] = {
        "SOPInstanceUID": uid("mosaic", first.SOPInstanceUID),
        "InstanceNumber": str(number + 1),
        "AcquisitionNumber": str(number + 1),
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"],
        "ImagePositionPatient": decimals(position),
        "ImageOrientationPatient": list(first.ImageOrientationPatient),
        "PixelSpacing": list(first.PixelSpacing),
        "SliceThickness": str(first.SliceThickness),
        "SpacingBetweenSlices": f"{step:.10g}",
        **_pixels(data, first),
    }
    made = instance(_without(first, "TemporalPositionIdentifier"), values)
    normal = (places[1] - places[0]) / step
    header = {"NumberOfImagesInMosaic": [str(len(datasets))], "SliceNormalVector": [f"{v:.8f}" for v in normal]}
    made.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", csa(header))
    return made


def csa(values: dict[str, list[str]]) -> bytes:
    """A CSA header in the layout SV10 that holds these values."""
    out = b"SV10\x04\x03\x02\x01" + struct.pack("<II", len(values), 77)
    for name, texts in values.items():
        out += struct.pack("<64si4siii", name.encode(), len(texts), b"FD\0\0", 0, len(texts), 77)
        for text in texts:
            data = text.encode() + b"\0"
            out += struct.pack("<iiii", len(data), len(data), 77, len(data)) + data + b"\0" * (-len(data) % 4)
    return out


def slide(
    image: NDArray[np.uint8],
    series: PhantomSeries,
    tile: int = 16,
    *,
    sparse: bool = False,
    spacing: tuple[float, float] = (0.01, 0.01),
    flavour: str = "VOLUME",
    path: str = "1",
) -> PhantomSeries:
    """A colour image as the tiles of a whole slide (PS3.3 §C.8.12.4), in reverse order where ``sparse``.

    Parameters
    ----------
    image : ndarray
        ``(rows, columns, 3)``, or ``(focal planes, rows, columns, 3)``, which lie 2 µm apart.
    series : PhantomSeries
        Whose subject and study it belongs to.
    spacing : tuple of 2 floats
        mm between rows, then between columns.
    flavour : str
        Third value of Image Type.
    path : str
        Optical Path Identifier.
    """
    depths = image if image.ndim == 4 else image[None]
    rows, columns = depths.shape[1:3]
    places = [
        (depth, row, column)
        for depth in range(len(depths))
        for row in range(0, rows, tile)
        for column in range(0, columns, tile)
    ]
    places = places[::-1] if sparse else places
    padded = np.pad(depths, ((0, 0), (0, -rows % tile), (0, -columns % tile), (0, 0)))
    data = np.stack([padded[depth, row : row + tile, column : column + tile] for depth, row, column in places])
    first = series.datasets[0]
    measures = {"PixelSpacing": decimals(spacing), "SliceThickness": "0.001", "SpacingBetweenSlices": "0.002"}
    values: dict[str, Any] = {
        "SOPClassUID": WholeSlide,
        "SOPInstanceUID": uid("slide", first.SOPInstanceUID, str(sparse), flavour, path, str(image.shape)),
        "Modality": "SM",
        "ImageType": ["ORIGINAL", "PRIMARY", flavour, "NONE"],
        "InstanceNumber": "1",
        "NumberOfFrames": str(len(places)),
        "ContainerIdentifier": "PHANTOM-1",
        "ImageOrientationSlide": ["0", "-1", "0", "-1", "0", "0"],
        "TotalPixelMatrixOriginSequence": [
            {"XOffsetInSlideCoordinateSystem": "20", "YOffsetInSlideCoordinateSystem": "40"}
        ],
        "TotalPixelMatrixFocalPlanes": len(depths),
        "NumberOfOpticalPaths": 1,
        "OpticalPathSequence": [{"OpticalPathIdentifier": path}],
        "TotalPixelMatrixRows": rows,
        "TotalPixelMatrixColumns": columns,
        "DimensionOrganizationType": "TILED_SPARSE" if sparse else "TILED_FULL",
        "SharedFunctionalGroupsSequence": [{"PixelMeasuresSequence": [measures]}],
        **pixels(data, 8),
        "Rows": tile,
        "Columns": tile,
    }
    if sparse:
        values["PerFrameFunctionalGroupsSequence"] = [_on_slide(*place) for place in places]
    return PhantomSeries((instance(_without(first), values),), series.truth)


def slide_levels(
    images: Sequence[NDArray[np.uint8]], series: PhantomSeries, tile: int = 16, sparse: Sequence[int] = ()
) -> PhantomSeries:
    """Colour images of one area as the objects of one whole slide, each a level, the finest first.

    Parameters
    ----------
    images : sequence of ndarray
        As `slide` takes them; the first has pixels of 0.01 mm, the others such as to cover its area.
    sparse : sequence of int
        Numbers of those that say of each tile where it lies.
    """
    finest = images[0].shape[-3:-1]
    made = []
    for number, image in enumerate(images):
        rows, columns = image.shape[-3:-1]
        spacing = (0.01 * finest[0] / rows, 0.01 * finest[1] / columns)
        (dataset,) = slide(image, series, tile, sparse=number in sparse, spacing=spacing).datasets
        dataset.InstanceNumber = str(number + 1)
        made.append(dataset)
    return PhantomSeries(tuple(made), series.truth)


def _on_slide(depth: int, row: int, column: int) -> Values:
    place = {
        "ColumnPositionInTotalImagePixelMatrix": column + 1,
        "RowPositionInTotalImagePixelMatrix": row + 1,
        "XOffsetInSlideCoordinateSystem": "0",
        "YOffsetInSlideCoordinateSystem": "0",
        "ZOffsetInSlideCoordinateSystem": str(2 * depth),
    }
    return {"PlanePositionSlideSequence": [place]}


def _without(dataset: Dataset, *more: str) -> Dataset:
    template = Dataset()
    template.update({e.tag: e for e in dataset if e.keyword not in (*PER_FRAME, *more)})
    template.file_meta = dataset.file_meta
    return template


def _stored(dataset: Dataset) -> NDArray[Any]:
    kind = np.int16 if dataset.PixelRepresentation else np.uint16
    return np.frombuffer(dataset.PixelData, kind).reshape(dataset.Rows, dataset.Columns)


def _pixels(data: NDArray[Any], like: Dataset) -> Values:
    return {**pixels(data, like.BitsStored), "Rows": data.shape[-2], "Columns": data.shape[-1]}
