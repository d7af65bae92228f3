"""The host's LoRA files by name, and those kept loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inference.api.did_you_mean import suggest_names
from inference.api.errors import JobError
from inference.api.messages import ModelInfo
from inference.api.prompts.extra_networks import LoraTag
from inference.diffusion.lora.active import ActiveLoras
from inference.diffusion.lora.files import LoraFile, load_lora
from inference.diffusion.model import DiffusionModel
from inference.model_files.files import LORAS_DIR, ModelFolder
from inference.runtime.model_cache import ModelCache

MAX_LISTED_LORAS = 2000  # names of at most 255 bytes: far below one frame to the bot


class LoraRegistry:
    """The LoRAs of the models folder."""

    def __init__(self, folder: ModelFolder, budget: int) -> None:
        """Take the models folder and the bytes of LoRAs that may stay loaded."""
        self._folder = folder
        self.model_cache: ModelCache[LoraFile] = ModelCache(budget)

    def list_loras(self) -> tuple[ModelInfo, ...]:
        """List the files that a tag can name, so that they can be searched; so many at most."""
        files = self._folder.list_files(LORAS_DIR)
        names = [name for name in files if not set(name) & set(":<>")]
        names = sorted(names, key=str.casefold)[:MAX_LISTED_LORAS]
        return tuple(ModelInfo(name=name, kind="lora", size=0) for name in names)

    def check_loras_exist(self, loras: Sequence[LoraTag]) -> None:
        """See that there is a file for each.

        Raises:
            JobError: there is no LoRA of a name.
        """
        files = self._folder.list_files(LORAS_DIR)
        for lora in loras:
            if lora.name not in files:
                hint = suggest_names(lora.name, files)
                raise JobError("prompt", "prompt.no_lora", name=lora.name, why=hint)

    def active_loras(self, model: DiffusionModel, loras: Sequence[LoraTag]) -> ActiveLoras:
        """Give LoRAs to run beside a checkpoint.

        Raises:
            JobError: there is no LoRA of a name.
            ModelError: a file cannot be read, or is of another family.
        """
        self.check_loras_exist(loras)
        files = self._folder.list_files(LORAS_DIR)
        return ActiveLoras([(lora, self._load_lora(model, files[lora.name])) for lora in loras])

    def _load_lora(self, model: DiffusionModel, path: Path) -> LoraFile:
        """Give a LoRA's weights for a checkpoint; a file that was changed is read again."""
        key = f"{model.name}|{path}|{path.stat().st_mtime_ns}"
        cached_lora = self.model_cache.get(key)
        if cached_lora is not None:
            return cached_lora
        return self.model_cache.load_model(
            key,
            path.stat().st_size,
            lambda: load_lora(path, model.unet, model.text_encoders.models),
            lambda file: file.nbytes,
        )
