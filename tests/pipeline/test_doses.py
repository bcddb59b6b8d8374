"""A dose is a volume, and speaks of its plan and images all the same."""

from __future__ import annotations

from pathlib import Path

from pydicom.uid import RTPlanStorage

from pacs_panel import open_archive
from pacs_panel.testing import ct_phantom, encode
from pacs_panel.testing.headers import dataset
from pacs_panel.testing.overlays import dose_on


def test_a_dose_names_its_plan_and_lies_on_all_but_itself(tmp_path: Path):
    ct = ct_phantom(rows=24, columns=32, slices=10, spacing=(4.0, 3.0, 3.0))
    (dose,) = dose_on(ct).datasets
    plan = {"ReferencedSOPClassUID": RTPlanStorage, "ReferencedSOPInstanceUID": "1.2.3.4"}
    dose.ReferencedRTPlanSequence = [dataset(plan)]
    for number, one in enumerate([*ct.datasets, dose]):
        (tmp_path / f"{number}.dcm").write_bytes(encode(one))
    archive = open_archive("memory://")
    archive.ingest(tmp_path)
    named = archive.references(dose.SeriesInstanceUID).refers_to
    assert [(one.mention.target, one.mention.role) for one in named] == [("1.2.3.4", "ReferencedRTPlanSequence")]
    assert [lying.sop_instance_uid for lying in archive.overlays(ct.series_uid)] == [dose.SOPInstanceUID]
    assert archive.overlays(dose.SeriesInstanceUID) == ()
    archive.close()
