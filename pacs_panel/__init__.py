"""A PACS for imaging research: real DICOM in; kept bytes, checked volumes, a catalog and a viewer out.

``pacs_panel.open_archive`` is where everything starts::

    archive = pacs_panel.open_archive("file:///data/pacs")
    report = archive.ingest("incoming/", collection="lung")
    found = archive.search(level="series", Modality="CT")

Importing this package reads no file and imports no other part of it; names load when first asked for (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pacs_panel.archive import Archive, open_archive

__version__ = "0.1.0"
__all__ = ["Archive", "__version__", "open_archive"]


def __getattr__(name: str) -> Any:
    if name in ("Archive", "open_archive"):
        return getattr(import_module("pacs_panel.archive"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
