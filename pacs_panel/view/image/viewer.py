"""The image viewer: a component that draws, and a small viewer that ties it to a source and a state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import panel as pn
import param
from panel.custom import JSComponent

from pacs_panel.view.image.bundle import SOURCES, bundle
from pacs_panel.view.image.messages import Answers
from pacs_panel.view.overlay.source import OverlaySource
from pacs_panel.view.presentation import PresentationSource
from pacs_panel.view.source import FrameSource
from pacs_panel.view.state import ViewState

Transport = Literal["http", "message"]


STYLES = ("frame.css", "planes.css", "overlays.css")
OF_ONE_STACK = ("index", "extra", "center", "width", "table", "zoom", "colours", "speed")
_SIZE: dict[str, Any] = {"sizing_mode": "stretch_width", "height": 640}


class ImageViewer(JSComponent):
    """Draws one stack in the browser, and speaks to Python in messages.

    The scene is one value, so that a new one arrives as one change; everything quicker than that is a message.
    """

    scene = param.Dict(
        default={},
        doc="`meta` (a StackMeta as JSON), `look` (where to start), `transport`, `base` of the routes, and whether to "
        "ask for `overlays` and for `presentations`.",
    )

    _esm = bundle()
    _stylesheets = [(SOURCES / name).read_text("utf-8") for name in STYLES]


class ImageView(pn.viewable.Viewer):
    """A source, shown through a state.

    Parameters
    ----------
    source : FrameSource
    state : ViewState, optional
        One of its own where it is not given.
    transport : str
        ``"http"``: the browser asks the routes under ``base``. ``"message"``: it asks this process, as in a notebook.
    base : str
        What stands before ``/frames/…``, e.g. ``""`` or ``"/pacs"``.
    overlays : OverlaySource, optional
        What lies over the images; asked for once the first of them is painted.
    presentations : PresentationSource, optional
        Presentation states of the images; asked for then, too.
    """

    source = param.Parameter(doc="A FrameSource; a new one is shown at once.")
    overlays = param.Parameter(doc="An OverlaySource of the same stack.")
    presentations = param.Parameter(doc="A PresentationSource of the same stack.")
    state: ViewState = param.ClassSelector(class_=ViewState, doc="What is looked at.")  # type: ignore[assignment]
    transport: Transport = param.Selector(default="http", objects=["http", "message"])  # type: ignore[assignment]
    base = param.String(default="")

    def __init__(self, source: FrameSource, state: ViewState | None = None, **params: Any) -> None:
        layout = {name: params.pop(name) for name in list(params) if name not in type(self).param}
        super().__init__(source=source, state=state or ViewState(), **params)
        self._heard: dict[str, Any] = {}
        self._answers = Answers(source, self.overlays, self.presentations)
        self._component = ImageViewer(scene=self._scene(), **(_SIZE | layout))
        self._component.on_msg(lambda event: self._hear(event.data))
        self.state.param.watch(self._tell, list(self.state.look()))

    def __panel__(self) -> pn.viewable.Viewable:
        # Where it is shown once more, it starts where the state is by now; where it is shown already, it stays.
        with param.discard_events(self._component):
            self._component.scene = self._scene()
        return self._component

    @param.depends("source", "overlays", "presentations", watch=True)
    def _show(self) -> None:
        self._answers = Answers(self.source, self.overlays, self.presentations)
        self._component.scene = self._scene()

    def _scene(self) -> dict[str, Any]:
        meta = self.source.meta()
        shown = (self.state.series, self.state.stack)
        if shown[0] and shown != (meta.series_key, meta.stack):
            self.state.param.update({name: ViewState.param[name].default for name in OF_ONE_STACK})
        self.state.param.update(series=meta.series_key, stack=meta.stack)
        return {
            "meta": meta.to_dict(),
            "look": self.state.look(),
            "transport": self.transport,
            "base": self.base,
            "overlays": self.overlays is not None,
            "presentations": self.presentations is not None,
        }

    def _hear(self, message: Mapping[str, Any]) -> None:
        """Take one message from the browser: a request for frames, or what its user looks at."""
        if message.get("kind") == "look":
            self._heard = dict(message.get("look", {}))
            self.state.take(self._heard)
            self._heard = {}
        else:
            self._component._send_msg(self._answers(message))

    def _tell(self, *events: param.parameterized.Event) -> None:
        """Tell the browser what changed here, but not what it has just said itself."""
        changed = {event.name: event.new for event in events}
        heard = {name: tuple(v) if isinstance(v, list) else v for name, v in self._heard.items()}
        news = {name: value for name, value in changed.items() if name not in heard or heard[name] != value}
        if news:
            self._component._send_msg({"look": news})


def image_view(
    source: FrameSource,
    transport: Transport = "http",
    base: str = "",
    state: ViewState | None = None,
    overlays: OverlaySource | None = None,
    presentations: PresentationSource | None = None,
    **layout: Any,
) -> ImageView:
    """Show a stack: three linked planes of a volume, or one image after the other.

    Parameters
    ----------
    source : FrameSource
    transport, base, state, overlays, presentations
        See `ImageView`; in a notebook the transport is ``"message"``.
    **layout
        Panel's own, e.g. ``height=800`` or ``sizing_mode="stretch_both"``.

    Examples
    --------
    >>> image_view(ArrayFrames(array, meta), transport="message")  # doctest: +SKIP
    """
    over = {"overlays": overlays, "presentations": presentations}
    return ImageView(source, state=state, transport=transport, base=base, **over, **layout)
