"""Who refers to whom, as plain links."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from pacs_panel.overlay.documents import links
from pacs_panel.overlay.documents.links import incoming, missing
from pacs_panel.overlay.references import refers
from pacs_panel.testing import ct_phantom, rtstruct_on, sr_on
from pacs_panel.testing.documents import key_objects_on
from tests.overlay.documents.reading import SETTINGS, stream


def test_links_of_phantoms_lead_to_their_images_and_back() -> None:
    ct = ct_phantom(rows=16, columns=16, slices=4)
    images = {d.SOPInstanceUID for d in ct.datasets}
    about = {series.datasets[0].SOPInstanceUID: series for series in (sr_on(ct), key_objects_on(ct), rtstruct_on(ct))}
    found = links({uid: refers(stream(series), SETTINGS) for uid, series in about.items()})
    assert {link.source for link in found} == set(about)
    assert {link.target for link in found if link.level == "instance"} == images
    assert {link.source for link in incoming(found, [ct.datasets[0].SOPInstanceUID])} >= {
        key_objects_on(ct).datasets[0].SOPInstanceUID,
        rtstruct_on(ct).datasets[0].SOPInstanceUID,
    }
    assert missing(found, images | {ct.series_uid, ct.study_uid}) == ()
    assert {link.target for link in missing(found, ())} >= images


def test_what_is_missing_is_named(data: Path) -> None:
    folder = data / "sr_tid1500"
    referred = {}
    for path in sorted(folder.glob("*.dcm")):
        uid = dcmread(path, stop_before_pixels=True).SOPInstanceUID
        referred[str(uid)] = refers(stream(path), SETTINGS)
    found = links(referred)
    report = str(dcmread(folder / "sr.dcm").SOPInstanceUID)
    here = {link.target for link in found if link.source == report and link.target in referred}
    assert here == set(referred) - {report}
    gone = {link.target for link in missing(found, referred) if link.source == report and link.level == "instance"}
    assert len(gone) == 191


@pytest.mark.parametrize("name", ["rt_dicompyler/rtplan.dcm", "seg_sm_ann_highdicom/sm_annotations.dcm"])
def test_no_object_is_linked_with_itself(data: Path, name: str) -> None:
    uid = str(dcmread(data / name).SOPInstanceUID)
    found = links({uid: refers(stream(data / name), SETTINGS)})
    assert found
    assert uid not in {link.target for link in found}
