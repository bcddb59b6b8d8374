from __future__ import annotations

from typing import Any

import numpy as np
import pytest

MADE_UP = "a" * 26


@pytest.fixture
def ct(archive: Any) -> tuple[str, str]:
    key = str(archive.search(Modality="CT", PatientID="PP-0001").page().rows[0]["key"])
    return key, archive.revision(key).revision


@pytest.fixture
def mr(archive: Any) -> tuple[str, str]:
    key = str(archive.search(Modality="MR").page().rows[0]["key"])
    return key, archive.revision(key).revision


def stored(archive: Any, key: str, level: int = 0) -> np.ndarray:
    return np.asarray(archive.open_frames(key, 0).volume(level))


def at(series: tuple[str, str], rest: str) -> str:
    return f"/frames/{series[0]}/{series[1]}/0/{rest}"


def test_meta_tells_what_the_frames_are(client, archive, ct):
    meta = client.get(at(ct, "meta.json")).json()
    assert (meta["series_key"], meta["revision"], meta["stack"]) == (*ct, 0)
    assert meta["shape"] == [12, 40, 300]
    assert len(meta["views"]) == 3
    assert not any("Phantom" in part or "PP-0001" in part for part in meta["title"])


@pytest.mark.parametrize(("axis", "index"), [(0, 5), (1, 20), (2, 31)])
def test_planes_have_the_values_of_the_volume(client, archive, ct, axis, index):
    answer = client.get(at(ct, f"0/{axis}/{index}"))
    meta = client.get(at(ct, "meta.json")).json()
    values = np.frombuffer(answer.content, meta["dtype"]).astype(float) * meta["slope"] + meta["intercept"]
    truth = archive.volume(ct[0])["image"].values.take(index, axis=axis)
    assert np.array_equal(values.reshape(truth.shape), truth)
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("level", [0, 1])
def test_volumes_are_exact(client, archive, ct, level):
    got = client.get(at(ct, f"{level}/volume")).content
    truth = archive.open_frames(ct[0], 0).frames.volume(level)
    assert np.array_equal(np.frombuffer(got, truth.dtype).reshape(truth.shape), truth)


def test_extra_dimensions_are_addressed(client, archive, mr):
    for time in range(3):
        got = np.frombuffer(client.get(at(mr, f"0/0/1?extra={time}")).content, "<u2")
        truth = archive.open_frames(mr[0], 0).frames.plane(0, 0, 1, (time,))
        assert np.array_equal(got, truth.astype("<u2").ravel())


def test_a_browser_that_has_it_gets_it_not_again(client, ct):
    first = client.get(at(ct, "0/0/3"))
    again = client.get(at(ct, "0/0/3"), headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(at(ct, "0/0/4")).headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize(
    "rest", ["0/0/12", "0/3/0", "9/0/0", "0/0/-1", "9/volume", "0/0/x", "0/volume?extra=0", "0/0/1?extra=a"]
)
def test_what_is_not_there_is_404_in_words(client, ct, rest):
    answer = client.get(at(ct, rest))
    assert answer.status_code == 404
    assert set(answer.json()) == {"what", "hint"}
    assert answer.headers["cache-control"] == "no-store"


def test_unknown_series_revisions_and_stacks_are_404(client, ct):
    for path in (
        f"/frames/{MADE_UP}/{ct[1]}/0/0/0/0",
        f"/frames/{ct[0]}/{MADE_UP}/0/0/0/0",
        f"/frames/{ct[0]}/{ct[1]}/7/0/0/0",
        f"/frames/{ct[0]}/{MADE_UP}/0/meta.json",
        f"/thumbnails/{ct[0]}/{MADE_UP}.png",
        f"/thumbnails/{ct[0]}/..%2F..%2Fx.png",
    ):
        assert client.get(path).status_code == 404, path


def test_thumbnails(client, archive, ct):
    answer = client.get(f"/thumbnails/{ct[0]}/{ct[1]}.png")
    assert answer.content == archive.thumbnail(ct[0])
    assert answer.headers["content-type"] == "image/png"


def test_what_has_no_volume_says_so(client, archive):
    key = str(archive.search(Modality="SEG").page().rows[0]["key"])
    answer = client.get(f"/frames/{key}/{archive.revision(key).revision}/0/0/0/0")
    assert answer.status_code == 404
    assert "there is no image in it" in answer.json()["what"]


def test_what_is_removed_is_no_longer_given(client, archive, mr):
    assert client.get(at(mr, "0/0/0?extra=0")).status_code == 200
    archive.remove(mr[0])
    assert client.get(at(mr, "0/0/0?extra=0")).status_code == 404
    archive.restore(mr[0])
    assert client.get(at(mr, "0/0/0?extra=0")).status_code == 200
