"""What is worth fetching next: the first thing of the catalogue that this host lacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.app import engine_config
from bot.cli.checks.check_result import CheckResult
from bot.settings import Settings
from inference.api.catalogue.entries import (
    Catalogue,
    CatalogueEntry,
    CatalogueError,
    read_catalogue,
)
from inference.api.messages import ModelInfo

STARTER = "starter"
#: Uses beside checkpoints in the order of their worth, and the workers' kinds that answer them.
USES = {"captioner": "captioner", "segmenter": "", "nsfw": "", "tagger": "tagger"}


def check_next_download(
    settings: Settings, models: Sequence[ModelInfo], memory_gb: float | None
) -> CheckResult:
    """Say which model of the catalogue would be the next to fetch for this card or processor."""
    try:
        catalogue = read_catalogue(settings.models_path)
    except CatalogueError as error:
        return CheckResult("Catalogue", "cannot be read", str(error))
    entry = find_next_download(catalogue, settings, models, memory_gb)
    if entry is None:
        return CheckResult("Next download", "nothing that this host lacks")
    words = f"{entry.key} ({entry.title}: {entry.about}; {entry.licence.title})"
    return CheckResult("Next download", f"{words}: models pull {entry.key}")


def find_next_download(
    catalogue: Catalogue,
    settings: Settings,
    models: Sequence[ModelInfo],
    memory_gb: float | None,
) -> CatalogueEntry | None:
    """Find the entry that is the next to fetch; None where there is none.

    A checkpoint comes first, then the one that inpaints of the same family, then what describes,
    marks and checks pictures. What the workers list counts whether it is of the catalogue or not.
    """
    cache_dir = Path(engine_config(settings).cache_dir)

    def is_here(entry: CatalogueEntry) -> bool:
        return entry.model_path(settings.models_path, cache_dir).exists()

    names = [model.name for model in models if model.kind == "diffusion"]
    own_names = [name for name in names if not name.startswith(STARTER)]
    proposals = catalogue.propose_checkpoints(memory_gb)
    if not own_names:
        return next(iter(proposals), None)
    family = next(
        (entry.family for entry in catalogue.entries if entry.key in own_names),
        proposals[0].family if proposals else "sd1",
    )
    candidates = []
    if not any("inpaint" in name.lower() for name in own_names):
        candidates += catalogue.select_entries(family, "inpainting", memory_gb)
    worker_kinds = {model.kind for model in models}
    for use, kind in USES.items():
        entries = catalogue.select_entries(use=use)
        if kind not in worker_kinds and not any(map(is_here, entries)):
            candidates += entries
    return next((entry for entry in candidates if not is_here(entry)), None)
