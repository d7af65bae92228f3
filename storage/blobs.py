"""Pictures on the disk, each under the SHA-256 of its bytes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import math
import os
import re
import secrets
import shutil
import stat
import threading
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from storage.disk.permissions import make_private_folder
from storage.error_translation import translate_disk_errors
from storage.errors import BadBlobKey, BlobDamaged, BlobMissing

BLOB_KEY_PATTERN = re.compile(r"[0-9a-f]{64}")
#: Leading digits that name a blob's folder, so that none grows beyond what tools can list.
SHARD_DIGITS = 2
CAN_SYNC_FOLDERS = os.name == "posix"
OUTBOX_FOLDER = "outbox"  # where workers leave finished files, beside the blobs
MAX_RESULT_BYTES = 1 << 30  # bytes of a worker's file; as many as the pixels of the largest picture
INCOMING_FOLDER = "incoming"  # where files are written before they have a name


@dataclass(frozen=True)
class StoredBlob:
    """A blob, and whether storing it made it."""

    key: str
    #: When it was stored, by this process's monotonic clock; NaN where it was there already.
    stored_at: float


class BlobStore:
    """A folder of blobs that are whole or absent.

    A blob is written to a temporary name, flushed to the disk, renamed, and its folder flushed:
    once a key is returned, neither a crash nor a power failure takes the blob away. The same
    bytes are kept once. All work on the disk runs in threads.

    Raises:
        BadBlobKey: a key that is not 64 hexadecimal digits, whatever is asked of it.
        DiskFull: there is no room; nothing of the new blob is left behind.
        DiskReadOnly: nothing can be stored or deleted.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        #: Where `adopt` takes files from.
        self.outbox = Outbox(self.root.parent / OUTBOX_FOLDER)
        self._incoming = self.root / INCOMING_FOLDER
        #: When this process last stored a key, by the monotonic clock: a wall clock that is set
        #: forward must not make a blob look old that no job has had time to name.
        self._stored_at: dict[str, float] = {}
        #: Held while a blob is made young or judged old, lest a sweep take one just stored again.
        self._lock = threading.Lock()

    def path_of(self, key: str) -> Path:
        """Return where the blob lies if it is there; another process may read it."""
        if not BLOB_KEY_PATTERN.fullmatch(key):
            raise BadBlobKey(key)
        return self.root / key[:SHARD_DIGITS] / key

    async def put(self, content: bytes) -> str:
        """Store the bytes and return their key."""
        return await asyncio.to_thread(self._put_sync, content)

    @asynccontextmanager
    async def put_all(self, contents: Mapping[str, bytes]) -> AsyncIterator[dict[str, str]]:
        """Store some blobs and give their keys by name; an error within the block takes them back.

        What was there before, or was stored again meanwhile, stays, and so does all after a
        cancellation: what was cancelled may have happened.
        """
        stored_blobs: dict[str, StoredBlob] = {}
        try:
            for name, content in contents.items():
                stored_blobs[name] = await asyncio.to_thread(self._put_new_sync, content)
            yield {name: blob.key for name, blob in stored_blobs.items()}
        except Exception:
            for blob in stored_blobs.values():
                await asyncio.to_thread(self._take_back_sync, blob)
            raise

    async def discard(self, keys: Collection[str], older_than: timedelta) -> int:
        """Delete those of the blobs that were last stored longer ago than that; return how many."""
        return await asyncio.to_thread(self._discard_sync, keys, older_than.total_seconds())

    async def sizes_of(self, keys: Collection[str]) -> dict[str, int]:
        """Return the bytes of each blob, 0 for one that is gone."""
        return await asyncio.to_thread(lambda: {key: self._size_of(key) for key in keys})

    async def get(self, key: str) -> bytes:
        """Return the bytes, checked against their key.

        Raises:
            BlobMissing: there is no such blob.
            BlobDamaged: the disk no longer holds what was stored.
        """
        return await asyncio.to_thread(self.get_sync, key)

    def get_sync(self, key: str) -> bytes:
        """Do what `get` does, for callers in a thread."""
        try:
            content = self.path_of(key).read_bytes()
        except FileNotFoundError as error:
            raise BlobMissing(key) from error
        if hashlib.sha256(content).hexdigest() != key:
            raise BlobDamaged(key)
        return content

    async def adopt(self, path: Path) -> str:
        """Take over a finished file, as a worker made it, and return its key; the file is gone.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not a plain file of its own in the outbox; nothing was opened outside.
        """
        return await asyncio.to_thread(self._adopt_sync, path)

    async def exists(self, key: str) -> bool:
        """Return whether there is a blob under the key."""
        return await asyncio.to_thread(self.path_of(key).is_file)

    async def delete_blob(self, key: str) -> bool:
        """Delete the blob and return whether there was one."""
        return await asyncio.to_thread(self._delete_sync, key)

    async def list_keys(self) -> set[str]:
        """Return the keys of all blobs."""
        return await asyncio.to_thread(lambda: {path.name for path in self._blob_paths()})

    async def sweep_unreferenced(self, live: Collection[str], older_than: timedelta) -> list[str]:
        """Delete the blobs not in `live` and last stored longer ago than that; return their keys.

        The age spares a blob whose job is only now being enqueued. What crashes left half
        written goes too, at the same age.
        """
        return await asyncio.to_thread(
            self._sweep_sync, frozenset(live), older_than.total_seconds()
        )

    def _put_sync(self, content: bytes) -> str:
        return self._put_new_sync(content).key

    def _put_new_sync(self, content: bytes) -> StoredBlob:
        key = hashlib.sha256(content).hexdigest()
        with translate_disk_errors():
            stored_at = math.nan
            if not self._refresh_if_stored(key, len(content)):
                temporary = self._temporary_path()
                try:
                    with temporary.open("xb") as file:
                        file.write(content)
                        _flush_file(file.fileno())
                    stored_at = self._move_into_place(temporary, key)
                finally:
                    temporary.unlink(missing_ok=True)
        return StoredBlob(key, stored_at)

    def _take_back_sync(self, blob: StoredBlob) -> None:
        with self._lock:
            if self._stored_at.get(blob.key) == blob.stored_at:
                del self._stored_at[blob.key]
                self.path_of(blob.key).unlink(missing_ok=True)

    def _discard_sync(self, keys: Collection[str], age: float) -> int:
        with translate_disk_errors():
            paths = [path for path in map(self.path_of, keys) if path.is_file()]
            return sum(self._discard_if_old(path, age) for path in paths)

    def _size_of(self, key: str) -> int:
        try:
            return self.path_of(key).stat().st_size
        except FileNotFoundError:
            return 0

    def _adopt_sync(self, path: Path) -> str:
        with self.outbox.open_file(path, MAX_RESULT_BYTES) as file:
            status = os.fstat(file.fileno())
        with translate_disk_errors():
            temporary = self._temporary_path()
            # Moved first, so that what is hashed is what is kept, whoever still knows the old name.
            moved = self._move_in(path, temporary)
            try:
                if moved and not _is_same_plain_file(status, temporary.lstat()):
                    raise ValueError(f"{path} was exchanged while it was taken over.")
                os.utime(temporary)
                key, size = hash_file(temporary), temporary.stat().st_size
                with temporary.open("rb") as file:
                    _flush_file(file.fileno())
                if not self._refresh_if_stored(key, size):
                    self._move_into_place(temporary, key)
            except OSError:
                shutil.move(temporary, path)
                raise
            finally:
                temporary.unlink(missing_ok=True)
        return key

    def _move_in(self, path: Path, temporary: Path) -> bool:
        """Move a worker's file in; False where the disks are two, and it was copied."""
        try:
            path.rename(temporary)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with self.outbox.open_file(path, MAX_RESULT_BYTES) as file:
                temporary.write_bytes(file.read())
            path.unlink()
            return False
        return True

    def _delete_sync(self, key: str) -> bool:
        try:
            with translate_disk_errors():
                self.path_of(key).unlink()
        except FileNotFoundError:
            return False
        return True

    def _sweep_sync(self, live: frozenset[str], age: float) -> list[str]:
        with translate_disk_errors():
            for path in self._half_written():
                if _is_older(path, age):
                    path.unlink(missing_ok=True)
            orphans = [path for path in self._blob_paths() if path.name not in live]
            return sorted(path.name for path in orphans if self._discard_if_old(path, age))

    def _discard_if_old(self, path: Path, age: float) -> bool:
        with self._lock:
            stored_at = self._stored_at.get(path.name, -math.inf)
            if time.monotonic() - stored_at < age or not _is_older(path, age):
                return False
            self._stored_at.pop(path.name, None)
            path.unlink()
            return True

    def _refresh_if_stored(self, key: str, size: int) -> bool:
        """Make a blob that is already whole young again; False when it has to be written."""
        path = self.path_of(key)
        try:
            if path.stat().st_size != size or hash_file(path) != key:
                return False
            with self._lock:
                os.utime(path)
                self._stored_at[key] = time.monotonic()
        except OSError:  # gone meanwhile, or not to be read: it is written anew
            return False
        return True

    def _move_into_place(self, temporary: Path, key: str) -> float:
        target = self.path_of(key)
        if not target.parent.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            _flush_folder(self.root)
        with self._lock:
            temporary.replace(target)
            self._stored_at[key] = stored_at = time.monotonic()
        _flush_folder(target.parent)
        return stored_at

    def _temporary_path(self) -> Path:
        if not self._incoming.is_dir():
            make_private_folder(self.root)
            self._incoming.mkdir(exist_ok=True)
        return self._incoming / secrets.token_hex(16)

    def _blob_paths(self) -> Iterator[Path]:
        for path in self.root.glob("?" * SHARD_DIGITS + "/*"):
            if BLOB_KEY_PATTERN.fullmatch(path.name):
                yield path

    def _half_written(self) -> list[Path]:
        return list(self._incoming.glob("*"))


