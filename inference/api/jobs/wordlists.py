"""The host's lists of words, which prompts draw from by name: one text file a list."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from inference.api.errors import JobError
from inference.api.jobs.base import Job
from inference.api.jobs.kinds import ExplainJob
from inference.api.notices import Notice
from inference.api.prompts.wildcards import find_list_mentions

LIST_NAME_PATTERN = re.compile(r"[A-Za-z0-9][\w/.-]*")
EMBEDDINGS_FOLDER = "embeddings"  # within the models folder
EMBEDDING_SUFFIX = ".safetensors"
CHOICE_MARKS = ("__", "{", "}", "|")
MAX_LISTS = 5000
MAX_LIST_BYTES = 4 * 2**20  # of one file; what lies behind is not read
#: For so long the folder is taken to be as it was, in seconds.
RESCAN_SECONDS = 2.0


class WordLists(Mapping[str, tuple[str, ...]]):
    """Lists by name: the path of a `.txt` file within the folder, without its ending.

    Files may change while this runs. Empty lines and lines that begin with `#` are no words.
    """

    def __init__(self, folder: Path, embeddings: Path | None = None) -> None:
        """Take the folder, and that of the embeddings, whose names stand for themselves.

        Neither need exist.
        """
        self._folder = folder
        self._embeddings = embeddings
        self._reserved_names: frozenset[str] = frozenset()
        self._files: dict[str, Path] = {}
        self._looked = float("-inf")
        self._read: dict[str, tuple[int, tuple[str, ...]]] = {}

    def __getitem__(self, name: str) -> tuple[str, ...]:
        """Give a list's words.

        Raises:
            KeyError: there is no such list, or it cannot be read now.
        """
        path = self._list_files()[name]
        try:
            modified_ns = path.stat().st_mtime_ns
            if name not in self._read or self._read[name][0] != modified_ns:
                self._read[name] = (modified_ns, _read_words(path))
        except OSError:
            raise KeyError(name) from None
        return self._read[name][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._list_files())

    def __len__(self) -> int:
        return len(self._list_files())

    @property
    def reserved_names(self) -> frozenset[str]:
        """Names of embeddings that would be read as choices."""
        self._list_files()
        return self._reserved_names

    def check_mentions(self, job: Job) -> None:
        """See that there is a list for every name in a job's prompts; explanations say it.

        Raises:
            JobError: there is none; the message has the nearest names.
        """
        if isinstance(job, ExplainJob):
            return
        list_names = self._list_files()
        for field in ("prompt", "negative_prompt"):
            for name in find_list_mentions(getattr(job, field, ""), self):
                if name not in list_names:
                    raise JobError(field, _missing_list_notice(name, tuple(self)))

    def _list_files(self) -> Mapping[str, Path]:
        """List the files; only what lies in the folder has a name, so no name is a path."""
        monotonic_now = time.monotonic()
        if monotonic_now - self._looked > RESCAN_SECONDS:
            files: dict[str, Path] = {}
            for path in sorted(self._folder.rglob("*.txt"))[:MAX_LISTS]:
                name = path.relative_to(self._folder).with_suffix("").as_posix()
                if LIST_NAME_PATTERN.fullmatch(name) and path.is_file():
                    files[name] = path
            self._files, self._looked = files, monotonic_now
            self._reserved_names = self._list_reserved_names()
        return self._files

    def _list_reserved_names(self) -> frozenset[str]:
        paths = self._embeddings.rglob(f"*{EMBEDDING_SUFFIX}") if self._embeddings else ()
        return frozenset(
            path.stem for path in paths if any(mark in path.stem for mark in CHOICE_MARKS)
        )


def _read_words(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        text = file.read(MAX_LIST_BYTES).decode("utf-8-sig", "replace")
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _missing_list_notice(name: str, list_names: tuple[str, ...]) -> Notice:
    near = difflib.get_close_matches(name, list_names, n=3, cutoff=0.5)
    if near:
        hint = Notice(
            "names.did_you_mean", names=" or ".join(f"__{near_name}__" for near_name in near)
        )
    elif list_names:
        names = ", ".join(list_names[:20]) + " …" * (len(list_names) > 20)
        hint = Notice("names.all", names=names)
    else:
        hint = Notice("names.none")
    return Notice("prompt.no_list", name=name, why=hint)
