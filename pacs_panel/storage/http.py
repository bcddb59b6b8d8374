"""A folder on a web server: files are read whole, or by byte range.

Proxies, certificates of one's own (``REQUESTS_CA_BUNDLE``) and sign-in (``~/.netrc``) are those of the `requests`
library; an address carries no credentials.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO, Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from pacs_panel.errors import ArchiveError, Damaged, Denied, Unreachable
from pacs_panel.storage.remote import SCHEMES

SECONDS = (10, 60)  # to connect; between two pieces of an answer
PIECE = 1 << 20
MOST_AT_ONCE = 1 << 30  # bytes of a file that is read whole, into memory
WHOLE_FILES = 8  # of a server without byte ranges that stay at hand
KNOWN_FOLDERS = 64
NONE: Mapping[str, str] = MappingProxyType({})


class Remote:
    """A folder on a web server. Threads may share it; it pickles as its address and headers.

    Parameters
    ----------
    url : str
    headers : mapping, optional
        Sent with every request, for instance for sign-in; they are no part of any message.

    Raises
    ------
    ArchiveError
        The address carries credentials, a query or a fragment.
    """

    def __init__(self, url: str, headers: Mapping[str, str] = NONE) -> None:
        parts = urlsplit(url)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ArchiveError("give the address of an archive without name, password, query and fragment")
        self.url, self.headers = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", dict(headers)
        self._session = _Session(frozenset(self.headers))
        retries = Retry(total=3, backoff_factor=0.2, status_forcelist=(502, 503, 504), raise_on_status=False)
        for scheme in SCHEMES:
            self._session.mount(f"{scheme}://", HTTPAdapter(pool_maxsize=16, max_retries=retries))
        self._whole: OrderedDict[str, IO[bytes]] = OrderedDict()
        self._known: OrderedDict[str, dict[str, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return (remote_at, (self.url, tuple(self.headers.items())))

    def know(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Take these for all files of their names below a folder that never changes, so that none is asked for."""
        with self._lock:
            self._known[folder] = dict(files)
            while len(self._known) > KNOWN_FOLDERS:
                self._known.popitem(last=False)

    def _told(self, path: str) -> bytes | None:
        """A file that is known; `FileNotFoundError` where it is known that there is none."""
        place = PurePosixPath(path)
        with self._lock:
            known = next(((up, self._known[str(up)]) for up in place.parents if str(up) in self._known), None)
        if known is None or place.name not in {PurePosixPath(each).name for each in known[1]}:
            return None
        if (data := known[1].get(str(place.relative_to(known[0])))) is None:
            raise FileNotFoundError(path)
        return data

    def read(self, path: str) -> bytes:
        """A whole file; `FileNotFoundError` where there is none."""
        if (data := self._told(path)) is not None:
            return data
        with self._asked("GET", path) as answer:
            return b"".join(_pieces(answer, MOST_AT_ONCE))

    def exists(self, path: str) -> bool:
        """Whether there is such a file; some servers say that one may not see what is not there."""
        try:
            if self._told(path) is not None:
                return True
            with self._asked("HEAD", path):
                return True
        except (FileNotFoundError, Denied):
            return False

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Bytes ``[start, stop)`` of a file, or fewer where it ends; from a negative ``start``, its last bytes.

        A server that knows no byte ranges sends the file, which is then kept on the local disk for a while.
        """
        if (kept := self._kept(path)) is None:
            wanted = f"bytes={start}" if start < 0 else f"bytes={start}-{stop - 1}"
            with self._asked("GET", path, {"Range": wanted}) as answer:
                if answer.status_code == requests.codes.partial_content:
                    _check_range(answer, start, path)
                    return b"".join(_pieces(answer, -start if start < 0 else stop - start))
                if answer.status_code == requests.codes.requested_range_not_satisfiable:
                    return b""
                kept = self._keep(path, answer)
        size = os.fstat(kept.fileno()).st_size
        first = max(0, size + start) if start < 0 else start
        return os.pread(kept.fileno(), (size if start < 0 else stop) - first, first)

    def download(self, path: str, target: Path, size: int, digest: str) -> None:
        """Write a file of ``size`` bytes, whose SHA-256 is ``digest``, to ``target``.

        Raises
        ------
        Damaged
            It is another.
        """
        found, length = hashlib.sha256(), 0
        try:
            with self._asked("GET", path) as answer, target.open("wb") as file:
                for piece in _pieces(answer):
                    length += len(piece)
                    if length > size:
                        break
                    found.update(piece)
                    file.write(piece)
        except FileNotFoundError:
            raise Damaged(f"{self.url} lacks {path}, which it says to have; publish it again") from None
        if length != size or found.hexdigest() != digest:
            raise Damaged(f"{path} at {self.url} is not what was published; publish it again")

    @contextmanager
    def _asked(self, method: str, path: str, headers: Mapping[str, str] = NONE) -> Iterator[requests.Response]:
        url = f"{self.url}/{quote(path)}"
        # A compressed answer would have other byte ranges.
        sent = {**self.headers, "Accept-Encoding": "identity", **headers}
        try:
            with self._session.request(method, url, headers=sent, stream=True, timeout=SECONDS) as answer:
                _raise_for(answer, path)
                yield answer
        except requests.exceptions.SSLError:
            raise Unreachable(
                f"the certificate of {self.url} is not trusted; if it is your own, REQUESTS_CA_BUNDLE names its file"
            ) from None
        except requests.RequestException as error:
            raise Unreachable(f"{self.url} cannot be reached ({type(error).__name__}); try again later") from error

    def _kept(self, path: str) -> IO[bytes] | None:
        with self._lock:
            if path in self._whole:
                self._whole.move_to_end(path)
            return self._whole.get(path)

    def _keep(self, path: str, answer: requests.Response) -> IO[bytes]:
        file = tempfile.TemporaryFile()  # noqa: SIM115 (it stays open)
        for piece in _pieces(answer):
            file.write(piece)
        file.flush()
        with self._lock:
            self._whole[path] = file
            while len(self._whole) > WHOLE_FILES:
                self._whole.popitem(last=False)  # closed when nobody reads it any more
        return file


class _Session(requests.Session):
    """Connections that tell headers of our own to nobody but the server for which they are meant."""

    def __init__(self, own: frozenset[str]) -> None:
        super().__init__()
        self._own = own

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Called before a redirection is followed."""
        super().rebuild_auth(prepared_request, response)
        if self.should_strip_auth(response.request.url or "", prepared_request.url or ""):
            for name in self._own:
                prepared_request.headers.pop(name, None)


