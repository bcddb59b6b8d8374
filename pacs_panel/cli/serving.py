"""Commands that serve the dashboard: `serve`, `demo`."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from pacs_panel.cli.command import RESEARCH, Adder, opened, tell
from pacs_panel.cli.network import add_listening, listen
from pacs_panel.settings import Settings


def add_to(add: Adder) -> None:
    """Add these commands."""
    command = add(_serve, "serve", "serve the dashboard on this machine", "--port 5006", "--dicom-port 11112 --anyone")
    command.add_argument(
        "--host",
        default="127.0.0.1",
        help="a loopback address; others need a token, and show DICOMweb and OME-Zarr only",
    )
    command.add_argument("--port", type=int, default=5006, help="0 takes a free one")
    command.add_argument("--dicom-port", type=int, metavar="PORT", help="listen on the DICOM network, too")
    add_listening(command)

    command = add(_demo, "demo", "build the demo archive once, and serve it", "--port 5006")
    command.add_argument("--folder", type=Path, default=Path("demo-archive"), help="where the demo archive lies")
    command.add_argument("--port", type=int, default=5006, help="0 takes a free one")


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    from pacs_panel.serve.app import serve
    from pacs_panel.serve.dimse.listener import Listening

    title, port = options.ae_title or settings.ae_title, options.dicom_port or 11112
    how = Listening(options.dicom_host, port, title)
    with opened(options, settings) as archive, ExitStack() as beside:
        if options.dicom_port is not None:
            listen(options, settings, options.dicom_port, archive, beside)
        serve(archive, host=options.host, port=options.port, on_ready=_announce, listen=how)
    return 0


def _demo(options: argparse.Namespace, settings: Settings) -> int:
    from pacs_panel.serve.app import serve
    from pacs_panel.testing.demo_archive import open_demo

    with open_demo(options.folder, settings, tell) as archive:
        serve(archive, host="127.0.0.1", port=options.port, on_ready=_announce)
    return 0


def _announce(address: str) -> None:
    print(f"pacs_panel serves at {address}  (Ctrl-C stops it)\n{RESEARCH}", flush=True)
