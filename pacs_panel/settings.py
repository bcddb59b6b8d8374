"""One frozen `Settings`, made here from arguments, the environment and a file, then passed down.

No other module reads the environment or a settings file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from pacs_panel.errors import PacsPanelError
from pacs_panel.peer import OPERATIONS, Peer

MIB = 1 << 20
PREFIX = "PACS_PANEL_"


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
        ``port``, ``may`` and ``collection``.
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
        peers = tuple(_peer(name, table) for name, table in read.get("peers", {}).items())
        return replace(cls(peers=peers), **{name: _value(name, value, known) for name, value in values.items()})


def _tables(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PacsPanelError(f"the settings file cannot be read: {error}") from None


def _peer(name: str, table: Mapping[str, Any]) -> Peer:
    """A peer of the table ``[peers.name]``."""
    where = f"settings, [peers.{name}]"
    if unknown := set(table) - {"ae_title", "host", "port", "may", "collection"}:
        raise PacsPanelError(f"{where}: unknown {', '.join(sorted(unknown))}")
    title, host, collection = (str(table.get(key, "")) for key in ("ae_title", "host", "collection"))
    if not 0 < len(title.strip()) <= 16 or "\\" in title or not title.isascii() or not title.isprintable():
        raise PacsPanelError(f"{where}: ae_title must be 1 to 16 plain characters without a backslash")
    port, may = table.get("port", 0), table.get("may", ["echo", "store"])
    if not isinstance(port, int) or not 0 <= port < 2**16:
        raise PacsPanelError(f"{where}: port must be a whole number below 65536")
    if not isinstance(may, list) or not OPERATIONS.issuperset(may):
        raise PacsPanelError(f"{where}: may must be a list of {', '.join(sorted(OPERATIONS))}")
    return Peer(name, title.strip(), host, port, frozenset(may), collection)


def _value(name: str, value: object, known: Mapping[str, object]) -> Any:
    if name not in known:
        raise PacsPanelError(f"unknown setting {name!r}: one of {', '.join(sorted(known))}")
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
