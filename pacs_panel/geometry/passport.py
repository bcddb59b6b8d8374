"""The passport of a stack: where its voxels are, how sure that is, and both in words.

`measure` judges a grid of slices that are parallel and in order; `without_place` is for images that are no volume.
Nothing is rounded, repaired or interpolated here: what does not fit is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from pacs_panel.geometry import affine as affines
from pacs_panel.geometry.affine import Array
from pacs_panel.model import Dimension, Gap, Passport, Tolerance, Vector, Verdict

Cosines = tuple[float, float, float, float, float, float]
UNKNOWN_STEP = 1.0
COPLANAR = "Several images lie in one plane, at different places of it."
DEFAULT = Tolerance()


def flaw(
    position: Sequence[float] | None,
    orientation: Sequence[float] | None,
    spacing: Sequence[float] | None,
    tolerance: Tolerance = DEFAULT,
) -> str:
    """Why an image has no place in the patient, in words; empty where it has one.

    Direction cosines must have length 1 within the relative tolerance, and a right angle between them within the
    tolerance for angles (PS3.3 §C.7.6.2.1.1); Pixel Spacing must be positive (§10.7.1.3).
    """
    stated = (
        ("Image Position (Patient)", position, 3),
        ("Image Orientation (Patient)", orientation, 6),
        ("Pixel Spacing", spacing, 2),
    )
    missing = [name for name, value, count in stated if value is None or len(value) != count]
    if position is None or orientation is None or spacing is None or missing:
        return f"No {_listed(missing)}."
    if wild := [name for name, value, _ in stated if not all(map(math.isfinite, value or ()))]:
        return f"{' and '.join(wild)} {'is' if len(wild) == 1 else 'are'} not finite."
    if min(spacing) <= 0:
        return "Pixel Spacing is not positive."
    return _flaw_of_directions(orientation, tolerance)


def _listed(names: Sequence[str]) -> str:
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _flaw_of_directions(orientation: Sequence[float], tolerance: Tolerance) -> str:
    row, column = orientation[:3], orientation[3:]
    lengths = math.hypot(*row), math.hypot(*column)
    if max(abs(length - 1) for length in lengths) > tolerance.relative:
        return f"Image Orientation (Patient) has cosines of length {lengths[0]:.3f} and {lengths[1]:.3f} instead of 1."
    cosine = math.sumprod(row, column) / (lengths[0] * lengths[1])
    angle = math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
    if abs(angle - 90) > tolerance.angle:
        return f"Rows and columns meet at {angle:.1f}° instead of 90°."
    return ""


def same_place(spacing: Sequence[float], tolerance: Tolerance) -> float:
    """How far apart, in mm, two positions may be and still be one: the absolute tolerance, less for fine pixels."""
    return min(tolerance.absolute, tolerance.relative * min(spacing))


def allowed(step: float, tolerance: Tolerance) -> float:
    """How far, in mm, a slice may lie from its place: the tolerance, but never more than a tenth of the step."""
    return min(tolerance.of(step), abs(step) / 10)


# -- measuring ---------------------------------------------------------------------------------------------------------


def measure(
    positions: Sequence[Vector],
    orientation: Cosines,
    spacing: tuple[float, float],
    shape: tuple[int, int, int],
    *,
    assumed_step: tuple[str, float] | None = None,
    tolerance: Tolerance = DEFAULT,
    frame_of_reference: str = "",
) -> Passport:
    """The passport of one grid of parallel slices.

    The step is (last - first) / (n - 1), so that the affine is exact at both ends; the residual says how far it is off
    in between. Slices that are not even get the affine that holds at slice 0, along the line from the first to the
    last, with the median step, or, where slices are missing, the step that all distances are whole multiples of.

    Parameters
    ----------
    positions : sequence of (x, y, z)
        Image Position (Patient) of each slice, mm LPS, in increasing order along the normal ``row × column``.
    orientation : 6 floats
        Image Orientation (Patient) of all slices.
    spacing : 2 floats
        Pixel Spacing, mm: between rows, then between columns.
    shape : tuple of 3 ints
        ``(slices, rows, columns)``.
    assumed_step : (keyword, mm), optional
        Attribute that gives the step where there is one slice only.
    tolerance : Tolerance, as `allowed` reads it

    Returns
    -------
    Passport
        Verdict ``stack`` and no affine where the numbers describe no volume.
    """
    apart = partial(without_place, tolerance=tolerance, frame_of_reference=frame_of_reference)
    if reason := next(filter(None, (flaw(p, orientation, spacing, tolerance) for p in positions)), ""):
        return apart(reason, shape, spacing)
    _, _, normal = affines.directions(orientation)
    places = np.asarray(positions, float)
    if len(positions) == 1:
        line = _single(normal, assumed_step)
    elif np.diff(places @ normal).min() <= 0:
        return replace(apart(COPLANAR, shape, spacing), positions=tuple(positions))
    else:
        line = _line(places, normal, tolerance)
    return Passport(
        verdict=line.verdict,
        reason=line.reason,
        shape=shape,
        affine=affines.as_tuple(affines.make(positions[0], orientation, spacing, line.step)),
        positions=tuple(positions),
        spacing=(float(np.linalg.norm(line.step)), float(spacing[0]), float(spacing[1])),
        step_normal=float(line.step @ normal),
        tilt=_tilt(line.step, normal),
        gaps=line.gaps,
        residual=_residual(places, line.step),
        frame_of_reference=frame_of_reference,
        tolerance=tolerance,
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """How slices follow each other: the step (mm LPS, shape (3,)), and what is to be said of it."""

    verdict: Verdict
    reason: str
    step: Array
    gaps: tuple[Gap, ...] = ()


def _single(normal: Array, assumed: tuple[str, float] | None) -> _Line:
    """One slice: its step is not measured but taken from an attribute, and lies along the normal."""
    if assumed is None:
        reason = f"One slice; a step of {_mm(UNKNOWN_STEP)} is assumed, since no thickness is stated."
        return _Line("regular", reason, normal * UNKNOWN_STEP)
    keyword, step = assumed
    return _Line("regular", f"One slice; a step of {_mm(step)} is assumed, from {keyword}.", normal * step)


def _line(places: Array, normal: Array, tolerance: Tolerance) -> _Line:
    along = places @ normal - places[0] @ normal
    course = (places[-1] - places[0]) / along[-1]  # mm LPS for each mm along the normal
    mean = along[-1] / (len(places) - 1)
    if _residual(places, mean * course) <= allowed(mean, tolerance):
        return _even(course * mean, normal, tolerance)
    return _uneven(places, along, course, tolerance)


def _residual(places: Array, step: Array) -> float:
    """Largest distance, mm, of a place from where even steps from the first would lead."""
    expected = places[0] + np.arange(len(places))[:, None] * step
    return float(np.linalg.norm(places - expected, axis=1).max())


def _even(step: Array, normal: Array, tolerance: Tolerance) -> _Line:
    tilt = _tilt(step, normal)
    if tilt <= tolerance.angle:
        return _Line("regular", "Parallel slices, evenly spaced, straight above each other.", step)
    shift = float(np.linalg.norm(step - (step @ normal) * normal))
    reason = f"Sheared by {tilt:.1f}°: each slice is shifted by {_mm(shift)} within its plane, as by a tilted gantry."
    return _Line("sheared", reason, step)


def _uneven(places: Array, along: Array, course: Array, tolerance: Tolerance) -> _Line:
    distances = np.diff(along)
    base, gaps = _gaps(distances, tolerance)
    aside = float(np.linalg.norm(places - places[0] - along[:, None] * course, axis=1).max())
    reasons = []
    if gaps:
        reasons.append(_missing(gaps, len(places)))
    elif np.ptp(distances) > allowed(base, tolerance):
        low, high = distances.min(), distances.max()
        reasons.append(f"The distance between slices varies from {_mm(low)} to {_mm(high)} (median {_mm(base)}).")
    if aside > allowed(base, tolerance):
        reasons.append(f"Slices lie up to {_mm(aside)} beside the line from the first to the last.")
    return _Line("irregular", " ".join(reasons) or "The distance between slices drifts.", base * course, gaps)


def _gaps(distances: Array, tolerance: Tolerance) -> tuple[float, tuple[Gap, ...]]:
    """The step that all distances are whole multiples of, and where more than one lies between two slices.

    The median distance is tried, then the smallest; where neither fits, the median is returned without gaps.
    """
    median = float(np.median(distances))
    for base in (median, float(distances.min())):
        steps = np.rint(distances / base)
        fits = steps.min() >= 1 and np.abs(distances - steps * base).max() <= allowed(base, tolerance)
        if fits and steps.max() > 1:
            return base, tuple(Gap(int(i), int(steps[i]) - 1) for i in np.flatnonzero(steps > 1))
    return median, ()


def _tilt(step: Array, normal: Array) -> float:
    """Degrees between a step and the normal; well conditioned near 0."""
    along = float(step @ normal)
    return float(np.degrees(np.arctan2(np.linalg.norm(step - along * normal), along)))


def without_place(
    reason: str,
    shape: tuple[int, int, int],
    spacing: tuple[float, float] | None = None,
    imager_spacing: tuple[float, float] | None = None,
    *,
    aspect: tuple[int, int] | None = None,
    tolerance: Tolerance = DEFAULT,
    frame_of_reference: str = "",
) -> Passport:
    """The passport of images that are no volume: verdict ``stack``, no affine, distances as far as they are known.

    Parameters
    ----------
    spacing, imager_spacing : tuple of 2 floats, optional
        Pixel Spacing (mm in the patient), else Imager Pixel Spacing (mm at the detector: what is measured with it is
        magnified, PS3.3 §10.7.1.3). Distances that are not positive count as unknown.
    aspect : tuple of 2 ints, optional
        Pixel Aspect Ratio, height to width: the shape of a pixel where its size is not known.
    """
    shape_of_pixel = (aspect[0] / aspect[1], 1.0) if aspect else (1.0, 1.0)
    known = {"patient": _distances(spacing), "detector": _distances(imager_spacing), "none": shape_of_pixel}
    calibration, (rows, columns) = next((name, value) for name, value in known.items() if value)
    return Passport(
        verdict="stack",
        reason=reason,
        shape=shape,
        spacing=(UNKNOWN_STEP, rows, columns),
        calibration=calibration,
        frame_of_reference=frame_of_reference,
        tolerance=tolerance,
    )


def _distances(spacing: Sequence[float] | None) -> tuple[float, float] | None:
    if spacing is None or len(spacing) != 2 or not np.all(np.isfinite(spacing)) or min(spacing) <= 0:
        return None
    return (float(spacing[0]), float(spacing[1]))


# -- in words ----------------------------------------------------------------------------------------------------------


def words(passport: Passport) -> list[str]:
    """The passport as short plain sentences, the most important first; slices are counted from 1."""
    return [
        _size(passport),
        passport.reason,
        *(_dimension(dimension) for dimension in passport.dimensions),
        *_candidates(passport),
        *(f"Level {level.share} is object {level.sop_instance_uid}." for level in passport.levels),
        _pixels(passport),
        *_oddities(passport),
    ]


def _size(passport: Passport) -> str:
    slices, rows, columns = passport.shape
    noun = "image" if passport.verdict == "stack" else "slice"
    text = f"{slices} {noun}{'' if slices == 1 else 's'} of {rows} × {columns}"
    if passport.step_normal is None or slices == 1:
        return f"{text}."
    text += f", {_mm(passport.spacing[0])} apart"
    if passport.verdict == "irregular" and not passport.gaps:
        text += " in the median"
    if passport.tilt > passport.tolerance.angle:
        text += f" ({_mm(passport.step_normal)} along the normal)"
    return f"{text}{' where none is missing' if passport.gaps else ''}."


def _dimension(dimension: Dimension) -> str:
    return f"{len(dimension.values)} × {dimension.name.replace('_', ' ')}, ordered by {dimension.keyword}."


def _candidates(passport: Passport) -> list[str]:
    return [f"Might be ordered by {', '.join(passport.candidates)}."] if passport.candidates else []


def _pixels(passport: Passport) -> str:
    _, rows, columns = passport.spacing
    if passport.calibration == "none":
        return "The size of a pixel is not known: nothing can be measured in mm."
    size = f"Pixels of {_mm(rows)[:-3]} × {_mm(columns)}"
    size += "" if np.isclose(rows, columns) else " (between rows × between columns)"
    if passport.calibration == "detector":
        return f"{size} at the detector, not in the patient: lengths are magnified."
    return f"{size}."


def _oddities(passport: Passport) -> list[str]:
    lines = []
    if passport.tilt > passport.tolerance.angle and passport.verdict == "irregular":
        lines.append(f"The slices are also sheared by {passport.tilt:.1f}°.")
    if count := len(passport.duplicates):
        lines.append(f"Left out: {count} {'object' if count == 1 else 'objects'} at a place that is already taken.")
    if passport.affine is not None and passport.shape[0] > 1 and passport.verdict != "irregular":
        limit = allowed(passport.step_normal or UNKNOWN_STEP, passport.tolerance)
        residual = _mm(max(passport.residual, 0.001))
        lines.append(f"Every slice is at its place to within {residual} (allowed: {_mm(limit)}).")
    return lines


def _missing(gaps: Sequence[Gap], slices: int) -> str:
    shown = [f"{gap.missing} after slice {gap.after + 1}" for gap in gaps[:3]]
    if len(gaps) == 1:
        noun = "slice" if gaps[0].missing == 1 else "slices"
        return f"{gaps[0].missing} {noun} missing after slice {gaps[0].after + 1} of {slices}."
    more = f" and at {len(gaps) - 3} more places" if len(gaps) > 3 else ""
    return f"{sum(gap.missing for gap in gaps)} slices missing: {', '.join(shown)}{more} (of {slices})."


def _mm(value: float) -> str:
    """Millimetres for a reader: two decimals, or two digits where that would show next to nothing."""
    return f"{value:.2f} mm" if value >= 0.1 or value == 0 else f"{value:.2g} mm"
