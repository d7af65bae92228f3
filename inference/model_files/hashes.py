"""Hashes of weight files, kept by path, size and time so that each file is read once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from inference.model_files.header import LENGTH_BYTES
from inference.runtime.autotune_cache import read_values, write_values

#: Digits of the short hash, as the field prints it.
SHORT_HASH_DIGITS = 10
#: What remembers them, in the cache folder.
HASHES_FILE = "hashes.json"


class FileHashes:
    """SHA-256 of files, remembered in a small file of the cache folder."""

    def __init__(self, store: Path) -> None:
        """Take the file that remembers; it need not exist yet."""
        self._store = store
        self._known = {key: str(value) for key, value in read_values(store).items()}

    def sha256(self, path: Path) -> str:
        """Give a file's SHA-256 in hexadecimal digits; an unchanged file is not read again."""
        return self._cached_hash(_cache_key(path), path, whole=True)

    def weights_sha256(self, path: Path) -> str:
        """Give the SHA-256 of a safetensors file without its header, in hexadecimal digits."""
        return self._cached_hash(f"weights|{_cache_key(path)}", path, whole=False)

    def _cached_hash(self, key: str, path: Path, *, whole: bool) -> str:
        if key not in self._known:
            with path.open("rb") as file:
                if not whole:
                    file.seek(LENGTH_BYTES + int.from_bytes(file.read(LENGTH_BYTES), "little"))
                self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
            write_values(self._store, self._known)
        return self._known[key]

    def known_short_hash(self, path: Path) -> str:
        """Give the short hash of an unchanged file that was read before; empty for others."""
        return self._known.get(_cache_key(path), "")[:SHORT_HASH_DIGITS]

    def short_hash(self, path: Path) -> str:
        """Give the first ten digits, the field's short model hash."""
        return self.sha256(path)[:SHORT_HASH_DIGITS]


def _cache_key(path: Path) -> str:
    status = path.stat()
    return f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"
