"""Measures how pictures are best cut for each upscaler of a worker, a call at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict

import torch

from inference.models.errors import BrokenOutput
from inference.models.exhaustion import is_out_of_memory
from inference.models.measured import Measured, machine
from inference.models.resident import release
from inference.models.upscaling.probe import probe_tile, wait_for
from inference.models.upscaling.tiling import PROCESSOR_SIDES, SIDES, Search, Tiling, Trial, search
from inference.models.upscaling.upscaler import Upscaler

log = logging.getLogger(__name__)

#: Gives the seconds of a call, or None where it does not fit into memory.
Measure = Callable[[Upscaler, Trial], float | None]


def measure(network: Upscaler, trial: Trial) -> float | None:
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
        network.run(tiles)
        wait_for(network.device)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        release()
        return None
    return (clock() - begin) / (torch.get_num_threads() if on_processor else 1)


class Tuner:
    """The tilings of a worker's upscalers, by the names under which they are loaded."""

    def __init__(
        self,
        device: torch.device,
        kept: Measured | None,
        *,
        compiles: bool = False,
        measure: Measure = measure,
    ) -> None:
        """Take where results are kept; without that nothing is measured and all stays as it is.

        With `compiles` the compiled networks are measured as well.
        """
        self._kept = kept
        self._machine = machine(device)
        on_processor = device.type == "cpu"
        #: Tiles together pay on few processors; elsewhere a few always do.
        self._default = Tiling(pixels=1) if on_processor else Tiling()
        self._sides = PROCESSOR_SIDES if on_processor else SIDES
        self._compiles = compiles
        self._measure = measure
        self._tilings: dict[str, Tiling] = {}
        self._searches: dict[str, tuple[Search, Trial]] = {}

    def tiling(self, name: str) -> Tiling:
        """Give how an upscaler's pictures are cut: the default until it is measured."""
        return self._tilings.get(name, self._default)

    def ready(self, name: str, network: Upscaler) -> None:
        """Take notice of a network that was just loaded."""
        kept = None if self._kept is None else _read(self._kept.get(self._key(network)))
        if kept is not None:
            self._tilings[name] = kept
        network.compile_for(_full(self.tiling(name)))

    def settled(self, name: str, network: Upscaler) -> bool:
        """Say whether nothing is left to be measured."""
        return self._kept is None or name in self._tilings or not self._sides_of(network)

    def advance(self, name: str, network: Upscaler) -> None:
        """Time the next call."""
        if self.settled(name, network):
            return
        if name not in self._searches:
            fresh = search(self._sides_of(network), network.overlap, compiles=self._compiles)
            self._searches[name] = fresh, next(fresh)
        going, trial = self._searches[name]
        try:
            self._searches[name] = going, going.send(self._measure(network, trial))
        except StopIteration as stop:
            self._settle(name, network, stop.value)
        except BrokenOutput:
            # The pictures themselves will tell whether it is of any use.
            self._settle(name, network, self._default)

    def _settle(self, name: str, network: Upscaler, tiling: Tiling) -> None:
        del self._searches[name]
        self._tilings[name] = tiling
        network.compile_for(_full(tiling))
        if self._kept is not None:
            self._kept.put(self._key(network), asdict(tiling))
        log.info("Tiles of %s: %s", name, tiling)

    def _sides_of(self, network: Upscaler) -> tuple[int, ...]:
        """List the sides to try: none for a network whose tiles are as large as may be anyway."""
        if network.attention is not None:
            return ()
        return tuple(side for side in self._sides if side >= 4 * network.overlap)

    def _key(self, network: Upscaler) -> str:
        """Name all that the times depend on."""
        dtype = network.autocast or torch.float32
        compiling = "compiled" if self._compiles else "plain"
        return f"tiling|{self._machine}|{dtype}|{network.identity}|{compiling}"


def _full(tiling: Tiling) -> tuple[int, int, int, int] | None:
    """Give the shape of a full call of full tiles where that is compiled."""
    if not tiling.compiled:
        return None
    return (tiling.together(tiling.side, tiling.side), 3, tiling.side, tiling.side)


def _read(value: object) -> Tiling | None:
    """Read a kept tiling; None for anything else."""
    match value:
        case {"side": int(side), "pixels": int(pixels), "compiled": bool(compiled)}:
            return Tiling(side, pixels, compiled) if side > 0 else None
        case _:
            return None
