"""Documents out of data sets and files, for tests."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import Dataset

from pacs_panel.overlay.documents import document
from pacs_panel.settings import Settings
from pacs_panel.testing import PhantomSeries, encode
from pacs_panel.testing.headers import dataset, instance

SETTINGS = Settings()
ROOT = "1.2.840.10008.5.1.4.1.1."


def read(source: Path | Dataset | PhantomSeries | bytes, settings: Settings = SETTINGS, syntax: str = "") -> Any:
    """The document of a file, or of a data set that is encoded first."""
    return document(stream(source, syntax), settings)


def stream(source: Path | Dataset | PhantomSeries | bytes, syntax: str = "") -> BytesIO:
    """Their bytes."""
    if isinstance(source, Path):
        return BytesIO(source.read_bytes())
    if isinstance(source, bytes):
        return BytesIO(source)
    made = source.datasets[0] if isinstance(source, PhantomSeries) else source
    return BytesIO(encode(made, syntax) if syntax else encode(made))


def made(code: str, modality: str = "OT", **values: Any) -> Dataset:
    """A small data set of the storage class with this code."""
    head = {"SOPClassUID": ROOT + code, "SOPInstanceUID": "1.2.3.4", "Modality": modality}
    return instance(dataset(head | values), {})
