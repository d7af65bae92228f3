"""A stand-in for a model hub on this machine: it answers as the hub's API does.

Repositories are folders. Files beyond `LARGE` bytes have the SHA-256 that the hub states of large
ones; a repository may be gated, and an owner of the token gets it all the same.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

#: Bytes from which a hub states a file's SHA-256.
LARGE = 10_000
REVISION = "5" * 40
TOKEN = "hf_standIn"


class StandInHub(ThreadingHTTPServer):
    """A hub of the repositories that are given, by `owner/name`."""

    daemon_threads = True

    def __init__(self, repositories: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.repositories = repositories
        self.fetched: list[str] = []
        self.headers: list[Any] = []
        self.breaks: dict[str, int] = {}  # bytes of a file after which its next connections end
        self.changed: dict[str, dict[str, Any]] = {}
        self.refusal = 0
        self.gated: bool | str = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def siblings(self, folder: Path) -> Iterator[dict[str, Any]]:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                name = path.relative_to(folder).as_posix()
                entry: dict[str, Any] = {
                    "rfilename": name,
                    "size": len(data),
                    "blobId": "b" * 40,
                }
                if len(data) > LARGE:
                    sha256 = hashlib.sha256(data).hexdigest()
                    entry["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 133}
                yield entry | self.changed.get(name, {})


class Answers(BaseHTTPRequestHandler):
    server: StandInHub

    def do_GET(self) -> None:
        self.server.headers.append(self.headers)
        parts = urlsplit(self.path).path.removeprefix("/api/models").strip("/").split("/")
        repository, rest = "/".join(parts[:2]), parts[2:]
        folder = self.server.repositories.get(repository)
        is_owner = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if self.server.refusal:
            self.send_error(self.server.refusal)
        elif folder is None:
            self.send_error(404)
        elif self.path.startswith("/api/models/"):
            siblings = list(self.server.siblings(folder))
            info = {"id": repository, "sha": REVISION, "gated": self.server.gated}
            self.give(json.dumps(info | {"siblings": siblings}).encode())
        elif self.server.gated and not is_owner:
            self.send_error(401)
        elif rest[0] == "resolve":
            name = "/".join(rest[2:])
            self.server.fetched.append(name)
            self.give((folder / name).read_bytes(), self.server.breaks.get(name))
        else:
            self.send_error(404)

    def give(self, data: bytes, end: int | None = None) -> None:
        begin = int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        self.wfile.write(data[begin:end])

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def serve_hub(repositories: dict[str, Path]) -> Iterator[StandInHub]:
    """Serve repositories until the block ends."""
    with StandInHub(repositories) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
