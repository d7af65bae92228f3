"""Which folders hold what describes pictures, told by what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.interrogation.reading import read_config
from inference.interrogation.tag_files import DEEP_DANBOORU_FILE, WD_FILE
from inference.interrogation.tagger import is_timm

CLASSIFIER = "ForImageClassification"


@dataclass(frozen=True)
class Shelf:
    """The models that answer; None where there is none."""

    captioner: Path | None
    clip: Path | None
    tagger: Path | None
    #: Whether CLIP is the starter pack's, which knows words of its own.
    starter: bool


def find_shelf(models: Path, pack: Path) -> Shelf:
    """Look through the host's models, then the starter pack.

    The first folder of a kind, A–Z, is taken. The pack's captioner and CLIP know small drawings
    alone, so they stand in only where the host has neither.
    """
    folders = sorted(path for path in models.iterdir() if path.is_dir()) if models.is_dir() else []
    configs = {path: read_config(path) for path in folders}
    captioner = _first(configs, "blip")
    clip = _first(configs, "clip")
    tagger = next((path for path, config in configs.items() if _is_tagger(path, config)), None)
    if captioner or clip:
        return Shelf(captioner, clip, tagger, starter=False)
    parts = {path: read_config(path) for path in (pack / "captioner", pack / "clip")}
    return Shelf(_first(parts, "blip"), _first(parts, "clip"), tagger, starter=True)


def _first(configs: dict[Path, dict[str, Any]], kind: str) -> Path | None:
    return next(
        (path for path, config in configs.items() if config.get("model_type") == kind), None
    )


def _is_tagger(path: Path, config: dict[str, Any]) -> bool:
    classifier = any(str(name).endswith(CLASSIFIER) for name in config.get("architectures") or ())
    listed = any((path / name).is_file() for name in (WD_FILE, DEEP_DANBOORU_FILE))
    return classifier or listed or is_timm(config)
