"""What an association has stored, while it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacs_panel.serve.dimse.storing import Storing


class Door:
    """One that keeps nothing."""

    def store(self, path: Path, origin: str) -> str:
        return path.name

    def commit(self) -> None: ...


def test_what_arrived_is_waited_for_while_its_association_is_being_closed() -> None:
    order: list[str] = []
    closing, go_on = threading.Event(), threading.Event()

    @contextmanager
    def slow() -> Iterator[Door]:
        yield Door()
        closing.set()
        assert go_on.wait(60)
        order.append("closed")

    storing = Storing(slow, "SENDER")
    assert storing.store(Path("1.2.3"), "1.2.3") == 0
    first = threading.Thread(target=storing.close)
    first.start()
    assert closing.wait(60)
    second = threading.Thread(target=lambda: (storing.arrived(), order.append("arrived")))
    second.start()
    order.append("goes on")
    go_on.set()
    for each in (first, second):
        each.join(60)
    assert order == ["goes on", "closed", "arrived"]
