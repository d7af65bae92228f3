"""Files of jobs, to a node and back, in pieces of plain calls."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from inference.api.commands import FinishedPart, SubmitJob
from inference.api.messages import DisplayCopy, JobFinished, OutputFile, PartFinished
from inference.cluster.nodes.files import PIECE_BYTES

#: Calls a method of the host, again and again until it answers.
CallHost = Callable[..., Awaitable[Any]]


class NodeRefused(Exception):
    """A node could not take a file: its disk is full."""


class FileTransfer:
    """Carries files between the bot's folders and one seat's."""

    def __init__(self, call_host: CallHost, session: str, outbox: Path) -> None:
        self._call_host = call_host
        self._session = session
        self._outbox = outbox

    async def send_files(self, submission: SubmitJob) -> SubmitJob:
        """Lay a job's files into the node's inbox; return the job with their names there.

        A finished part that cannot be read is left out: it is done again.

        Raises:
            FileNotFoundError: a picture of the job is not there any more.
            NodeRefused: the node has no room.
        """
        stem = f"{self._session}-{submission.job_id}-{submission.attempt}"
        inputs = {}
        for number, (name, path) in enumerate(submission.inputs.items()):
            inputs[name] = await self._send_file(Path(path), f"{stem}-i{number}")
        parts: list[FinishedPart] = []
        for part in submission.parts:
            with contextlib.suppress(FileNotFoundError):
                file_name = await self._send_file(Path(part.path), f"{stem}-p{part.number}")
                parts.append(replace(part, path=file_name))
        return replace(submission, inputs=inputs, parts=tuple(parts))

    async def fetch_result(self, event: JobFinished) -> JobFinished:
        """Bring a result's files into the bot's outbox; return the event with their paths there.

        Raises:
            OSError: one is not there, or there is no room here.
        """
        images = tuple([await self._fetch_image(image) for image in event.images])
        seams = tuple([await self._fetch_image(image) for image in event.seams])
        return replace(event, images=images, seams=seams)

    async def fetch_part(self, event: PartFinished) -> PartFinished:
        """Do the same with a part's file."""
        return replace(event, image=await self._fetch_image(event.image))

    async def _fetch_image(self, image: OutputFile) -> OutputFile:
        copies: list[DisplayCopy] = []
        for copy in image.copies:
            copies.append(replace(copy, path=await self._fetch_file(copy.path)))
        return replace(image, path=await self._fetch_file(image.path), copies=tuple(copies))

    async def _send_file(self, path: Path, name: str) -> str:
        offset = 0
        while True:
            data = await asyncio.to_thread(_read_piece, path, offset)
            if not data and offset:
                return name
            problem = await self._call_host("write_piece", self._session, name, offset, data)
            if problem:
                raise NodeRefused(problem)
            if len(data) < PIECE_BYTES:
                return name
            offset += len(data)

    async def _fetch_file(self, node_path: str) -> str:
        """Write a node's file into the outbox under a new name; return its path."""
        name = Path(node_path).name
        handle, path = tempfile.mkstemp(dir=self._outbox, suffix=Path(name).suffix)
        try:
            with os.fdopen(handle, "wb") as file:
                while True:
                    data = await self._call_host("read_piece", self._session, name, file.tell())
                    await asyncio.to_thread(file.write, data)
                    if len(data) < PIECE_BYTES:
                        return path
        except BaseException:
            os.unlink(path)  # noqa: PTH108 - at once, also where this is called off
            raise


def _read_piece(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(PIECE_BYTES)
