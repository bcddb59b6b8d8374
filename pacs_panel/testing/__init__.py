"""Phantom studies with known truth, as real DICOM files: for tests, benchmarks and demonstrations.

Every file is made here and now, the same bytes each time, of people, places and machines that don't exist.
"""

from pacs_panel.testing.demo import DemoStudy, demo_studies, write_demo
from pacs_panel.testing.files import encode, write, write_small_files
from pacs_panel.testing.headers import Options
from pacs_panel.testing.images import (
    ct_missing_slice,
    ct_phantom,
    ct_tilted,
    mr_4d,
    mr_oblique,
    pet_varying_slopes,
    turned,
)
from pacs_panel.testing.objects import rtstruct_on, seg_on, sr_on
from pacs_panel.testing.projections import cr, us_cine
from pacs_panel.testing.subjects import Equipment, Study, Subject, uid
from pacs_panel.testing.truth import Grid, PhantomSeries, Sphere, Truth

__all__ = [
    "DemoStudy", "Equipment", "Grid", "Options", "PhantomSeries", "Sphere", "Study", "Subject", "Truth", "cr",
    "ct_missing_slice", "ct_phantom", "ct_tilted", "demo_studies", "encode", "mr_4d", "mr_oblique",
    "pet_varying_slopes", "rtstruct_on", "seg_on", "sr_on", "turned", "uid", "us_cine", "write", "write_demo",
    "write_small_files",
]  # fmt: skip
