"""C-STORE: what comes over the network, beside Orthanc and dcmtk's storescp."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from pacs_panel import open_archive
from pacs_panel.settings import Settings
from tests.benchmarks.measure import MB, ROOT, Row, Scale, alternate, rates, size_of, sync, watched
from tests.benchmarks.series import write_ct
from tests.serve.orthanc import free_ports, running

TITLE = "Receiving"
NOTES = """
C-STORE over loopback, senders are dcmtk's `storescu`, one process an association; each receiver in processes of its
own, with its defaults (ours: `pacs-panel receive`), Nagle's algorithm off everywhere. Timed until the last sender has
ended and the receiver's index counts all objects; ours are verified afterwards, digest by digest. Ours and Orthanc make
each object durable (fsync) before they answer, look for duplicates, and index it; storescp only writes files, in a
process for each association.

What limits ours: with one association, the wait for the disk after each object, as its sender sends the next only when
that was answered. With several, these waits overlap, and one interpreter does the rest: the protocol (two threads of
pynetdicom's an association, each of which looks for work every millisecond), headers, the look for duplicates, and the
index's rows. The digests are a small part. As both wait for the same disk, the ratio falls when others use it.
"""
SECONDS = 600  # for a run
COMMAND = "import sys; from pacs_panel.cli import main; sys.exit(main())"  # as the script `pacs-panel` has it
SENDER = ("/usr/bin/storescu", "+sd")


@dataclass(frozen=True, slots=True)
class Receiver:
    """One that listens: by title and port, and how many objects it says that it has."""

    title: str
    port: int
    count: Callable[[], int]
    peaks: dict[int, int]  # kB resident at most, by process


@dataclass(frozen=True, slots=True)
class Received:
    """Seconds that a run took, and the most MB resident in the receiver."""

    seconds: float
    peak: float


Start = Callable[[Path], AbstractContextManager[Receiver]]


def run(folder: Path, scale: Scale) -> list[Row]:
    large, small = scale.of(100, 40, 2), scale.of(1500, 400, 4)
    return [
        *_beside(folder, scale, 1, 2 * large, scale.of(512, 512, 32), ("≥ 1", "")),
        *_beside(folder, scale, 4, large, scale.of(512, 512, 32), ("≥ 1.5", "")),
        *_beside(folder, scale, 4, small, 64, ("", "")),
        _memory(folder, scale.of(3000, 800, 8)),
    ]


def _beside(folder: Path, scale: Scale, associations: int, each: int, size: int, aims: tuple[str, str]) -> list[Row]:
    """Lines on so many associations at once, of ``each`` objects."""
    sources = _write(folder / "in", associations, each, size)
    count = associations * each
    kilobytes = size_of(folder / "in") / count / 1000
    receive = [partial(_received, folder / "out", start, sources) for start in (_ours, _orthanc, _storescp)]
    ours, *peers = [median(one.seconds for one in done) for done in alternate(scale.rounds, *receive)]
    _remove(folder / "in")
    at_once = "one association" if associations == 1 else f"{associations} associations at once"
    return [
        rates(f"{at_once}, {kilobytes:.0f} kB, beside {name}", count / ours, count / peer, "objects/s", aim)
        for name, peer, aim in zip(("Orthanc", "storescp"), peers, aims, strict=True)
    ]


def _memory(folder: Path, each: int) -> Row:
    """Most memory while many small objects come, beside a quarter of them."""
    peaks = []
    for objects in (each, each // 4):
        sources = _write(folder / "in", 4, objects, 32)
        peaks.append(_received(folder / "out", _ours, sources, 0).peak)
        _remove(folder / "in")
    full, quarter = peaks
    what = f"most MB resident while {4 * each:,} small ones come, beside a quarter of them"
    return Row(what, f"{full:.0f} MB", f"{quarter:.0f} MB", f"{full / quarter:.2f}", "about 1")


def _write(folder: Path, associations: int, each: int, size: int) -> list[Path]:
    """A folder of files for each association."""
    write_ct(folder, associations, each, size)
    sync()
    return sorted(folder.iterdir())


def _received(folder: Path, start: Start, sources: Sequence[Path], number: int) -> Received:
    """Send folders to a receiver that is started for it, all at once."""
    count = sum(1 for source in sources for _ in source.iterdir())
    with start(folder) as receiver:
        begun = time.perf_counter()
        command = [*SENDER, "-aec", receiver.title, "127.0.0.1", str(receiver.port)]
        senders = [subprocess.Popen([*command, source], env={"TCP_NODELAY": "1"}) for source in sources]
        if any(sender.wait(SECONDS) for sender in senders):
            raise RuntimeError(f"{receiver.title} did not take all")
        _until(lambda: receiver.count() == count)
        seconds = time.perf_counter() - begun
    _remove(folder)
    return Received(seconds, max(receiver.peaks.values(), default=0) * 1000 / MB)


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not done():
        if time.monotonic() > end:
            raise RuntimeError("it takes too long")
        time.sleep(0.005)


# -- receivers ---------------------------------------------------------------------------------------------------------


@contextmanager
def _ours(folder: Path) -> Iterator[Receiver]:
    command: list[str | Path] = [
        sys.executable,
        "-c",
        COMMAND,
        "receive",
        "--archive",
        folder,
        "--port",
        "0",
        "--anyone",
    ]
    with ExitStack() as stack:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        stack.callback(_end, process)
        assert process.stdout
        port = int(process.stdout.readline().rpartition(" ")[2])
        archive = stack.enter_context(open_archive(folder, create=False, settings=Settings(workers=0)))
        peaks = stack.enter_context(watched(process.pid))
        yield Receiver("PACS_PANEL", port, lambda: archive.search("instance").count(), peaks)
        _end(process)
        if not archive.verify().clean:
            raise RuntimeError("what was kept is damaged")


@contextmanager
def _orthanc(folder: Path) -> Iterator[Receiver]:
    with running(folder) as orthanc:
        yield Receiver(
            orthanc.title,
            orthanc.dicom[1],
            lambda: int(orthanc.http.get("/statistics").json()["CountInstances"]),
            {},
        )


@contextmanager
def _storescp(folder: Path) -> Iterator[Receiver]:
    (port,) = free_ports(1)
    folder.mkdir()
    command: list[str | Path] = ["/usr/bin/storescp", "--fork", "-od", folder, str(port)]
    process = subprocess.Popen(command, env={"TCP_NODELAY": "1"}, stderr=subprocess.DEVNULL)
    try:
        _until(lambda: _listens(port))
        yield Receiver("STORESCP", port, lambda: sum(1 for _ in folder.iterdir()), {})
    finally:
        _end(process)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(SECONDS)


def _remove(folder: Path) -> None:
    """Remove a folder, and let nothing of it be written while something else is measured."""
    subprocess.run(["rm", "-rf", os.fspath(folder)], check=True)
    sync()
