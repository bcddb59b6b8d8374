"""What speaks of a series is known whichever came first, and forgotten with it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pacs_panel.index.arrival import Arrival
from pacs_panel.index.criteria import criteria
from pacs_panel.index.mention import Mention
from pacs_panel.index.spoken import recount
from pacs_panel.index.store import Index
from tests.index.made import arrival


def speaking(
    series: int, modality: str, *targets: str, level: str = "instance", study: int = 1, **told: object
) -> Arrival:
    one = arrival(1, series, study, Modality=modality, **told)  # type: ignore[arg-type]
    return replace(one, mentions=tuple(Mention(target, level) for target in targets))  # type: ignore[arg-type]


def objects(index: Index) -> dict[str, str]:
    return {str(row["SeriesInstanceUID"]): str(row["Objects"]) for row in index.search().rows() if row["Objects"]}


ALL = [
    arrival(1, 1, FrameOfReferenceUID="5"),
    arrival(2, 1, FrameOfReferenceUID="5"),
    arrival(1, 2),
    speaking(3, "SEG", "1.2.1.1.1", "1.2.1.1.2", "9.9"),
    speaking(4, "RTSTRUCT", "1.2.1.1", level="series"),
    speaking(5, "SR", "1.2.1.3.1", "1.2.1.5.1", study=1),
    speaking(6, "RTDOSE", "9.9", FrameOfReferenceUID="5"),
    speaking(7, "RTDOSE", "9.9", study=2, FrameOfReferenceUID="5"),
]
TOLD = {"1.2.1.1": "RTDOSE\\RTSTRUCT\\SEG", "1.2.1.3": "SR"}


@pytest.mark.parametrize("seed", range(6))
def test_in_any_order(index: Index, seed: int) -> None:
    dice = random.Random(seed)
    for one in dice.sample(ALL, len(ALL)):
        index.add([one])
    assert objects(index) == TOLD
    keys = [str(row["key"]) for row in index.search().rows()]
    with index.database.write() as connection:
        recount(connection, 1, keys)
    assert objects(index) == TOLD


def test_at_once(index: Index) -> None:
    index.add(ALL)
    assert objects(index) == TOLD
    assert dict(index.search().facets("Objects")["Objects"]) == {None: 5, "RTDOSE": 1, "RTSTRUCT": 1, "SEG": 1, "SR": 1}
    assert index.search(asked=criteria(Objects="seg")).count() == 1
    assert index.search("study", criteria("study", Objects=["SEG"])).count() == 1


def test_what_is_removed_speaks_no_more(index: Index) -> None:
    index.add(ALL)
    key = str(index.search(asked=criteria(Modality="SEG")).page().rows[0]["key"])
    index.search().facets("Objects")
    index.trash("series", key)
    assert objects(index) == {"1.2.1.1": "RTDOSE\\RTSTRUCT"}
    assert dict(index.search().facets("Objects")["Objects"]) == {None: 5, "RTDOSE": 1, "RTSTRUCT": 1}
    index.restore("series", key)
    assert objects(index) == TOLD


def test_a_removed_series_comes_back_with_what_speaks_of_it(index: Index) -> None:
    index.add(ALL[:1])
    key = str(index.search().page().rows[0]["key"])
    index.trash("series", key)
    index.add(ALL[2:])
    index.restore("series", key)
    assert objects(index) == TOLD


def test_a_newer_version_speaks_of_something_else(index: Index) -> None:
    index.add(ALL)
    newer = speaking(3, "SEG", "1.2.1.2.1", content="newer", received=2)
    index.add([newer])
    assert objects(index) == {"1.2.1.1": "RTDOSE\\RTSTRUCT", "1.2.1.2": "SEG", "1.2.1.3": "SR"}
