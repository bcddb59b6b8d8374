"""Phantom image series that are volumes: CT, MR and PET."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, radians, sin
from typing import Unpack

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import CTImageStorage, MRImageStorage, PositronEmissionTomographyImageStorage

from pacs_panel.model import Verdict
from pacs_panel.testing.headers import Context, Options, code, dataset, decimal, instance, pixels, plane
from pacs_panel.testing.scene import ACTIVITY, HOUNSFIELD, MR_DYNAMIC, MR_SIGNAL, Levels, Scene, scene_for
from pacs_panel.testing.subjects import MR_SCANNER, PET_SCANNER, Values, uid
from pacs_panel.testing.truth import PhantomSeries, Truth

CT = Options(
    rows=128, columns=128, slices=64, spacing=(3.0, 2.5, 2.5), number=2, description="Thin axial", part="ABDOMEN"
)  # fmt: skip
MR = Options(
    rows=96, columns=96, slices=24, spacing=(4.0, 2.0, 2.0),
    number=3, description="T1 oblique", part="HEAD", equipment=MR_SCANNER,
)  # fmt: skip
PET = Options(
    rows=64, columns=64, slices=32, spacing=(4.0, 5.0, 5.0),
    number=4, description="PET WB", part="WHOLEBODY", equipment=PET_SCANNER,
)  # fmt: skip


def ct_phantom(*, noise: float = 0.0, **options: Unpack[Options]) -> PhantomSeries:
    """An axial CT of spheres of known HU: stored = HU + 1024, 12 bits unsigned.

    Parameters
    ----------
    noise : float
        Standard deviation in HU of the noise that is added before rounding, drawn from ``seed``. The truth's stored
        values hold it too.
    **options
        See `Options`; 64 slices of 128x128 by default.
    """
    return _ct(Context.of("ct", CT, options, noise), noise)


def ct_tilted(*, tilt: float = 15.0, **options: Unpack[Options]) -> PhantomSeries:
    """A CT with the gantry tilted by ``tilt`` degrees: slices lean, the table moves along z, the grid is sheared."""
    lean = radians(tilt)
    columns = np.array([(1, 0, 0), (0, cos(lean), sin(lean)), (0, 0, 1)], dtype=float).T
    defaults = CT | Options(orientation=columns, description="Tilted gantry", part="HEAD", slices=32)
    return _ct(Context.of("ct tilted", defaults, options), more={"GantryDetectorTilt": decimal(tilt)})


def ct_missing_slice(*, missing: int | None = None, **options: Unpack[Options]) -> PhantomSeries:
    """A CT of which slice ``missing`` (the middle one by default, counted from 0) never arrived."""
    context = Context.of("ct missing slice", CT | Options(description="Slice lost", slices=32), options, missing)
    slices = context.grid.shape[0]
    missing = slices // 2 if missing is None else missing
    if not 0 < missing < slices - 1:
        raise ValueError(f"slice {missing} of {slices} is not between two others, so no gap would show")
    return _ct(context, keep=tuple(k for k in range(slices) if k != missing), verdict="irregular")


def mr_oblique(**options: Unpack[Options]) -> PhantomSeries:
    """A double-oblique MR, 12 bits unsigned, without rescale."""
    defaults = MR | Options(orientation=turned(20, -15, 10))
    return _mr(Context.of("mr oblique", defaults, options), MR_SIGNAL, (0.0,), {})


def mr_4d(*, times: int = 4, **options: Unpack[Options]) -> PhantomSeries:
    """A dynamic MR: the same slices at ``times`` times, two seconds apart, told by Temporal Position Identifier.

    Datasets and ``truth.stored`` are in order ``(time, slice)``.
    """
    defaults = MR | Options(rows=64, columns=64, slices=12, number=5, description="Dynamic")
    context = Context.of("mr 4d", defaults, options, times)
    seconds = tuple(2.0 * t for t in range(times))
    return _mr(context, MR_DYNAMIC, seconds, {"NumberOfTemporalPositions": str(times), "TemporalResolution": "2000"})


def pet_varying_slopes(**options: Unpack[Options]) -> PhantomSeries:
    """A PET in Bq/ml, 16 bits signed, whose Rescale Slope changes from slice to slice."""
    context = Context.of("pet", PET, options)
    slices = context.grid.shape[0]
    scene = scene_for(context.grid, ACTIVITY, context.spheres)
    slopes = tuple(0.25 + 0.03125 * (5 * k % 9) for k in range(slices))
    stored = np.stack([
        np.clip(np.rint(scene(context.grid.plane(k)) / slope), -32768, 32767).astype(np.int16)
        for k, slope in enumerate(slopes)
    ])  # fmt: skip
    truth = Truth(
        context.grid.affine, context.grid.spacing, scene.spheres, context.grid.verdict, stored,
        slopes, (0.0,) * slices, tuple(range(slices)), field=scene,
    )  # fmt: skip
    template = {**context.header("PT", PositronEmissionTomographyImageStorage), **_pet_series(context)}

    def each(k: int, _: int) -> Values:
        return {"ImageIndex": k + 1, "RescaleSlope": decimal(slopes[k])}

    return _series(context, template, truth, 16, each)


def turned(x: float, y: float, z: float) -> NDArray[np.float64]:
    """Directions of column, row and slice index, turned about the axes x, y, z in turn, in degrees."""
    turns = np.eye(3)
    for axis, angle in enumerate((x, y, z)):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[[i, j], [i, j]] = cos(radians(angle))
        turn[i, j], turn[j, i] = -sin(radians(angle)), sin(radians(angle))
        turns = turn @ turns
    return turns


def _ct(
    context: Context, noise: float = 0.0, keep: tuple[int, ...] | None = None, verdict: Verdict | None = None,
    more: Values | None = None,
) -> PhantomSeries:  # fmt: skip
    grid = context.grid
    scene = scene_for(grid, HOUNSFIELD, context.spheres)
    keep = tuple(range(grid.shape[0])) if keep is None else keep
    stored = np.empty((len(keep), *grid.shape[1:]), np.uint16)
    for n, k in enumerate(keep):
        stored[n] = _stored_hu(context, scene, k, noise)
    truth = Truth(
        grid.affine, grid.spacing, scene.spheres, verdict or grid.verdict, stored, (1.0,), (-1024.0,), keep, field=scene
    )
    template = {
        **context.header("CT", CTImageStorage),
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "PatientPosition": "HFS",
        "KVP": "120", "XRayTubeCurrent": "210", "ExposureTime": "500", "ConvolutionKernel": "B30",
        "RescaleIntercept": "-1024", "RescaleSlope": "1", "RescaleType": "HU",
        "WindowCenter": ["40", "-600"], "WindowWidth": ["400", "1500"],
        "WindowCenterWidthExplanation": ["SOFT TISSUE", "LUNG"],
        **(more or {}),
    }  # fmt: skip
    return _series(context, template, truth, 12, lambda k, _: {})


def _stored_hu(context: Context, scene: Scene, k: int, noise: float) -> NDArray[np.uint16]:
    values = scene(context.grid.plane(k))
    if noise:
        values += noise * np.random.default_rng((context.seed, k)).standard_normal(values.shape, np.float32)
    stored: NDArray[np.uint16] = np.clip(np.rint(values) + 1024, 0, 4095).astype(np.uint16)
    return stored


def _mr(context: Context, levels: Levels, seconds: tuple[float, ...], more: Values) -> PhantomSeries:
    grid = context.grid
    scene = scene_for(grid, levels, context.spheres)
    stored = np.empty((len(seconds), *grid.shape), np.uint16)
    for k in range(grid.shape[0]):
        points = grid.plane(k)
        for t, second in enumerate(seconds):
            stored[t, k] = np.clip(np.rint(scene(points, second)), 0, 4095)
    template = {
        **context.header("MR", MRImageStorage),
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"], "PatientPosition": "HFS",
        "ScanningSequence": "GR", "SequenceVariant": ["SP", "OSP"], "ScanOptions": "", "MRAcquisitionType": "2D",
        "RepetitionTime": "650", "EchoTime": "4.6", "EchoTrainLength": "1", "FlipAngle": "70",
        "MagneticFieldStrength": "3", "ImagingFrequency": "123.2", "SequenceName": "fl2d1",
        "SpacingBetweenSlices": decimal(grid.spacing[0]), "WindowCenter": "600", "WindowWidth": "1200",
        **more,
    }  # fmt: skip
    dynamic = bool(more)
    truth = Truth(
        grid.affine, grid.spacing, scene.spheres, grid.verdict, stored if dynamic else stored[0],
        slices=tuple(range(grid.shape[0])), times=seconds, field=scene,
    )  # fmt: skip

    def each(_: int, t: int) -> Values:
        return {"TemporalPositionIdentifier": str(t + 1), "AcquisitionNumber": str(t + 1)} if dynamic else {}

    return _series(context, template, truth, 12, each)


def _pet_series(context: Context) -> Values:
    """PET Series, PET Isotope and the constant part of PET Image (PS3.3 §C.8.9)."""
    return {
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "Units": "BQML", "CountsSource": "EMISSION", "SeriesType": ["WHOLE BODY", "IMAGE"],
        "NumberOfSlices": context.grid.shape[0],
        "CorrectedImage": ["DECY", "ATTN", "SCAT", "RAN", "NORM"],
        "RandomsCorrectionMethod": "DLYD", "DecayCorrection": "START", "CollimatorType": "NONE",
        "ReconstructionMethod": "OSEM", "AttenuationCorrectionMethod": "CT", "ScatterCorrectionMethod": "model",
        "RadiopharmaceuticalInformationSequence": [{
            "Radiopharmaceutical": "FDG", "RadiopharmaceuticalStartTime": "083000",
            "RadionuclideTotalDose": "350000000", "RadionuclideHalfLife": "6586.2",
            "RadionuclidePositronFraction": "0.967",
            "RadionuclideCodeSequence": [code("77004003", "SCT", "^18^Fluorine")],
            "RadiopharmaceuticalCodeSequence": [code("35321007", "SCT", "Fluorodeoxyglucose F^18^")],
        }],
        "PatientOrientationCodeSequence": [
            code("102538003", "SCT", "recumbent")
            | {"PatientOrientationModifierCodeSequence": [code("40199007", "SCT", "supine")]}
        ],
        "PatientGantryRelationshipCodeSequence": [code("102540008", "SCT", "headfirst")],
        "FrameReferenceTime": "0", "ActualFrameDuration": "120000", "DecayFactor": "1", "DoseCalibrationFactor": "1",
        "RescaleIntercept": "0", "WindowCenter": "3000", "WindowWidth": "6000",
    }  # fmt: skip


def _series(
    context: Context, template: Values, truth: Truth, bits: int, each: Callable[[int, int], Values]
) -> PhantomSeries:
    """One object for each slice (and time) of the truth; ``each(slice, time)`` is what only that one says."""
    common = dataset({
        "AcquisitionNumber": "1",
        "FrameOfReferenceUID": context.frame_of_reference, "PositionReferenceIndicator": "",
        **template, **pixels(truth.stored.reshape(-1, *truth.stored.shape[-2:])[0], bits),
    })  # fmt: skip
    stored = truth.stored.reshape(-1, len(truth.slices), *truth.stored.shape[-2:])
    made = []
    for t, n in np.ndindex(*stored.shape[:2]):
        k = truth.slices[n]
        number = t * context.grid.shape[0] + k + 1
        own = {"SOPInstanceUID": uid(context.series_uid, number), "InstanceNumber": str(number)}
        data = {"PixelData": stored[t, n].tobytes()}
        made.append(instance(common, {**own, **plane(context.grid, k), **each(k, t), **data}))
    return PhantomSeries(tuple(made), truth)
