"""Fetch models of the catalogue: their licence first, then their files, then a look at them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from inference.api.catalogue.entries import CatalogueEntry, Licence
from inference.model_files.download import RemoteFile
from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.model_files.hub import (
    FileListener,
    ModelHub,
    check_target,
    fetch_files,
    list_repository,
    move_into_place,
    pull_checkpoint,
    repository_folder,
)
from inference.model_files.identity import INPAINT_CHANNELS, INSTRUCT_CHANNELS, identify_file

#: Small files beside those of a folder that the catalogue names: settings, vocabularies, tags.
SIDE_FILE_PATTERN = re.compile(r"(?!.*\.index\.)[\w.-]+\.(json|txt|csv)")

#: Files of fewer bytes are here before a bar could be seen.
MIN_BAR_BYTES = 100_000
MAX_TITLE = 28  # characters of a bar's name


def agree_to_licence(licence: Licence, title: str, is_accepted: bool) -> None:
    """Print a licence; one that forbids earning money has to be agreed to.

    Raises:
        UnsupportedWeights: it was not agreed to.
    """
    sys.stderr.write(f"{title}: licence {licence.title}, {licence.url}\n")
    if not licence.non_commercial or is_accepted:
        return
    if sys.stdin.isatty():
        sys.stderr.write("It forbids any use that earns money. Do you accept it? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    raise UnsupportedWeights(
        f"{title} was not fetched: its licence forbids any use that earns money. Say "
        "--accept-licence if you accept that."
    )


def pull_entry(
    entry: CatalogueEntry,
    target: Path,
    cache: Path,
    limit: float,
    tell: FileListener,
    hub: ModelHub,
) -> Path:
    """Fetch what an entry of a hub describes to `target`, going on where an earlier try ended.

    Raises:
        MissingWeights: the hub does not give it in time, or the disk has no room for it.
        CorruptWeights: a file is not the one that the catalogue or the hub states.
        UnsupportedWeights: it is of another kind than the catalogue says, or something lies there.
    """
    check_target(target)
    if entry.layout == "pipeline":
        return pull_checkpoint(entry.repository, target, cache, limit, tell, hub)
    listed_files = list_repository(entry.repository, hub, entry.revision)
    files = _choose_files(entry, listed_files)
    folder = repository_folder(entry.repository, cache)
    if entry.layout == "folder":
        folder = folder.with_name(f"{folder.name}--{entry.key}")
        return move_into_place(fetch_files(entry.repository, files, folder, limit, tell), target)
    (place,) = files
    path = fetch_files(entry.repository, files, folder, limit, tell) / place
    _check_kind(entry, path)
    return move_into_place(path, target)


def _choose_files(
    entry: CatalogueEntry, listed_files: Mapping[str, RemoteFile]
) -> dict[str, RemoteFile]:
    """Choose the files of an entry, held to the catalogue's numbers where it has some.

    Raises:
        MissingWeights: the repository lacks one.
        CorruptWeights: the hub's is another than the catalogue's.
    """
    files: dict[str, RemoteFile] = {}
    for known_file in entry.files:
        hub_file = listed_files.get(known_file.path)
        if hub_file is None:
            raise MissingWeights(
                f"{entry.repository} has no {known_file.path} any more; `models pull OWNER/NAME` "
                "fetches another one."
            )
        for known_value, hub_value in (
            (known_file.bytes, hub_file.size),
            (known_file.sha256, hub_file.sha256),
        ):
            if known_value is not None and hub_value not in (None, known_value):
                raise CorruptWeights(
                    f"{known_file.path} of {entry.repository} is not the file that the catalogue "
                    f"knows: the hub states {hub_value}, the catalogue {known_value}. Nothing "
                    "was fetched."
                )
        files[known_file.path] = replace(
            hub_file,
            size=known_file.bytes or hub_file.size,
            sha256=known_file.sha256 or hub_file.sha256,
        )
    if entry.layout == "folder":
        side_files = {
            path: file for path, file in listed_files.items() if SIDE_FILE_PATTERN.fullmatch(path)
        }
        files = side_files | files
    return files


def _check_kind(entry: CatalogueEntry, path: Path) -> None:
    """See that a file is what the catalogue says, and throw it away if it is not.

    Raises:
        UnsupportedWeights: it is something else.
    """
    file_type = identify_file(path)
    is_inpainting = file_type.channels == INPAINT_CHANNELS
    is_editing = file_type.channels == INSTRUCT_CHANNELS
    if file_type.kind == entry.kind and (
        file_type.family in (None, entry.family)
        and (is_inpainting, is_editing) == (entry.inpainting, entry.editing)
    ):
        return
    path.unlink()
    raise UnsupportedWeights(
        f"{path.name} is {file_type.title}, not the {entry.kind} that the catalogue says. It was "
        "thrown away."
    )


@contextmanager
def show_progress() -> Iterator[FileListener]:
    """Show a bar for each file at a terminal, and nothing but the files' names elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _print_file_names(console)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
    ) as progress:
        yield _draw_bars(progress)


def _draw_bars(progress: Progress) -> FileListener:
    tasks: dict[str, TaskID] = {}

    def tell(place: str, count: int, size: int | None) -> None:
        if size is not None and size < MIN_BAR_BYTES:
            return
        if place not in tasks:
            tasks[place] = progress.add_task(shorten_place(place), total=size)
        progress.update(tasks[place], completed=count)

    return tell


def shorten_place(place: str) -> str:
    """Name a file so shortly that its bar has room: a part's file by its folder."""
    folder, _, name = place.rpartition("/")
    title = folder or name
    return title if len(title) <= MAX_TITLE else f"{title[: MAX_TITLE - 1]}…"


def _print_file_names(console: Console) -> FileListener:
    places: set[str] = set()

    def tell(place: str, _count: int, size: int | None) -> None:
        if place not in places:
            places.add(place)
            console.print(f"{place}: {(size or 0) / 1e6:,.1f} MB", highlight=False)

    return tell
