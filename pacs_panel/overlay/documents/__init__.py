"""Objects without pixels of their own: reports, plans, waveforms, presentation states and others, as frozen values."""

from pacs_panel.overlay.documents.links import Link, links
from pacs_panel.overlay.documents.read import Document, HeaderOnly, coordinates, document, waveform, waveforms
from pacs_panel.overlay.documents.summary import summary

__all__ = ["Document", "HeaderOnly", "Link", "coordinates", "document", "links", "summary", "waveform", "waveforms"]
