"""A peer as it is asked over DICOMweb: QIDO-RS, then WADO-RS (PS3.18 §10); and what is sent to it by STOW-RS."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from pacs_panel.attributes import Level
from pacs_panel.dicom.question import answered_json
from pacs_panel.errors import Rejected
from pacs_panel.peer import Peer
from pacs_panel.serve.pulling import Announced, Facts, Taking
from pacs_panel.storage.dicomweb import DicomWeb


class WebPeer:
    """A peer with an address."""

    elsewhere = False

    def __init__(self, peer: Peer) -> None:
        self._web = DicomWeb(peer)

    def close(self) -> None:
        """Close what is open."""
        self._web.close()

    def find(self, level: Level, keys: Facts, wanted: Sequence[str]) -> Iterator[Facts]:
        """What matches at a level (QIDO-RS)."""
        keys, path = dict(keys), "studies"
        if level != "study":
            path += f"/{keys.pop('StudyInstanceUID')}/series"
        if level == "instance":
            path += f"/{keys.pop('SeriesInstanceUID')}/instances"
        for element in self._web.find(path, keys, wanted):
            yield answered_json(element, wanted)

    def fetch(self, series: Announced, uids: Sequence[str], whole: bool, taking: Taking) -> None:
        """Ask for a series, or for objects of it, as they are stored (WADO-RS)."""
        path = f"studies/{series.study}/series/{series.series}"
        for each in [path] if whole else [f"{path}/instances/{uid}" for uid in uids]:
            for file in self._web.retrieve(each, Path(tempfile.gettempdir())):
                try:
                    taking.take(file)
                except Rejected:  # it is counted, and the rest may be right
                    continue
