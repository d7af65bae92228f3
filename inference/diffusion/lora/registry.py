"""The host's LoRAs as prompts ask for them, and those kept loaded."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from weakref import WeakValueDictionary

from inference.api.did_you_mean import suggest_names
from inference.api.errors import JobError
from inference.api.notices import Notice
from inference.api.prompts.extra_networks import LoraTag
from inference.diffusion.lora.active import ActiveLoras
from inference.diffusion.lora.catalog import FoundLora, LoraCatalog
from inference.diffusion.lora.files import LoraFile, load_lora
from inference.diffusion.model import LatentModel
from inference.model_files.errors import MissingWeights
from inference.runtime.model_cache import ModelCache

#: Names in one note.
MAX_NOTE_NAMES = 5


class LoraRegistry:
    """The LoRAs of the models folder, loaded for checkpoints."""

    def __init__(self, catalog: LoraCatalog, budget: int) -> None:
        """Take the files and the bytes of LoRAs that may stay loaded."""
        self._catalog = catalog
        self.model_cache: ModelCache[LoraFile] = ModelCache(budget)
        #: Sets of LoRAs that jobs have now.
        self._active_loras: WeakValueDictionary[Hashable, ActiveLoras] = WeakValueDictionary()
        #: Names of the weights that a checkpoint has no place for, of files loaded so far.
        self._unused_names: dict[str, tuple[str, ...]] = {}

    def check_loras_exist(self, loras: Sequence[LoraTag]) -> None:
        """See that there is a file for each.

        Raises:
            JobError: there is no LoRA of a name.
        """
        for lora in loras:
            self._find_lora(lora)

    def active_loras(self, model: LatentModel, loras: Sequence[LoraTag]) -> ActiveLoras:
        """Give LoRAs to run beside a checkpoint.

        Raises:
            JobError: there is no LoRA of a name.
            ModelError: a file cannot be read, or is of another family.
        """
        files = [(lora, self._load_lora(model, self._find_lora(lora).path)) for lora in loras]
        # Jobs that ask for the same share what is made ready of them.
        key = (model.name, tuple((lora, id(file)) for lora, file in files))
        active_loras = self._active_loras.get(key)
        if active_loras is None:
            active_loras = self._active_loras[key] = ActiveLoras(files)
        return active_loras

    def list_notes(self, model: LatentModel, loras: Sequence[LoraTag]) -> Iterator[Notice]:
        """Say of loaded LoRAs which file was taken, and what of it does not act."""
        for lora in loras:
            found_lora = self._find_lora(lora)
            if found_lora.others:
                other_names = ", ".join(found_lora.others[:MAX_NOTE_NAMES])
                name = found_lora.name
                yield Notice("prompt.lora_chosen", name=lora.name, chosen=name, others=other_names)
            unused_names = self._unused_names.get(_cache_key(model, found_lora.path), ())
            if unused_names:
                count, first = len(unused_names), unused_names[0]
                yield Notice("prompt.lora_unused", name=found_lora.name, count=count, first=first)

    def _find_lora(self, lora: LoraTag) -> FoundLora:
        found_lora = self._catalog.find_lora(lora.name)
        if found_lora is None:
            hint = suggest_names(lora.name, self._catalog)
            raise JobError("prompt", "prompt.no_lora", name=lora.name, why=hint)
        return found_lora

    def _load_lora(self, model: LatentModel, path: Path) -> LoraFile:
        """Give a LoRA's weights for a checkpoint; a file that was changed is read again."""
        if not path.is_file():
            raise MissingWeights("weights.no_file", file=path.name)
        key = _cache_key(model, path)
        cached_lora = self.model_cache.get(key)
        if cached_lora is not None:
            return cached_lora
        lora_file = self.model_cache.load_model(
            key,
            path.stat().st_size,
            lambda: load_lora(path, model.network, model.text_encoders.lora_models, model.device),
            lambda file: file.nbytes,
        )
        self._unused_names[key] = lora_file.unused_names
        return lora_file


def _cache_key(model: LatentModel, path: Path) -> str:
    return f"{model.name}|{path}|{path.stat().st_mtime_ns}"
