"""The one way from a file to a document, and to the larger values that some documents have."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs_panel.dicom.dataset import load, quiet, text_of
from pacs_panel.dicom.scan import Scan, scan
from pacs_panel.errors import PacsPanelError, TooLarge, Unreadable
from pacs_panel.overlay.documents import waveform as waves
from pacs_panel.overlay.documents.annotation import Annotations, annotated, figures
from pacs_panel.overlay.documents.encapsulated import Encapsulated, encapsulated
from pacs_panel.overlay.documents.fields import Head, head, items
from pacs_panel.overlay.documents.mapping import ValueMaps, mapping
from pacs_panel.overlay.documents.plan import Plan, TreatmentRecord, plan, record
from pacs_panel.overlay.documents.presentation import PresentationState, presentation
from pacs_panel.overlay.documents.registration import Registration, registration
from pacs_panel.overlay.documents.report import StructuredReport, report
from pacs_panel.overlay.documents.selection import KeyObjects, selection
from pacs_panel.overlay.documents.waveform import Waveforms
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

ROOT = "1.2.840.10008.5.1.4.1.1."
SENTENCES = {
    "raw data": "Measured data of a machine, in its maker's own form; only the header can be read.",
    "spatial fiducials": "Points that mark the same places in several images.",
    "surface segmentation": "Surfaces of segmented things.",
    "tractography": "Tracks of fibres, computed from diffusion images.",
    "MR spectroscopy": "Spectra of magnetic resonance, not an image.",
}


@dataclass(frozen=True, slots=True)
class HeaderOnly:
    """Any other object: its header tells all that is read of it.

    Attributes
    ----------
    head : Head
    sentence : str
        What it is.
    """

    head: Head
    sentence: str


Document = (
    StructuredReport
    | PresentationState
    | KeyObjects
    | Encapsulated
    | Waveforms
    | Plan
    | TreatmentRecord
    | ValueMaps
    | Annotations
    | Registration
    | HeaderOnly
)
Maker = Callable[[Dataset, Settings], Document]

MAKERS: dict[str, Maker] = {
    "88.59": selection,
    "67": lambda dataset, _: mapping(dataset),
    "91.1": lambda dataset, _: annotated(dataset),
    "66.1": lambda dataset, _: registration(dataset),
    "66.3": lambda dataset, _: registration(dataset),
    "481.5": lambda dataset, _: plan(dataset),
    "481.8": lambda dataset, _: plan(dataset),
    **dict.fromkeys(("481.4", "481.6", "481.7", "481.9"), lambda dataset, _: record(dataset)),
}
FAMILIES: dict[str, Maker] = {
    "88.": report,
    "11.": lambda dataset, _: presentation(dataset),
    "9.": lambda dataset, _: waves.description(dataset),
    "104.": encapsulated,
}


def document(source: BinaryIO, settings: Settings) -> Document:
    """An object without pixels of its own, as frozen values.

    Parameters
    ----------
    source : binary file
        Seekable; the object's file begins at 0.

    Returns
    -------
    Document
        `HeaderOnly` for what is of no kind that has a form of its own, images too.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
    """
    with _read(source, settings) as (dataset, _):
        sop_class = text_of(dataset, "SOPClassUID")
        code = sop_class.removeprefix(ROOT) if sop_class.startswith(ROOT) else ""
        maker = MAKERS.get(code) or next((m for prefix, m in FAMILIES.items() if code.startswith(prefix)), _other)
        return maker(dataset, settings)


def waveform(source: BinaryIO, settings: Settings, group: int = 0) -> xr.Dataset:
    """One multiplex group, from 0, of an object of waveforms; see `pacs_panel.overlay.documents.waveform.values`."""
    with _read(source, settings) as (dataset, found):
        return waves.values(dataset, group, found.little, settings)


def waveforms(source: BinaryIO, settings: Settings) -> tuple[xr.Dataset, ...]:
    """All multiplex groups of an object of waveforms."""
    with _read(source, settings) as (dataset, found):
        groups = range(len(items(dataset, "WaveformSequence")))
        return tuple(waves.values(dataset, group, found.little, settings) for group in groups)


def coordinates(source: BinaryIO, settings: Settings, group: int) -> list[NDArray[np.float64]]:
    """The figures of one group of annotations, by its number; see `pacs_panel.overlay.documents.annotation.figures`."""
    with _read(source, settings) as (dataset, found):
        return figures(dataset, group, found.little)


@contextmanager
def _read(source: BinaryIO, settings: Settings) -> Iterator[tuple[Dataset, Scan]]:
    """The data set up to its pixels; whatever goes wrong inside is an error of ours."""
    size = source.seek(0, io.SEEK_END)
    found = scan(source, size, (), settings)
    before = found.pixel_offset if found.pixel_tag else size
    if before > settings.max_frame_bytes:
        raise TooLarge(f"the header has {before} bytes, {settings.max_frame_bytes} are allowed")
    try:
        with quiet():
            yield load(source, settings)
    except PacsPanelError:
        raise
    except RecursionError:
        raise TooLarge("sequences are nested too deep") from None
    except Exception as error:  # the message could repeat a value
        raise Unreadable(f"the document cannot be read ({type(error).__name__})") from None


def _other(dataset: Dataset, _: Settings) -> HeaderOnly:
    common = head(dataset)
    known = SENTENCES.get(common.kind, "")
    return HeaderOnly(common, known or f"An object of the kind “{common.kind}”; its header tells more.")
