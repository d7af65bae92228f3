"""Which folders hold what describes pictures, told by what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.api.did_you_mean import suggest_names
from inference.model_files.errors import UnknownModel
from inference.vision.interrogation.captioner import CAPTIONER_FAMILIES
from inference.vision.interrogation.tagging.tag_files import DEEP_DANBOORU_FILE, WD_FILE
from inference.vision.interrogation.tagging.tagger import is_timm
from inference.vision.interrogation.transformers_loader import read_config

CAPTIONER_TYPES = tuple(CAPTIONER_FAMILIES)
RANKER_TYPES = ("clip",)
CLASSIFIER_SUFFIX = "ForImageClassification"


@dataclass(frozen=True)
class InstalledModels:
    """The models that can answer, A–Z; the first of a kind does unless another is asked for."""

    captioners: tuple[Path, ...] = ()
    clips: tuple[Path, ...] = ()
    taggers: tuple[Path, ...] = ()
    #: Whether these are the starter pack's, whose CLIP knows words of its own.
    starter: bool = False

    def find_captioner(self, name: str = "") -> Path | None:
        """Find the captioner of that name, or the first; None where there is none at all.

        Raises:
            UnknownModel: there is none of that name; the message says which there are.
        """
        return _find_named("captioner", name, self.captioners, {"tags": self.taggers})

    def find_tagger(self, name: str = "") -> Path | None:
        """Find the tagger of that name, or the first; None where there is none at all.

        Raises:
            UnknownModel: there is none of that name; the message says which there are.
        """
        return _find_named("tagger", name, self.taggers, {"caption": self.captioners})

    @property
    def clip_folder(self) -> Path | None:
        """The CLIP that ranks, or None."""
        return self.clips[0] if self.clips else None


def find_installed(models: Path, pack: Path) -> InstalledModels:
    """Look through the host's models, then the starter pack.

    The pack's captioner and CLIP know small drawings alone, so they stand in only where the host
    has neither.
    """
    folders = sorted(path for path in models.iterdir() if path.is_dir()) if models.is_dir() else []
    configs = {path: read_config(path) for path in folders}
    captioners, clips = (
        _folders_of_type(configs, CAPTIONER_TYPES),
        _folders_of_type(configs, RANKER_TYPES),
    )
    taggers = tuple(path for path, config in configs.items() if _is_tagger(path, config))
    if captioners or clips:
        return InstalledModels(captioners, clips, taggers)
    parts = {path: read_config(path) for path in (pack / "captioner", pack / "clip")}
    return InstalledModels(
        _folders_of_type(parts, CAPTIONER_TYPES),
        _folders_of_type(parts, RANKER_TYPES),
        taggers,
        starter=True,
    )


def _folders_of_type(
    configs: Mapping[Path, Mapping[str, Any]], kinds: tuple[str, ...]
) -> tuple[Path, ...]:
    return tuple(path for path, config in configs.items() if config.get("model_type") in kinds)


def _is_tagger(path: Path, config: dict[str, Any]) -> bool:
    classifier = any(
        str(name).endswith(CLASSIFIER_SUFFIX) for name in config.get("architectures") or ()
    )
    has_tag_file = any((path / name).is_file() for name in (WD_FILE, DEEP_DANBOORU_FILE))
    return classifier or has_tag_file or is_timm(config)


def _find_named(
    kind: str, name: str, folders: tuple[Path, ...], other_methods: Mapping[str, tuple[Path, ...]]
) -> Path | None:
    if not name:
        return folders[0] if folders else None
    folders_by_name = {path.name: path for path in folders}
    if name in folders_by_name:
        return folders_by_name[name]
    for method, paths in other_methods.items():
        if name in {path.name for path in paths}:
            raise UnknownModel("model.other_method", name=name, kind=kind, method=method)
    hint = suggest_names(name, folders_by_name)
    raise UnknownModel("model.unknown_describer", kind=kind, name=name, why=hint)
