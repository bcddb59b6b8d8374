"""One frozen `Settings`, made here from arguments, the environment and a file, then passed down.

No other module reads the environment or a settings file.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from pacs_panel.errors import PacsPanelError
from pacs_panel.peer import OPERATIONS, Peer, Retrieval

MIB = 1 << 20
PREFIX = "PACS_PANEL_"
SECRETS = ("token", "user", "password")
PEER_KEYS = {"ae_title", "host", "port", "may", "collection", "retrieve", "url", *SECRETS}


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and habits of one archive as one process uses it.

    Attributes
    ----------
    max_object_bytes : int
        Largest object that is read, from a file or out of a compressed member.
    max_frame_bytes : int
        Largest decoded frame (rows x columns x samples x bytes a sample).
    max_volume_bytes : int
        Largest array that is built in memory for one stack.
    max_frames : int
        Most frames of one object of which images are made.
    max_depth : int
        Deepest nesting of sequences that is followed.
    max_members : int
        Most members of one zip or tar that are read.
    max_expansion : int
        Most bytes out of a compressed file for each byte in.
    workers : int
        Processes that read and build; 0 does the work in the calling process.
    batch : int
        Objects that are made durable and committed together.
    cache_bytes : int
        Decoded volumes that a server keeps at hand.
    poll_seconds : float
        How often a process asks the index what has changed.
    trash_days : int
        Days after which a serving process removes for good what is in the trash; 0: never.
    archive : str
        Address of the archive that commands use unless they are given one.
    cache : str
        Folder, on a local disk, for what was fetched of published archives; it may be deleted when none is open.
    ae_title : str
        Application entity title of the DICOM listener.
    peers : tuple of Peer
        Who may call it, and who can be called: tables ``[peers.NAME]`` of the file, with ``ae_title``, ``host``,
        ``port``, ``may``, ``collection`` and ``retrieve``; or with ``url``, and ``token`` or ``user`` and ``password``,
        which may also stand in the environment, as ``PACS_PANEL_PEER_NAME_TOKEN``.
    token : str
        What whoever asks for DICOMweb or OME-Zarr over HTTP has to send (``Authorization: Bearer``); with one, a server
        may listen on other addresses than loopback. At least 16 characters without spaces. Never logged.
    fault : str
        For tests only: name of a `pacs_panel.storage.faults` point, optionally ``name:n`` for the n-th time it is
        reached, at which the process kills itself.
    """

    max_object_bytes: int = 4096 * MIB
    max_frame_bytes: int = 1024 * MIB
    max_volume_bytes: int = 8192 * MIB
    max_frames: int = 500_000
    max_depth: int = 32
    max_members: int = 1_000_000
    max_expansion: int = 200
    workers: int = min(8, os.cpu_count() or 1)
    batch: int = 500
    cache_bytes: int = 1024 * MIB
    poll_seconds: float = 1.0
    trash_days: int = 30
    archive: str = "pacs-archive"
    cache: str = "~/.cache/pacs-panel"
    ae_title: str = "PACS_PANEL"
    peers: tuple[Peer, ...] = ()
    token: str = field(default="", repr=False)
    fault: str = ""

    @classmethod
    def load(
        cls, file: Path | None = None, environ: Mapping[str, str] | None = None, **overrides: float | str
    ) -> Settings:
        """Settings from defaults, then a TOML file, then ``PACS_PANEL_*`` variables, then keywords.

        Parameters
        ----------
        file : Path, optional
            TOML file whose tables ``[settings]`` and ``[peers.NAME]`` are read; ``None`` is no file.
        environ : mapping, optional
            Defaults to the process's environment.
        """
        environ = os.environ if environ is None else environ
        read = {} if file is None else _tables(file)
        values: dict[str, object] = dict(read.get("settings", {}))
        known = {f.name: f.type for f in fields(cls) if f.name != "peers"}
        for name in known:
            if (text := environ.get(PREFIX + name.upper())) is not None:
                values[name] = text
        values |= overrides
        peers = tuple(_peer(name, table, environ) for name, table in read.get("peers", {}).items())
        return replace(cls(peers=peers), **{name: _value(name, value, known) for name, value in values.items()})


def _tables(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PacsPanelError(f"the settings file cannot be read: {error}") from None


def _peer(name: str, table: Mapping[str, Any], environ: Mapping[str, str]) -> Peer:
    """A peer of the table ``[peers.name]``."""
    where = f"settings, [peers.{name}]"
    if unknown := set(table) - PEER_KEYS:
        raise PacsPanelError(f"{where}: unknown {', '.join(sorted(unknown))}")
    title, url = (str(table.get(key, "")).strip() for key in ("ae_title", "url"))
    if (title or not url) and (
        not 0 < len(title) <= 16 or "\\" in title or not title.isascii() or not title.isprintable()
    ):
        raise PacsPanelError(f"{where}: ae_title must be 1 to 16 plain characters without a backslash")
    port, may, how = table.get("port", 0), table.get("may", ["echo", "store"]), table.get("retrieve", "get")
    if not isinstance(port, int) or not 0 <= port < 2**16:
        raise PacsPanelError(f"{where}: port must be a whole number below 65536")
    if not isinstance(may, list) or not OPERATIONS.issuperset(may):
        raise PacsPanelError(f"{where}: may must be a list of {', '.join(sorted(OPERATIONS))}")
    if how not in get_args(Retrieval):
        raise PacsPanelError(f"{where}: retrieve must be one of {', '.join(get_args(Retrieval))}")
    prefix = f"{PREFIX}PEER_{re.sub('[^0-9A-Za-z]', '_', name).upper()}_"
    secrets = {key: environ.get(prefix + key.upper(), str(table.get(key, ""))) for key in SECRETS}
    _check_web(where, url, secrets)
    host, collection = str(table.get("host", "")), str(table.get("collection", ""))
    return Peer(name, title, host, port, frozenset(may), collection, how, url.rstrip("/"), **secrets)


def _check_web(where: str, url: str, secrets: Mapping[str, str]) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise PacsPanelError(f"{where}: url is no address") from None
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise PacsPanelError(f"{where}: url must begin with http:// or https://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise PacsPanelError(f"{where}: give url without name, password, query and fragment")
    if secrets["token"] and (secrets["user"] or secrets["password"]):
        raise PacsPanelError(f"{where}: give a token, or user and password")
    if any(not text.isprintable() for text in secrets.values()):
        raise PacsPanelError(f"{where}: token, user and password must be printable")


def _value(name: str, value: object, known: Mapping[str, object]) -> Any:
    if name not in known:
        raise PacsPanelError(f"unknown setting {name!r}: one of {', '.join(sorted(known))}")
    if name == "token" and not _is_token(str(value)):
        raise PacsPanelError("setting 'token' must be at least 16 plain characters without spaces, or empty")
    if known[name] == "str":
        return str(value)
    kind = float if known[name] == "float" else int
    try:
        number = kind(str(value))
    except ValueError:
        raise PacsPanelError(f"setting {name!r} must be a {kind.__name__}, not {value!r}") from None
    if number < 0:
        raise PacsPanelError(f"setting {name!r} must not be negative")
    return number


def _is_token(text: str) -> bool:
    return not text or (len(text) >= 16 and text.isascii() and text.isprintable() and " " not in text)
