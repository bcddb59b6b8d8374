"""Cohorts: frozen once, the same for ever, and honest about what is gone."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pacs_panel.archive import Archive
from pacs_panel.cohort.asked import from_text, to_text
from pacs_panel.cohort.frozen import FACTS, FORM, PART, Row, content_hash, freeze, from_parquet, to_parquet
from pacs_panel.errors import BadQuery, Damaged, Denied, NotFound, NotYetShown, PacsPanelError
from pacs_panel.index.criteria import criteria
from pacs_panel.model import Principal
from pacs_panel.policy import Rule
from pacs_panel.storage import layout
from pacs_panel.storage.files import open_range
from pacs_panel.testing import sr_on
from pacs_panel.testing.subjects import Study
from tests.archive.made import QUICK, changed, ct, opened, put

ONE, TWO = ct(4, seed=1), ct(4, seed=2, study=Study(date="20240301"))
UIDS = st.text("0123456789.", max_size=12)
ROWS = st.builds(Row, UIDS, UIDS, UIDS, UIDS, st.integers(0, 9), UIDS, st.integers(0, 99), UIDS, UIDS)


@pytest.fixture
def two(archive: Archive, tmp_path: Path) -> Archive:
    archive.ingest(put(tmp_path / "one", *ONE.datasets), collection="open")
    archive.ingest(put(tmp_path / "two", *TWO.datasets), collection="closed")
    return archive


# -- the value ---------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(rows=st.lists(ROWS, max_size=6), data=st.data())
def test_the_hash_knows_what_but_not_in_which_order(rows: list[Row], data: st.DataObject) -> None:
    expected = content_hash(rows)
    assert content_hash(data.draw(st.permutations(rows))) == expected
    assert content_hash(rows + rows[:1]) == expected
    for number, row in enumerate(rows):
        other = [*rows[:number], row._replace(file_digest=row.file_digest + "x"), *rows[number + 1 :]]
        assert (content_hash(other) == expected) == (set(other) == set(rows))


def test_the_canonical_form_is_written_down() -> None:
    """So that any program may compute it."""
    row = Row("1.2", "1.3", "k", "r", 1, "1.4", 9, "f", "d")
    uids = '"StudyInstanceUID","SeriesInstanceUID","series_key","revision","stacks","SOPInstanceUID"'
    columns = f'["pacs_panel cohort",1,{uids},"length","file_digest","dataset_digest"]'
    text = f'[{columns},["1.2","1.3","k","r",1,"1.4",9,"f","d"],["1.2","1.3","k","r",1,"1.4",10,"f","d"]]'
    assert content_hash([row._replace(length=10), row]) == hashlib.sha256(text.encode()).hexdigest()


def test_many_rows_are_hashed_as_one_array() -> None:
    row = Row("1.2", "1.3", "k", "r", 1, "1.4", 0, "f", "d")
    rows = [row._replace(length=number) for number in range(PART + 2)]
    text = json.dumps([["pacs_panel cohort", FORM, *Row._fields], *rows], separators=(",", ":"))
    assert content_hash(rows) == hashlib.sha256(text.encode()).hexdigest()


@settings(max_examples=20)
@given(rows=st.lists(ROWS, min_size=1, max_size=6))
def test_parquet_gives_back_what_was_frozen(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> None:
    made = freeze(rows, name="ñ", level="series", asked="", change=1, at=2, by="me")
    path = tmp_path_factory.mktemp("cohort") / "c.parquet"
    path.write_bytes(to_parquet(made))
    assert from_parquet(path) == made


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"Modality": ["CT", None]},
        {"StudyDate": "2025-", "text": "lung ct"},
        {"PatientName": "a*^B", "Rows": (1, 2)},
    ],
)
def test_criteria_survive_as_text(asked: dict[str, object]) -> None:
    level = "instance" if "Rows" in asked else "series"
    assert from_text(to_text(criteria(level, **asked))) == criteria(level, **asked)


# -- freezing ----------------------------------------------------------------------------------------------------------


def test_frozen_once_and_found_again(two: Archive, tmp_path: Path) -> None:
    made = two.search(Modality="CT", Collection="open").freeze("lung")
    with opened(two.root) as again:
        cohort = again.cohort("lung")
        assert (cohort.hash, len(cohort), len(cohort.rows)) == (made.hash, 1, 4)
        assert cohort.facts.change <= again.change()
        assert cohort.criteria == criteria(Modality="CT", Collection="open")
        assert [facts.name for facts in again.cohorts()] == ["lung"]
        objects = {kept.sop_instance_uid: kept.digests.file for kept in again.objects(ONE.series_uid)}
        manifest = cohort.manifest()
        assert dict(zip(manifest["SOPInstanceUID"], manifest["file_digest"], strict=True)) == objects
        assert list(cohort.to_frame()["PatientID"]) == [str(ONE.datasets[0].PatientID)]
        with pytest.raises(BadQuery, match="already"):
            again.search().freeze("lung")
        assert again.cohort("lung").hash == made.hash
        with pytest.raises(NotFound):
            again.cohort("other")
    names = [path.name for path in (two.root / "cohorts").iterdir()]
    assert names == [Path(layout.cohort("lung")).name]


def test_the_same_selection_has_the_same_hash_elsewhere(two: Archive, tmp_path: Path) -> None:
    """Whatever the order of arrival and the level of the search; also of a patient without an identifier."""
    nobody = [changed(each, PatientID="") for each in ct(2, seed=5, study=Study(date="20240401")).datasets]
    two.ingest(put(tmp_path / "nobody", *nobody))
    with opened(tmp_path / "elsewhere") as other:
        other.ingest([tmp_path / "nobody", tmp_path / "two", tmp_path / "one"])
        expected = other.search().freeze("series").hash
        assert [two.search(level).freeze(level).hash for level in ("study", "patient")] == [expected] * 2
        assert len(two.cohort("patient")) == 3
        one = other.search(SeriesInstanceUID=ONE.series_uid).freeze("one")
        assert one.hash != expected
        assert len(one.diff(two.cohort("study")).added) == 2  # cohorts of two archives can be compared, searches cannot
        with pytest.raises(BadQuery, match="another archive"):
            one.diff(two.search())


def test_what_cannot_be_frozen(two: Archive, tmp_path: Path) -> None:
    for search, name in ((two.search(Modality="MR"), "a"), (two.search("instance"), "a"), (two.search(), " ")):
        with pytest.raises(BadQuery):
            search.freeze(name)
    two.ingest(put(tmp_path / "new", ct(2, seed=3).datasets[0]), build=False)
    with pytest.raises(NotYetShown, match="1 of these series"):
        two.search().freeze("a")
    assert two.cohorts() == []


def test_damage_to_the_file_is_noticed(two: Archive) -> None:
    two.search().freeze("a")
    path = two.root / layout.cohort("a")
    table = parquet.read_table(path)
    parquet.write_table(table.slice(1), path)
    assert FACTS in parquet.read_metadata(path).metadata
    with pytest.raises(Damaged, match="not those that were frozen"):
        two.cohort("a")
    path.write_bytes(b"no Parquet")
    with pytest.raises(Damaged, match="cannot be read"):
        two.cohort("a")


# -- later -------------------------------------------------------------------------------------------------------------


def test_volumes_are_those_that_were_frozen(two: Archive, tmp_path: Path) -> None:
    """Also when the series has grown, an object has a newer version, and the index is made anew."""
    cohort = two.search().freeze("a")
    before = cohort.volume(ONE.series_uid).image.values.copy()
    newer = changed(ONE.datasets[0], RescaleIntercept="-2000")
    more = changed(ct(5, seed=1).datasets[4], SeriesInstanceUID=ONE.series_uid)
    two.ingest(put(tmp_path / "more", newer, more))
    assert two.volume(ONE.series_uid).image.values.min() < before.min()
    told = cohort.diff()
    assert (len(told.added), len(told.removed), len(told.changed)) == (0, 0, 1)
    (row,) = told.changed.to_dict("records")
    assert (row["removed"], row["other"]) == (0, 1)
    assert row["revision"] == two.revision(ONE.series_uid).revision != row["revision_before"]
    assert "1 object in another version" in row["words"]
    assert "other volumes" in str(told)
    two.reindex()
    cohort = two.cohort("a")
    volume = cohort.volume(ONE.series_uid)
    np.testing.assert_array_equal(volume.image.values, before)
    assert volume.attrs["revision"] == row["revision_before"]
    assert cohort.gone() == {}
    assert cohort.verify().clean
    sizes = {path.read_bytes() for path in cohort.export(tmp_path / "out").paths}
    assert sizes == {path.read_bytes() for name in ("one", "two") for path in (tmp_path / name).iterdir()}


def test_what_is_gone_is_told(two: Archive, tmp_path: Path) -> None:
    cohort = two.search().freeze("a")
    key = str(two.find(ONE.series_uid)["key"])
    uid = str(TWO.datasets[2].SOPInstanceUID)
    two.remove(ONE.series_uid)
    two.remove(uid, "instance")
    assert set(cohort.gone()) == {key, str(two.find(TWO.series_uid)["key"])}
    for read in (lambda: cohort.volume(ONE.series_uid), lambda: cohort.export(tmp_path / "x", "nifti")):
        with pytest.raises(NotFound, match=ONE.series_uid):
            read()
    with pytest.raises(NotFound, match=uid):
        cohort.volume(TWO.series_uid)
    assert len(cohort.verify().gone) == 2
    assert list(cohort.diff().removed["SeriesInstanceUID"]) == [ONE.series_uid]
    frame = cohort.to_frame().set_index("SeriesInstanceUID")
    assert "removed" in frame.loc[ONE.series_uid, "gone"]
    two.restore(ONE.series_uid)
    two.empty_trash()
    assert cohort.volume(ONE.series_uid).image.shape == (4, 16, 16)
    exported = cohort.export(tmp_path / "part", partial=True)
    assert len(exported.paths) == 4
    assert uid in exported.left[0]


def test_a_revision_that_is_gone_is_not_replaced(two: Archive, tmp_path: Path) -> None:
    cohort = two.search(SeriesInstanceUID=ONE.series_uid).freeze("a")
    shutil.rmtree(two.root / two.revision(ONE.series_uid).path)
    with pytest.raises(NotFound, match="revision"):
        cohort.volume(ONE.series_uid)
    assert not cohort.verify().clean
    assert len(cohort.export(tmp_path / "out").paths) == 4  # the bytes are there


def test_verify_reads_the_bytes(two: Archive) -> None:
    cohort = two.search().freeze("a")
    where = two.objects(TWO.series_uid)[1]
    path = two.root / layout.pack(where.location.path)
    with open_range(path, where.location.offset, where.location.length) as source:
        assert source.read()
    with path.open("r+b") as file:
        file.seek(where.location.offset + where.location.length - 3)
        file.write(b"?")
    found = cohort.verify()
    assert [each.sop_instance_uid for each in found.damaged] == [where.sop_instance_uid]
    assert (found.objects, found.clean, found.gone) == (8, False, ())


# -- out ---------------------------------------------------------------------------------------------------------------


def test_exports(two: Archive, tmp_path: Path) -> None:
    two.ingest(put(tmp_path / "sr", *sr_on(ONE).datasets))
    cohort = two.search().freeze("a")
    target = tmp_path / "out"
    nifti = cohort.export(target, "nifti")
    assert sum(path.name.endswith(".nii.gz") for path in nifti.paths) == 2
    assert len(nifti.left) == 1
    assert "no volumes" in nifti.left[0]
    assert len(cohort.export(tmp_path / "zarr", "zarr").paths) == 2
    with pytest.raises(PacsPanelError, match="already"):
        cohort.export(target, "nifti")
    with pytest.raises(BadQuery, match="csv"):
        cohort.export(target, "doc")
    (csv,) = cohort.export(target, "csv").paths
    (table,) = cohort.export(target, "parquet").paths
    assert list(pd.read_csv(csv, dtype=str)["SOPInstanceUID"]) == list(cohort.manifest()["SOPInstanceUID"])
    assert from_parquet(table).rows == cohort.rows
    assert str(ONE.datasets[0].PatientID).encode() not in csv.read_bytes() + table.read_bytes()


# -- tables ------------------------------------------------------------------------------------------------------------


def test_joining_a_table(two: Archive) -> None:
    cohort = two.search().freeze("a")
    studies = [str(each.datasets[0].StudyInstanceUID) for each in (ONE, TWO)]
    table = pd.DataFrame({"StudyInstanceUID": [studies[0] + " ", "9.9", None], "age": [70, 50, 1]})
    joined = cohort.join(table, on="StudyInstanceUID")
    assert list(joined.frame["SeriesInstanceUID"]) == [ONE.series_uid]
    assert list(joined.frame["age"]) == [70]
    assert list(joined.without["SeriesInstanceUID"]) == [TWO.series_uid]
    assert list(joined.unused["age"]) == [50, 1]
    assert str(joined).startswith("1 series joined by StudyInstanceUID; 1 series without")
    part = cohort.only(joined.frame.query("age > 60")["series_key"])
    assert (len(part), part.name, part.facts.part_of) == (1, "", cohort.hash)
    assert part.freeze("old").hash == two.cohort("old").hash == part.hash != cohort.hash
    assert list(cohort.diff(part).removed["SeriesInstanceUID"]) == [TWO.series_uid]
    assert cohort.diff(two.search()).same
    with pytest.raises(BadQuery, match="known criteria"):
        part.diff()
    for wrong, on in ((table, "age"), (table[["age"]], "PatientID"), (pd.concat([table, table]), "StudyInstanceUID")):
        with pytest.raises(BadQuery):
            cohort.join(wrong, on=on)


# -- who may -----------------------------------------------------------------------------------------------------------


def test_a_cohort_holds_and_shows_what_one_may_see(two: Archive) -> None:
    two.search(text="ct").freeze("all")
    two.search(Collection="closed").freeze("closed")
    rules = (
        Rule("keeper", frozenset({"read", "write"}), {"Collection": "open"}),
        Rule("reader", frozenset({"read"})),
    )
    with (
        Archive(two.root, QUICK, Principal("k", frozenset({"keeper"})), rules) as keeper,
        Archive(two.root, QUICK, Principal("r", frozenset({"reader"})), rules) as reader,
    ):
        assert set(keeper.search().freeze("mine").manifest()["SeriesInstanceUID"]) == {ONE.series_uid}
        shown = keeper.cohort("all")
        assert (len(shown), shown.withheld) == (1, 1)
        assert set(shown.to_frame()["SeriesInstanceUID"]) == {ONE.series_uid}
        assert shown.facts.asked == ""
        with pytest.raises(Denied):
            shown.criteria  # noqa: B018
        with pytest.raises(NotFound):
            shown.volume(TWO.series_uid)
        with pytest.raises(NotFound):
            keeper.cohort("closed")
        assert [facts.name for facts in keeper.cohorts()] == ["all", "mine"]
        assert len(reader.cohort("all")) == 2
        with pytest.raises(Denied):
            reader.search().freeze("theirs")
        with pytest.raises(Denied):
            reader.cohort("all").only([ONE.series_uid]).freeze("theirs")
    stranger = two.as_(Principal("stranger"))
    for name in ("all", "none"):
        with pytest.raises(Denied):
            stranger.cohort(name)
    with pytest.raises(Denied):
        stranger.cohorts()
