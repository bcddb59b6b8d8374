"""Charts: what they count, how they narrow each other, what they ask of a search, and the page they are on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import panel as pn
import pytest

from pacs_panel.errors import BadQuery
from pacs_panel.serve.selections import Selections
from pacs_panel.view.charts import bins, chart, draw, edges, live, overview
from pacs_panel.view.charts.board import JOINT, Board, Overview, counted
from pacs_panel.view.charts.crossfilter import CrossFilter
from pacs_panel.view.charts.measures import measure
from pacs_panel.view.charts.pages import charts_page
from pacs_panel.view.charts.saying import said
from tests.project.test_imports_lazy import loaded
from tests.view.accessible import LIGHT_AND_DARK, accessible, in_theme
from tests.view.reading import wait_for

FRAME = pd.DataFrame(
    {
        "key": list("abcdefgh"),
        "Modality": pd.Categorical(["CT", "CT", "MR", "ct", None, "MR", "PT", "CT"]),
        "StudyDate": pd.Categorical(
            ["20200105", "20210301", "20210315", "20220704", None, "20240101", "20240102", "2024"]
        ),
        "PixelSpacing": [0.5, 0.7, 1.0, 0.9, np.nan, 1.0, 4.0, 0.3],
        "SliceThickness": [1.0, 1.0, 3.0, 5.0, np.nan, 3.0, 3.27, 0.6],
        "NumberOfSeriesRelatedInstances": pd.array([1, 30, 200, 30, None, 1, 64, 2000], dtype="Int64"),
        "PatientAge": pd.Categorical(["061Y", "006M", "061Y", "012Y", None, "odd", "045Y", "099Y"]),
        "ScanningSequence": pd.Categorical(["SE\\IR", "SE", "GR", None, None, "GR\\SE", "SE", "IR"]),
    }
)


def binned(keyword: str, frame: pd.DataFrame = FRAME) -> bins.Bins:
    return bins.of(measure(keyword), frame[keyword])


def by_label(found: bins.Bins, mask: np.ndarray | None = None) -> dict[str, int]:
    return {label: int(n) for label, n in zip(found.labels, found.counts(mask), strict=True) if n}


# -- bars --------------------------------------------------------------------------------------------------------------


def test_values_are_counted_without_regard_to_case() -> None:
    assert by_label(binned("Modality")) == {"CT": 4, "MR": 2, "PT": 1, "none": 1}


def test_each_of_several_values_has_its_own_bar() -> None:
    found = binned("ScanningSequence")
    assert by_label(found) == {"SE": 4, "IR": 2, "GR": 2, "none": 2}
    chosen = [found.labels.index(label) for label in ("IR", "none")]
    assert found.rows(chosen).tolist() == [True, False, False, True, True, False, False, True]
    assert by_label(found, found.rows([found.labels.index("IR")])) == {"IR": 2, "SE": 1}


def test_every_row_is_in_exactly_one_bar_of_a_histogram() -> None:
    for keyword in ("StudyDate", "PixelSpacing", "SliceThickness", "NumberOfSeriesRelatedInstances", "PatientAge"):
        found = binned(keyword)
        assert found.counts().sum() == len(FRAME), keyword
        assert len(found.labels) == len(found.asked) == found.ranges + 1


@pytest.mark.parametrize("seed", range(3))
def test_numbers_lie_between_the_edges_of_their_bars(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = pd.Series(np.concatenate([rng.lognormal(0, 2, 500).round(2).clip(0.01), [np.nan] * 7]))
    found = bins.of(measure("PixelSpacing"), values)
    assert found.log
    assert found.edges is not None
    inner = (found.place > 0) & (found.place < found.ranges - 1)
    place = found.place[inner]
    assert ((found.edges[place] <= values[inner]) & (values[inner] < found.edges[place + 1])).all()
    assert (found.place == found.ranges).sum() == 7


def test_edges_are_round() -> None:
    assert edges.for_numbers(np.array([1.0, 2.0, 6.0]), step=5.0).at.tolist() == [0, 5, 10]
    assert edges.for_numbers(np.array([3.0, 3.0]), whole=True).at.tolist() == [3, 4]
    whole = edges.for_numbers(np.array([1.0, 40.0, 1000.0]), whole=True)
    assert whole.log
    assert whole.at[:6].tolist() == [1, 2, 3, 4, 5, 6]
    assert (np.diff(whole.at) >= 1).all()
    days = [np.datetime64(day) for day in ("2024-01-31", "2024-02-02", "2024-12-01", "2034-01-01")]
    assert [len(edges.for_dates(days[0], day)) - 1 for day in days] == [1, 3, 12, 11]


def test_ages_are_years() -> None:
    assert [edges.years(text) for text in ("061Y", "006M", "052W")] == [61, 0.5, pytest.approx(0.997, abs=1e-3)]
    assert np.isnan(edges.years("old"))
    assert by_label(binned("PatientAge"))["none"] == 2
    spans = edges.age_spans(np.array([0.0, 5.0, 10.0]), 0.5, 7.0)
    assert [str(span) for span in spans] == ["0Y-260W", "5Y-521W"]


def test_a_column_without_values_has_no_chart() -> None:
    empty = pd.DataFrame({"PixelSpacing": [np.nan] * 3, "Modality": pd.Categorical([None] * 3)})
    assert not binned("PixelSpacing", empty).said
    assert counted(empty).charts.keys() == set()


# -- narrowing ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def rows() -> CrossFilter:
    return counted(FRAME)


def test_brushes_narrow_all_charts_but_their_own(rows: CrossFilter) -> None:
    ct = rows.charts["Modality"].labels.index("CT")
    rows.brush("Modality", [ct])
    assert rows.count() == 4
    assert rows.counts("Modality").tolist() == rows.whole("Modality").tolist()
    assert rows.counts("PatientAge").sum() == 4
    thin = range(rows.charts["SliceThickness"].ranges // 4)
    rows.brush("SliceThickness", thin)
    expected = FRAME["Modality"].isin(["CT", "ct"]) & rows.charts["SliceThickness"].rows(thin)
    assert rows.selected().tolist() == expected.tolist()
    assert rows.counts("Modality").sum() == rows.charts["SliceThickness"].rows(thin).sum()
    rows.brush("Modality")
    rows.toggle("SliceThickness", 10_000)
    assert set(rows.chosen) == {"SliceThickness"}
    rows.brush("SliceThickness")
    assert rows.count() == rows.rows


def test_two_measures_at_once(rows: CrossFilter) -> None:
    grid = rows.joint("PixelSpacing", "SliceThickness")
    assert grid.sum() == 7
    assert grid.sum(axis=0).tolist() == rows.whole("PixelSpacing")[:-1].tolist()
    rows.brush("PixelSpacing", [0])
    assert rows.joint("PixelSpacing", "SliceThickness").sum() == 7
    rows.brush("Modality", [rows.charts["Modality"].labels.index("PT")])
    assert rows.joint("PixelSpacing", "SliceThickness").sum() == 1


def test_brushes_in_words(rows: CrossFilter) -> None:
    years = rows.charts["StudyDate"]
    assert said(years, [0, 1]) == f"{years.labels[0]} – {years.labels[1]}"
    assert said(years, [0, years.ranges]) == f"{years.labels[0]}, none"
    assert said(rows.charts["Modality"], range(4)) == "CT, MR, PT and 1 more"
    wide = bins.of(measure("PixelSpacing"), pd.Series([0.001, *[0.5, 0.6, 0.7] * 200, 90.0]))
    assert said(wide, range(wide.ranges)) == "any"
    assert said(wide, [0, 1]).startswith("up to ")
    assert said(wide, [wide.ranges - 2, wide.ranges - 1]).endswith(" more")


# -- drawing -----------------------------------------------------------------------------------------------------------


def test_elements_for_a_notebook() -> None:
    bars = chart(FRAME, "Modality")
    assert isinstance(bars, hv.Rectangles)
    assert bars.dimension_values("name").tolist() == ["CT", "MR", "PT", "none"]
    assert bars.dimension_values("count").tolist() == [4, 2, 1, 1]
    spacing = chart(FRAME, "PixelSpacing")
    assert isinstance(spacing, hv.Histogram)
    assert spacing.dimension_values("count").sum() == 7
    assert spacing.kdims[0].label == "In-plane spacing (mm)"
    dates = chart(FRAME, "StudyDate")
    assert dates.dimension_values("count").sum() == 6  # one has none, and "2024" is no day
    hv.render((spacing + bars).cols(1))


def test_many_values_are_drawn_as_a_few_and_all_others() -> None:
    frame = pd.DataFrame({"Manufacturer": pd.Categorical([f"maker {n}" for n in range(30) for _ in range(30 - n)])})
    found = binned("Manufacturer", frame)
    told = draw.told(found, found.counts())
    assert told.labels[0] == "maker 0"
    assert told.labels[-1] == f"{30 - draw.SLOTS} others"
    assert sum(told.counts) == len(frame)
    last = found.labels.index("maker 29")
    assert "maker 29" in draw.told(found, found.counts(), {last}).labels


def drawn(element: Any) -> dict[str, Any]:
    return hv.renderer("bokeh").get_plot(element).handles


@pytest.mark.parametrize("keyword", ["Modality", "PixelSpacing", "StudyDate"])
def test_a_chart_brought_up_to_date_is_as_if_drawn_anew(keyword: str) -> None:
    found = binned(keyword)
    mask = FRAME["Modality"].isin(["CT", "MR"]).to_numpy()
    now = drawn(draw.chart(found, found.counts()))
    live.update(now, found, found.counts(mask), {1}, draw.DARK)
    anew = drawn(draw.chart(found, found.counts(mask), {1}, draw.DARK))
    for name, column in anew["source"].data.items():
        assert list(now["source"].data[name]) == list(column), name
    assert (now["y_range"].start, now["y_range"].end) == (anew["y_range"].start, anew["y_range"].end)
    assert now["x_range"].end == anew["x_range"].end
    assert now["color_color_mapper"].palette == anew["color_color_mapper"].palette
    if keyword == "Modality":
        places = anew["yaxis"].ticker.ticks
        assert now["yaxis"].ticker.ticks == places
        labels = [[each["yaxis"].major_label_overrides[place] for place in places] for each in (now, anew)]
        assert labels[0] == labels[1]


def test_a_density_brought_up_to_date_is_as_if_drawn_anew(rows: CrossFilter) -> None:
    across, up = rows.charts["PixelSpacing"], rows.charts["SliceThickness"]
    now = drawn(draw.density(across, up, rows.joint("PixelSpacing", "SliceThickness")))
    rows.brush("Modality", [0])
    counts = rows.joint("PixelSpacing", "SliceThickness")
    live.update_density(now, counts, draw.LIGHT)
    anew = drawn(draw.density(across, up, counts))
    for name, column in anew["source"].data.items():
        np.testing.assert_array_equal(now["source"].data[name], column, name)
    live.update_density(now, np.zeros_like(counts), draw.LIGHT)
    assert np.isnan(now["source"].data["count"]).all()


# -- the board ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def board(rows: CrossFilter) -> Board:
    return Board(rows)


def test_clicks_and_drags_choose_bars(board: Board) -> None:
    shown = draw.slots(board.filter.charts["Modality"], board.filter.counts("Modality"))
    board.tapped("Modality", 1.0, -1.2)
    assert board.filter.chosen == {"Modality": {shown[1]}}
    board.tapped("Modality", 1.0, -0.8)
    board.tapped("Modality", 1.0, -40.0)
    board.tapped(JOINT, 1.0, 1.0)
    assert board.filter.chosen == {}
    day = np.datetime64("2021-06-01", "ms").astype(float)
    year = 366 * 86_400_000.0
    board.dragged("StudyDate", {"type": "rect", "x0": day + year, "x1": day})
    dates = board.filter.charts["StudyDate"]
    assert {dates.labels[bar] for bar in board.filter.chosen["StudyDate"]} <= {"2021", "2022"} | set(dates.labels)
    assert board.filter.selected().tolist() == dates.rows(board.filter.chosen["StudyDate"]).tolist()
    board.clear()
    box = {"type": "rect", "x0": 0.45, "x1": 1.05, "y0": 0.5, "y1": 3.1}
    board.dragged(JOINT, box)
    assert set(board.filter.chosen) == {"PixelSpacing", "SliceThickness"}
    assert board.filter.selected().tolist() == [True, True, True, False, False, True, False, False]
    board.dragged(JOINT, {"type": "poly"})
    board.dragged("Modality", box)
    assert set(board.filter.chosen) == {"PixelSpacing", "SliceThickness"}


def test_the_table_behind_a_chart(board: Board) -> None:
    card = board.cards["Modality"]
    assert "rows" not in card.shown
    board.hear("Modality", {"kind": "table"})
    assert [(row["label"], row["count"], row["chosen"]) for row in card.shown["rows"]] == [
        ("CT", 4, False),
        ("MR", 2, False),
        ("PT", 1, False),
        ("none", 1, False),
    ]
    board.hear("Modality", {"kind": "toggle", "bar": card.shown["rows"][1]["bar"]})
    assert [row["chosen"] for row in card.shown["rows"]] == [False, True, False, False]
    assert board.filter.count() == 2
    assert card.shown["note"] == "MR"
    assert card.shown["brushed"]
    board.hear("Modality", {"kind": "clear"})
    board.hear(JOINT, {"kind": "toggle", "bar": 0})
    board.hear("Modality", {"kind": "toggle", "bar": "1; drop"})
    board.hear("Modality", {"kind": "nonsense"})
    assert board.filter.chosen == {}


def test_an_overview_of_a_table_and_of_a_search(demo_archive: Any) -> None:
    of_table = overview(FRAME)
    assert of_table.summary.shown["count"] == len(FRAME)
    assert of_table.summary.shown["browse"] is None
    found = demo_archive.charts(Modality=["CT", "MR"])
    assert found.summary.shown["whole"] == demo_archive.search(Modality=["CT", "MR"]).count()
    found.board.brush({"Modality": [found.board.filter.charts["Modality"].labels.index("CT")]})
    assert found.summary.shown["brushes"] == [{"keyword": "Modality", "words": "Modality: CT"}]
    assert found.criteria() == {"Modality": ["CT"]}
    assert found.selected().sum() == demo_archive.search(Modality="CT").count()
    found.hear({"kind": "drop", "keyword": "Modality"})
    assert found.criteria() == {}


def test_freezing_and_what_is_said_of_it() -> None:
    kept: list[tuple[dict[str, Any], str]] = []

    def freeze(criteria: Any, name: str) -> None:
        if name == "taken":
            raise BadQuery("there is one already")
        kept.append((dict(criteria), name))

    shown = Overview(FRAME, freeze=freeze)
    shown.hear({"kind": "freeze", "name": "taken"})
    assert shown.summary.shown["said"] == "there is one already"
    shown.hear({"kind": "freeze", "name": "mine"})
    assert (shown.summary.shown["frozen"], shown.summary.shown["said"]) == ("mine", "")
    assert kept == [({}, "mine")]


def test_empty_and_failing_and_changed() -> None:
    nothing = Overview(FRAME.iloc[:0], browse=lambda _: "browse")
    assert nothing.summary.shown["state"] == "message"
    assert nothing.summary.shown["link"] == ["browse", "Back to Browse"]

    class Broken:
        def columns(self, *_: str) -> None:
            raise BadQuery("it cannot be said so")

    failed = Overview(Broken())
    assert failed.summary.shown["words"] == "it cannot be said so"
    assert failed.summary.shown["again"]
    shown = Overview(FRAME)
    shown.changed()
    assert shown.summary.shown["stale"]
    shown.hear({"kind": "again"})
    assert not shown.summary.shown["stale"]


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_imports_what_draws_only_when_it_draws() -> None:
    modules = loaded("import pacs_panel.view.charts.pages")
    assert not {"holoviews", "pandas"} & {name.partition(".")[0] for name in modules}


def test_an_expired_selection_is_explained(demo_archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs_panel.view.charts.pages.asked", lambda: {"chosen": ["gone"]})
    page = charts_page(demo_archive, taken=lambda _token: None)
    (told,) = page.main[0]
    assert told.shown["title"] == "This selection is not kept any more"
    assert told.shown["link"][0] == "browse"


@pytest.mark.browser
@pytest.mark.parametrize("theme", LIGHT_AND_DARK)
def test_everybody_can_use_it(demo_archive: Any, page: Any, serve_app: Any, theme: str) -> None:
    address = serve_app({"charts": lambda: charts_page(demo_archive)})
    in_theme(page, address, theme)
    page.goto(f"{address}/charts?Modality=CT&Modality=MR")
    page.locator("section[aria-label='Collection'] .chart canvas").first.wait_for()
    page.locator("section[aria-label='Modality']").get_by_role("button", name="Modality as table").click()
    page.locator("section[aria-label='Modality'] tbody tr").first.wait_for()
    accessible(page)


@pytest.mark.browser
def test_brushing_in_a_browser(demo_archive: Any, page: Any, serve_app: Any, tmp_path: Path) -> None:
    kept = Selections()
    make = lambda: charts_page(demo_archive, hand_over=kept.put, taken=kept.get)  # noqa: E731 (Panel wants a function)
    page.goto(f"{serve_app({'charts': make})}/charts?Modality=CT&Modality=MR&Modality=US")
    line, modality = page.locator(".line"), page.locator("section[aria-label='Modality']")
    whole = demo_archive.search(Modality=["CT", "MR", "US"]).count()
    line.get_by_text(f"{whole} series", exact=True).wait_for()
    box = modality.locator(".chart canvas").first
    box.wait_for()
    page.locator("section[aria-label='Collection'] .chart canvas").first.wait_for()  # the last one is drawn
    place = box.bounding_box()
    page.mouse.click(place["x"] + place["width"] * 0.4, place["y"] + 22)
    ct = demo_archive.search(Modality="CT").count()
    line.get_by_text(f"{ct} of {whole} series").wait_for()
    wait_for(page, lambda: modality.locator(".note").text_content() == "CT")

    modality.get_by_role("button", name="Modality as table").click()
    page.keyboard.press("Tab")
    rows = modality.locator("tbody tr")
    assert rows.nth(0).text_content().startswith("CT")
    rows.filter(has_text="MR").get_by_role("button").press("Enter")
    both = demo_archive.search(Modality=["CT", "MR"]).count()
    line.get_by_text(f"{both} of {whole} series").wait_for()
    with page.expect_download() as waiting:
        modality.get_by_role("button", name="Download CSV").click()
    waiting.value.save_as(tmp_path / "table.csv")
    table = pd.read_csv(tmp_path / "table.csv", encoding="utf-8-sig")
    assert list(table.columns) == ["Modality", "series", "series of all"]
    assert table.set_index("Modality")["series"]["CT"] == ct

    assert line.get_by_role("link", name="Show these series in Browse").get_attribute("href") == (
        "browse?Modality=CT&Modality=MR"
    )
    line.get_by_role("button", name="Clear all").click()
    line.get_by_text(f"{whole} series", exact=True).wait_for()
    assert pn.state.curdoc is None
