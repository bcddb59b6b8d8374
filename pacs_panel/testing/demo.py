"""The demo: fourteen studies of made-up subjects, over several dates, modalities, body parts and makers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pacs_panel.testing.files import write
from pacs_panel.testing.images import ct_missing_slice, ct_phantom, ct_tilted, mr_4d, mr_oblique, pet_varying_slopes
from pacs_panel.testing.objects import rtstruct_on, seg_on, sr_on
from pacs_panel.testing.projections import cr, us_cine
from pacs_panel.testing.subjects import CT_SCANNER, MR_SCANNER, PET_SCANNER, Equipment, Study, Subject
from pacs_panel.testing.truth import PhantomSeries

ALMA = Subject()
JUERGEN = Subject("Grün^Jürgen^^Dr.", "PP-0002", "19551109", "M", 1.81, 88.0, "ISO_IR 100")
YUKI = Subject("Tanaka^Yuki=田中^雪=たなか^ゆき", "PP-0003", "19880302", "F", 1.59, 51.5, "ISO_IR 192")
ELENI = Subject("Φωτεινού^Ελένη", "PP-0004", "19740617", "F", 1.64, 70.0, "ISO_IR 126")
TOMAS = Subject("Vzorek^Tomas", "PP-0005", "20010828", "M", 1.86, 79.0)
AMINA = Subject("Sample^Amina", "PP-0006", "19930130", "F", 1.72, 62.5)
OTTO = Subject("Muster^Otto", "PP-0007", "19430511", "M", 1.70, 74.0)

BOREAL_CT = Equipment("Boreal Medical", "Spiral Q", "CTQ2", "VB20A", "Northgate Clinic")
CIRRUS_MR = Equipment("Cirrus Health", "Quiet 1.5", "MRQ1", "R5.7", "Lindenhof Research Hospital")

Make = Callable[[Study], tuple[PhantomSeries, ...]]


@dataclass(frozen=True, eq=False)
class DemoStudy:
    """A study of the demo, and its series in order of their numbers."""

    study: Study
    series: tuple[PhantomSeries, ...]


def demo_studies() -> Iterator[DemoStudy]:
    """The demo's studies, each made when it is asked for."""
    for number, (subject, date, time, description, make) in enumerate(PLAN, 1):
        study = Study(subject, date, time, description, f"A{date[2:4]}{number:04d}", str(number))
        yield DemoStudy(study, make(study))


def write_demo(folder: str | Path) -> list[Path]:
    """Write the demo's files as ``study01/series02/IM0001.dcm``; returns their paths in that order."""
    return [
        path
        for number, demo in enumerate(demo_studies(), 1)
        for series in demo.series
        for path in write(series, Path(folder) / f"study{number:02d}" / _folder(series))
    ]


def _folder(series: PhantomSeries) -> str:
    return f"series{int(series.datasets[0].SeriesNumber):02d}"


def _liver(study: Study) -> tuple[PhantomSeries, ...]:
    ct = ct_phantom(study=study, equipment=CT_SCANNER, part="LIVER", description="Liver portal venous", noise=9.0)
    return (ct, seg_on(ct), rtstruct_on(ct), sr_on(ct))


def _lung(study: Study, seed: int) -> tuple[PhantomSeries, ...]:
    ct = ct_phantom(
        study=study, equipment=BOREAL_CT, part="CHEST", description="Chest 2 mm", noise=14.0, seed=seed,
        slices=60, spacing=(2.0, 2.8, 2.8),
    )  # fmt: skip
    return (ct, seg_on(ct, spheres=2)) if seed else (ct,)


def _pet_ct(study: Study) -> tuple[PhantomSeries, ...]:
    ct = ct_phantom(
        study=study, equipment=PET_SCANNER, part="WHOLEBODY", description="CT AC", slices=40, spacing=(4.0, 3.0, 3.0)
    )
    return (ct, pet_varying_slopes(study=study, equipment=PET_SCANNER, slices=40, rows=80, columns=80))


def _knee(study: Study) -> tuple[PhantomSeries, ...]:
    return tuple(
        mr_oblique(
            study=study, equipment=MR_SCANNER, part="KNEE", laterality="L", number=number, description=description,
            seed=number, rows=128, columns=128, spacing=(3.5, 1.25, 1.25), orientation=orientation,
        )
        for number, description, orientation in (
            (1, "PD sagittal", (0, 1, 0, 0, 0, -1)),
            (2, "PD coronal", (1, 0, 0, 0, 0, -1)),
        )
    )  # fmt: skip


PLAN: tuple[tuple[Subject, str, str, str, Make], ...] = (
    (ALMA, "20240115", "093000", "CT liver", _liver),
    (ALMA, "20240712", "101500", "MR liver", lambda s: (
        mr_oblique(study=s, equipment=CIRRUS_MR, part="LIVER", description="T1 oblique"),)),
    (ALMA, "20250203", "081000", "MR liver dynamic", lambda s: (
        mr_4d(study=s, equipment=CIRRUS_MR, part="LIVER", description="DCE", times=6, slices=16),)),
    (JUERGEN, "20231102", "142200", "CT head", lambda s: (
        ct_tilted(study=s, equipment=BOREAL_CT, description="Head tilted 15", number=2),)),
    (JUERGEN, "20231104", "110500", "MR head", lambda s: (
        mr_oblique(study=s, equipment=MR_SCANNER, description="T1 double oblique", spacing=(5.0, 1.8, 1.8)),)),
    (YUKI, "20240520", "153000", "Echocardiography", lambda s: (us_cine(study=s),)),
    (YUKI, "20250611", "100000", "Chest X-ray", lambda s: (cr(study=s),)),
    (ELENI, "20240909", "073000", "PET/CT whole body", _pet_ct),
    (TOMAS, "20250318", "164500", "MR knee left", _knee),
    (TOMAS, "20250401", "091000", "Knee X-ray", lambda s: (
        cr(study=s, part="KNEE", laterality="R", description="Knee AP", rows=400, columns=320),)),
    (AMINA, "20250822", "120000", "CT abdomen, slice lost", lambda s: (
        ct_missing_slice(study=s, equipment=CT_SCANNER, description="Abdomen, incomplete"),)),
    (OTTO, "20230130", "084500", "CT chest", lambda s: _lung(s, 0)),
    (OTTO, "20240201", "085000", "CT chest follow-up", lambda s: _lung(s, 1)),
    (OTTO, "20240201", "103000", "Echocardiography", lambda s: (
        us_cine(study=s, frames=36, description="Cine 2CH"),)),
)  # fmt: skip
