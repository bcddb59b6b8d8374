"""Commands for the network: `receive`, `pull`, `send`."""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from pacs_panel.cli.command import RESEARCH, WHICH, Adder, criteria, opened, progress, series, table
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    from pacs_panel.archive import Archive
    from pacs_panel.serve.pulling import Source


def add_to(add: Adder) -> None:
    """Add these commands."""
    command = add(
        _receive, "receive", "take in what is sent over the DICOM network", "--port 11112 --anyone", "--ae-title STUDY"
    )
    add_listening(command)
    command.add_argument("--port", type=int, default=11112, help="0 takes a free one")

    command = add(
        _pull,
        "pull",
        "take in what a peer of the settings file has and the archive has not",
        "scanner PatientID=42 StudyDate=20250101- Modality=CT",
        "scanner AccessionNumber=A7 --level study --dry-run",
    )
    command.add_argument("peer", help="its name: of a table [peers.NAME] with url, or with host and port")
    command.add_argument("which", nargs="+", metavar="KEYWORD=VALUE", help="what must match, as in `search`")
    command.add_argument(
        "--level",
        choices=("study", "series", "instance"),
        default="series",
        help="what is pulled whole (default: series)",
    )
    command.add_argument("--collection", default="", help="name under which it can be found")
    command.add_argument("--dry-run", action="store_true", help="list what would come")
    command.add_argument("--ae-title", help="how we call ourselves (default: of the settings, or PACS_PANEL)")
    command.add_argument("--port", type=int, default=11112, help="where we listen for peers that are asked by C-MOVE")
    command.add_argument("--dicom-host", default="127.0.0.1", metavar="HOST", help="the same")

    command = add(_send, "send", "send series to a peer of the settings file", "scanner Modality=CT")
    command.add_argument("peer", help="its name: of a table [peers.NAME] with url, or with host and port")
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

    # Whoever runs services ends them by SIGTERM: what came is sealed, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with opened(options, settings, create=True) as archive, ExitStack() as beside:
        listen(options, settings, options.port, archive, beside)
        live = beside.enter_context(Live(archive.change, settings.poll_seconds))
        beside.enter_context(building(archive, live))
        print(f"Ctrl-C stops it\n{RESEARCH}", flush=True)
        threading.Event().wait()
    return 0


def _pull(options: argparse.Namespace, settings: Settings) -> int:
    from pacs_panel.serve.dimse.listener import Listening
    from pacs_panel.serve.peers import calling, named
    from pacs_panel.serve.pulling import pull

    peer, asked = named(settings.peers, options.peer), criteria(options.which)
    with opened(options, settings, create=not options.dry_run) as archive:
        listen = Listening(options.dicom_host, options.port)
        with closing(
            calling(archive, peer, title=options.ae_title or "", listen=listen, collection=options.collection)
        ) as source:
            if options.dry_run:
                return _would_come(archive, source, asked, options)
            with progress("objects", options) as bar:
                done = pull(
                    archive,
                    source,
                    peer,
                    asked,
                    level=options.level,
                    collection=options.collection,
                    progress=lambda now: bar.update(now.accepted + now.here - bar.n),
                )
    if options.json:
        print(json.dumps(done.to_dict(), indent=1))
    else:
        print(f"{done.found} found, {done.here} already here, {done.accepted} accepted, {len(done.failed)} failed")
        table([{"object": uid, "reason": reason} for uid, reason in done.failed.items()], ("object", "reason"))
        if done.refused:
            print(f"{done.refused} refused: they were not asked for")
        if done.stopped:
            print(f"not complete: {done.stopped}; run it again to go on")
    return 1 if done.failed or done.refused or done.stopped else 0


def _would_come(archive: Archive, source: Source, asked: dict[str, str], options: argparse.Namespace) -> int:
    from pacs_panel.serve.pulling import missing

    keywords = ("PatientID", "StudyDate", "Modality", "SeriesDescription")
    rows: list[dict[str, Any]] = [
        {**{name: series.facts[name] for name in keywords}, "SeriesInstanceUID": series.series}
        | {"objects": len(series.objects), "missing": left}
        for series, left in missing(archive, source, asked, options.level)
    ]
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        table(rows, (*keywords, "SeriesInstanceUID", "objects", "missing"))
        print(f"{sum(row['missing'] for row in rows)} of {sum(row['objects'] for row in rows)} objects would come")
    return 0


def _send(options: argparse.Namespace, settings: Settings) -> int:
    from pacs_panel.serve.dimse.sending import send
    from pacs_panel.serve.peers import named

    peer = named(settings.peers, options.peer)
    with opened(options, settings) as archive, progress("objects", options) as bar:
        keys = series(archive, options.which)
        done = send(archive, keys, peer, options.ae_title or settings.ae_title, lambda at: bar.update(at - bar.n))
    if options.json:
        print(json.dumps({"sent": done.sent, "failed": done.failed}, indent=1))
    else:
        print(f"{done.sent} objects sent, {len(done.failed)} not")
        table([{"object": uid, "reason": reason} for uid, reason in done.failed.items()], ("object", "reason"))
    return 1 if done.failed else 0
