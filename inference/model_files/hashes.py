"""Hashes of weight files, kept by path, size and time so that each file is read once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from inference.model_files.header import LENGTH_BYTES

#: Digits of the short hash, as the field prints it.
SHORT_HASH_DIGITS = 10
#: What remembers them, in the cache folder.
HASHES_FILE = "hashes.json"

OVERFLOW_PREFIX = "overflows|"


class FileHashes:
    """SHA-256 of files and what else was learnt of them, in a small file of the cache folder."""

    def __init__(self, store: Path) -> None:
        """Take the file that remembers; it need not exist yet."""
        self._store = store
        self._hashes_by_file = {key: str(value) for key, value in read_values(store).items()}

    def sha256(self, path: Path) -> str:
        """Give a file's SHA-256 in hexadecimal digits; an unchanged file is not read again."""
        return self._cached_hash(file_key(path), path, whole=True)

    def weights_sha256(self, path: Path) -> str:
        """Give the SHA-256 of a safetensors file without its header, in hexadecimal digits."""
        return self._cached_hash(f"weights|{file_key(path)}", path, whole=False)

    def known_weights_sha256(self, path: Path) -> str:
        """Give what `weights_sha256` gave of an unchanged file before; empty for others."""
        return self._hashes_by_file.get(f"weights|{file_key(path)}", "")

    def remember_overflow(self, path: Path) -> None:
        """Remember of an autoencoder's file that its numbers overflow in half precision."""
        self._hashes_by_file[f"{OVERFLOW_PREFIX}{file_key(path)}"] = "yes"
        write_values(self._store, self._hashes_by_file)

    def is_overflowing(self, path: Path) -> bool:
        """Whether that was remembered of an unchanged file."""
        return f"{OVERFLOW_PREFIX}{file_key(path)}" in self._hashes_by_file

    def _cached_hash(self, key: str, path: Path, *, whole: bool) -> str:
        if key not in self._hashes_by_file:
            with path.open("rb") as file:
                if not whole:
                    file.seek(LENGTH_BYTES + int.from_bytes(file.read(LENGTH_BYTES), "little"))
                self._hashes_by_file[key] = hashlib.file_digest(file, "sha256").hexdigest()
            write_values(self._store, self._hashes_by_file)
        return self._hashes_by_file[key]

    def known_short_hash(self, path: Path) -> str:
        """Give the short hash of an unchanged file that was read before; empty for others."""
        return self._hashes_by_file.get(file_key(path), "")[:SHORT_HASH_DIGITS]

    def short_hash(self, path: Path) -> str:
        """Give the first ten digits, the field's short model hash."""
        return self.sha256(path)[:SHORT_HASH_DIGITS]


def read_values(store: Path) -> dict[str, Any]:
    """Read a small file of values; what cannot be read is empty."""
    try:
        values = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def write_values(store: Path, values: dict[str, Any]) -> None:
    """Write all at once: what cannot be kept costs time, nothing else."""
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        fresh = store.with_suffix(".new")
        fresh.write_text(json.dumps(values, indent=1), encoding="utf-8")
        fresh.replace(store)
    except OSError:
        return


def file_key(path: Path) -> str:
    """Name a file as it is now, by path, size and time."""
    status = path.stat()
    return f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"
