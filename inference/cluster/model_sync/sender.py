"""On the bot's host: what its models consist of, and how one node is given what it lacks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.cluster.model_sync.receiver import MISSING, OTHER
from inference.cluster.transport import SeatUnavailable
from inference.model_files.files import is_pipeline
from inference.model_files.hashes import FileHashes

#: Bytes of a file that travel in one call.
PIECE_BYTES = 16 * 2**20  # bytes
#: A node that does not answer is asked again so often.
TRIES = 30
#: Between two tries.
RETRY_SECONDS = 2.0  # seconds

#: Calls a method of a node's receiver.
CallReceiver = Callable[..., Awaitable[Any]]
#: Takes a line for who looks on.
LineWriter = Callable[[str], object]


@dataclass(frozen=True)
class ModelFile:
    """A file of a model, by its path below the models folder."""

    name: str
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Model:
    """What only is of use as a whole: a file, or a folder in diffusers' layout."""

    name: str
    files: tuple[ModelFile, ...]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)


class NodeLacks(Exception):
    """A node cannot take a model; the text says why."""


def list_models(models: Path, hashes: FileHashes) -> list[Model]:
    """List all that lies in a models folder, hidden files aside; files are read to be hashed."""
    found_models = []
    for name, paths in _walk_models(models):
        files = [
            ModelFile(
                name=path.relative_to(models).as_posix(),
                path=path,
                size=path.stat().st_size,
                sha256=hashes.sha256(path),
            )
            for path in paths
        ]
        found_models.append(Model(name, tuple(files)))
    return found_models


async def sync_node(
    node: str, call_receiver: CallReceiver, models: list[Model], write_line: LineWriter
) -> bool:
    """Give a node what it lacks, and say of each model what was done; False where one is not there.

    Raises:
        Exception: the node is gone; what has arrived stays, to be gone on with.
    """
    is_whole = True
    for model in models:
        try:
            sent_bytes, held_bytes = await _sync_model(call_receiver, model)
        except NodeLacks as problem:
            is_whole = False
            write_line(f"{node}: {model.name}: {problem}")
            continue
        if sent_bytes == 0 and held_bytes == model.size:
            write_line(f"{node}: {model.name} was there")
        else:
            was_there = f", {held_bytes:,} were there" if held_bytes else ""
            write_line(f"{node}: {model.name} copied, {sent_bytes:,} bytes{was_there}")
    return is_whole


async def _sync_model(call_receiver: CallReceiver, model: Model) -> tuple[int, int]:
    """Bring one model; give how many bytes were sent, and how many had been there.

    Raises:
        NodeLacks: it is not there now.
    """
    missing_files: list[tuple[ModelFile, int]] = []
    for file in model.files:
        state, offset = await _call(call_receiver, "look_up", file.name, file.size, file.sha256)
        if state == OTHER:
            raise NodeLacks(
                f"{file.name} is another file there than here (SHA-256 {file.sha256[:10]}…) and "
                "was left: the bot gives that node no jobs of that name until one is removed"
            )
        if state == MISSING:
            missing_files.append((file, offset))
    needed_bytes = sum(file.size - offset for file, offset in missing_files)
    if shortage := await _call(call_receiver, "find_shortage", needed_bytes):
        raise NodeLacks(f"the disk is too full by {shortage:,} bytes; nothing was copied")
    for file, offset in missing_files:
        await _send_file(call_receiver, file, offset)
    arrivals = [(file.name, file.sha256) for file, _ in missing_files]
    if problem := await _call(call_receiver, "place_files", arrivals):
        raise NodeLacks(f"it cannot be put in its place: {problem}")
    return needed_bytes, model.size - needed_bytes


async def _send_file(call_receiver: CallReceiver, file: ModelFile, offset: int) -> None:
    while offset < file.size or file.size == 0:
        data = await asyncio.to_thread(_read_piece, file.path, offset)
        if not data and file.size:
            raise NodeLacks(f"{file.name} has become shorter here meanwhile")
        problem = await _call(call_receiver, "write_piece", file.name, file.sha256, offset, data)
        if problem:
            raise NodeLacks(f"{file.name} cannot be written there: {problem}")
        offset += len(data)
        if not data:
            break
    if problem := await _call(call_receiver, "check_file", file.name, file.sha256):
        raise NodeLacks(f"{file.name}: {problem}; run this again")


async def _call(call_receiver: CallReceiver, method: str, *arguments: Any) -> Any:
    for _ in range(TRIES - 1):
        try:
            return await call_receiver(method, *arguments)
        except SeatUnavailable:
            await asyncio.sleep(RETRY_SECONDS)
    return await call_receiver(method, *arguments)


def _walk_models(models: Path) -> Iterator[tuple[str, list[Path]]]:
    """Walk the models folder: each folder in diffusers' layout as one, all else file by file."""
    for folder, subfolders, names in os.walk(models):
        here = Path(folder)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in list(subfolders):
            if is_pipeline(here / name):
                subfolders.remove(name)
                paths = (path for path in sorted((here / name).rglob("*")) if path.is_file())
                visible_paths = [path for path in paths if not path.name.startswith(".")]
                yield (here / name).relative_to(models).as_posix(), visible_paths
        for name in sorted(names):
            if not name.startswith("."):
                yield (here / name).relative_to(models).as_posix(), [here / name]


def _read_piece(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(PIECE_BYTES)
