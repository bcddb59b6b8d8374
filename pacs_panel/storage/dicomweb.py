"""A DICOMweb server as its client sees it (PS3.18 §10): questions, objects that come, objects that go.

Nothing of an address or of what was asked is part of an error, as both may name a patient.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import Message
from pathlib import Path
from secrets import token_hex
from typing import IO, Any
from urllib.parse import quote, urlencode

import requests
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from requests.auth import AuthBase, HTTPBasicAuth

from pacs_panel.errors import Denied, PacsPanelError, Unreachable
from pacs_panel.peer import Peer
from pacs_panel.settings import MIB

SECONDS = (10, 60)  # to connect; between two pieces of an answer
PIECE = MIB
PAGE = 500  # answers to a question that are asked for at once
MOST_JSON = 64 * MIB  # bytes of one page of answers
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # below that it writes addresses to the log


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Nobody(AuthBase):
    """Signs in nowhere: a peer without credentials is not sent those that `requests` finds elsewhere."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class DicomWeb:
    """The services of one peer. One thread at a time may use it.

    Parameters
    ----------
    peer : Peer
        With ``url``.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer, self._session = peer, requests.Session()
        basic = HTTPBasicAuth(peer.user.encode(), peer.password.encode()) if peer.user else _Nobody()
        self._session.auth = _Bearer(peer.token) if peer.token else basic

    def close(self) -> None:
        """Close what is open."""
        self._session.close()

    def find(self, path: str, keys: Mapping[str, str], wanted: Iterable[str]) -> Iterator[Mapping[str, Any]]:
        """QIDO-RS: what matches, in the DICOM JSON model (PS3.18 §10.6).

        Parameters
        ----------
        path : str
            Below the address, such as ``studies``.
        keys : mapping
            Keywords and what must match.
        wanted : iterable of str
            Keywords whose values are wanted.
        """
        asked = [*keys.items(), *(("includefield", keyword) for keyword in wanted)]
        offset, last = 0, None
        while True:
            page = self._page(path, [*asked, ("limit", str(PAGE)), ("offset", str(offset))])
            if not page or page == last:  # some know no offset, and answer the same again
                return
            yield from page
            offset, last = offset + len(page), page

    def _page(self, path: str, parameters: list[tuple[str, str]]) -> list[Mapping[str, Any]]:
        # Wildcards as they are: Orthanc takes an encoded one for a letter.
        query = urlencode(parameters, safe="*?", quote_via=quote)
        with self._asked("GET", path, params=query, headers={"Accept": "application/dicom+json"}) as answer:
            if answer.status_code == requests.codes.no_content:
                return []
            content = b""
            for piece in answer.iter_content(PIECE):
                content += piece
                if len(content) > MOST_JSON:
                    raise PacsPanelError(f"{self._peer.name} answers with more than {MOST_JSON} bytes: ask for less")
        try:
            found = json.loads(content)
        except ValueError:
            raise PacsPanelError(f"{self._peer.name} does not answer in DICOM JSON; see its url") from None
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    def retrieve(self, path: str, folder: Path) -> Iterator[Path]:
        """WADO-RS: the objects of a study, series or instance, as stored, each in a file that the caller removes.

        Raises
        ------
        Unreachable
            The answer breaks off; what came whole before that has been given.
        """
        with self._asked("GET", path, headers={"Accept": AS_STORED, "Accept-Encoding": "identity"}) as answer:
            kind = Message()
            kind["Content-Type"] = answer.headers.get("Content-Type", "")
            boundary = kind.get_param("boundary")
            if kind.get_content_type() != "multipart/related" or not isinstance(boundary, str):
                raise PacsPanelError(f"{self._peer.name} sends something else than objects; see that its url is right")
            parts = _Parts(boundary, folder)
            try:
                for piece in answer.iter_content(PIECE):
                    yield from parts.write(piece)
                if not parts.whole:
                    raise Unreachable(f"{self._peer.name} broke off what it sends; run it again")
            except FormParserError:
                raise Unreachable(f"what {self._peer.name} sends is not well-formed") from None
            finally:
                parts.discard()

    def store(self, objects: Iterable[Iterable[bytes]]) -> Mapping[str, Any]:
        """STOW-RS: send objects, each the pieces of a file; gives the answer in the DICOM JSON model (§10.5.3)."""
        boundary = token_hex(16)
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
        with self._asked("POST", "studies", data=_body(objects, boundary), headers=headers, taken=(409,)) as answer:
            with suppress(ValueError):
                if isinstance(told := json.loads(answer.content), dict):
                    return told
            if answer.status_code == requests.codes.ok:
                raise PacsPanelError(f"{self._peer.name} does not say what became of the objects")
            raise PacsPanelError(f"{self._peer.name} answers {answer.status_code} to what was sent")

    @contextmanager
    def _asked(self, method: str, path: str, taken: tuple[int, ...] = (), **how: Any) -> Iterator[requests.Response]:
        name = self._peer.name
        try:
            with self._session.request(
                method, f"{self._peer.url}/{path}", stream=True, timeout=SECONDS, **how
            ) as answer:
                code = answer.status_code
                if code in (401, 403):
                    raise Denied(f"{name} does not let us in: see token, or user and password, of [peers.{name}]")
                if code >= 500:
                    raise Unreachable(f"{name} answers {code}; try again later")
                if code >= 400 and code not in taken:
                    raise PacsPanelError(f"{name} answers {code} to what was asked; see that its url is right")
                yield answer
        except requests.exceptions.SSLError:
            raise Unreachable(f"the certificate of {name} is not trusted; REQUESTS_CA_BUNDLE can name it") from None
        except requests.RequestException as error:
            raise Unreachable(f"{name} cannot be reached ({type(error).__name__}); try again later") from None


def _body(objects: Iterable[Iterable[bytes]], boundary: str) -> Iterator[bytes]:
    for pieces in objects:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield from pieces
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


class _Parts:
    """The parts of a message as files, in constant memory."""

    def __init__(self, boundary: str, folder: Path) -> None:
        self._folder, self._done, self.whole = folder, list[Path](), False
        self._file: IO[bytes] | None = None
        told: Any = {
            "on_part_begin": self._begin,
            "on_part_data": lambda data, start, end: self._file and self._file.write(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._last,
        }
        self._parser = MultipartParser(boundary, told)

    def write(self, piece: bytes) -> list[Path]:
        """Go on; gives the files that are whole now."""
        self._done = []
        self._parser.write(piece)
        return self._done

    def discard(self) -> None:
        """Remove what came half, or was never asked for."""
        if self._file is not None:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)
        for path in self._done:
            path.unlink(missing_ok=True)

    def _begin(self) -> None:
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".dcm")
        os.close(handle)
        self._file = Path(name).open("wb")  # noqa: SIM115 (it is closed when the part ends)

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._done.append(Path(self._file.name))
            self._file = None

    def _last(self) -> None:
        self.whole = True
