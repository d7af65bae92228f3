"""Measures how pictures are best cut for each upscaler of a worker, a call at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict

import torch

from inference.model_files.errors import BrokenOutput
from inference.runtime.device_errors import is_out_of_memory
from inference.runtime.memory import release_memory
from inference.upscaling.tiling.autotune_cache import AutotuneCache, machine_key
from inference.upscaling.tiling.precision_probe import probe_tile, wait_for
from inference.upscaling.tiling.tile_config import (
    CANDIDATE_SIDES,
    PROCESSOR_SIDES,
    Search,
    TileConfig,
    TimingTrial,
    search_tile_config,
)
from inference.upscaling.upscaler import Upscaler

log = logging.getLogger(__name__)

#: Gives the seconds of a call, or None where it does not fit into memory.
Measure = Callable[[Upscaler, TimingTrial], float | None]


def time_trial(network: Upscaler, trial: TimingTrial) -> float | None:
    """Time one call; on a processor by its own time, as a busy machine must not decide.

    Raises:
        BrokenOutput: the network gave numbers that are no picture.
    """
    shape = (trial.count, 3, trial.side, trial.side)
    network.compile_for(shape if trial.compiled else None)
    tiles = probe_tile(network.device, trial.side).repeat(trial.count, 1, 1, 1)
    on_processor = network.device.type == "cpu"
    clock = time.process_time if on_processor else time.perf_counter
    try:
        wait_for(network.device)
        begin = clock()
        network.enlarge_tiles(tiles)
        wait_for(network.device)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        release_memory()
        return None
    return (clock() - begin) / (torch.get_num_threads() if on_processor else 1)


class TileAutotuner:
    """The tilings of a worker's upscalers, by the names under which they are loaded."""

    def __init__(
        self,
        device: torch.device,
        autotune_cache: AutotuneCache | None,
        *,
        compiles: bool = False,
        measure: Measure = time_trial,
    ) -> None:
        """Take where results are kept; without that nothing is measured and all stays as it is.

        With `compiles` the compiled networks are measured as well.
        """
        self._cache = autotune_cache
        self._machine = machine_key(device)
        on_processor = device.type == "cpu"
        #: Tiles together pay on few processors; elsewhere a few always do.
        self._default = TileConfig(pixels=1) if on_processor else TileConfig()
        self._sides = PROCESSOR_SIDES if on_processor else CANDIDATE_SIDES
        self._compiles = compiles
        self._measure = measure
        self._tilings: dict[str, TileConfig] = {}
        self._searches: dict[str, tuple[Search, TimingTrial]] = {}

    def tile_config(self, name: str) -> TileConfig:
        """Give how an upscaler's pictures are cut: the default until it is measured."""
        return self._tilings.get(name, self._default)

    def on_network_loaded(self, name: str, network: Upscaler) -> None:
        """Take notice of a network that was just loaded."""
        stored_config = (
            None
            if self._cache is None
            else _parse_config(self._cache.get(self._cache_key(network)))
        )
        if stored_config is not None:
            self._tilings[name] = stored_config
        network.compile_for(_full_call_shape(self.tile_config(name)))

    def is_tuned(self, name: str, network: Upscaler) -> bool:
        """Say whether nothing is left to be measured."""
        return self._cache is None or name in self._tilings or not self._sides_of(network)

    def run_next_trial(self, name: str, network: Upscaler) -> None:
        """Time the next call."""
        if self.is_tuned(name, network):
            return
        if name not in self._searches:
            fresh = search_tile_config(
                self._sides_of(network), network.overlap, compiles=self._compiles
            )
            self._searches[name] = fresh, next(fresh)
        trial_search, trial = self._searches[name]
        try:
            self._searches[name] = trial_search, trial_search.send(self._measure(network, trial))
        except StopIteration as stop:
            self._store_config(name, network, stop.value)
        except BrokenOutput:
            # The pictures themselves will tell whether it is of any use.
            self._store_config(name, network, self._default)

    def _store_config(self, name: str, network: Upscaler, tiling: TileConfig) -> None:
        del self._searches[name]
        self._tilings[name] = tiling
        network.compile_for(_full_call_shape(tiling))
        if self._cache is not None:
            self._cache.put(self._cache_key(network), asdict(tiling))
        log.info("Tiles of %s: %s", name, tiling)

    def _sides_of(self, network: Upscaler) -> tuple[int, ...]:
        """List the sides to try: none for a network whose tiles are as large as may be anyway."""
        if network.attention is not None:
            return ()
        return tuple(side for side in self._sides if side >= 4 * network.overlap)

    def _cache_key(self, network: Upscaler) -> str:
        """Name all that the times depend on."""
        dtype = network.autocast or torch.float32
        compiling = "compiled" if self._compiles else "plain"
        return f"tiling|{self._machine}|{dtype}|{network.identity}|{compiling}"


def _full_call_shape(tiling: TileConfig) -> tuple[int, int, int, int] | None:
    """Give the shape of a full call of full tiles where that is compiled."""
    if not tiling.compiled:
        return None
    return (tiling.tiles_per_call(tiling.side, tiling.side), 3, tiling.side, tiling.side)


def _parse_config(value: object) -> TileConfig | None:
    """Read a kept tiling; None for anything else."""
    match value:
        case {"side": int(side), "pixels": int(pixels), "compiled": bool(compiled)}:
            return TileConfig(side, pixels, compiled) if side > 0 else None
        case _:
            return None
