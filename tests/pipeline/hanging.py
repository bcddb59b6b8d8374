"""Calls that hang, importable by name for worker processes."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from unittest.mock import patch

from pacs_panel.model import Revision
from pacs_panel.pipeline import settle
from pacs_panel.pipeline.watchdog import PATIENCE, limited
from pacs_panel.pixels import codecs
from tests.pixels.encoding import JPEG_LS

build_series = settle.build_series


def build_or_hang(job: settle.Job) -> Revision | None:
    """Builds a series, as long as it has two slices; with three, their decoder waits for what never comes."""
    if len(job.kept) == 2:
        return build_series(replace(job, patience=PATIENCE))
    with patch.dict(codecs.CODECS, {JPEG_LS: lambda *_: Event().wait()}):
        return build_series(job)


def answer(asked: tuple[bool, float]) -> int:
    """42 where there is an answer; otherwise waits for it. Limited to so many seconds."""
    known, seconds = asked
    found = Event()
    if known:
        found.set()
    with limited(seconds):
        found.wait()
        return 42
