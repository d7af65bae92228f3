"""Which folders hold what describes pictures, told by what is in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.api.did_you_mean import suggest_names
from inference.model_files.errors import CorruptWeights, UnknownModel
from inference.model_files.files import is_file, is_folder
from inference.model_files.header import read_header
from inference.model_files.inspection import check_name
from inference.model_files.json_files import read_json_object
from inference.vision.interrogation.captioner import CAPTIONER_FAMILIES
from inference.vision.interrogation.tagging.tag_files import DEEP_DANBOORU_FILE, WD_FILE
from inference.vision.interrogation.tagging.tagger import is_timm
from inference.vision.interrogation.transformers_loader import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    read_config,
)

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
    #: Folders that cannot be read, and what is wrong with them.
    broken: Mapping[Path, Exception] = field(default_factory=dict, compare=False)

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
    folders = sorted(filter(is_folder, models.iterdir())) if is_folder(models) else []
    configs: dict[Path, dict[str, Any]] = {}
    broken: dict[Path, Exception] = {}
    for path in folders:
        try:
            check_name(path.name)
            configs[path] = _inspect_folder(path)
        except Exception as error:  # whatever one folder makes of its reader: the others count
            broken[path] = error
    captioners, clips = (
        _folders_of_type(configs, CAPTIONER_TYPES),
        _folders_of_type(configs, RANKER_TYPES),
    )
    taggers = tuple(path for path, config in configs.items() if _is_tagger(path, config))
    if captioners or clips:
        return InstalledModels(captioners, clips, taggers, broken=broken)
    parts = {path: read_config(path) for path in (pack / "captioner", pack / "clip")}
    return InstalledModels(
        _folders_of_type(parts, CAPTIONER_TYPES),
        _folders_of_type(parts, RANKER_TYPES),
        taggers,
        starter=True,
        broken=broken,
    )


def _inspect_folder(folder: Path) -> dict[str, Any]:
    """Read a folder's settings, empty where it has none, and see that its weights can be read.

    Raises:
        ModelError: they cannot, or a setting is of no use.
    """
    if not os.path.lexists(folder / CONFIG_FILE):
        return {}
    config = read_json_object(folder / CONFIG_FILE)
    architectures = config.get("architectures") or []
    checks = {
        "architectures": isinstance(architectures, list)
        and all(isinstance(name, str) for name in architectures),
        "model_type": isinstance(config.get("model_type", ""), str),
        "vision_config": isinstance(config.get("vision_config") or {}, dict),
        "id2label": isinstance(config.get("id2label") or {}, dict),
    }
    for name, is_sound in checks.items():
        if not is_sound:
            names = {"folder": folder.name, "file": CONFIG_FILE}
            raise CorruptWeights("weights.bad_setting", **names, name=name)
    if os.path.lexists(folder / WEIGHTS_FILE):
        read_header(folder / WEIGHTS_FILE)
    return config


def _folders_of_type(
    configs: Mapping[Path, Mapping[str, Any]], kinds: tuple[str, ...]
) -> tuple[Path, ...]:
    return tuple(path for path, config in configs.items() if config.get("model_type") in kinds)


def _is_tagger(path: Path, config: dict[str, Any]) -> bool:
    classifier = any(
        str(name).endswith(CLASSIFIER_SUFFIX) for name in config.get("architectures") or ()
    )
    has_tag_file = any(is_file(path / name) for name in (WD_FILE, DEEP_DANBOORU_FILE))
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
