"""The settings file: variables are set and taken out, and every other line stays as it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import dotenv

from bot.settings import env_example

#: Of a file that may hold a token.
PRIVATE_MODE = 0o600


def write_variables(path: Path, values: Mapping[str, str]) -> None:
    """Set variables in a settings file, which this user alone may read from then on.

    A file that is not there is begun with every setting and what it means.

    Raises:
        OSError: it cannot be read or written.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE), "w") as file:  # noqa: PTH123
            file.write(env_example())
    path.chmod(PRIVATE_MODE)
    for name, value in values.items():
        dotenv.set_key(path, _spelling_in(path, name), value, follow_symlinks=True)


def remove_variables(path: Path, *names: str) -> list[str]:
    """Take variables out of a settings file; list those that were there."""
    removed_names = []
    for name in names:
        if read_variables(path).get(name) is not None:
            dotenv.unset_key(path, _spelling_in(path, name), follow_symlinks=True)
            removed_names.append(name)
    return removed_names


def read_variables(path: Path) -> dict[str, str]:
    """Read a settings file's variables, in capitals, as the settings do; empty if there is none."""
    if not path.is_file():
        return {}
    values = dotenv.dotenv_values(path, interpolate=False)
    return {name.upper(): value for name, value in values.items() if value}


def _spelling_in(path: Path, name: str) -> str:
    """Give a variable's name as the file spells it: settings are read whatever the case."""
    return next((key for key in dotenv.dotenv_values(path) if key.upper() == name), name)
