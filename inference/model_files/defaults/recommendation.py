"""Put together what a checkpoint draws best with, of all that says it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.api.catalogue.entries import (
    CatalogueEntry,
    CatalogueError,
    read_catalogue,
)
from inference.api.jobs.model_defaults import (
    CATALOGUE_ORIGIN,
    FAMILY_ORIGIN,
    MODEL_DEFAULT_OPTIONS,
    ModelDefault,
)
from inference.api.jobs.sizes import round_to_latent
from inference.model_files.defaults.family_defaults import few_step_options, flow_options
from inference.model_files.defaults.side_file import read_side_file, side_file_path
from inference.model_files.files import PIPELINE_INDEX, is_file, part_folder
from inference.model_files.hashes import SHORT_HASH_DIGITS
from inference.model_files.json_files import read_json_object
from inference.model_files.pipelines.flow_families import (
    CONFIG_FILE,
    NETWORK_PART,
    PATCH_PIXELS,
    find_flow_family,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recommendation:
    """What a checkpoint draws best with."""

    #: Side of its pictures in pixels; None for what its settings say.
    side: int | None = None
    defaults: tuple[ModelDefault, ...] = ()


class ModelRecommender:
    """Says what each checkpoint draws best with; looks again where its files changed."""

    def __init__(self, models_dir: Path, known_digest: Callable[[Path], str]) -> None:
        """Take where the host's own catalogue may lie, and what tells hashes that are known."""
        self._models_dir, self._known_digest = models_dir, known_digest
        self._found: dict[str, tuple[tuple[object, ...], Recommendation]] = {}
        #: Hashes of the checkpoints that were asked about since the folder was listed.
        self._digests: dict[Path, str] = {}

    def forget_files(self) -> None:
        """Look for checkpoints' own files again when they are asked about next."""
        self._digests.clear()

    def find_recommendation(self, name: str, path: Path) -> Recommendation:
        """Take each option from the file beside a checkpoint, else the catalogue, else its family.

        Args:
            name: as jobs name it.
            path: where it lies.
        """
        if path not in self._digests:
            self._digests[path] = self._known_digest(path)
        digest = self._digests[path]
        stamp = (path, digest, _file_stamp(side_file_path(path)))
        known_stamp, recommendation = self._found.get(name, ((), Recommendation()))
        if known_stamp != stamp:
            recommendation = self._put_together(name, path, digest)
            self._found[name] = stamp, recommendation
        return recommendation

    def _put_together(self, name: str, path: Path, digest: str) -> Recommendation:
        side, file_defaults = read_side_file(path)
        entry = _find_entry(name, digest, self._models_dir)
        entry_defaults = None if entry is None else entry.defaults
        options = {
            option: ModelDefault(option, value, FAMILY_ORIGIN)
            for option, value in _family_options(name, path).items()
        }
        if entry_defaults is not None:
            options |= {
                option: ModelDefault(option, getattr(entry_defaults, option), CATALOGUE_ORIGIN)
                for option in MODEL_DEFAULT_OPTIONS
            }
        options |= {default.option: default for default in file_defaults}
        if side is None and entry_defaults is not None:
            side = round(math.sqrt(entry_defaults.width * entry_defaults.height))
        return Recommendation(
            None if side is None else round_to_latent(side, PATCH_PIXELS),
            tuple(options[option] for option in MODEL_DEFAULT_OPTIONS if option in options),
        )


def _family_options(name: str, path: Path) -> Mapping[str, Any]:
    """Give what a checkpoint's family needs; nothing where that is what jobs take anyway."""
    family = find_flow_family(path)
    if family is None:
        return few_step_options(name)
    config = read_json_object(part_folder(path, NETWORK_PART) / CONFIG_FILE, folders=2)
    index = part_folder(path, PIPELINE_INDEX)
    is_distilled = is_file(index) and read_json_object(index).get("is_distilled") is True
    return flow_options(name, family, family.guidance_kind(config, is_distilled=is_distilled))


def _file_stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _find_entry(name: str, digest: str, models_dir: Path) -> CatalogueEntry | None:
    """Find a checkpoint in the catalogue, by its file's hash, else by a name that it goes by."""
    try:
        entries = read_catalogue(models_dir).entries
    except CatalogueError as error:
        log.warning("%s", error)
        entries = read_catalogue().entries
    checkpoints = [entry for entry in entries if entry.kind == "checkpoint"]
    is_known: list[Callable[[CatalogueEntry], bool]] = [
        lambda entry: bool(digest) and digest in _short_hashes(entry),
        lambda entry: name.casefold() in _names_of(entry),
    ]
    return next((e for is_it in is_known for e in checkpoints if is_it(e)), None)


def _short_hashes(entry: CatalogueEntry) -> set[str]:
    return {file.sha256[:SHORT_HASH_DIGITS] for file in entry.files if file.sha256}


def _names_of(entry: CatalogueEntry) -> set[str]:
    """List what a checkpoint is called that was fetched by its key, by its repository, by hand."""
    files = {Path(file.path).stem for file in entry.files if entry.layout == "file"}
    repository = entry.repository.rpartition("/")[2]
    return {name.casefold() for name in (entry.key, repository, *files) if name}