@lru_cache(64)
def remote_at(url: str, headers: tuple[tuple[str, str], ...]) -> Remote:
    """The one `Remote` of this process for an address, with the connections that it has open."""
    return Remote(url, dict(headers))


def _pieces(answer: requests.Response, most: int | None = None) -> Iterator[bytes]:
    length = 0
    for piece in answer.iter_content(PIECE):
        length += len(piece)
        if most is not None and length > most:
            raise Unreachable(f"the server sends more than the {most} bytes that it may")
        yield piece
    told = answer.headers.get("Content-Length")
    if told is not None and answer.headers.get("Content-Encoding", "identity") == "identity" and length != int(told):
        raise requests.ConnectionError("the answer was cut short")


def _check_range(answer: requests.Response, start: int, path: str) -> None:
    told = answer.headers.get("Content-Range", "")
    if start >= 0 and not told.startswith(f"bytes {start}-"):
        raise Unreachable(f"the server sent another part of {path} than it was asked for")


def _raise_for(answer: requests.Response, path: str) -> None:
    code = answer.status_code
    if code in (404, 410):
        raise FileNotFoundError(path)
    if code in (401, 403):
        raise Denied(f"the server does not let you read {path}; sign in, for instance by ~/.netrc")
    if code >= 400 and code != requests.codes.requested_range_not_satisfiable:
        raise Unreachable(f"the server answers {code} to a request for {path}; try again later")
