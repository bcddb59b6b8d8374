"""What is wrong with an address, a server, or what it serves, is told in words."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pacs_panel.archive import open_archive
from pacs_panel.errors import ArchiveError, Damaged, Denied, Unreachable
from pacs_panel.published.archive import open_published
from tests.published.conftest import Plain, plain_server


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """To be damaged."""
    return shutil.copytree(folder, tmp_path / "copy")


def change(folder: Path, **said: object) -> None:
    told = json.loads((folder / "published.json").read_bytes())
    (folder / "published.json").write_text(json.dumps(told | said))


def test_there_is_none(serve, settings, tmp_path):
    server = serve(tmp_path)
    with pytest.raises(ArchiveError, match="no published archive at http"):
        open_archive(f"{server.url}/somewhere", settings=settings)
    (tmp_path / "published.json").write_text("<html>Welcome</html>")
    with pytest.raises(ArchiveError, match="something else"):
        open_archive(server.url, settings=settings)
    (tmp_path / "published.json").write_text("[1, 2]")
    with pytest.raises(ArchiveError, match="something else"):
        open_archive(server.url, settings=settings)


def test_another_version(copy, serve, settings):
    change(copy, format=99)
    with pytest.raises(ArchiveError, match="format 99, this software reads 1; update it"):
        open_archive(serve(copy).url, settings=settings)


@pytest.mark.parametrize(
    "said",
    [
        {"originals": False},
        {"id": "../../elsewhere"},
        {"tables": {}},
        {"tables": {"series": {"rows": 1}}},
        {"tables": None},
        {"hash": "0"},
    ],
)
def test_a_damaged_description(copy, serve, settings, said):
    change(copy, **said)
    with pytest.raises(Damaged, match=r"published\.json of http.* is damaged"):
        open_archive(serve(copy).url, settings=settings)
    assert not list(Path(settings.cache).rglob("*.sqlite"))


@pytest.mark.parametrize("how", ["changed", "longer", "shorter", "missing"])
def test_a_damaged_table(copy, folder, serve, settings, how):
    path = next((copy / "index").glob("series-*"))
    data = path.read_bytes()
    made = {"changed": data[:99] + b"\0" + data[100:], "longer": data + b"more", "shorter": data[:-9]}
    path.write_bytes(made[how]) if how in made else path.unlink()
    server = serve(copy)
    with pytest.raises(Damaged, match="publish it again"):
        open_archive(server.url, settings=settings)
    path.write_bytes(data)
    with open_archive(server.url, settings=settings) as archive:
        assert archive.search().count() == 3


def test_a_damaged_volume(copy, serve, settings, ct):
    with open_archive(serve(copy).url, settings=settings) as archive:
        (row,) = archive.search(Modality="CT").rows()
        (shard,) = (copy / f"volumes/{row['key'][:2]}/{row['key']}").glob("*/0/scale0/image/c/0/0/0")
        data = shard.read_bytes()
        shard.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(Damaged, match="index of scale0/image is damaged"):
            archive.volume(ct.series_uid).image.load()
        shard.unlink()
        with pytest.raises(Damaged, match="missing"):
            archive.volume(ct.series_uid).image.load()


def test_missing_originals(copy, serve, settings, ct):
    shutil.rmtree(copy / "originals")
    with open_archive(serve(copy).url, settings=settings) as archive, pytest.raises(Damaged, match="is not there"):
        archive.header(ct.series_uid)


def test_nobody_answers(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(Unreachable, match="cannot be reached"):
            open_archive(f"http://127.0.0.1:{taken.getsockname()[1]}", settings=settings)


def test_the_server_goes_away(folder, settings, ct):
    with plain_server(folder) as url:
        archive = open_archive(url, settings=settings)
    with archive:
        assert archive.search().count() == 3
        with pytest.raises(Unreachable):
            archive.volume(ct.series_uid)


@pytest.mark.parametrize("code", [401, 403])
def test_the_server_refuses(folder, settings, code):
    class Refusing(Plain):
        def do_GET(self):
            self.send_error(code)

    with plain_server(folder, Refusing) as url, pytest.raises(Denied, match="sign in"):
        open_archive(url, settings=settings)


def test_the_server_is_broken(folder, settings):
    class Broken(Plain):
        def do_GET(self):
            self.send_error(500)

    with plain_server(folder, Broken) as url, pytest.raises(Unreachable, match="answers 500"):
        open_archive(url, settings=settings)


def test_headers_are_sent_and_not_told(folder, settings):
    class Asking(Plain):
        def do_GET(self):
            if self.headers.get("Authorization") != "Bearer s3cret":
                return self.send_error(401)
            return super().do_GET()

    with plain_server(folder, Asking) as url:
        with pytest.raises(Denied) as refused:
            open_published(url, settings=settings, headers={"Authorization": "Bearer wr0ng"})
        assert "wr0ng" not in str(refused.value)
        with open_published(url, settings=settings, headers={"Authorization": "Bearer s3cret"}) as archive:
            assert archive.search().count() == 3
            assert "s3cret" not in repr(archive) + str(archive.status())


@pytest.mark.parametrize("address", ["http://me:s3cret@127.0.0.1:1/a", "http://127.0.0.1:1/a?token=s3cret"])
def test_an_address_carries_no_credentials(settings, address):
    with pytest.raises(ArchiveError, match="without name, password") as refused:
        open_archive(address, settings=settings)
    assert "s3cret" not in str(refused.value)


def test_a_server_without_byte_ranges_will_do(folder, source, settings, ct):
    with plain_server(folder) as url, open_archive(url, settings=settings) as archive:
        np.testing.assert_array_equal(archive.volume(ct.series_uid).image[20].values, ct.truth.physical()[20])
        assert archive.volume(ct.series_uid).identical(source.volume(ct.series_uid))
        row = source.search("instance", SeriesInstanceUID=ct.series_uid).page(1).rows[0]
        assert archive.read(str(row["SOPInstanceUID"])) == source.read(str(row["SOPInstanceUID"]))
        assert archive.overlays(ct.series_uid) == source.overlays(ct.series_uid)


@pytest.mark.peer("openssl")
def test_over_tls(folder, settings, ct, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with plain_server(folder, secure=context) as url:
        assert url.startswith("https://")
        with pytest.raises(Unreachable, match=r"certificate .* is not trusted"):
            open_archive(url, settings=settings)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with open_archive(url, settings=settings) as archive:
            np.testing.assert_array_equal(archive.volume(ct.series_uid).image[20].values, ct.truth.physical()[20])
        with pytest.raises(Unreachable):  # it speaks no plain http
            open_archive(url.replace("https", "http"), settings=settings)
