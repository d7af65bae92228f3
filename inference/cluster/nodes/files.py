"""Files below a node's folder, by names that come from afar."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

#: Bytes of a file that travel in one call.
PIECE_BYTES = 16 * 2**20  # bytes
LIST_SUFFIX = ".txt"


def join_name(folder: Path, name: str) -> Path:
    """Give the path of a name in a folder; whoever asks has no business elsewhere.

    Raises:
        ValueError: it is no plain name.
    """
    if not name or name in (".", "..") or Path(name).name != name:
        raise ValueError(f"{name!r} is no name of a file.")
    return folder / name


def write_at(path: Path, offset: int, data: bytes) -> None:
    """Write a piece of a file; one may come twice and late, and takes no other away."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.seek(offset)
        file.write(data)


def read_at(path: Path, offset: int) -> bytes:
    """Read a piece of a file; an empty one at its end."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(PIECE_BYTES)


def store_lists(folder: Path, lists: Mapping[str, bytes], names: Sequence[str]) -> None:
    """On the node: write lists by their paths within the folder, and remove all not in `names`.

    Raises:
        OSError: there is no room.
        ValueError: a name leads out of the folder.
    """
    for name, data in lists.items():
        path = _join_list_name(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh_path = tempfile.mkstemp(dir=folder)  # no list: its name has no ending
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(fresh_path).replace(path)
        except BaseException:
            Path(fresh_path).unlink(missing_ok=True)
            raise
    kept_names = set(names)
    for path in folder.rglob(f"*{LIST_SUFFIX}"):
        if path.relative_to(folder).as_posix() not in kept_names:
            path.unlink(missing_ok=True)


def _join_list_name(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not name.endswith(LIST_SUFFIX) or name.startswith("/") or ".." in parts:
        raise ValueError(f"{name!r} is no name of a list.")
    return folder / name
