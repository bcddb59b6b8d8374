"""Stacks of known values to look at, and the routes that give their frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from fastapi import FastAPI, Response

from pacs_panel.errors import NotFound
from pacs_panel.model import Dimension, Overlay, Passport, Segment
from pacs_panel.view.arrays import ArrayFrames
from pacs_panel.view.overlay.source import ArrayOverlays, OverlaySource, encode_contours, encode_plane, encode_told
from pacs_panel.view.presentation import encode_presentations
from pacs_panel.view.source import FrameSource, Level, describe, encode

WINDOWS = ((40.0, 400.0, "Soft tissue"), (-600.0, 1500.0, "Lung"), (480.0, 2500.0, "Bone"))
SPACING = (3.0, 0.8, 0.8)
ECHOES = Dimension("echo", "EchoTime", (2.46, 4.92))
B_VALUES = Dimension("b_value", "DiffusionBValue", (0.0, 500.0, 1000.0))


def ct_values(shape: tuple[int, int, int] = (24, 64, 80)) -> np.ndarray:
    """Stored values that tell their own index: 100 slice + 10 row + column, offset by 1024."""
    slices, rows, columns = np.indices(shape)
    return (100 * (slices % 8) + 10 * (rows % 32) + columns % 32 + 900).astype(np.int16)


def head(shape: tuple[int, int, int] = (60, 256, 256)) -> np.ndarray:
    """A made-up head, stored values (HU + 1024), for looking at."""
    z, y, x = (np.linspace(-1, 1, n)[s] for n, s in zip(shape, np.ix_(*map(range, shape)), strict=True))
    values = np.full(shape, 24.0)
    skull = (x / 0.72) ** 2 + (y / 0.88) ** 2 + (z / 1.1) ** 2
    values[skull < 1] = 1024 + 40
    values[(skull < 0.94) & (skull > 0.80)] = 1024 + 900
    values[skull <= 0.80] = 1024 + 35
    values += 6 * np.sin(25 * x) * np.sin(21 * y) * (skull < 0.8)
    for cx, cy in ((-0.13, -0.1), (0.13, -0.1)):
        values[((x - cx) / 0.07) ** 2 + ((y - cy) / 0.28) ** 2 + (z / 0.4) ** 2 < 1] = 1024 + 5
    values[(x - 0.32) ** 2 + (y - 0.2) ** 2 + (z - 0.1) ** 2 < 0.02] = 1024 + 75
    noise = np.random.default_rng(7).normal(0, 4, shape)
    return np.asarray(np.rint(values + noise), np.int16)


def upright(spacing: tuple[float, float, float], shear: float = 0.0) -> tuple[tuple[float, ...], ...]:
    """An axial affine, first voxel at (-30, -20, 10) mm; ``shear`` mm towards posterior a slice."""
    slices, rows, columns = spacing
    return ((columns, 0, 0, -30.0), (0, rows, shear, -20.0), (0, 0, slices, 10.0), (0, 0, 0, 1))


def ct(array: np.ndarray | None = None, spacing: tuple[float, float, float] = SPACING, **facts: Any) -> ArrayFrames:
    """An axial CT with HU = stored - 1024."""
    array = ct_values() if array is None else array
    passport = Passport(
        verdict=facts.pop("verdict", "regular"),
        reason=facts.pop("reason", "24 slices, 3.00 mm apart, upright"),
        shape=array.shape[-3:],
        affine=upright(spacing, facts.pop("shear", 0.0)),
        spacing=spacing,
        positions=facts.pop("positions", ()),
        dimensions=facts.pop("dimensions", ()),
    )
    given = {"series_key": "series", "revision": "rev1", "stack": 0, "dtype": array.dtype.name, "intercept": -1024.0}
    given |= {"unit": "HU", "windows": WINDOWS, "title": ("Made-up subject", "2025-01-02", "CT", "Head, plain")}
    return ArrayFrames(array, describe(passport, **(given | facts)))


def flat(array: np.ndarray, **facts: Any) -> ArrayFrames:
    """One image, or several that are no volume."""
    samples = facts.get("samples", 1)
    shape = array.shape[:-1] if samples == 3 else array.shape
    passport = Passport("stack", "projection images have no place in the patient", shape[-3:], spacing=(1.0, 0.2, 0.1))
    given = {"series_key": "flat", "revision": "rev1", "stack": 0, "dtype": array.dtype.name, "title": ("CR", "Chest")}
    return ArrayFrames(array, describe(passport, **(given | facts)))


def over_time(steps: int = 5) -> ArrayFrames:
    """A small volume at several times; stored value = 100 x time + slice."""
    times, slices = np.indices((steps, 8, 32, 32))[:2]
    array = (100 * times + slices).astype(np.uint16)
    dimension = Dimension("time", "TemporalPositionIdentifier", tuple(float(n) for n in range(steps)))
    return ct(array, dimensions=(dimension,), series_key="times", intercept=0.0, windows=((250.0, 501.0, "All"),))


def balls(shape: tuple[int, int, int], count: int) -> np.ndarray:
    """A label volume: numbers from 1 up, each a ball of its own place and size, uint8."""
    rng = np.random.default_rng(5)
    z, y, x = (np.linspace(0, 1, n)[s] for n, s in zip(shape, np.ix_(*map(range, shape)), strict=True))
    labels = np.zeros(shape, np.uint8)
    for number in range(1, count + 1):
        (cz, cy, cx), radius = rng.uniform(0.2, 0.8, 3), rng.uniform(0.05, 0.12)
        labels[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < radius**2] = number
    return labels


def segments(count: int) -> tuple[Segment, ...]:
    """Segments whose colours tell their numbers."""
    return tuple(Segment(n, f"Part {n}", (250 - 2 * n, 40 + n, 5 * (n % 40)), "Tissue") for n in range(1, count + 1))


SEG, RT, DOSE = "1.2.1", "1.2.2", "1.2.3"


def box_overlays() -> ArrayOverlays:
    """Over `ct`: two boxes that overlap, a square ring with a point, and a dose of 1 Gy a column."""
    shape = ct_values().shape
    one, other = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    one[10:15, 20:40, 30:50] = 1
    other[10:15, 30:50, 40:60] = 2
    ring = np.zeros(shape, np.uint8)
    ring[11:14, 10:31, 10:31] = 3
    ring[11:14, 16:25, 16:25] = 0
    dose = np.broadcast_to(np.arange(80, dtype=np.float32), shape).copy()
    dose[..., :5] = np.nan
    square = [(10.0, 10.0), (30.0, 10.0), (30.0, 30.0), (10.0, 30.0)]
    hole = [(16.0, 16.0), (24.0, 16.0), (24.0, 24.0), (16.0, 24.0)]
    lines = [(3, np.array(square), True), (3, np.array(hole), True), (4, np.array([(60.0, 50.0)]), True)]
    names = (Segment(3, "Ring", (255, 255, 0)), Segment(4, "Marker", (0, 255, 255)))
    return ArrayOverlays(
        {
            Overlay(SEG, "s", "segmentation", "Two boxes", segments(2), layers=2, matched="It names these images."): [
                one,
                other,
            ],
            Overlay(RT, "r", "structures", "Contours", names, missing=("1.9",)): ring,
            Overlay(DOSE, "d", "dose", "Plan", unit="Gy"): dose,
        },
        {(RT, index): lines for index in range(11, 14)},
    )


class States:
    """Presentation states that are known, by message and by address."""

    def __init__(self, *told: dict[str, Any]) -> None:
        self.told = list(told)

    def presentations(self) -> list[dict[str, Any]]:
        return self.told


class Shelf:
    """Sources, and what lies over them, by what stands in their addresses."""

    def __init__(self) -> None:
        self.sources: dict[tuple[str, str, int], FrameSource] = {}
        self.overlays: dict[tuple[str, str, int], OverlaySource] = {}
        self.states: dict[tuple[str, str, int], States] = {}

    def put(self, source: FrameSource, overlays: OverlaySource | None = None, states: States | None = None) -> None:
        meta = source.meta()
        self.sources[meta.series_key, meta.revision, meta.stack] = source
        if overlays is not None:
            self.overlays[meta.series_key, meta.revision, meta.stack] = overlays
        if states is not None:
            self.states[meta.series_key, meta.revision, meta.stack] = states


def routes(shelf: Shelf) -> FastAPI:
    """The frames of these sources under the addresses that the viewer asks."""
    app = FastAPI()
    found = shelf.sources

    def answer(array: np.ndarray) -> Response:
        return Response(encode(array), media_type="application/octet-stream")

    @app.get("/frames/{series}/{revision}/{stack}/{level}/volume")
    def volume(series: str, revision: str, stack: int, level: int, extra: str = "") -> Response:
        return answer(found[series, revision, stack].volume(level, numbers(extra)))

    @app.get("/frames/{series}/{revision}/{stack}/overlays.json")
    def overlays(series: str, revision: str, stack: int) -> Response:
        return Response(encode_told(shelf.overlays[series, revision, stack]), media_type="application/json")

    @app.get("/frames/{series}/{revision}/{stack}/presentations.json")
    def presentations(series: str, revision: str, stack: int) -> Response:
        told = encode_presentations(shelf.states[series, revision, stack])
        return Response(told, media_type="application/json")

    @app.get("/frames/{series}/{revision}/{stack}/overlay/{sop}/{layer}/{axis}/{index}")
    def over(series: str, revision: str, stack: int, sop: str, layer: int, axis: int, index: int) -> Response:
        try:
            return Response(encode_plane(shelf.overlays[series, revision, stack].plane(sop, layer, axis, index)))
        except NotFound:
            return Response(status_code=404)

    @app.get("/frames/{series}/{revision}/{stack}/contours/{sop}/{index}.json")
    def contours(series: str, revision: str, stack: int, sop: str, index: int) -> Response:
        return Response(encode_contours(shelf.overlays[series, revision, stack].contours(sop, index)))

    @app.get("/frames/{series}/{revision}/{stack}/{level}/{axis}/{index}")
    def plane(series: str, revision: str, stack: int, level: int, axis: int, index: int, extra: str = "") -> Response:
        try:
            return answer(found[series, revision, stack].plane(level, axis, index, numbers(extra)))
        except NotFound:
            return Response(status_code=404)

    return app


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


def shapes(levels: Iterable[Level]) -> list[tuple[int, ...]]:
    return [level.shape for level in levels]