class Outbox:
    """The folder in which workers leave files: a path of theirs is followed nowhere else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def open_file(self, path: Path, max_bytes: int) -> BinaryIO:
        """Open a worker's file to read it.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it lies elsewhere, is a link, has another name besides, is no plain file or
                has more bytes than `max_bytes`.
        """
        descriptor = self._open_name(self._name_of(path))
        try:
            status = os.fstat(descriptor)
            if not _is_same_plain_file(status, status):
                raise ValueError(f"{path} is not a plain file of its own.")
            if status.st_size > max_bytes:
                raise ValueError(f"{path} has {status.st_size} bytes, more than {max_bytes}.")
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise

    def read_file(self, path: Path, max_bytes: int) -> bytes:
        """Read a worker's file, which it may replace at any time; raises as `open_file` does."""
        with self.open_file(path, max_bytes) as file:
            return file.read(max_bytes)

    def discard_file(self, path: Path) -> None:
        """Remove a worker's file that nobody waits for; what lies elsewhere is left alone."""
        with contextlib.suppress(OSError, ValueError):
            (self._folder / self._name_of(path)).unlink()

    def _name_of(self, path: Path) -> str:
        """Return the name of a path directly in the folder, written as workers write it."""
        if path.name in ("", "..") or path != self._folder / path.name:
            raise ValueError(f"{path} does not lie in the outbox.")
        return path.name

    def _open_name(self, name: str) -> int:
        """Open a name in the folder itself, whatever its path may lead to; never through a link."""
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
        if os.open not in os.supports_dir_fd:  # Windows, where making a link takes rights
            if (self._folder / name).is_symlink():
                raise ValueError(f"{name} is a link.")
            return os.open(self._folder / name, flags)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
                raise ValueError(f"{name} is not a plain file of its own.") from error
            raise
        finally:
            os.close(folder)


def _is_same_plain_file(before: os.stat_result, now: os.stat_result) -> bool:
    """Whether it is the file that it was, of no other name; a number alone is soon used again."""
    is_plain = stat.S_ISREG(now.st_mode) and now.st_nlink == 1
    return is_plain and os.path.samestat(before, now)


def hash_file(path: Path) -> str:
    """Return the key that a file's bytes have as a blob."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_older(path: Path, age: float) -> bool:
    try:
        return time.time() - path.stat().st_mtime >= age
    except FileNotFoundError:
        return False


def _flush_file(descriptor: int) -> None:
    os.fsync(descriptor)


def _flush_folder(folder: Path) -> None:
    """Make a rename in the folder last; systems whose folders cannot be opened do so themselves."""
    if not CAN_SYNC_FOLDERS:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
