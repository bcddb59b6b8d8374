"""Commands for the DICOM network: `receive`, `send`."""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pacs_panel.cli.command import RESEARCH, WHICH, Adder, opened, progress, series, table
from pacs_panel.errors import NotFound
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    from pacs_panel.archive import Archive


def add_to(add: Adder) -> None:
    """Add these commands."""
    command = add(
        _receive, "receive", "take in what is sent over the DICOM network", "--port 11112 --anyone", "--ae-title STUDY"
    )
    add_listening(command)
    command.add_argument("--port", type=int, default=11112, help="0 takes a free one")

    command = add(_send, "send", "send series to a peer of the settings file", "scanner Modality=CT")
    command.add_argument("peer", help="its name: of a table [peers.NAME] with host and port")
    command.add_argument("which", nargs="+", help=WHICH)
    command.add_argument("--ae-title", help="how we call ourselves (default: of the settings, or PACS_PANEL)")


def add_listening(command: argparse.ArgumentParser) -> None:
    """Options of whatever listens."""
    command.add_argument("--ae-title", help="by which we want to be called (default: of the settings, or PACS_PANEL)")
    command.add_argument(
        "--anyone", action="store_true", help="let callers in who are in no table of peers (on this machine only)"
    )
    command.add_argument(
        "--dicom-host", default="127.0.0.1", metavar="HOST", help="other addresses need a table of peers in --settings"
    )


def listen(options: argparse.Namespace, settings: Settings, port: int, archive: Archive, beside: ExitStack) -> None:
    """Listen for as long as ``beside`` is open."""
    from pacs_panel.serve.dimse.listener import Listening, listening
    from pacs_panel.serve.dimse.peers import Callers
    from pacs_panel.serve.spool import network

    beside.callback(setattr, tempfile, "tempdir", tempfile.tempdir)
    tempfile.tempdir = str(network(archive.root))  # what is on its way in lies on the archive's disk, whatever its size
    callers = Callers(settings.peers, frozenset({"echo", "store"}) if options.anyone else frozenset())
    how = Listening(options.dicom_host, port, options.ae_title or settings.ae_title)
    host, free = beside.enter_context(listening(archive, callers, how))
    print(f"pacs_panel listens as {how.ae_title} at {host}, port {free}", flush=True)


def _receive(options: argparse.Namespace, settings: Settings) -> int:
    from pacs_panel.serve.live import Live
    from pacs_panel.serve.settling import building

    with opened(options, settings, create=True) as archive, ExitStack() as beside:
        listen(options, settings, options.port, archive, beside)
        live = beside.enter_context(Live(archive.change, settings.poll_seconds))
        beside.enter_context(building(archive, live))
        print(f"Ctrl-C stops it\n{RESEARCH}", flush=True)
        threading.Event().wait()
    return 0


def _send(options: argparse.Namespace, settings: Settings) -> int:
    from pacs_panel.serve.dimse.sending import send

    peer = next((peer for peer in settings.peers if peer.name == options.peer), None)
    if peer is None:
        raise NotFound(f"the settings have no [peers.{options.peer}]; name their file with --settings")
    with opened(options, settings) as archive, progress("objects", options) as bar:
        keys = series(archive, options.which)
        done = send(archive, keys, peer, options.ae_title or settings.ae_title, lambda at: bar.update(at - bar.n))
    if options.json:
        print(json.dumps({"sent": done.sent, "failed": done.failed}, indent=1))
    else:
        print(f"{done.sent} objects sent, {len(done.failed)} not")
        table([{"object": uid, "reason": reason} for uid, reason in done.failed.items()], ("object", "reason"))
    return 1 if done.failed else 0
