"""A page with a viewer in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import panel as pn
import pytest

from pacs_panel.view.image.viewer import ImageView, image_view
from pacs_panel.view.source import FrameSource
from tests.view import scene
from tests.view.reading import painted

Show = Callable[..., ImageView]


@pytest.fixture(params=["http", "message"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def stage(serve_app: Callable[..., str]) -> tuple[str, scene.Shelf, dict[str, Callable[[], Any]]]:
    """An address under which ``?case=…`` shows what was put there."""
    shelf, cases = scene.Shelf(), {}

    def case() -> Any:
        return cases[pn.state.session_args["case"][0].decode()]()

    return serve_app({"viewer": case}, scene.routes(shelf)), shelf, cases


@pytest.fixture
def show(page: Any, stage: Any, request: pytest.FixtureRequest) -> Show:
    """Show a source in the page, and wait until all its planes are painted at full resolution."""
    address, shelf, cases = stage

    def shown(source: FrameSource, size: tuple[int, int] = (1400, 900), wait: bool = True, **options: Any) -> ImageView:
        views: list[ImageView] = []

        def make() -> ImageView:
            views.append(image_view(source, sizing_mode="stretch_width", height=600, **options))
            return views[-1]

        shelf.put(source, options.get("overlays"), options.get("presentations"))
        cases[request.node.name] = make
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.goto(f"{address}/viewer?{urlencode({'case': request.node.name})}")
        for view in (source.meta().views or ("image",)) if wait else ():
            painted(page, getattr(view, "name", view), None)
        return views[-1]

    return shown
