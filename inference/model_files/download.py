"""Fetch one published file: resumable, within a time limit, checked by size and SHA-256."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inference.model_files.errors import (
    AccessDenied,
    CorruptWeights,
    MissingWeights,
    UnsupportedWeights,
)

CHUNK_BYTES = 2**20  # bytes
#: Seconds without a byte after which a connection counts as dead.
SOCKET_TIMEOUT_SECONDS = 30.0
#: Connections after the first, each going on where the last ended.
MAX_RETRIES = 5
#: Answers to one who may not have a file.
DENIED_STATUSES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True)
class RemoteFile:
    """A file as its catalogue describes it; None where no page states the number."""

    url: str
    size: int | None
    sha256: str | None
    #: Who fetches it, for the site of its address alone.
    token: str | None = field(default=None, repr=False)


def download_file(
    file: RemoteFile, target: Path, limit: float, tell: Callable[[int], None] = lambda _bytes: None
) -> None:
    """Download a file, going on with an earlier try's part; `limit` is seconds for all of it.

    Raises:
        MissingWeights: it could not be fetched in time; what is there stays for the next try.
        AccessDenied: it is not given to whoever asks.
        CorruptWeights: it is not the file described; nothing of it is kept.
        UnsupportedWeights: the address is not https.
    """
    parts = urlsplit(file.url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise UnsupportedWeights(f"{file.url} is not an https address.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    deadline = time.monotonic() + limit
    for retries_left in range(MAX_RETRIES, -1, -1):
        try:
            _resume_download(file, part, deadline, tell)
            break
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code in DENIED_STATUSES:
                raise AccessDenied(f"{file.url} is not given to everybody: {error}.") from error
            if isinstance(error, urllib.error.HTTPError) or not retries_left:
                raise MissingWeights(f"{file.url} could not be fetched: {error}.") from error
    _check_download(file, part)
    part.replace(target)


def _resume_download(
    file: RemoteFile, part: Path, deadline: float, tell: Callable[[int], None]
) -> None:
    """Append what is missing of a file to its part."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    request = urllib.request.Request(file.url, headers=headers)  # noqa: S310 (checked before)
    if file.token:
        request.add_unredirected_header("Authorization", f"Bearer {file.token}")
    opener = urllib.request.build_opener(_SameScheme)
    try:
        answer = opener.open(request, timeout=SOCKET_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return
        raise
    with answer, part.open("ab" if answer.status == HTTPStatus.PARTIAL_CONTENT else "wb") as out:
        while chunk := answer.read(CHUNK_BYTES):
            out.write(chunk)
            tell(out.tell())
            if file.size is not None and out.tell() > file.size:
                return
            if time.monotonic() > deadline:
                raise MissingWeights(
                    f"{file.url} took too long; run the same command again to go on where it "
                    "stopped."
                )
    if answer.length:  # bytes that were announced and did not come
        raise http.client.IncompleteRead(b"", answer.length)


def _check_download(file: RemoteFile, part: Path) -> None:
    size = part.stat().st_size
    with part.open("rb") as part_file:
        sha256 = hashlib.file_digest(part_file, "sha256").hexdigest()
    if (file.size is not None and size != file.size) or (file.sha256 and sha256 != file.sha256):
        part.unlink()
        raise CorruptWeights(
            f"{file.url} is not the file it should be: {size:,} bytes with SHA-256 {sha256}, "
            f"expected {'any number of' if file.size is None else format(file.size, ',')} bytes "
            f"with {file.sha256}. It was thrown away."
        )


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follow redirects to other hosts, as release pages give them, but never out of https."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """Give the request to the new address; only the same site is told who asks."""
        old_parts, new_parts = urlsplit(req.full_url), urlsplit(newurl)
        if new_parts.scheme != old_parts.scheme:
            raise UnsupportedWeights(f"{req.full_url} leads out of https, to {newurl}.")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        token = req.unredirected_hdrs.get("Authorization")
        if request is not None and token and new_parts.netloc == old_parts.netloc:
            request.add_unredirected_header("Authorization", token)
        return request
