"""The report of an import: exact counts, capped lists, short summary."""

from __future__ import annotations

import json

from pacs_panel.errors import NotDicom, Rejected
from pacs_panel.receive.report import Report


def filled(examples: int = 1000) -> Report:
    report = Report(examples)
    for number in range(12):
        report.add("accepted", f"a{number}", series="s1" if number % 2 else "s2", size=10)
    report.add("duplicate", "d", series="s1")
    report.add("new version", "v", series="s3", size=7, detail="pixels differ")
    report.add("alternative encoding", "e", series="s3")
    for number in range(8):
        report.refuse(f"t{number}", NotDicom("text"))
    report.refuse("x", Rejected("left by a system", reason="system file"))
    report.seconds = 1.5
    return report


def test_counts() -> None:
    report = filled()
    counts = report.accepted, report.duplicates, report.new_versions, report.alternative_encodings, report.refused
    assert counts == (12, 1, 1, 1, 9)
    assert (report.bytes, report.series) == (127, {"s1", "s2", "s3"})
    assert {reason: tally.count for reason, tally in report.rejected.items()} == {"not DICOM": 8, "system file": 1}


def test_to_dict_is_json_with_full_lists() -> None:
    plain = filled().to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["series"] == ["s1", "s2", "s3"]
    assert plain["rejected"]["not DICOM"]["count"] == 8
    assert plain["rejected"]["not DICOM"]["examples"][7] == {"origin": "t7", "detail": "text"}
    assert plain["origins"]["new version"]["examples"] == [{"origin": "v", "detail": "pixels differ"}]


def test_lists_are_cut_counts_are_not() -> None:
    report = filled(examples=3)
    assert report.accepted == 12
    assert len(report.outcomes["accepted"].examples) == 3
    assert len(report.rejected["not DICOM"].examples) == 3
    report.merge(filled())
    assert report.accepted == 24
    assert len(report.outcomes["accepted"].examples) == 3


def test_merge() -> None:
    both, other = filled(), Report()
    other.refuse("z", Rejected("why", reason="encrypted"))
    other.add("accepted", "b", series="s9", size=1)
    other.seconds = 0.5
    assert both.merge(other) is both
    assert (both.accepted, both.refused, both.bytes, both.seconds) == (13, 10, 128, 2.0)
    assert both.series == {"s1", "s2", "s3", "s9"}
    assert both.rejected["encrypted"].examples == [("z", "why")]
    assert other.accepted == 1


def test_summary_is_short() -> None:
    lines = str(filled()).splitlines()
    assert lines[0] == "12 accepted, 1 duplicate, 1 new version, 1 alternative encoding, 9 rejected"
    assert lines[2:9] == ["not DICOM: 8", *[f"  t{n} (text)" for n in range(5)], "  and 3 more"]
    assert lines[9:] == ["system file: 1", "  x (left by a system)"]
    assert repr(Report()).startswith("<Report: 0 accepted")
