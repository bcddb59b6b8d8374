"""Multipart bodies as they arrive (RFC 2046 §5.1, PS3.18 §8.6): memory is bounded, whatever is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message

from pacs_panel.serve.errors import Refused
from pacs_panel.settings import MIB

MOST_HEADER = 16 * 1024  # bytes of the header of one part
MOST_BOUNDARY = 200  # RFC 2046 has 70
MOST_BEFORE = MIB  # bytes before the first part, which mean nothing
CRLF = b"\r\n"


@dataclass(frozen=True, slots=True)
class Begin:
    """A part begins; names of its header's fields are in lower case."""

    header: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class End:
    """A part is whole."""


Event = Begin | bytes | End


def media_type(text: str) -> tuple[str, dict[str, str]]:
    """A media type in lower case, and its parameters (RFC 9110 §8.3)."""
    message = Message()
    message["content-type"] = text.replace("\r", " ").replace("\n", " ")
    parameters = message.get_params(failobj=[])
    if not parameters:
        return "", {}
    return parameters[0][0].strip().lower(), {name.lower(): str(value) for name, value in parameters[1:]}


def malformed(what: str) -> Refused:
    """That a body is not what its header announces."""
    return Refused(400, f"the body is no multipart message: {what}", "see PS3.18 §8.6 and RFC 2046")


class Multipart:
    """Splits a body, of which piece after piece is fed, into the events of its parts.

    Parameters
    ----------
    boundary : str
        As the header of the request names it.

    Raises
    ------
    Refused
        There is no boundary that could be one.
    """

    def __init__(self, boundary: str) -> None:
        if not 0 < len(boundary) <= MOST_BOUNDARY or not boundary.isascii() or not boundary.isprintable():
            raise malformed("its header names no boundary")
        self._mark = CRLF + b"--" + boundary.encode("ascii")
        self._held = bytearray(CRLF)  # the first boundary may begin the body
        self._step = self._before
        self._ignored = 0

    @property
    def ended(self) -> bool:
        """Whether the last boundary has come."""
        return self._step == self._after

    def feed(self, data: bytes) -> Iterator[Event]:
        """What the next bytes hold; all of it has to be iterated.

        Raises
        ------
        Refused
            They cannot be of a multipart message.
        """
        self._held += data
        while True:
            step = self._step
            yield from step()
            if step == self._step:
                return

    def _before(self) -> Iterator[Event]:
        """Up to the first boundary."""
        size = len(self._held)
        place = self._held.find(self._mark)
        if place >= 0:
            del self._held[: place + len(self._mark)]
            self._step = self._boundary
        else:
            del self._held[: max(0, size - len(self._mark))]
            self._ignored += size - len(self._held)
            if self._ignored > MOST_BEFORE:
                raise malformed("its boundary does not come")
        yield from ()

    def _boundary(self) -> Iterator[Event]:
        """What follows a boundary: another part, or nothing more."""
        if self._held.startswith(b"--"):
            self._held.clear()
            self._step = self._after
        elif (end := self._held.find(CRLF)) >= 0:
            if self._held[:end].strip(b" \t"):
                raise malformed("something follows a boundary")
            del self._held[:end]  # an empty header is CRLF and CRLF, too
            self._step = self._header
        elif len(self._held) > MOST_BOUNDARY:
            raise malformed("a boundary has no end")
        yield from ()

    def _header(self) -> Iterator[Event]:
        end = self._held.find(CRLF + CRLF)
        if end > MOST_HEADER or (end < 0 and len(self._held) > MOST_HEADER + 4):
            raise malformed("the header of a part is too long")
        if end < 0:
            return
        lines = bytes(self._held[:end]).decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines if line)
        del self._held[: end + 2]  # the CRLF before a body may be that of its boundary, where it is empty
        self._step = self._start
        yield Begin({name.strip().lower(): value.strip() for name, _, value in fields})

    def _start(self) -> Iterator[Event]:
        """The body begins after its CRLF, unless that is its boundary's."""
        if len(self._held) < len(self._mark) and self._mark.startswith(bytes(self._held)):
            return
        if not self._held.startswith(self._mark):
            del self._held[:2]
        self._step = self._body
        yield from ()

    def _body(self) -> Iterator[Event]:
        place = self._held.find(self._mark)
        if place < 0:
            sure = len(self._held) - len(self._mark) + 1  # a boundary may have begun in what is left
            if sure > 0:
                yield self._taken(sure)
            return
        if place:
            yield self._taken(place)
        del self._held[: len(self._mark)]
        self._step = self._boundary
        yield End()

    def _taken(self, size: int) -> bytes:
        """The first bytes, copied once."""
        with memoryview(self._held) as held:
            taken = bytes(held[:size])
        del self._held[:size]
        return taken

    def _after(self) -> Iterator[Event]:
        """What follows the last boundary means nothing."""
        self._held.clear()
        yield from ()
