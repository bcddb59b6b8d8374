"""A PET as one enhanced object, as its own module describes it (PS3.3 §C.8.22)."""

from __future__ import annotations

from typing import Any

from pydicom import Dataset

from pacs_panel.testing.headers import code, dataset, instance
from pacs_panel.testing.multiframe import enhanced
from pacs_panel.testing.subjects import Values
from pacs_panel.testing.truth import PhantomSeries

CLASSIC = (
    "Units", "SeriesType", "CountsSource", "NumberOfSlices", "CorrectedImage", "DecayCorrection", "CollimatorType",
    "RandomsCorrectionMethod", "ReconstructionMethod", "AttenuationCorrectionMethod", "ScatterCorrectionMethod",
    "FrameReferenceTime", "ActualFrameDuration", "DecayFactor", "DoseCalibrationFactor", "AcquisitionDate",
)  # fmt: skip


def enhanced_pet(series: PhantomSeries, unit: str = "Bq/ml", hours: float = 1.0) -> PhantomSeries:
    """A classic PET series as an enhanced one.

    Parameters
    ----------
    series : PhantomSeries
        As `pacs_panel.testing.pet_varying_slopes` makes it.
    unit : str
        Of its physical values (UCUM), which each frame states; empty leaves it out.
    hours : float
        From the administration of the tracer, at half past eight, to the moment that activities are corrected to.
    """
    (whole,) = enhanced(series).datasets
    for keyword in CLASSIC:
        if keyword in whole:
            delattr(whole, keyword)
    day, minutes = whole.StudyDate, round(60 * hours) + 8 * 60 + 30
    (tracer,) = whole.RadiopharmaceuticalInformationSequence
    del tracer.RadiopharmaceuticalStartTime
    tracer.RadiopharmaceuticalStartDateTime = f"{day}083000"
    tracer.RadiopharmaceuticalAgentNumber = 1
    for frame in whole.PerFrameFunctionalGroupsSequence if unit else ():
        (transform,) = frame.PixelValueTransformationSequence
        frame.RealWorldValueMappingSequence = [dataset(_map(transform, unit))]
    values: dict[str, Any] = {
        "DecayCorrected": "YES",
        "DecayCorrectionDateTime": f"{day}{minutes // 60:02}{minutes % 60:02}00",
        "AttenuationCorrected": "YES",
        "ScatterCorrected": "YES",
    }
    return PhantomSeries((instance(whole, values),), series.truth)


def _map(transform: Dataset, unit: str) -> Values:
    """The map to the real world that says the same as a transform of pixel values, and in which unit."""
    return {
        "RealWorldValueFirstValueMapped": -32768,
        "RealWorldValueLastValueMapped": 32767,
        "RealWorldValueSlope": float(transform.RescaleSlope),
        "RealWorldValueIntercept": float(transform.RescaleIntercept),
        "LUTLabel": "PET",
        "LUTExplanation": "Activity or uptake",
        "MeasurementUnitsCodeSequence": [code(unit, "UCUM", unit)],
    }
