"""What an association holds while it comes: bounded in memory, and gone from the disk when it breaks off.

The library writes a data set that is stored to a temporary file, and removes it only when it was answered.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

from pacs_panel.settings import MIB

MOST_IN_MEMORY = 4 * MIB  # bytes of one message that are no data set to be stored: a command, an identifier


def bound(association: Any) -> None:
    """Read no more into memory than `MOST_IN_MEMORY`, whatever lengths the other side tells; else the line is cut."""
    line = association.dul.socket

    def recv(count: int) -> bytearray:
        message = association.dimse.message
        held = 0 if message is None else message.encoded_command_set.tell() + message.data_set.tell()
        if held + count > MOST_IN_MEMORY:
            raise OSError("a message is too long")
        return _received(line.socket, count)

    line.recv = recv


def _received(line: socket.socket, count: int) -> bytearray:
    """So many bytes, or fewer where the line ends; the library takes 4 kB at a time, and a lock each time."""
    found = bytearray(count)
    with memoryview(found) as view:
        got = 0
        while got < count and (more := line.recv_into(view[got:])):
            got += more
    del found[got:]
    return found


def discard(association: Any) -> None:
    """Remove the files of what came half, or was never looked at: its sender was told nothing."""
    provider = association.dimse
    left = [] if provider.message is None else [provider.message._data_set_file]
    with suppress(Empty):
        while True:
            left.append(getattr(provider.msg_queue.get_nowait()[1], "_dataset_file", None))
    for file in left:
        if file is not None:
            with suppress(OSError):
                file.close()
            Path(file.name).unlink(missing_ok=True)
