"""The models of one worker: found by registry key, loaded when first needed, kept while used."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch

from inference.config import EngineConfig
from inference.events import ModelInfo
from inference.interrogation.describers import Describers
from inference.models import folder
from inference.models.catalogue import UPSCALERS, upscaler_entry
from inference.models.diffusion import DiffusionModel
from inference.models.errors import UnknownModel
from inference.models.upscaler import Upscaler, load_upscaler
from inference.models.weights import is_installed, prepare

STARTER = "starter"
STARTER_FOLDER = Path(__file__).resolve().parent.parent / "starter"
#: Checkpoints kept loaded; a byte budget would serve mixed sizes better.
KEPT = 2


class Library:
    """Names to models; nothing outside the models folder can be named."""

    def __init__(self, config: EngineConfig, device: torch.device, dtype: torch.dtype) -> None:
        self._config = config
        self._device = device
        self._dtype = dtype
        self._diffusion: OrderedDict[str, DiffusionModel] = OrderedDict()
        self._upscalers: dict[str, Upscaler] = {}
        #: What describes pictures; it loads its own networks.
        self.describers = Describers(
            Path(config.models_dir),
            Path(config.cache_dir) / "interrogation",
            STARTER_FOLDER,
            device,
            dtype,
        )

    def resolve(self, name: str) -> str:
        """Name the checkpoint meant: an empty name is the host's own.

        Raises:
            UnknownModel: there is none of that name.
        """
        chosen = name or self._config.model
        if chosen in self._folders():
            return chosen
        raise UnknownModel(
            f"There is no checkpoint “{chosen}” here. There are: {', '.join(self._folders())}."
        )

    def diffusion(self, name: str) -> DiffusionModel:
        """Give a loaded checkpoint.

        Raises:
            ModelError: it is unknown or cannot be loaded.
        """
        key = self.resolve(name)
        if key not in self._diffusion:
            self.describers.release()
            while len(self._diffusion) >= KEPT:
                self._diffusion.popitem(last=False)
            path = self._folders()[key]
            self._diffusion[key] = folder.load_folder(path, key, self._device, self._dtype)
        self._diffusion.move_to_end(key)
        return self._diffusion[key]

    def natural_size(self, name: str) -> int:
        """Give the side of a checkpoint's own pictures in pixels, without loading it."""
        return folder.natural_size(self._folders()[self.resolve(name)])

    def upscaler(self, key: str) -> Upscaler:
        """Give a loaded upscaler.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        if key not in self._upscalers:
            path = prepare(upscaler_entry(key), Path(self._config.cache_dir) / "upscalers")
            self._upscalers[key] = load_upscaler(path, self._device)
        return self._upscalers[key]

    def infos(self) -> tuple[ModelInfo, ...]:
        """List what can be named: checkpoints, and upscalers whose weights are here."""
        checkpoints = tuple(
            ModelInfo(name=name, kind="diffusion", size=folder.natural_size(path))
            for name, path in self._folders().items()
        )
        upscalers = tuple(
            ModelInfo(name=entry.key, kind="upscaler", size=entry.scale, about=entry.purpose)
            for entry in UPSCALERS
            if is_installed(entry)
        )
        return checkpoints + upscalers + self.describers.infos()

    def _folders(self) -> dict[str, Path]:
        """List checkpoints: the starter, the host's folders, and the one it configured by path."""
        found = {STARTER: STARTER_FOLDER}
        shelf = Path(self._config.models_dir)
        if shelf.is_dir():
            found |= {
                path.name: path for path in sorted(shelf.iterdir()) if (path / "unet").is_dir()
            }
        own = Path(self._config.model)
        if (own / "unet").is_dir():
            found.setdefault(self._config.model, own)
        return found
