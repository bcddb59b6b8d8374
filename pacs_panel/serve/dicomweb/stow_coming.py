"""The body of one STOW request as it comes: its objects are handed over one by one, and no more lie here than must."""

from __future__ import annotations

import io
import shutil
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Any, Self

from pacs_panel.dicom import header
from pacs_panel.dicom.from_json import described, uid_of, write_object
from pacs_panel.errors import Rejected, TooLarge, Unreadable
from pacs_panel.model import Identity, Stored
from pacs_panel.serve.dicomweb.intake import TOGETHER, Intake
from pacs_panel.serve.dicomweb.stow_answer import JSON, OTHER_STUDY, Failed
from pacs_panel.serve.dicomweb.stow_parts import Begin, Event, media_type
from pacs_panel.serve.dimse.status import status
from pacs_panel.serve.spool import SPARE
from pacs_panel.settings import MIB, Settings

DICOM = "application/dicom"
BULK = "application/octet-stream"
SMALL = MIB  # bytes of an object that stays in memory until it is taken in; larger ones go to the spool
MOST_WAITING = 2 * TOGETHER  # objects of one request that are not taken in yet
MOST_METADATA = 64 * MIB  # bytes of a part of JSON

Outcome = Stored | Failed


class _Part:
    """The bytes of one part: in memory as long as they are few."""

    def __init__(self, kind: str, place: str, path: Path, most: int) -> None:
        self.kind, self.place, self.path = kind, place, path
        self.size, self._most = 0, most
        self._memory: io.BytesIO | None = io.BytesIO()
        self._file: IO[bytes] | None = None

    def write(self, data: bytes) -> None:
        """Go on; what is too large is counted, and not kept."""
        self.size += len(data)
        if self.size > self._most:
            return
        if self._memory is not None and self.size > SMALL:
            self.spill()
        (self._file or self._memory or io.BytesIO()).write(data)

    def spill(self) -> Path:
        """The bytes as a file."""
        if self._memory is not None:
            if shutil.disk_usage(self.path.parent).free < SPARE:
                raise OSError("no room in the spool")
            self._file = self.path.open("wb")
            self._file.write(self._memory.getbuffer())
            self._memory = None
        return self.path

    def close(self) -> Path | bytes:
        """All of it, when it is whole."""
        if self._file is not None:
            self._file.close()
        return self.path if self._memory is None else self._memory.getvalue()

    def check(self) -> None:
        """Refuse what is larger than one object may be."""
        if self.size > self._most:
            raise TooLarge(f"{self.size} bytes; {self._most} are allowed")


class Coming:
    """Takes the events of a body, and knows what became of its objects. One thread at a time may use it.

    Parameters
    ----------
    intake : Intake
    spool : Path
        Folder in which it makes one of its own.
    settings : Settings
    study : str, optional
        UID of the only study of which objects are taken.
    """

    def __init__(self, intake: Intake, spool: Path, settings: Settings, study: str = "") -> None:
        self._intake, self._settings, self._study = intake, settings, study
        self._folder = Path(mkdtemp(prefix="stow-", dir=spool))
        self._waiting: deque[tuple[int, Identity | None, Future[Stored]]] = deque()
        self._outcomes: dict[int, Outcome] = {}
        self._part: _Part | None = None
        self._count = 0
        self._items: list[Any] = []
        self._bulk: dict[str, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._waiting:
            self._intake.hurry()
        for _, _, future in self._waiting:  # files that are being taken in stay until they are
            with suppress(Exception):
                future.result()
        if self._part is not None:
            self._part.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def take(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, Begin):
            kind, _ = media_type(event.header.get("content-type", DICOM))
            self.begin(kind, event.header.get("content-location", ""))
        elif isinstance(event, bytes):
            self.write(event)
        else:
            self.end()

    def begin(self, kind: str, place: str = "") -> None:
        """A part begins, of this media type, and under this address."""
        self._count += 1
        most = MOST_METADATA if kind == JSON else self._settings.max_object_bytes
        self._part = _Part(kind, place, self._folder / str(self._count), most)
        self._error: Exception | None = None

    def write(self, data: bytes) -> None:
        """Bytes of the part; when the disk is full, the object fails, and the others go on."""
        if self._part is None or self._error is not None:
            return
        try:
            self._part.write(data)
        except OSError as error:
            self._error = error

    def end(self) -> None:
        """The part is whole."""
        part, self._part = self._part, None
        if part is None:
            return
        try:
            content = part.close()
            if self._error is not None:
                raise self._error
            part.check()
            self._whole(part, content)
        except (Rejected, OSError) as error:
            part.path.unlink(missing_ok=True)
            self._fail(self._number(), error)

    def finish(self, whole: bool) -> list[Outcome]:
        """What became of everything, in order; ``whole``: the body ended as it should."""
        if self._part is not None or not whole:
            self._fail(self._number(), Unreadable("the body ends within an object"))
        elif self._items:
            self._make()
        self._intake.hurry()
        while self._waiting:
            self._wait()
        return [self._outcomes[number] for number in sorted(self._outcomes)]

    def _whole(self, part: _Part, content: Path | bytes) -> None:
        if part.kind == DICOM:
            self._hand_over(content)
        elif part.kind == JSON:
            self._items += described(content if isinstance(content, bytes) else content.read_bytes())
            part.path.unlink(missing_ok=True)
        elif part.place:
            path = content if isinstance(content, Path) else part.path
            if isinstance(content, bytes):
                path.write_bytes(content)
            if part.kind == BULK:
                self._bulk[part.place] = path
        else:
            raise Unreadable(f"a part of another type than {DICOM} and {JSON} has no Content-Location")

    def _make(self) -> None:
        """Objects of metadata and bulk data, which may have come in any order."""
        for item in self._items:
            number, target = self._number(), self._folder / f"made-{self._count}-{len(self._outcomes)}"
            identity = Identity(uid_of(item, "00080018"), uid_of(item, "00080016"), uid_of(item, "0020000D"), "", "")
            try:
                write_object(item, self._bulk, target)
            except (Rejected, OSError) as error:
                target.unlink(missing_ok=True)
                self._fail(number, error, identity)
                continue
            self._hand_over(target, number)

    def _number(self) -> int:
        """Place of the next object among all outcomes."""
        self._outcomes[number := len(self._outcomes)] = Failed(0x0110)
        return number

    def _hand_over(self, content: Path | bytes, number: int | None = None) -> None:
        number = self._number() if number is None else number
        identity = self._identity(content) if self._study else None
        if identity is not None and identity.study_uid != self._study:
            if isinstance(content, Path):
                content.unlink(missing_ok=True)
            self._outcomes[number] = Failed(OTHER_STUDY, identity.sop_class_uid, identity.sop_instance_uid)
            return
        while len(self._waiting) >= MOST_WAITING:
            self._wait()
        origin = f"by STOW: {self._folder.name}/{number}"
        self._waiting.append((number, identity, self._intake.submit(origin, content)))

    def _identity(self, content: Path | bytes) -> Identity | None:
        """Which object it is; ``None`` where it cannot be read, and will be refused."""
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as source:
            try:
                return header.read(source, size, self._settings).identity
            except Rejected:
                return None

    def _wait(self) -> None:
        number, identity, future = self._waiting.popleft()
        try:
            self._outcomes[number] = future.result()
        except Exception as error:
            self._fail(number, error, identity)

    def _fail(self, number: int, error: Exception, identity: Identity | None = None) -> None:
        uids = (identity.sop_class_uid, identity.sop_instance_uid) if identity else ("", "")
        self._outcomes[number] = Failed(status(error), *uids)
