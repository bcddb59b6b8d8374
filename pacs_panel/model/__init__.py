"""Frozen values: the only currency between stages.

Conventions, everywhere in the package:

- Patient space is LPS (x to the Left, y to the Posterior, z to the Superior), in mm (PS3.3 §C.7.6.2.1.1).
- A voxel's index counts voxel centres from 0. An affine takes ``(column, row, slice, 1)`` to ``(x, y, z, 1)``.
- Arrays are indexed ``[..., slice, row, column]``; extra dimensions come first.
"""

from pacs_panel.model.commitment import Commitment
from pacs_panel.model.correction import Correction, CorrectionKind
from pacs_panel.model.image import Digests, Header, Identity, ImageHeader, Kept, Location, Stored, Vector
from pacs_panel.model.mapping import RealWorldMap
from pacs_panel.model.overlay import Contour, Overlay, OverlayKind, Place, Segment
from pacs_panel.model.principal import LOCAL, Principal
from pacs_panel.model.slide import Resolution, Slide
from pacs_panel.model.stack import VERDICTS, Dimension, Gap, Passport, Revision, Stack, Tolerance, Verdict

__all__ = [
    "LOCAL",
    "VERDICTS",
    "Commitment",
    "Contour",
    "Correction",
    "CorrectionKind",
    "Digests",
    "Dimension",
    "Gap",
    "Header",
    "Identity",
    "ImageHeader",
    "Kept",
    "Location",
    "Overlay",
    "OverlayKind",
    "Passport",
    "Place",
    "Principal",
    "RealWorldMap",
    "Resolution",
    "Revision",
    "Segment",
    "Slide",
    "Stack",
    "Stored",
    "Tolerance",
    "Vector",
    "Verdict",
]
