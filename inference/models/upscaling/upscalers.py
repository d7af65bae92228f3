"""The upscalers of one worker: loaded when asked for, within its budget, each with its tiling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from inference.config import EngineConfig
from inference.models.files import UPSCALER
from inference.models.hashes import Hashes
from inference.models.loader import count_bytes
from inference.models.measured import Measured
from inference.models.resident import Resident
from inference.models.upscaling.plan import NetworkTraits
from inference.models.upscaling.shelf import Network, UpscalerShelf
from inference.models.upscaling.tuner import Tuner
from inference.models.upscaling.upscaler import Upscaler

#: In the cache folder.
MEASURED = "measured.json"


class Upscalers:
    """Names to loaded upscalers."""

    def __init__(
        self, config: EngineConfig, device: torch.device, hashes: Hashes, resident: Resident[Any]
    ) -> None:
        """Take the host's choices, and what holds the networks."""
        cache = Path(config.cache_dir)
        measured = Measured(cache / MEASURED)
        self.shelf = UpscalerShelf(
            Path(config.models_dir), cache, device, hashes, measured, compiles=config.compile
        )
        # What is measured differs from one run to the next, and the last bits of pictures with it.
        kept = None if config.deterministic else measured
        self._tuner = Tuner(device, kept, compiles=config.compile)
        self._resident = resident
        self._traits: dict[str, NetworkTraits] = {}

    def get(self, key: str) -> Network:
        """Give a loaded upscaler.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        found: Network | None = self._resident.get((UPSCALER, key))
        if found is not None:
            return found
        made: Network = self._resident.load(
            (UPSCALER, key),
            self.expected(key),
            lambda: self.shelf.load(key),
            lambda network: network.nbytes,
        )
        if isinstance(made, Upscaler):
            self._tuner.ready(key, made)
        return made

    def expected(self, key: str) -> int:
        """Guess the bytes of an upscaler that is not loaded yet.

        Raises:
            ModelError: it is unknown or not installed.
        """
        return count_bytes(self.shelf.files(key), torch.float32)

    def traits(self, key: str) -> NetworkTraits:
        """Tell what a plan must know of an upscaler; it is loaded only the first time.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        if key not in self._traits:
            self._traits[key] = self._told(key, self.get(key))
        return self._traits[key]

    def tuned(self, key: str) -> bool:
        """Say whether all is known about how an upscaler's pictures are best cut.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        network = self.get(key)
        return not isinstance(network, Upscaler) or self._tuner.settled(key, network)

    def tune(self, key: str) -> None:
        """Time one more call of an upscaler, if something is left to be learnt about its tiles.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        network = self.get(key)
        if isinstance(network, Upscaler):
            self._tuner.advance(key, network)
            self._traits[key] = self._told(key, network)

    def together(self, key: str, height: int, width: int) -> int:
        """Say how many tiles of a size, in pixels, share a call of an upscaler."""
        return self._tuner.tiling(key).together(height, width)

    def _told(self, key: str, network: Network) -> NetworkTraits:
        if isinstance(network, Upscaler):
            return network.traits(key, self._tuner.tiling(key))
        return network.traits(key)
