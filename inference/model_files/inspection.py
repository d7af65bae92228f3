"""Look at what the host laid into the models folder; what is broken is named and left out."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from inference.model_files.errors import CorruptWeights

log = logging.getLogger(__name__)

Entry = TypeVar("Entry")

#: Control codes, and halves of characters: what stands for bytes that are no UTF-8.
UNSENDABLE_CATEGORIES = frozenset({"Cc", "Cs"})


def list_usable(
    kind: str, paths_by_name: Iterable[tuple[str, Path]], inspect: Callable[[str, Path], Entry]
) -> Iterator[Entry]:
    """Inspect files one by one; one that cannot be used is named in the log and left out."""
    for name, path in paths_by_name:
        try:
            check_name(name)
            entry = inspect(name, path)
        except Exception as error:  # whatever one file makes of its reader: the others count still
            log_left_out(kind, name, error)
        else:
            yield entry


def log_left_out(kind: str, name: str, error: Exception) -> None:
    """Name for the host what is not offered, and why."""
    reason = escape_unsendable(describe_error(error))
    log.warning("Left out of the %s: %s (%s)", kind, escape_unsendable(name), reason)


def escape_unsendable(text: str) -> str:
    """Write control codes, and what is no Unicode of a file's name, as escapes."""
    return "".join(
        ascii(character)[1:-1]
        if unicodedata.category(character) in UNSENDABLE_CATEGORIES
        else character
        for character in text
    )


def check_name(name: str) -> None:
    """See that a file's name can be shown and sent: Unicode, without control codes.

    Raises:
        CorruptWeights: it cannot.
    """
    if any(unicodedata.category(character) in UNSENDABLE_CATEGORIES for character in name):
        raise CorruptWeights("weights.bad_name", name=ascii(name))


def describe_error(error: BaseException) -> str:
    """Put an error of any reader into one line; an empty one is called by its type."""
    return " ".join(str(error).split()) or type(error).__name__
