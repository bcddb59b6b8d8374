"""What objects name, in the index: found from both ends, within what may be seen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pacs_panel.index.arrival import Arrival
from pacs_panel.index.criteria import criteria
from pacs_panel.index.mention import Mention
from pacs_panel.index.references import Partners, partners, put
from pacs_panel.index.store import Index
from tests.index.made import arrival


def note(index: Index, one: Arrival, mentions: Sequence[Mention]) -> None:
    with index.database.write() as connection:
        put(connection, [(one.kept.sop_instance_uid, one.kept.digests.dataset, mentions)])


@pytest.fixture
def report(index: Index) -> Arrival:
    """A report in study 1 (collection ``lung``) on two images of series 1, one of study 2, and one that is not here."""
    images = [arrival(n, series=1) for n in (1, 2, 3)]
    other = arrival(1, series=1, study=2, patient="P2", collection="brain")
    one = arrival(1, series=9, Modality="SR")
    index.add([*images, other, one])
    uids = ("1.2.1.1.1", "1.2.1.1.2", "1.2.2.1.1", "9.9.9")
    note(index, one, [Mention(uid, role="ReferencedSOPSequence", sop_class_uid="1.2.3") for uid in uids])
    return one


def key(index: Index, uid: str) -> str:
    return str(index.resolve(uid, "series")[0]["key"])


def named(found: Partners) -> dict[str, bool]:
    return {partner.mention.target: partner.missing for partner in found.refers_to}


def test_what_a_series_refers_to_and_what_is_missing(index: Index, report: Arrival) -> None:
    found = partners(index.database, "series", report.kept.series_key)
    assert named(found) == {"1.2.1.1.1": False, "1.2.1.1.2": False, "1.2.2.1.1": False, "9.9.9": True}
    assert found.missing == ("9.9.9",)
    assert found.referred_by == ()
    assert {p.target_key for p in found.refers_to} == {key(index, "1.2.1.1"), key(index, "1.2.2.1"), ""}
    assert {p.mention.role for p in found.refers_to} == {"ReferencedSOPSequence"}
    assert found == partners(index.database, "instance", report.kept.sop_instance_uid)


def test_what_refers_to_a_series_or_to_an_object(index: Index, report: Arrival) -> None:
    found = partners(index.database, "series", key(index, "1.2.1.1"))
    assert found.refers_to == ()
    assert [(p.source, p.mention.target) for p in found.referred_by] == [
        ("1.2.1.9.1", "1.2.1.1.1"),
        ("1.2.1.9.1", "1.2.1.1.2"),
    ]
    assert {p.source_key for p in found.referred_by} == {report.kept.series_key}
    assert len(partners(index.database, "instance", "1.2.1.1.1").referred_by) == 1
    assert partners(index.database, "instance", "1.2.1.1.3") == Partners()


def test_series_and_studies_may_be_named_whole(index: Index, report: Arrival) -> None:
    note(index, report, [Mention("1.2.2.1", "series"), Mention("1.2.2", "study"), Mention("7.7", "series")])
    found = partners(index.database, "series", report.kept.series_key)
    assert named(found) | {"1.2.2.1": False, "1.2.2": False, "7.7": True} == named(found)
    assert {p.mention.target for p in partners(index.database, "series", key(index, "1.2.2.1")).referred_by} == {
        "1.2.2.1",
        "1.2.2.1.1",
    }


def test_what_may_not_be_seen_is_missing(index: Index, report: Arrival) -> None:
    lung = [criteria("instance", Collection="lung")]
    found = partners(index.database, "series", report.kept.series_key, lung)
    assert named(found) == {"1.2.1.1.1": False, "1.2.1.1.2": False, "1.2.2.1.1": True, "9.9.9": True}
    note(index, report, [Mention("1.2.2.1", "series"), Mention("1.2.2", "study")])
    assert {"1.2.2.1", "1.2.2"} <= set(partners(index.database, "series", report.kept.series_key, lung).missing)


def test_what_may_not_be_seen_refers_to_nothing(index: Index, report: Arrival) -> None:
    brain = [criteria("instance", Collection="brain")]
    assert partners(index.database, "series", key(index, "1.2.2.1"), brain) == Partners()
    assert partners(index.database, "series", report.kept.series_key, brain) == Partners()
    assert partners(index.database, "series", key(index, "1.2.2.1"), []) == Partners()
    assert len(partners(index.database, "series", key(index, "1.2.2.1")).referred_by) == 1


def test_the_same_is_noted_once(index: Index, report: Arrival) -> None:
    before = partners(index.database, "series", report.kept.series_key)
    note(index, report, [p.mention for p in before.refers_to])
    assert partners(index.database, "series", report.kept.series_key) == before


def test_only_the_current_version_refers(index: Index, report: Arrival) -> None:
    newer = arrival(1, series=9, Modality="SR", received=5, content="newer")
    index.add([newer])
    assert partners(index.database, "series", report.kept.series_key) == Partners()
    note(index, newer, [Mention("1.2.1.1.3")])
    assert named(partners(index.database, "series", report.kept.series_key)) == {"1.2.1.1.3": False}


def test_what_is_in_the_trash_is_missing_and_comes_back(index: Index, report: Arrival) -> None:
    series = report.kept.series_key
    index.trash("instance", "1.2.1.1.1")
    assert named(partners(index.database, "series", series))["1.2.1.1.1"]
    index.restore("instance", "1.2.1.1.1")
    assert not named(partners(index.database, "series", series))["1.2.1.1.1"]
    index.trash("series", series)
    assert partners(index.database, "series", key(index, "1.2.1.1")) == Partners()


def test_clearing_forgets_them(index: Index, report: Arrival) -> None:
    index.clear()
    index.add([arrival(1, series=9, Modality="SR")])
    assert partners(index.database, "series", report.kept.series_key) == Partners()
