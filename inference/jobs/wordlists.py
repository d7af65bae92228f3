"""The host's lists of words, which prompts draw from by name: one text file a list."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from inference.errors import JobError
from inference.jobs.base import Job
from inference.jobs.kinds import Explain

#: A list's name between its marks, as a prompt writes it: `__animals/cat__`.
MENTION = re.compile(r"__([A-Za-z0-9][\w/.-]*?)__")
NAME = re.compile(r"[A-Za-z0-9][\w/.-]*")
MAX_LISTS = 5000
MAX_BYTES = 4 * 2**20  # of one file; what lies behind is not read
#: For so long the folder is taken to be as it was, in seconds.
FRESH = 2.0


def mentions(text: str) -> tuple[str, ...]:
    """List the names that a prompt draws from, each once, in order."""
    return tuple(dict.fromkeys(MENTION.findall(text)))


class WordLists(Mapping[str, tuple[str, ...]]):
    """Lists by name: the path of a `.txt` file within the folder, without its ending.

    Files may change while this runs. Empty lines and lines that begin with `#` are no words.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder; it need not exist."""
        self._folder = folder
        self._files: dict[str, Path] = {}
        self._looked = float("-inf")
        self._read: dict[str, tuple[int, tuple[str, ...]]] = {}

    def __getitem__(self, name: str) -> tuple[str, ...]:
        """Give a list's words.

        Raises:
            KeyError: there is no such list, or it cannot be read now.
        """
        path = self._found()[name]
        try:
            changed = path.stat().st_mtime_ns
            if name not in self._read or self._read[name][0] != changed:
                self._read[name] = (changed, _words(path))
        except OSError:
            raise KeyError(name) from None
        return self._read[name][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())

    def check(self, job: Job) -> None:
        """See that there is a list for every name in a job's prompts; explanations say it.

        Raises:
            JobError: there is none; the message has the nearest names.
        """
        if isinstance(job, Explain):
            return
        for field in ("prompt", "negative_prompt"):
            for name in mentions(getattr(job, field, "")):
                if name not in self._found():
                    raise JobError(field, _missing(name, tuple(self)))

    def _found(self) -> Mapping[str, Path]:
        """List the files; only what lies in the folder has a name, so no name is a path."""
        now = time.monotonic()
        if now - self._looked > FRESH:
            files: dict[str, Path] = {}
            for path in sorted(self._folder.rglob("*.txt"))[:MAX_LISTS]:
                name = path.relative_to(self._folder).with_suffix("").as_posix()
                if NAME.fullmatch(name) and path.is_file():
                    files[name] = path
            self._files, self._looked = files, now
        return self._files


def _words(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        text = file.read(MAX_BYTES).decode("utf-8-sig", "replace")
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _missing(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        hint = f"Did you mean {' or '.join(f'__{one}__' for one in near)}?"
    elif known:
        hint = f"There are: {', '.join(known[:20])}{' …' if len(known) > 20 else ''}."
    else:
        hint = "The host has none."
    return f"There is no list “{name}” to draw from. {hint}"
