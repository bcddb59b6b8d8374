"""The viewer in a headless Chromium: from the wheel to the painted slice, beside a HoloViews DynamicMap."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.measure import Row, Scale, alternate, quantile

TITLE = "Viewer"
NOTES = """
512 × 512 pixels a slice, int16, headless Chromium without a GPU, loopback. Each step waits until the one before it is
seen, by looking once a frame of the browser's (60 a second at most); ours is seen when it is painted, the DynamicMap's
when its data have come. All three planes of ours are shown, and follow.
"""
WARM = 5  # steps before it counts
OURS = """async (canvas, steps) => {
    const box = canvas.getBoundingClientRect(), pane = canvas.parentElement, took = [];
    const at = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
    const turn = { deltaY: 120, bubbles: true, cancelable: true, composed: true, ...at };
    for (let step = 0; step < steps; step++) {
        const next = String(Number(canvas.dataset.slice) + 1), start = performance.now();
        canvas.dispatchEvent(new WheelEvent("wheel", turn));
        do {
            await new Promise(requestAnimationFrame);
            if (performance.now() - start > 10000) throw new Error(`slice ${next} did not come`);
        }
        while (canvas.dataset.slice !== next || canvas.dataset.level !== "0");
        took.push(performance.now() - start);
    }
    return took;
}"""
PEER = """async (steps) => {
    const models = [...Bokeh.documents[0]._all_models.values()], took = [];
    const slider = models.find(({ type }) => type.endsWith("Slider"));
    const source = models.find((model) => model.data?.image ?? model.data?.get?.("image"));
    const image = () => (source.data.image ?? source.data.get("image"))[0];
    for (let step = 0; step < steps; step++) {
        const next = slider.value + 1, start = performance.now();
        slider.value = next;
        do {
            await new Promise(requestAnimationFrame);
            if (performance.now() - start > 10000) throw new Error(`slice ${next} did not come`);
        }
        while (image()[0] !== next);
        took.push(performance.now() - start);
    }
    return took;
}"""


def run(folder: Path, scale: Scale) -> list[Row]:
    steps = scale.of(100, 50, 4)
    volume = np.random.default_rng(0).integers(900, 1100, (scale.rounds * steps + 20, 512, 512), np.int16)
    volume[:, 0, 0] = volume[:, -1, 0] = np.arange(len(volume))
    found = _browsed(volume, steps, scale.rounds)
    ours, peer = ([one for round_ in rounds for one in round_] for rounds in found)
    return [
        *(_row(f"wheel to paint, p{part}", quantile(ours, part / 100), quantile(peer, part / 100), aim)
          for part, aim in ((50, ""), (95, "≤ 20 ms"))),
        Row("frames/s", f"{_rate(ours):.0f}", f"{_rate(peer):.0f}", f"{_rate(ours) / _rate(peer):.1f}", "≥ 50"),
    ]  # fmt: skip


def _row(what: str, ours: float, peer: float, aim: str) -> Row:
    return Row(what, f"{ours:.1f} ms", f"{peer:.1f} ms", f"{ours / peer:.2f}", aim)


def _rate(milliseconds: Sequence[float]) -> float:
    return 1000 * len(milliseconds) / sum(milliseconds)


def _browsed(volume: np.ndarray, steps: int, rounds: int) -> list[list[list[float]]]:
    """Milliseconds of every step, of ours and of the peer, round by round."""
    from playwright.sync_api import sync_playwright

    from tests.browser_fixtures import ARGUMENTS, run
    from tests.conftest import find_peer

    address, stop = run(_app(volume))
    try:
        with sync_playwright() as play:
            chromium = play.chromium.launch(executable_path=str(find_peer("chromium")), args=ARGUMENTS)
            pages = [chromium.new_page(viewport={"width": 1400, "height": 900}) for _ in range(2)]
            pages[0].goto(f"{address}/ours")
            canvas = pages[0].locator('canvas[data-plane="axial"][data-level="0"][data-painted]')
            canvas.wait_for(timeout=60_000)
            pages[1].goto(f"{address}/peer")
            pages[1].locator("canvas").first.wait_for(timeout=60_000)
            for page in pages:
                page.wait_for_load_state("networkidle")
            for page, where, script in ((pages[0], canvas, OURS), (pages[1], pages[1], PEER)):
                _front(page, where, script, WARM)
            ours, peer = partial(_front, pages[0], canvas, OURS), partial(_front, pages[1], pages[1], PEER)
            found = alternate(rounds, lambda _: ours(steps), lambda _: peer(steps))
            chromium.close()
            return found
    finally:
        stop()


def _front(page: Any, where: Any, script: str, steps: int) -> list[float]:
    """Run a script in the page that is in front; the other does nothing meanwhile."""
    page.bring_to_front()
    return [float(each) for each in where.evaluate(script, steps)]


def _app(volume: np.ndarray) -> Any:
    import holoviews as hv
    import panel as pn
    from panel.io.fastapi import add_applications

    from pacs_panel.view.image.viewer import image_view
    from pacs_panel.view.state import ViewState
    from tests.view import scene

    hv.extension("bokeh")
    source = scene.ct(volume, (1.5, 0.7, 0.7))
    shelf = scene.Shelf()
    shelf.put(source)
    app = scene.routes(shelf)

    def ours() -> Any:
        state = ViewState(index=(0, 256, 256))
        return image_view(source, state=state, sizing_mode="stretch_width", height=800)

    def peer() -> Any:
        slider = pn.widgets.IntSlider(label="slice", start=0, end=len(volume) - 1, value=0)
        shown = {"cmap": "gray", "clim": (900, 1100), "width": 700, "height": 700}
        image = hv.DynamicMap(pn.bind(lambda at: hv.Image(volume[at], bounds=(0, 0, 512, 512)).opts(**shown), slider))
        return pn.Column(slider, pn.pane.HoloViews(image))

    add_applications({"ours": ours, "peer": peer}, app=app)
    return app
