"""`models catalogue`: what `models pull` can fetch, as a table that fits the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.app import engine_config
from bot.settings import Settings
from inference.api.catalogue.entries import (
    Catalogue,
    CatalogueEntry,
    CatalogueError,
    read_catalogue,
)

EXIT_REFUSED = 2


def show_catalogue(
    settings: Settings, family: str = "", use: str = "", memory_gb: float | None = None
) -> int:
    """Print the entries that match; return 0, or 2 where none does."""
    try:
        catalogue = read_catalogue(settings.models_path)
    except CatalogueError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    entries = catalogue.select_entries(family, use, memory_gb)
    if not entries:
        sys.stderr.write(_describe_choices(catalogue))
        return EXIT_REFUSED
    console = Console()
    console.print(draw_catalogue(entries, settings))
    console.print(
        "\nsize: to download, ? where the hub has to be asked. card: memory it takes. ✓: it is "
        "here.\nFetch one with: models pull KEY",
        highlight=False,
    )
    return 0


def draw_catalogue(entries: Sequence[CatalogueEntry], settings: Settings) -> Table:
    """Draw a table of entries by family and use; what they are for takes the room that is left."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("key", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("card", justify="right", no_wrap=True)
    table.add_column("for", ratio=1)
    heading = ""
    for entry in entries:
        if heading != (heading := " ".join(filter(None, (entry.family, entry.use)))):
            table.add_row()
            table.add_row(Text(heading, "bold cyan"))
        words = Text(f"{'✓ ' if is_fetched(entry, settings) else ''}{entry.title}", "bold")
        words.append(f": {entry.about} ", "not bold")
        words.append(f"[{entry.licence.title}]", "not bold dim")
        memory = "–" if entry.memory_gb is None else f"{entry.memory_gb:g} GB"
        table.add_row(entry.key, describe_size(entry), memory, words)
    return table


def is_fetched(entry: CatalogueEntry, settings: Settings) -> bool:
    """Whether a model of the catalogue lies where a pull lays it."""
    cache_dir = Path(engine_config(settings).cache_dir)
    return entry.model_path(settings.models_path, cache_dir).exists()


def describe_size(entry: CatalogueEntry) -> str:
    """Say how much there is to fetch; a question mark where the hub has to be asked."""
    if entry.total_bytes is None:
        return "?"
    is_large = entry.total_bytes >= 1e9
    return f"{entry.total_bytes / 1e9:.1f} GB" if is_large else f"{entry.total_bytes / 1e6:.0f} MB"


def _describe_choices(catalogue: Catalogue) -> str:
    families = sorted({entry.family for entry in catalogue.entries if entry.family})
    uses = sorted({entry.use for entry in catalogue.entries})
    return (
        f"The catalogue has nothing like that. Families: {', '.join(families)}. "
        f"Uses: {', '.join(uses)}.\n"
    )
