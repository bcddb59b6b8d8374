"""From stored values to physical ones, and from those to greys (PS3.3 §C.11.1, §C.11.2).

Stored values → modality transform (slope, intercept) → physical values → VOI window or table → grey, black to white.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pacs_panel.model import ImageHeader

Array = np.ndarray
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
MAX_SAMPLES = 1 << 18


@dataclass(frozen=True, slots=True)
class Window:
    """What range of physical values is shown.

    Attributes
    ----------
    centre, width : float
        In output units of the modality transform; width above 0.
    name : str
        What it is for.
    function : str
        ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``.
    """

    centre: float
    width: float
    name: str = ""
    function: str = "LINEAR"


@dataclass(frozen=True, slots=True)
class Table:
    """What grey each physical value is shown as, one by one (PS3.3 §C.11.2.1.1).

    Attributes
    ----------
    first : int
        The value that the first entry is of; in output units of the modality transform.
    greys : bytes
        Of this value and those after it, 0 to 255; below and above, the ends hold.
    name : str
        What it is for.
    """

    first: int
    greys: bytes
    name: str = ""


Shown = Window | Table


# In HU; usual reading-room values. The body part that prefers a window names it first.
CT = (
    Window(40, 400, "soft tissue"),
    Window(40, 80, "brain"),
    Window(75, 215, "subdural"),
    Window(-600, 1500, "lung"),
    Window(50, 350, "mediastinum"),
    Window(60, 400, "abdomen"),
    Window(60, 160, "liver"),
    Window(480, 2500, "bone"),
    Window(300, 600, "angiography"),
)
PREFERRED = {
    "HEAD": "brain",
    "BRAIN": "brain",
    "SKULL": "bone",
    "CHEST": "mediastinum",
    "THORAX": "mediastinum",
    "LUNG": "lung",
    "ABDOMEN": "abdomen",
    "PELVIS": "abdomen",
    "LIVER": "liver",
    "SPINE": "bone",
    "EXTREMITY": "bone",
    "HEART": "angiography",
}


def physical(stored: Array, slope: float | None, intercept: float | None) -> Array:
    """Stored values times slope plus intercept, as float32 of the same shape; 1 and 0 where there are none."""
    values = stored.astype(np.float32)
    if slope is not None and slope != 1:
        values *= np.float32(slope)
    if intercept:
        values += np.float32(intercept)
    return values


def mapped(stored: Array, table: tuple[int, tuple[float, ...]]) -> Array:
    """Stored values through a Modality LUT, as float32; below and above it, its ends hold (PS3.3 §C.11.1.1)."""
    first, values = table
    return np.asarray(values, np.float32)[np.clip(stored.astype(np.int64) - first, 0, len(values) - 1)]


def unit(image: ImageHeader, modality: str) -> str:
    """Unit of the physical values; empty where unknown.

    CT images are in HU unless Rescale Type says otherwise (PS3.3 §C.8.2.1.1.2); localizers are not. ``US`` is the
    standard's term for "unspecified", which scanners also write for HU.
    """
    rescale = "" if image.rescale_type == "US" else image.rescale_type
    if modality == "CT" and not rescale:
        localizer = "LOCALIZER" in str(image.order.get("ImageType", "")).split("\\")
        untransformed = image.slope is None and image.table is None  # then stored values are nobody knows what
        return "" if localizer or untransformed else "HU"
    return rescale or image.units


def windows(image: ImageHeader, modality: str, body_part: str = "") -> tuple[Window, ...]:
    """The file's own windows, then the presets that fit; possibly none.

    Presets are in HU, so only CT has any; the one that the body part prefers comes first.
    """
    function = image.voi_function if image.voi_function in FUNCTIONS else "LINEAR"
    own = tuple(
        Window(centre, width, name or f"file {number}", function)
        for number, (centre, width, name) in enumerate(image.windows, 1)
    )
    return own + presets(unit(image, modality), body_part)


def tables(image: ImageHeader) -> tuple[Table, ...]:
    """The file's own VOI LUTs, named by their explanations."""
    return tuple(
        Table(first, greys, name or f"file table {number}")
        for number, (name, first, greys) in enumerate(image.voi_tables, 1)
    )


