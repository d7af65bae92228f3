"""Lists of phrases to rank: those that ship with Easel, clip-interrogator's, and the host's own.

A list is a text file of one phrase a line; `mediums.txt` answers with its best phrase,
`mediums.top3.txt` with its three best.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from inference.api.errors import JobError
from inference.api.notices import Notice
from inference.model_files.errors import CorruptWeights

SHIPPED_LISTS_FOLDER = Path(__file__).parent / "lists"
#: The list whose best phrase stands for the caption where there is no captioner.
SUBJECT_LIST = "subjects"
#: Phrases of a file that are ranked; the lists of the field hold a hundred thousand.
MAX_LIST_LINES = 1500
#: The package whose data files are taken where it is installed, and which of them.
INTERROGATOR_PACKAGE = "clip_interrogator"
INTERROGATOR_LISTS = ("artists", "flavors", "mediums", "movements")

_TOP_SUFFIX = re.compile(r"\.top(\d+)$")


@dataclass(frozen=True)
class PhraseList:
    """Phrases among which CLIP chooses."""

    name: str
    phrases: tuple[str, ...]
    #: How many of them are answered.
    top: int = 1

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the phrases, in hexadecimal."""
        return hashlib.sha256("\n".join(self.phrases).encode()).hexdigest()


@dataclass(frozen=True)
class RankingOptions:
    """Which lists are ranked, and how far down they are answered."""

    #: Names of lists; none stands for all.
    lists: tuple[str, ...] = ()
    #: Phrases answered of each list; 0 leaves that to the list.
    top: int = 0


DEFAULT_RANKING = RankingOptions()


def select_lists(lists: Sequence[PhraseList], options: RankingOptions) -> list[PhraseList]:
    """Pick the wanted lists in their own order, answering as many phrases as wanted.

    Raises:
        JobError: there is no list of a name.
    """
    lists_by_name = {phrases.name: phrases for phrases in lists}
    for name in options.lists:
        if name not in lists_by_name:
            raise JobError(
                "lists",
                "describe.no_list",
                name=name,
                why=Notice("names.all", names=", ".join(lists_by_name)),
            )
    selected_lists = [
        phrases for phrases in lists if not options.lists or phrases.name in options.lists
    ]
    return [
        replace(phrase_list, top=options.top) if options.top else phrase_list
        for phrase_list in selected_lists
    ]


class PhraseLists:
    """The lists at hand; a file that did not change is not read again."""

    def __init__(self, host_folder: Path, lines: int = MAX_LIST_LINES) -> None:
        """Take the host's folder, and how many lines of a file count; 0 for all."""
        self._own = host_folder
        self._lines = lines
        self._read: dict[Path, tuple[tuple[int, int], PhraseList]] = {}

    def read_all(self) -> list[PhraseList]:
        """Read every list.

        Raises:
            CorruptWeights: one holds no phrase, or no text.
        """
        return [self._read_cached(path) for path in find_lists(self._own)]

    def _read_cached(self, path: Path) -> PhraseList:
        status = path.stat()
        version = (status.st_size, status.st_mtime_ns)
        if path not in self._read or self._read[path][0] != version:
            self._read[path] = version, read_list(path, self._lines)
        return self._read[path][1]


def read_list(path: Path, lines: int = MAX_LIST_LINES) -> PhraseList:
    """Read a list; at most its first `lines` lines, all of them where that is 0.

    Raises:
        CorruptWeights: it holds no phrase, or no text.
    """
    name, top = _name_and_top(path.stem)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptWeights("weights.list_encoding", file=path.name, error=error) from error
    counted_lines = text.splitlines()[: lines or None]
    phrases = tuple(dict.fromkeys(line.strip() for line in counted_lines if line.strip()))
    if not phrases:
        raise CorruptWeights("weights.empty_list", file=path.name)
    return PhraseList(name, phrases, top)


def find_lists(host_folder: Path) -> tuple[Path, ...]:
    """Find the files to rank by: the host's before clip-interrogator's before the shipped ones.

    A list hides those of its name that come after it. Subjects come first, the others A–Z.
    """
    paths_by_name: dict[str, Path] = {}
    for path in (
        *_text_files(SHIPPED_LISTS_FOLDER),
        *_interrogator_files(),
        *_text_files(host_folder),
    ):
        paths_by_name[_name_and_top(path.stem)[0]] = path
    return tuple(
        paths_by_name[name]
        for name in sorted(paths_by_name, key=lambda name: (name != SUBJECT_LIST, name))
    )


def _name_and_top(stem: str) -> tuple[str, int]:
    top = _TOP_SUFFIX.search(stem)
    return (stem[: top.start()], max(1, int(top[1]))) if top else (stem, 1)


def _text_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.txt"))


def _interrogator_files() -> list[Path]:
    """Find the installed package's files without importing it."""
    spec = find_spec(INTERROGATOR_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    if not places:
        return []
    files = (Path(places[0]) / "data" / f"{name}.txt" for name in INTERROGATOR_LISTS)
    return [path for path in files if path.is_file()]
