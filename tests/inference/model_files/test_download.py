"""Downloads, from a server on this machine: resumed, bounded, checked."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from inference.model_files.download import RemoteFile, download_file
from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights

CONTENT = bytes(range(256)) * 20_000  # 5 MB
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    breaks = ()  # bytes after which the next connections end
    asked = ()


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "ftp://example.org/file")
            self.end_headers()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        self.server.asked += (asked,)
        begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if begin >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        end = len(CONTENT)
        if self.server.breaks:
            end, *rest = self.server.breaks
            self.server.breaks = tuple(rest)
        self.wfile.write(CONTENT[begin:end])

    def log_message(self, *_words):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def published(server):
    def describe(path="/net.pth", size=SIZE, sha256=SHA256):
        return RemoteFile(f"http://127.0.0.1:{server.server_port}{path}", size, sha256)

    return describe


def test_a_file_arrives_whole(published, tmp_path):
    told = []
    download_file(published(), tmp_path / "net.pth", 60, told.append)

    assert (tmp_path / "net.pth").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["net.pth"]
    assert len(CONTENT) == told[-1]


def test_a_broken_connection_is_taken_up_where_it_ended(server, published, tmp_path):
    server.breaks = (2_000_000, 3_500_000)
    download_file(published(), tmp_path / "net.pth", 60)

    assert (tmp_path / "net.pth").read_bytes() == CONTENT
    assert len(server.asked) == 3
    assert server.asked == (None, "bytes=2000000-", "bytes=3500000-")


def test_an_earlier_runs_part_is_used(server, published, tmp_path):
    (tmp_path / "net.pth.part").write_bytes(CONTENT[:1_000_000])
    download_file(published(), tmp_path / "net.pth", 60)
    (tmp_path / "net.pth").rename(tmp_path / "net.pth.part")
    download_file(published(), tmp_path / "net.pth", 60)

    assert (tmp_path / "net.pth").read_bytes() == CONTENT
    assert ("bytes=1000000-", f"bytes={len(CONTENT)}-") == server.asked


@pytest.mark.parametrize("wrong", [{"sha256": "0" * 64}, {"size": SIZE + 1}, {"size": 1_000_000}])
def test_another_file_is_thrown_away(published, tmp_path, wrong):
    with pytest.raises(CorruptWeights, match="not the file it should be"):
        download_file(published(**wrong), tmp_path / "net.pth", 60)

    assert list(tmp_path.iterdir()) == []


def test_the_time_for_all_of_it_is_bounded(published, tmp_path):
    with pytest.raises(MissingWeights, match="took too long"):
        download_file(published(), tmp_path / "net.pth", 0)

    assert [path.name for path in tmp_path.iterdir()] == ["net.pth.part"]


def test_what_is_not_there_says_so(published, tmp_path):
    with pytest.raises(MissingWeights, match="404"):
        download_file(published("/missing"), tmp_path / "net.pth", 60)


def test_only_https_and_nothing_it_leads_out_of(published, tmp_path):
    with pytest.raises(UnsupportedWeights, match="not an https"):
        download_file(
            RemoteFile("http://example.org/net.pth", None, None), tmp_path / "net.pth", 60
        )
    with pytest.raises(UnsupportedWeights, match="leads out of"):
        download_file(published("/away"), tmp_path / "net.pth", 60)
