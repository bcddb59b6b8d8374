"""The Activity page: what comes in, what waits, what was refused, how full the disk is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import panel as pn

from pacs_panel.errors import PacsPanelError
from pacs_panel.view.activity.parts import ActivityView
from pacs_panel.view.browse.columns import size
from pacs_panel.view.page import Subscribe, follow, shell

OFTEN = 2000  # ms between two looks, although the archive has not changed: rates sink, sessions end


class ActivityPage(pn.viewable.Viewer):
    """What goes on, drawn by `main`."""

    def __init__(self, archive: Any) -> None:
        super().__init__()
        self.archive = archive
        self.main = ActivityView(sizing_mode="stretch_width", margin=0)
        self.put(self.read())

    def __panel__(self) -> pn.viewable.Viewable:
        return self.main

    def read(self) -> dict[str, Any]:
        """All of it as of now, in whatever thread."""
        try:
            return told(self.archive.activity().to_dict())
        except (PacsPanelError, OSError) as error:
            words = str(error) if isinstance(error, PacsPanelError) else f"The disk cannot be read ({error.strerror})."
            return {"state": "error", "title": "What goes on could not be read", "words": words}

    def put(self, found: Mapping[str, Any]) -> None:
        """Show what was read."""
        if found != self.main.shown:
            self.main.shown = dict(found)


def activity_page(archive: Any, subscribe: Subscribe | None = None) -> Any:
    """The Activity page.

    Parameters
    ----------
    archive : Archive
        As whoever opened the page may see it.
    subscribe : callable, optional
        Has a function called after each change of the archive; what it returns ends that.
    """
    shown = ActivityPage(archive)
    follow(subscribe, shown.read, shown.put)
    if pn.state.curdoc is not None:
        pn.state.add_periodic_callback(lambda: shown.put(shown.read()), period=OFTEN)
    return shell("Activity – pacs_panel", [shown.main], [])


# -- in words ----------------------------------------------------------------------------------------------------------


def told(now: Mapping[str, Any]) -> dict[str, Any]:
    """What `Archive.activity` tells, as it is drawn."""
    minute, hour = now["minute"], now["hour"]
    cards = [
        ["Last minute", f"{minute['objects'] / 60:.1f} objects/s", f"{minute['bytes'] / 60e6:.2f} MB/s"],
        ["Last hour", f"{hour['objects']:,} objects", size(hour["bytes"])],
        ["Volumes to build", f"{now['unbuilt']:,} series", "they wait, or are being built" if now["unbuilt"] else ""],
        ["On their way", f"{now['waiting']:,} files", "in the spool"],
        ["Disk", f"{size(now['free_bytes'])} free", f"of {size(now['disk_bytes'])}"],
    ]
    return {
        "state": "shown",
        "cards": cards,
        "used": round(1 - now["free_bytes"] / now["disk_bytes"], 3),
        "failed": list(now["failed"].items()),
        "quarantined": now["quarantined"],
        "refused": list(now["refused"].items()),
        "sessions": [_session(each) for each in now["sessions"]],
    }


def _session(of: Mapping[str, Any]) -> dict[str, Any]:
    counts = {name: of[name] for name in ("accepted", "duplicates", "new_versions", "refused")}
    return {
        "key": of["session"],
        "door": of["kind"],
        "peer": of["peer"],
        "collection": of["collection"],
        "state": of["state"],
        "began": datetime.fromtimestamp(of["started"] / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "size": size(of["bytes"]),
        **counts,
    }
