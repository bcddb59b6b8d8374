"""What the numbers of a stack mean: type, slope and intercept, unit, windows, padding."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pacs_panel.model import ImageHeader
from pacs_panel.pixels import decode, intensity, real_world
from pacs_panel.pixels.intensity import Shown, Table, Window
from pacs_panel.pixels.palette import Palette

Array = np.ndarray
CT = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")


@dataclass(frozen=True, slots=True)
class Values:
    """What is true of all planes of a stack, and, where planes differ, of each.

    Attributes
    ----------
    dtype : numpy.dtype
        The smallest that holds every stored value.
    slopes, intercepts : tuple of float
        ``value = stored * slope + intercept``; one a plane, planes in C order of ``(*extra, slice)``.
    paddings : tuple of (low, high) or None
        Stored values that mean "no image here", both inclusive; one a plane.
    unit : str
        Of the physical values.
    windows : tuple of (centre, width, name)
        Presets in physical values, those of the middle plane's header first.
    voi_tables : tuple of Table
        VOI LUTs of the middle plane; they stand among the presets after its own windows.
    own_windows : int
        How many of the windows are the middle plane's own.
    supplemental : tuple of int and bytes, optional
        From which stored value on values are colours, and these; where stored values are kept.
    voi_function, photometric : str
        Of the middle plane; what is decoded to colour is ``RGB``.
    samples : int
        3 in colour: red, green and blue.
    tables : tuple of (first, values) or None
        Modality LUTs, one a plane; empty where no plane has one.
    blank : frozenset of int
        Planes that could not be decoded.
    frame_time : float, optional
        ms from image to image.
    framed : bool
        Planes are frames of multi-frame objects.
    pet : mapping
        What uptake values follow from, see `pacs_panel.pixels.suv.wanted`; empty where the images are no PET.
    real_world : mapping
        Maps to the real world by name, see `pacs_panel.pixels.real_world.named`.
    """

    dtype: np.dtype
    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]
    paddings: tuple[tuple[int, int] | None, ...]
    unit: str = ""
    windows: tuple[tuple[float, float, str], ...] = ()
    voi_tables: tuple[Table, ...] = ()
    own_windows: int = 0
    supplemental: tuple[int, bytes] | None = None
    voi_function: str = "LINEAR"
    photometric: str = "MONOCHROME2"
    samples: int = 1
    tables: tuple[tuple[int, tuple[float, ...]] | None, ...] = ()
    blank: frozenset[int] = frozenset()
    frame_time: float | None = None
    framed: bool = False
    pet: Mapping[str, Any] = field(default_factory=dict)
    real_world: Mapping[str, Any] = field(default_factory=dict)

    @property
    def uniform(self) -> bool:
        """Whether one slope and one intercept hold for all planes, and no table is needed."""
        return not self.tables and len(set(self.slopes)) <= 1 and len(set(self.intercepts)) <= 1

    @property
    def padding(self) -> tuple[int, int] | None:
        """The padding of all planes; ``None`` where there is none, or where planes differ in it."""
        return self.paddings[0] if len(set(self.paddings)) == 1 else None

    @property
    def needs_mask(self) -> bool:
        """Whether values of the array called ``image`` do not tell what is padding."""
        return bool(self.blank) or (any(self.paddings) and not (self.uniform and self.padding))


def of(images: Sequence[ImageHeader], modality: str = "", body_part: str = "") -> Values:
    """What the values of these planes mean; one header a plane, all of the same pixel type."""
    middle = images[len(images) // 2]
    colour = is_colour(middle)
    windows = () if colour else intensity.windows(middle, modality, body_part)
    return Values(
        dtype=np.dtype(np.uint8) if middle.palette else dtype(middle),
        slopes=tuple(1.0 if colour or image.slope is None else float(image.slope) for image in images),
        intercepts=tuple(0.0 if colour else float(image.intercept or 0.0) for image in images),
        paddings=tuple(None if colour else image.padding for image in images),
        unit="" if colour else _unit(images, modality),
        windows=tuple((window.centre, window.width, window.name) for window in windows),
        voi_tables=() if colour else intensity.tables(middle),
        own_windows=0 if colour else len(middle.windows),
        supplemental=middle.supplemental,
        voi_function=middle.voi_function,
        photometric="RGB" if colour else middle.photometric,
        samples=3 if colour else 1,
        tables=tuple(image.table for image in images) if any(image.table for image in images) else (),
        frame_time=middle.frame_time,
        framed=middle.frames > 1,
        real_world={} if colour else real_world.of_images(images),
    )


def _unit(images: Sequence[ImageHeader], modality: str) -> str:
    """The unit of all planes; none where they differ, as magnitude and phase do."""
    units = {intensity.unit(image, modality) for image in images}
    return units.pop() if len(units) == 1 else ""


def is_colour(image: ImageHeader) -> bool:
    """Whether planes of an image are decoded to red, green and blue."""
    return image.samples == 3 or bool(image.palette)


def dtype(image: ImageHeader) -> np.dtype:
    """The smallest type that holds the stored values; signed ones take two bytes at least, as viewers expect."""
    stored = decode.dtype(image)
    if stored.kind == "f":
        return stored
    sizes = (2, 4, 8) if image.signed else (1, 2, 4, 8)
    size = next(size for size in sizes if 8 * size >= image.bits_stored)
    return np.dtype(f"{stored.kind}{size}")


def physical(stored: Array, values: Values, numbers: Sequence[int]) -> Array:
    """Physical values, float32, of planes ``(…, row, column)``, whose numbers in the stack are given in C order."""
    out = np.empty(stored.shape, np.float32)
    for number, source, target in zip(numbers, _planes(stored), _planes(out), strict=True):
        target[...] = physical_plane(source, values, number)
    return out


def physical_plane(stored: Array, values: Values, number: int) -> Array:
    """Physical values, float32, of plane ``number`` alone ``(row, column)``."""
    if values.tables and (table := values.tables[number]) is not None:
        return intensity.mapped(stored, table)
    return intensity.physical(stored, values.slopes[number], values.intercepts[number])


def mask(stored: Array, values: Values, numbers: Sequence[int]) -> Array:
    """True where a stored value is padding, or where an image could not be decoded.

    Parameters
    ----------
    stored : ndarray
        ``(…, row, column)``.
    numbers : sequence of int
        Of the image in the stack that each plane belongs to, planes in C order.
    """
    out = np.zeros(stored.shape, bool)
    for number, source, target in zip(numbers, _planes(stored), _planes(out), strict=True):
        target[...] = number in values.blank
        if (padding := values.paddings[number]) is not None:
            target |= (source >= padding[0]) & (source <= padding[1])
    return out


def pictures(array: Array, samples: int) -> list[Array]:
    """Views of an array's images: ``(row, column)`` each, or ``(row, column, samples)`` in colour.

    Parameters
    ----------
    array : ndarray
        ``(*extra, slice, row, column)``, with samples as the innermost extra axis in colour.
    """
    if samples == 1:
        return list(array.reshape(-1, *array.shape[-2:]))
    volumes = array.reshape(-1, samples, *array.shape[-3:])
    return [np.moveaxis(volume[:, k], 0, -1) for volume in volumes for k in range(array.shape[-3])]


def _planes(array: Array) -> Array:
    return array.reshape(-1, *array.shape[-2:])


def facts(values: Values) -> dict[str, Any]:
    """What a viewer needs to know, of the array called ``image``, as plain JSON types."""
    return {
        "dtype": (values.dtype if values.uniform else np.dtype(np.float32)).name,
        "slope": values.slopes[0] if values.uniform else 1.0,
        "intercept": values.intercepts[0] if values.uniform else 0.0,
        "unit": values.unit,
        "windows": [list(window) for window in values.windows],
        "voi_tables": [
            {
                "name": table.name,
                "first": table.first,
                "greys": b64encode(table.greys).decode(),
                "place": values.own_windows,
            }
            for table in values.voi_tables
        ],
        "supplemental": _colours(values),
        "voi_function": values.voi_function,
        "padding": list(values.padding) if values.uniform and values.padding else None,
        "photometric": values.photometric,
        "frame_time": values.frame_time,
        "slices_are": "frame" if values.framed else "slice",
        "pet": dict(values.pet),
        "real_world": dict(values.real_world),
    }


def _colours(values: Values) -> dict[str, Any] | None:
    """The supplemental palette; none where the array holds no stored values."""
    if values.supplemental is None or not values.uniform:
        return None
    first, colours = values.supplemental
    return {"first": first, "colours": b64encode(colours).decode()}


def supplemental(facts: Mapping[str, Any]) -> Palette | None:
    """The supplemental palette of a stack's `facts`, if it has one."""
    if (told := facts.get("supplemental")) is None:
        return None
    return Palette(np.frombuffer(b64decode(told["colours"]), np.uint8).reshape(-1, 3), told["first"])


def default_window(facts: Mapping[str, Any]) -> Shown | None:
    """The first window, or table, of a stack's `facts` that can be drawn; ``None`` where an automatic one is due."""
    tables = facts.get("voi_tables", ())
    for number, (centre, width, name) in enumerate(facts["windows"]):
        if any(table["place"] <= number for table in tables):
            break
        if width > (1 if facts["voi_function"] == "LINEAR" else 0):
            return Window(centre, width, name, facts["voi_function"])
    return next((Table(table["first"], b64decode(table["greys"]), table["name"]) for table in tables), None)