def presets(unit: str, body_part: str = "") -> tuple[Window, ...]:
    """Windows by custom of the field, for values in ``unit``."""
    if unit != "HU":
        return ()
    first = next((name for part, name in PREFERRED.items() if part in body_part.upper()), "")
    return tuple(sorted(CT, key=lambda window: window.name != first))


def automatic(values: Array, mask: Array | None = None, low: float = 0.5, high: float = 99.5) -> Window:
    """A window between two percentiles of the physical values.

    Parameters
    ----------
    values : ndarray
        Any shape; large arrays are sampled evenly.
    mask : ndarray of bool, optional
        True where a value is padding, and doesn't count.
    low, high : float
        Percent.
    """
    flat = values[~mask] if mask is not None else values.reshape(-1)
    flat = flat[:: max(1, flat.size // MAX_SAMPLES)]
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
    if not flat.size:
        return Window(0, 1, "automatic", "LINEAR_EXACT")
    bottom, top = (float(p) for p in np.percentile(flat, (low, high)))
    if top <= bottom:
        bottom, top = float(flat.min()), float(flat.max())
    return Window((bottom + top) / 2, (top - bottom) or 1.0, "automatic", "LINEAR_EXACT")


def apply(values: Array, window: Shown, low: float = 0.0, high: float = 1.0) -> Array:
    """Physical values to greys between ``low`` and ``high``, as float32 (PS3.3 §C.11.2.1).

    A table is of whole numbers: what lies between two is shown as the nearer one.

    Raises
    ------
    ValueError
        The width is not above 0, or the function unknown.
    """
    if isinstance(window, Table):
        greys = np.frombuffer(window.greys, np.uint8).astype(np.float32) * np.float32((high - low) / 255)
        places = np.clip(np.rint(np.nan_to_num(values)) - window.first, 0, len(greys) - 1)
        return greys[places.astype(np.int64)] + np.float32(low)
    if not window.width > 0:
        raise ValueError(f"a window's width must be above 0, not {window.width}")
    x = values.astype(np.float32)
    if window.function == "SIGMOID":
        with np.errstate(over="ignore"):  # far below the centre, exp is infinite and the grey is low, as it should be
            unit_grey = 1 / (1 + np.exp(-4 * (x - np.float32(window.centre)) / np.float32(window.width)))
    elif window.function == "LINEAR_EXACT":
        unit_grey = _ramp(x, window.centre, window.width)
    elif window.function == "LINEAR":
        unit_grey = _ramp(x, window.centre - 0.5, window.width - 1)
    else:
        raise ValueError(f"unknown VOI LUT function {window.function!r}: one of {', '.join(FUNCTIONS)}")
    return unit_grey * np.float32(high - low) + np.float32(low)


def _ramp(x: Array, centre: float, width: float) -> Array:
    """0 below, 1 above, and a line between; a step where the width is 0 (or below, which LINEAR forbids)."""
    if width <= 0:
        return (x > centre).astype(np.float32)
    x -= np.float32(centre)
    x /= np.float32(width)
    x += np.float32(0.5)
    return np.clip(x, 0, 1, out=x)


def inverted(image: ImageHeader) -> bool:
    """Whether low values are white."""
    return image.photometric == "MONOCHROME1"


def padding_mask(image: ImageHeader, stored: Array) -> Array | None:
    """True where a stored value is padding (PS3.3 §C.7.5.1.1.2), of the same shape; ``None`` where there is none."""
    if image.padding is None:
        return None
    low, high = image.padding
    mask = stored == low if low == high else (stored >= low) & (stored <= high)
    return mask if mask.any() else None
