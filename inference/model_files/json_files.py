"""Open what lies in the models folder as the plain file it should be, and read JSON of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from inference.api.strict_json import decode_json
from inference.model_files.errors import CorruptWeights, MissingWeights

#: The longest configs that are published have some hundred kilobytes of labels.
MAX_CONFIG_BYTES = 8 * 2**20


def open_plain_file(path: Path) -> BinaryIO:
    """Open a file to be read; a pipe, a device or a socket would never end.

    Raises:
        MissingWeights: there is no such file.
        CorruptWeights: it is another thing than a file, or cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise MissingWeights("weights.no_file", file=path.name) from error
    except (OSError, ValueError) as error:
        raise CorruptWeights("weights.unreadable_file", name=path.name, error=error) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise MissingWeights("weights.no_file", file=path.name)
    raise CorruptWeights("weights.no_plain_file", name=path.name)


def read_json_object(path: Path, *, folders: int = 1) -> dict[str, Any]:
    """Read a JSON object within bounds: of its length, of how deep it goes, of its numbers.

    A refusal names the file with so many of its folders.

    Raises:
        MissingWeights: there is no such file.
        CorruptWeights: it is no such object.
    """
    names = {"folder": "/".join(path.parts[-1 - folders : -1]), "file": path.name}
    try:
        with open_plain_file(path) as file:
            text = file.read(MAX_CONFIG_BYTES + 1)
    except MissingWeights as error:
        raise MissingWeights("weights.file_missing", **names) from error
    except OSError as error:
        raise CorruptWeights("weights.unreadable_file", name=path.name, error=error) from error
    if len(text) > MAX_CONFIG_BYTES:
        raise CorruptWeights("weights.config_length", **names, size=f"{MAX_CONFIG_BYTES:,}")
    try:
        value = decode_json(text)
    except ValueError as error:
        raise CorruptWeights("weights.no_json", **names, error=error) from error
    if not isinstance(value, dict):
        raise CorruptWeights("weights.no_object", **names)
    return value
