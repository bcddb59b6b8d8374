"""What a person looks at: one small state that viewers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import param


class ViewState(param.Parameterized):
    """Which series, which place in it, through which window.

    Viewers that share a state stay together: setting a value here moves them all, and so does a hand in any of them.
    """

    series = param.String(default="", doc="Key of the series shown.")
    stack = param.Integer(default=0, bounds=(0, None), doc="Number of the stack in its revision.")
    index = param.Tuple(
        default=None, length=3, allow_None=True, doc="Voxel (slice, row, column) in which the planes meet."
    )
    extra = param.Parameter(default=(), doc="Index along each extra dimension, as a tuple.")
    center = param.Number(default=None, allow_None=True, doc="Window centre, in the stack's unit.")
    width = param.Number(
        default=None, allow_None=True, bounds=(0, None), inclusive_bounds=(False, True), doc="Window width."
    )
    table = param.Integer(
        default=None, allow_None=True, bounds=(0, None), doc="Number of the VOI table that is used instead of a window."
    )
    invert = param.Boolean(default=False, doc="Whether grey is turned round.")
    colours: str = param.Selector(default="grey", objects=["grey", "hot"], doc="What values are painted in.")  # type: ignore[assignment]
    speed = param.Number(
        default=None, allow_None=True, bounds=(0, None), inclusive_bounds=(False, True), doc="Frames/s of a cine."
    )
    zoom = param.Number(default=1.0, bounds=(0.1, 64), doc="Magnification; 1 fits the plane into its pane.")
    layout = param.String(default="planes", doc="`planes`, or the name of the one plane that fills the viewer.")

    def look(self) -> dict[str, Any]:
        """The part that a viewer of one stack draws by, as plain JSON types."""
        names = ("index", "extra", "center", "width", "table", "invert", "colours", "speed", "zoom", "layout")
        return {name: getattr(self, name) for name in names}

    def take(self, values: Mapping[str, Any]) -> None:
        """Set what a viewer reports, all at once; names it does not know are left out."""
        known = {name: values[name] for name in self.look() if name in values}
        for name in ("index", "extra"):
            if isinstance(known.get(name), list):
                known[name] = tuple(int(i) for i in known[name])
        self.param.update(**known)
