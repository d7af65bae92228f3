"""On a node: files of models, taken in pieces, checked, and laid where the worker looks."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import shutil
from pathlib import Path, PurePosixPath

from inference.api.version import find_version
from inference.model_files.hashes import HASHES_FILE, FileHashes

#: In the models folder: what has not arrived as a whole; no worker looks there.
ARRIVALS_FOLDER = ".arriving"
#: Digits of the hash in a name there: what was begun of another file is not gone on with.
NAME_DIGITS = 16
#: What a node may have of a file.
THERE, OTHER, MISSING = "there", "other", "missing"
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class ModelReceiver:
    """Takes files into one models folder; every method takes and gives plain values only.

    A call may come twice. Names are paths below the folder, with `/`.
    """

    def __init__(self, node: str, models: Path, cache: Path) -> None:
        self._node = node
        self._models = models
        self._hashes = FileHashes(cache / HASHES_FILE)
        #: Why nothing can be taken here, for people.
        self.problem = ""

    async def describe(self) -> str:
        """Say, as JSON, where this is."""
        fields = {"node": self._node, "version": find_version(), "problem": self.problem}
        return json.dumps(fields)

    async def look_up(self, name: str, size: int, sha256: str) -> tuple[str, int]:
        """Say what is here by that name, and how many bytes of the file have arrived."""
        return await asyncio.to_thread(self._look_up, name, size, sha256)

    async def find_shortage(self, size: int) -> int:
        """Say how many of so many bytes would not fit on the disk."""
        free_bytes = shutil.disk_usage(self._models).free
        return max(0, size - free_bytes)

    async def write_piece(self, name: str, sha256: str, offset: int, data: bytes) -> str:
        """Write a piece of a file; return what went wrong, else nothing.

        On a full disk what has arrived of it is removed; after anything else it stays.
        """
        path = self._arrival_path(name, sha256)
        try:
            await asyncio.to_thread(_write_at, path, offset, data)
        except OSError as error:
            if error.errno in DISK_FULL:
                path.unlink(missing_ok=True)
            return error.strerror or repr(error)
        return ""

    async def check_file(self, name: str, sha256: str) -> str:
        """Compare what arrived with the hash; return what is wrong, else nothing.

        What is damaged is removed.
        """
        path = self._arrival_path(name, sha256)
        try:
            if await asyncio.to_thread(_hash_file, path) == sha256:
                return ""
            path.unlink()
        except OSError as error:
            return error.strerror or repr(error)
        return "what arrived is damaged"

    async def place_files(self, files: list[tuple[str, str]]) -> str:
        """Lay files, by name and hash, where they belong; return what went wrong, else nothing.

        None of them takes the place of another.
        """
        try:
            for name, sha256 in files:
                target, source = self._path(name), self._arrival_path(name, sha256)
                if target.exists():
                    if source.exists():
                        return f"{name} has come from elsewhere meanwhile"
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)
                target.chmod(0o644)
                _remove_empty_folders(source.parent, self._models)
        except OSError as error:
            return error.strerror or repr(error)
        return ""

    def _look_up(self, name: str, size: int, sha256: str) -> tuple[str, int]:
        path, arrival = self._path(name), self._arrival_path(name, sha256)
        if path.exists():
            is_same = path.stat().st_size == size and self._hashes.sha256(path) == sha256
            return (THERE if is_same else OTHER), 0
        with contextlib.suppress(FileNotFoundError):
            if arrival.stat().st_size <= size:
                return MISSING, arrival.stat().st_size
            arrival.unlink()
        return MISSING, 0

    def _path(self, name: str) -> Path:
        """Give the path of a name; whoever asks has no business elsewhere.

        Raises:
            ValueError: it leads out of the folder.
        """
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or parts[0] == ARRIVALS_FOLDER:
            raise ValueError(f"{name!r} is no name of a model's file.")
        return self._models.joinpath(*parts)

    def _arrival_path(self, name: str, sha256: str) -> Path:
        relative_path = self._path(name).relative_to(self._models)
        path = self._models / ARRIVALS_FOLDER / relative_path
        return path.with_name(f"{path.name}.{sha256[:NAME_DIGITS]}")


def _write_at(path: Path, offset: int, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.seek(offset)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_empty_folders(folder: Path, last: Path) -> None:
    with contextlib.suppress(OSError):
        while folder != last:
            folder.rmdir()
            folder = folder.parent
