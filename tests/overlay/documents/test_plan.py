"""Plans and treatment records."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from pacs_panel.overlay.documents import summary
from tests.overlay.documents.reading import made, read

PLANS = ("pydicom_test_files/rtplan.dcm", "rt_dicompyler/rtplan.dcm")


@pytest.mark.parametrize("name", PLANS)
def test_beams_are_those_of_the_file(data: Path, name: str) -> None:
    told, plan = dcmread(data / name), read(data / name)
    table = plan.to_frame().set_index("number")
    metersets = {int(b.ReferencedBeamNumber): float(b.BeamMeterset)
                 for b in told.FractionGroupSequence[0].ReferencedBeamSequence}  # fmt: skip
    for beam in told.BeamSequence:
        row = table.loc[int(beam.BeamNumber)]
        first = beam.ControlPointSequence[0]
        assert row["name"] == beam.BeamName
        assert (row.type, row.radiation, row.unit) == (beam.BeamType, beam.RadiationType, beam.PrimaryDosimeterUnit)
        assert row.machine == beam.TreatmentMachineName
        assert row.energy == (float(first.NominalBeamEnergy),) * 2
        assert row.meterset == metersets[int(beam.BeamNumber)]
        assert row.control_points == int(beam.NumberOfControlPoints)
        assert row.gantry == (float(first.GantryAngle),) * 2
        assert row.isocentre == tuple(map(float, first.IsocenterPosition))
    assert len(table) == len(told.BeamSequence)
    assert plan.structure_sets[0].sop_instance_uid == told.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID


def test_what_is_prescribed(data: Path) -> None:
    plan = read(data / PLANS[0])
    organ, target = plan.prescriptions
    assert (organ.kind, organ.prescribed, organ.maximum) == ("ORGAN_AT_RISK", None, 75.0)
    assert (target.kind, target.prescribed, target.description) == ("TARGET", 30.826203, "PTV")
    assert target.place == "point (239.531, 239.531, -751.87) mm"
    (group,) = plan.groups
    assert (group.fractions, group.beams[0].dose) == (30, 1.0275401)
    facts = dict(summary(plan))
    assert facts["Prescribed"] == "30.8262 Gy to PTV"
    assert facts["Fractions"] == "30 fractions, 1 beam"
    assert facts["Beam 1 Field 1"] == (
        "static, photon, 6 MV, 116.004 MU, 2 control points, gantry 0°, collimator 0°, couch 0°, unit001"
    )


def test_an_ion_plan_and_an_arc() -> None:
    points = [
        {"NominalBeamEnergy": "150", "GantryAngle": "10", "PatientSupportAngle": "0", "IsocenterPosition": [1, 2, 3]},
        {"NominalBeamEnergy": "120.5"},
        {"NominalBeamEnergy": "130", "GantryAngle": "190"},
    ]
    beam = {"BeamNumber": "7", "BeamName": "Arc", "BeamType": "DYNAMIC", "RadiationType": "PROTON",
            "PrimaryDosimeterUnit": "NP", "IonControlPointSequence": points}  # fmt: skip
    given = {"ReferencedBeamNumber": "7", "BeamMeterset": "1000", "BeamDose": "2"}
    group = {"FractionGroupNumber": "1", "NumberOfFractionsPlanned": "25", "ReferencedBeamSequence": [given]}
    dose = [{"ReferencedSOPClassUID": "1.2", "ReferencedSOPInstanceUID": "1.2.5"}]
    plan = read(made("481.8", "RTPLAN", RTPlanLabel="Ions", PlanIntent="CURATIVE", IonBeamSequence=[beam],
                     FractionGroupSequence=[group], ReferencedDoseSequence=dose))  # fmt: skip
    (found,) = plan.beams
    assert (found.energy, found.gantry, found.couch, found.collimator) == ((120.5, 150), (10, 190), (0, 0), None)
    assert (found.meterset, found.unit, found.control_points, found.isocentre) == (1000, "NP", 3, (1, 2, 3))
    assert plan.doses[0].sop_instance_uid == "1.2.5"
    facts = dict(summary(plan))
    assert facts["Intent"] == "curative"
    assert facts["Beam 7 Arc"] == (
        "dynamic, proton, 120.5 to 150 MeV, 1000 NP, 3 control points, gantry 10° to 190°, couch 0°"
    )


def test_a_treatment_record() -> None:
    points = [
        {"SpecifiedMeterset": "0", "DeliveredMeterset": "0"},
        {"SpecifiedMeterset": "50", "DeliveredMeterset": "49"},
    ]
    beam = {"ReferencedBeamNumber": "1", "BeamName": "AP", "CurrentFractionNumber": "3",
            "TreatmentTerminationStatus": "NORMAL", "ControlPointDeliverySequence": points}  # fmt: skip
    record = read(made(
        "481.4", "RTRECORD", TreatmentDate="20250131", TreatmentSessionBeamSequence=[beam],
        TreatmentMachineSequence=[{"TreatmentMachineName": "unit1"}],
        ReferencedRTPlanSequence=[{"ReferencedSOPClassUID": "1.2", "ReferencedSOPInstanceUID": "1.2.7"}],
    ))  # fmt: skip
    (given,) = record.beams
    assert (given.beam, given.fraction, given.specified, given.delivered) == (1, 3, 50, 49)
    assert (record.machine, record.plans[0].sop_instance_uid) == ("unit1", "1.2.7")
    assert dict(summary(record))["Beam 1 AP"] == "fraction 3, 49 of 50, normal"
