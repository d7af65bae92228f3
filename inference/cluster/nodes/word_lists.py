"""The bot's word lists on a node: sent when they have changed, so that a seed draws the same."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from inference.api.jobs.wordlists import MAX_LIST_BYTES, MAX_LISTS, RESCAN_SECONDS
from inference.cluster.file_transfer import CallHost, NodeRefused
from inference.cluster.nodes.files import LIST_SUFFIX

#: Lists travel together up to so many bytes.
BATCH_BYTES = 8 * 2**20  # bytes
#: Modification time in nanoseconds and size in bytes.
FileStamp = tuple[int, int]


class WordListSender:
    """Keeps one seat's lists as the bot's are."""

    def __init__(self, call_host: CallHost, session: str, folder: Path) -> None:
        self._call_host = call_host
        self._session = session
        self._folder = folder
        #: What the node has of this session; None before anything was sent.
        self._sent_stamps: Mapping[str, FileStamp] | None = None
        self._looked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def send_changes(self) -> None:
        """Send what is new or another than before, and have the node forget what is gone.

        Raises:
            NodeRefused: the node has no room.
        """
        async with self._lock:
            if time.monotonic() - self._looked_at < RESCAN_SECONDS:
                return
            stamps = await asyncio.to_thread(_read_stamps, self._folder)
            if stamps != self._sent_stamps:
                await self._send(stamps)
            self._sent_stamps = stamps
            self._looked_at = time.monotonic()

    async def _send(self, stamps: Mapping[str, FileStamp]) -> None:
        sent_stamps = self._sent_stamps or {}
        changed_names = [name for name in stamps if stamps[name] != sent_stamps.get(name)]
        batches = _read_batches(self._folder, changed_names)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            problem = await self._call_host("write_lists", self._session, batch, list(stamps))
            if problem:
                raise NodeRefused(problem)


def _read_stamps(folder: Path) -> dict[str, FileStamp]:
    stamps = {}
    for path in sorted(folder.rglob(f"*{LIST_SUFFIX}"))[:MAX_LISTS]:
        with contextlib.suppress(OSError):
            status = path.stat()
            stamps[path.relative_to(folder).as_posix()] = status.st_mtime_ns, status.st_size
    return stamps


def _read_batches(folder: Path, names: Sequence[str]) -> Iterator[dict[str, bytes]]:
    """Read lists as far as anybody does; one batch at least, for what is gone is told, too."""
    batch: dict[str, bytes] = {}
    for name in names:
        with contextlib.suppress(OSError), (folder / name).open("rb") as file:
            batch[name] = file.read(MAX_LIST_BYTES)
        if sum(map(len, batch.values())) > BATCH_BYTES:
            yield batch
            batch = {}
    yield batch
