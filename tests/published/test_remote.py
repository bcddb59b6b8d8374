"""Files on a server as paths, files and bytes."""

from __future__ import annotations

import io
import pickle
import threading
from pathlib import Path

import pytest

from pacs_panel.archive import open_archive
from pacs_panel.errors import ReadOnly, Unreachable
from pacs_panel.published.archive import PublishedArchive
from pacs_panel.settings import Settings
from pacs_panel.storage.http import Remote, remote_at
from pacs_panel.storage.remote import HELD, NEAR, RemoteBytes, RemotePath, is_remote
from tests.published.conftest import Plain, plain_server

DATA = bytes(range(256)) * 1000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "a b").mkdir()
    (folder / "a b" / "data#1").write_bytes(DATA)
    (folder / "empty").write_bytes(b"")
    return folder


@pytest.fixture(params=["ranges", "plain"])
def root(files, serve, request):
    if request.param == "ranges":
        yield RemotePath(remote=Remote(serve(files).url))
    else:
        with plain_server(files) as url:
            yield RemotePath(remote=Remote(url))


def test_addresses():
    assert is_remote("https://example.org/a")
    assert is_remote("HTTP://example.org")
    for other in ("memory://", "file:///data/pacs", Path("https:/a"), "httpd/archive", "s3://bucket"):
        assert not is_remote(other)


def test_a_path_reads(root):
    path = root / "a b" / "data#1"
    assert (path.name, path.parent.name, str(path)) == ("data#1", "a b", "a b/data#1")
    assert path.read_bytes() == DATA
    assert path.exists()
    assert not (root / "a b" / "other").exists()
    with pytest.raises(FileNotFoundError):
        (root / "a b" / "other").read_bytes()
    assert (root / "empty").read_bytes() == b""


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (5, 5000), (255_990, 256_000), (255_990, 999_999), (-7, 0)])
def test_ranges(root, start, stop):
    found = (root / "a b" / "data#1").read_range(start, stop)
    assert found == (DATA[start:] if start < 0 else DATA[start:stop])


def test_beyond_the_end_there_is_nothing(root):
    assert (root / "a b" / "data#1").read_range(256_000, 256_010) == b""


def test_a_range_as_a_file(root):
    with (root / "a b" / "data#1").open_range(1000, 200_000) as file:
        assert file.read(10) == DATA[1000:1010]
        assert file.seek(-10, io.SEEK_END) == 199_990
        assert file.read() == DATA[200_990:201_000]
        file.seek(0)
        assert file.read() == DATA[1000:201_000]
        assert file.read(1) == b""


def test_it_is_not_written_to(root, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = root / "volumes"
    for attempt in (
        path.mkdir,
        path.touch,
        path.unlink,
        path.stat,
        lambda: path.write_bytes(b"1"),
        lambda: path.write_text("1"),
        lambda: list(path.iterdir()),
        lambda: path.rename(tmp_path / "here"),
    ):
        with pytest.raises(ReadOnly):
            attempt()
    assert list(tmp_path.iterdir()) == []


def test_pickled_it_is_the_same_server(root):
    path = root / "a b" / "data#1"
    again = pickle.loads(pickle.dumps(path))
    assert isinstance(again, RemotePath)
    assert (again.read_bytes(), str(again)) == (DATA, str(path))
    assert again.remote is pickle.loads(pickle.dumps(path)).remote
    assert remote_at(path.remote.url, ()) is again.remote


def test_near_ranges_come_together(files, serve):
    server = serve(files)
    data = RemoteBytes(RemotePath("a b", "data#1", remote=Remote(server.url)))
    data.fetch([(10, 20), (0, 10), (20 + NEAR, 30 + NEAR), (200_000, 200_010)])
    assert len(server.asked) == 2
    assert bytes(data[5:15]) == DATA[5:15]
    assert bytes(data[21:22]) == DATA[21:22]
    data.fetch([(0, 10), (200_001, 200_005)])
    assert len(server.asked) == 2
    assert bytes(data[190_000:190_001]) == DATA[190_000:190_001]
    assert bytes(data[-4:]) == DATA[-4:]
    assert len(server.asked) == 4
    assert HELD > 32 * 512 * 512 * 2  # a row of chunks of most volumes, compressed or not


def test_an_answer_that_is_cut_short_is_no_answer(files):
    class Cutting(Plain):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"only this")
            self.close_connection = True

    with plain_server(files, Cutting) as url, pytest.raises(Unreachable):
        Remote(url).read("anything")


