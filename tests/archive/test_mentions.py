"""What arriving objects name."""

from __future__ import annotations

from io import BytesIO

from pydicom import Dataset

from pacs_panel.dicom import header
from pacs_panel.pipeline.references import mentions
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, encode, rtstruct_on

SETTINGS = Settings()


def named(dataset: Dataset) -> set[str]:
    content = encode(dataset)
    found = mentions(BytesIO(content), header.read(BytesIO(content), len(content), SETTINGS), SETTINGS)
    return {mention.target for mention in found if mention.level == "instance"}


def test_objects_about_images_name_them_and_images_name_nothing() -> None:
    ct = ct_phantom(rows=16, columns=16, slices=4)
    assert named(rtstruct_on(ct).datasets[0]) == {d.SOPInstanceUID for d in ct.datasets}
    assert named(ct.datasets[0]) == set()
