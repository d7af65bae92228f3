"""The host's LoRA files by name, and those kept loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from inference.errors import JobError
from inference.events import ModelInfo
from inference.models.diffusion import DiffusionModel
from inference.models.files import LORAS, find_files
from inference.models.lora.files import LoraFile, load_lora
from inference.models.lora.side import Side
from inference.models.nearest import nearest
from inference.models.resident import Resident
from inference.prompts.networks import Lora

MOST_LISTED = 2000  # names of at most 255 bytes: far below one frame to the bot


class LoraShelf:
    """The LoRAs of the models folder."""

    def __init__(self, shelf: Path, budget: int) -> None:
        """Take the models folder and the bytes of LoRAs that may stay loaded."""
        self._shelf = shelf
        self._resident: Resident[LoraFile] = Resident(budget)

    def infos(self) -> tuple[ModelInfo, ...]:
        """List the files that a tag can name, so that they can be searched; so many at most."""
        names = [name for name in find_files(self._shelf, LORAS) if not set(name) & set(":<>")]
        names = sorted(names, key=str.casefold)[:MOST_LISTED]
        return tuple(ModelInfo(name=name, kind="lora", size=0) for name in names)

    def check(self, loras: Sequence[Lora]) -> None:
        """See that there is a file for each.

        Raises:
            JobError: there is no LoRA of a name.
        """
        files = find_files(self._shelf, LORAS)
        for lora in loras:
            if lora.name not in files:
                raise JobError("prompt", _missing(lora.name, files))

    def side(self, model: DiffusionModel, loras: Sequence[Lora]) -> Side:
        """Give LoRAs to run beside a checkpoint.

        Raises:
            JobError: there is no LoRA of a name.
            ModelError: a file cannot be read, or is of another family.
        """
        self.check(loras)
        files = find_files(self._shelf, LORAS)
        return Side([(lora, self._load(model, files[lora.name])) for lora in loras])

    def _load(self, model: DiffusionModel, path: Path) -> LoraFile:
        """Give a LoRA's weights for a checkpoint; a file that was changed is read again."""
        key = f"{model.name}|{path}|{path.stat().st_mtime_ns}"
        found = self._resident.get(key)
        if found is not None:
            return found
        return self._resident.load(
            key,
            path.stat().st_size,
            lambda: load_lora(path, model.unet, model.words.models),
            lambda file: file.nbytes,
        )


def _missing(name: str, files: Iterable[str]) -> str:
    hint = nearest(name, files) or (
        f"There are: {', '.join(files)}." if files else "The host has none."
    )
    return f"There is no LoRA “{name}” here. {hint}"
