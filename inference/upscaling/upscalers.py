"""The upscalers of one worker: loaded when asked for, within its budget, each with its tiling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from inference.api.config import EngineConfig
from inference.model_files.files import UPSCALER
from inference.model_files.hashes import FileHashes
from inference.model_files.header import count_weights
from inference.runtime.model_cache import ModelCache
from inference.upscaling.registry import Network, UpscalerRegistry
from inference.upscaling.tiling.autotune_cache import AutotuneCache
from inference.upscaling.tiling.plan import NetworkTraits
from inference.upscaling.tiling.tuner import TileAutotuner
from inference.upscaling.upscaler import Upscaler

#: In the cache folder.
AUTOTUNE_FILE = "measured.json"


class UpscalerLibrary:
    """Names to loaded upscalers."""

    def __init__(
        self,
        config: EngineConfig,
        device: torch.device,
        hashes: FileHashes,
        resident: ModelCache[Any],
    ) -> None:
        """Take the host's choices, and what holds the networks."""
        cache = Path(config.cache_dir)
        autotune_cache = AutotuneCache(cache / AUTOTUNE_FILE)
        self.shelf = UpscalerRegistry(
            Path(config.models_dir), cache, device, hashes, autotune_cache, compiles=config.compile
        )
        # What is measured differs from one run to the next, and the last bits of pictures with it.
        tuning_cache = None if config.deterministic else autotune_cache
        self._tuner = TileAutotuner(device, tuning_cache, compiles=config.compile)
        self.model_cache = resident
        self._traits: dict[str, NetworkTraits] = {}

    def get_upscaler(self, key: str) -> Network:
        """Give a loaded upscaler.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        loaded_network: Network | None = self.model_cache.get((UPSCALER, key))
        if loaded_network is not None:
            return loaded_network
        new_network: Network = self.model_cache.load_model(
            (UPSCALER, key),
            self.expected_bytes(key),
            lambda: self.shelf.load_network(key),
            lambda network: network.nbytes,
        )
        if isinstance(new_network, Upscaler):
            self._tuner.on_network_loaded(key, new_network)
        return new_network

    def expected_bytes(self, key: str) -> int:
        """Guess the bytes of an upscaler that is not loaded yet.

        Raises:
            ModelError: it is unknown or not installed.
        """
        return torch.float32.itemsize * count_weights(self.shelf.list_weight_files(key))

    def network_traits(self, key: str) -> NetworkTraits:
        """Tell what a plan must know of an upscaler; it is loaded only the first time.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        if key not in self._traits:
            self._traits[key] = self._traits_of_network(key, self.get_upscaler(key))
        return self._traits[key]

    def is_tuned(self, key: str) -> bool:
        """Say whether all is known about how an upscaler's pictures are best cut.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        network = self.get_upscaler(key)
        return not isinstance(network, Upscaler) or self._tuner.is_tuned(key, network)

    def tune_once(self, key: str) -> None:
        """Time one more call of an upscaler, if something is left to be learnt about its tiles.

        Raises:
            ModelError: it is unknown, not installed or cannot be loaded.
        """
        network = self.get_upscaler(key)
        if isinstance(network, Upscaler):
            self._tuner.run_next_trial(key, network)
            self._traits[key] = self._traits_of_network(key, network)

    def tiles_per_call(self, key: str, height: int, width: int) -> int:
        """Say how many tiles of a size, in pixels, share a call of an upscaler."""
        return self._tuner.tile_config(key).tiles_per_call(height, width)

    def _traits_of_network(self, key: str, network: Network) -> NetworkTraits:
        if isinstance(network, Upscaler):
            return network.network_traits(key, self._tuner.tile_config(key))
        return network.network_traits(key)
