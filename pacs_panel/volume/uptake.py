"""A PET in standardized uptake values, or a refusal."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from pacs_panel import __version__
from pacs_panel.pixels.suv import Kind, NoSUV, SuvFactor
from pacs_panel.volume import pet
from pacs_panel.volume.resample import described


def suv(dataset: xr.Dataset, kind: Kind = "bw") -> xr.Dataset:
    """Uptake values of a PET.

    Parameters
    ----------
    dataset : xarray.Dataset
        In physical values; ``attrs["pet"]`` as `pacs_panel.volume.pet.facts` gives it.
    kind : str
        As `pacs_panel.pixels.suv.factors` takes it.

    Returns
    -------
    xarray.Dataset
        ``image`` times the factor, lazy as before, with its windows. ``attrs["suv"]`` holds ``kind``, ``factor``,
        ``unit`` and ``sources``: name, value, and where it came from.

    Raises
    ------
    NoSUV
        They do not follow from the header, or headers of the stack disagree; the message says why.
    """
    image = dataset["image"]
    if "suv" in dataset.attrs:
        raise NoSUV("these are uptake values already; ask the volume that they were made from")
    if image.attrs.get("long_name") == "stored values":
        raise NoSUV("these are stored values: open the volume in physical ones")
    if not dataset.attrs.get("pet"):
        raise NoSUV("no facts of a PET were kept with this volume: it is none, or it is to be built again")
    found = pet.factors(dataset.attrs["pet"], kind)
    values = described(image * np.asarray(found.factor, image.dtype), image.attrs, **_about(image.attrs, found))
    step = {"made": "uptake values", "kind": kind, "factor": found.factor, "software": f"pacs_panel {__version__}"}
    return dataset.assign(image=values).assign_attrs(
        units=found.unit,
        suv={"kind": kind, "factor": found.factor, "unit": found.unit, "sources": [list(s) for s in found.sources]},
        provenance=[*dataset.attrs.get("provenance", []), step],
    )


def _about(attributes: dict[str, Any], found: SuvFactor) -> dict[str, Any]:
    """What the values are now; windows are scaled with them."""
    windows = attributes.get("windows", [])
    return {
        "long_name": "standardized uptake value",
        "units": found.unit,
        "windows": [[centre * found.factor, width * found.factor, name] for centre, width, name in windows],
    }