def test_another_range_is_no_answer(files):
    class Wrong(Plain):
        def do_GET(self):
            self.send_response(206)
            self.send_header("Content-Range", "bytes 0-9/100")
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"0123456789")

    with plain_server(files, Wrong) as url, pytest.raises(Unreachable, match="another part"):
        Remote(url).read_range("anything", 50, 60)


def test_more_than_the_range_is_no_answer(files):
    class Endless(Plain):
        def do_GET(self):
            self.send_response(206)
            self.send_header("Content-Range", "bytes 50-59/100")
            self.end_headers()
            self.wfile.write(bytes(1000))
            self.close_connection = True

    with plain_server(files, Endless) as url, pytest.raises(Unreachable, match="more than"):
        Remote(url).read_range("anything", 50, 60)


def test_headers_do_not_follow_to_another_server(files):
    seen = []

    class Other(Plain):
        def do_GET(self):
            seen.append(self.headers.get("X-Key"))
            super().do_GET()

    with plain_server(files, Other) as other:

        class Leading(Plain):
            def do_GET(self):
                seen.append(self.headers.get("X-Key"))
                self.send_response(302)
                self.send_header("Location", f"{other}/empty")
                self.send_header("Content-Length", "0")
                self.end_headers()

        with plain_server(files, Leading) as url:
            assert Remote(url, {"X-Key": "s3cret"}).read("empty") == b""
    assert seen == ["s3cret", None]


def test_a_redirection_to_a_file_of_this_machine_is_not_followed(files):
    class Leading(Plain):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", (files / "empty").as_uri())
            self.send_header("Content-Length", "0")
            self.end_headers()

    with plain_server(files, Leading) as url, pytest.raises(Unreachable):
        Remote(url).read("empty")


# -- what is kept of an archive ----------------------------------------------------------------------------------------


def states(settings: Settings) -> set[Path]:
    return {path for path in Path(settings.cache, "published").glob("*/*") if path.is_dir()}


def test_many_open_it_at_once_and_fetch_it_once(folder, serve, settings):
    server, found = serve(folder), []

    def work() -> None:
        with open_archive(server.url, settings=settings) as archive:
            found.append((archive.search().count(), archive.search("instance").count()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert sum(path.startswith("index/") for path in server.asked) == 6


def test_of_what_nobody_has_open_only_the_latest_is_kept(source, serve, settings, tmp_path):
    server = serve(tmp_path)
    source.publish(tmp_path / "site", source.search(Modality="CT"))
    first = open_archive(f"{server.url}/site", settings=settings)
    assert isinstance(first, PublishedArchive)
    (old,) = states(settings)
    source.publish(tmp_path / "site")
    with open_archive(f"{server.url}/site", settings=settings) as second:
        assert (first.search().count(), second.search().count()) == (1, 3)
        assert len(states(settings)) == 2
    first.close()
    source.publish(tmp_path / "site", source.search(Modality="MR"))
    open_archive(f"{server.url}/site", settings=settings).close()
    assert len(states(settings)) == 1
    assert old not in states(settings)
    assert not list(Path(settings.cache).rglob("*.parquet"))


def test_a_fetching_that_was_cut_short_is_begun_again(folder, serve, settings):
    server = serve(folder)
    open_archive(server.url, settings=settings).close()
    (state,) = states(settings)
    (state / "filled").unlink()
    (state / "index.sqlite").write_bytes(b"SQLite format 3\0 and then nothing")
    with open_archive(server.url, settings=settings) as archive:
        assert archive.search().count() == 3


def test_a_cache_that_cannot_be_made_is_told(folder, serve, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Exception, match="PACS_PANEL_CACHE names another place"):
        open_archive(serve(folder).url, settings=Settings(cache=str(tmp_path / "file")))
