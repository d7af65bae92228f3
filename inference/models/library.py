"""The models of one worker: found by registry key, loaded when needed, kept within a budget."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch

from inference.config import EngineConfig
from inference.events import ModelInfo
from inference.interrogation.describers import Describers
from inference.models.checkpoint import CONFIGS
from inference.models.diffusion import DiffusionModel, ModelTraits
from inference.models.errors import ModelError, UnknownModel
from inference.models.files import (
    DESCRIBER,
    DIFFUSION,
    Weights,
    find_checkpoints,
    find_pickle,
    main_file,
)
from inference.models.hashes import HASHES, Hashes
from inference.models.header import read_header
from inference.models.loader import Loader, weights_of
from inference.models.lora.shelf import LoraShelf
from inference.models.lora.side import Side
from inference.models.nearest import nearest
from inference.models.networks import Networks
from inference.models.resident import Resident, default_budget, folder_bytes
from inference.models.upscaling.upscalers import Upscalers
from inference.prompts.chunks import Tokenizer
from inference.prompts.networks import Lora
from inference.segmentation.segmenters import Segmenters

log = logging.getLogger(__name__)

STARTER_FOLDER = Path(__file__).resolve().parent.parent / "starter"


#: LoRAs stay loaded up to this part of the checkpoints' budget.
LORA_SHARE = 8


class Library:
    """Names to models; nothing outside the models folder can be named."""

    def __init__(
        self,
        config: EngineConfig,
        device: torch.device,
        dtype: torch.dtype,
        *,
        budget: int = 0,
        configs: Path = CONFIGS,
    ) -> None:
        """Take the host's choices; `budget` is the bytes of checkpoints that may stay loaded."""
        self._config = config
        #: What marks parts of pictures; small, and loaded beside the budget.
        self.segmenters = Segmenters(Path(config.models_dir))
        self._device = device
        self._resident: Resident[Any] = Resident(
            budget or config.weights_budget or default_budget(device)
        )
        self._loras = LoraShelf(self.shelf, self._resident.budget // LORA_SHARE)
        self._traits: dict[str, ModelTraits] = {}
        #: Checkpoints that ran out of memory while they were loaded.
        self._sparing: set[str] = set()
        self._hashes = Hashes(Path(config.cache_dir) / HASHES)
        #: What enlarges pictures; its networks lie within the same budget.
        self.upscalers = Upscalers(config, device, self._hashes, self._resident)
        self._networks = Networks(self.shelf, self._hashes)
        # Guidance doubles the rows of a call.
        most = 2 * config.max_batch if config.compile else 0
        self._loader = Loader(self.shelf, configs, self._hashes, device, dtype, most)
        #: What describes pictures; its networks lie within the same budget.
        self.describers = Describers(
            Path(config.models_dir),
            Path(config.cache_dir) / "interrogation",
            STARTER_FOLDER,
            device,
            dtype,
            self._resident,
            lines=config.list_lines,
        )

    def resolve(self, name: str) -> str:
        """Name the checkpoint meant: an empty name is the host's own.

        Raises:
            UnknownModel: there is none of that name.
            UnsupportedWeights: there is one, but pickled.
        """
        found, own = find_checkpoints(self.shelf, self._config.model, STARTER_FOLDER)
        chosen = name or own
        if chosen in found:
            return chosen
        if pickle := find_pickle(self.shelf, chosen):
            read_header(pickle)
        here = [info.name for info in self._checkpoints()]
        hint = nearest(chosen, here) or f"There are: {', '.join(here)}."
        raise UnknownModel(f"There is no checkpoint “{chosen}” here. {hint}")

    def diffusion(self, name: str) -> DiffusionModel:
        """Give a loaded checkpoint; the longest unused make room for it.

        Raises:
            ModelError: it is unknown or cannot be loaded.
        """
        # A name that is loaded was resolved before: no step of a job looks into folders.
        found: DiffusionModel | None = self._resident.get((DIFFUSION, name))
        if found is not None:
            return found
        key = self.resolve(name)
        other: DiffusionModel | None = self._resident.get((DIFFUSION, key))
        if other is not None:
            return other
        self.describers.release()
        path = self._path(key)
        model: DiffusionModel = self._resident.load(
            (DIFFUSION, key),
            self._loader.expected(path),
            lambda: self._loader.load(path, key, self._level(key)),
            weights_of,
        )
        self._traits[key] = replace(model.traits, networks=self._networks.values)
        return model

    def traits(self, name: str) -> ModelTraits:
        """Tell what answers say about a checkpoint; it is loaded only the first time.

        Raises:
            ModelError: it is unknown or cannot be loaded.
        """
        key = self.resolve(name)
        if key not in self._traits:
            self.diffusion(key)
        return self._traits[key]

    def tokenizer(self, name: str) -> Tokenizer:
        """Give the tokenizer by which a checkpoint's prompts are split, without loading it.

        Raises:
            ModelError: it is unknown or cannot be read.
        """
        return self._loader.tokenizer(self._path(self.resolve(name)))

    def fitting(self, wanted: Sequence[Weights]) -> set[Weights]:
        """Say which weights can be loaded together: those loaded now, then the first named."""
        keys = {weights: self._key(weights) for weights in wanted}
        fitting = self._resident.fitting(list(keys.values()), self._guess)
        return {weights for weights, key in keys.items() if key in fitting}

    def relieve(self, weights: Weights | None) -> bool:
        """Make memory go further for some weights after it ran out; say whether that can help.

        First others leave, then a checkpoint uses less at a time.
        """
        key = None if weights is None else self._key(weights)
        if self._resident.shrink(0, keep=key):
            return True
        if key is None or key[0] != DIFFUSION:
            return False
        model: DiffusionModel | None = self._resident.get(key)
        if model is not None:
            return model.thrift.climb()
        if key[1] in self._sparing or self._device.type == "cpu":
            return False
        self._sparing.add(key[1])
        return True

    def side(self, name: str, loras: Sequence[Lora]) -> Side | None:
        """Give the LoRAs to run beside a checkpoint; None where a prompt names none.

        Raises:
            JobError: there is no LoRA of a name.
            ModelError: a file cannot be read, or is of another family.
        """
        if not loras:
            return None
        self._loras.check(loras)
        return self._loras.side(self.diffusion(name), loras)

    def natural_size(self, name: str) -> int:
        """Give the side of a checkpoint's own pictures in pixels, without loading it."""
        return self._loader.natural_size(self._path(self.resolve(name)))

    def digest(self, name: str) -> str:
        """Give a checkpoint's short hash, without loading it."""
        return self._hashes.short(main_file(self._path(self.resolve(name))))

    def infos(self) -> tuple[ModelInfo, ...]:
        """List what can be named: checkpoints, upscalers whose weights are here, LoRAs."""
        runnable = (*self._checkpoints(), *self.upscalers.shelf.infos(), *self.describers.infos())
        return (*runnable, *self._loras.infos())

    def _checkpoints(self) -> Iterator[ModelInfo]:
        """List the checkpoints whose files can be read."""
        for name, path in find_checkpoints(self.shelf, self._config.model, STARTER_FOLDER)[
            0
        ].items():
            try:
                size, digest = self._loader.natural_size(path), self._hashes.known(main_file(path))
                yield ModelInfo(name=name, kind="diffusion", size=size, digest=digest)
            except ModelError as error:
                log.warning("Left out of the checkpoints: %s", error)

    @property
    def shelf(self) -> Path:
        """The models folder."""
        return Path(self._config.models_dir)

    def _path(self, key: str) -> Path:
        return find_checkpoints(self.shelf, self._config.model, STARTER_FOLDER)[0][key]

    def _level(self, key: str) -> str:
        """Say how sparingly a checkpoint is to use memory from the start."""
        level = self._config.low_memory
        return "medvram" if level == "none" and key in self._sparing else level

    def _key(self, weights: Weights) -> Weights:
        """Give the key under which weights are held: describers go by their folders."""
        kind, name = weights
        return self.describers.key(name) if kind == DESCRIBER else weights

    def _guess(self, key: Hashable) -> int:
        """Guess the bytes of what was never loaded; 0 where it cannot be, as its job will say."""
        kind, name = cast("Weights", key)
        try:
            match kind:
                case "upscaler":
                    return self.upscalers.expected(name)
                case "describer":
                    return folder_bytes(Path(name))
                case _:
                    return self._loader.expected(self._path(name))
        except (ModelError, KeyError):
            return 0
