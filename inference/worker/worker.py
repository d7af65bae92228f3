"""The worker's loop: between two steps of the engine, see what has come in."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import BinaryIO

import torch

from inference.commands import Cancel, Stop
from inference.config import EngineConfig
from inference.engine.engine import Broken, Done, Engine, GivenUp, Kept, Report, Stepped, lane_limit
from inference.engine.pace import Pace
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.task import Run
from inference.errors import DeviceLost
from inference.events import Dropped, Progress, Ready
from inference.jobs.wordlists import WordLists
from inference.journal import about
from inference.models.approximation import Approximations
from inference.models.compiling import prepare_compiling
from inference.models.library import Library
from inference.models.precision import choose_device, choose_dtype
from inference.operations.interrogate import describe
from inference.operations.registry import OPERATIONS
from inference.operations.studio import Studio
from inference.worker.faults import failed
from inference.worker.hands import make_hands, tile_rule
from inference.worker.intake import Arrival, Intake
from inference.worker.outbox import Outbox
from inference.worker.pipes import Outlet
from inference.worker.previews import Previews, Show

log = logging.getLogger(__name__)

#: The exit code that says: the device needs a new process.
DEVICE_LOST = 4
#: What compiled networks are kept in, within the cache folder.
COMPILED = "compiled"
#: Tiles and other small asides that share a call.
SLICES = 4


class Worker:
    """One device at work."""

    def __init__(
        self, engine: Engine, studio: Studio, outlet: Outlet, outbox: Outbox, previews: Previews
    ) -> None:
        self._engine = engine
        self._studio = studio
        self._outlet = outlet
        self._outbox = outbox
        self._previews = previews
        self._begun: dict[tuple[str, int], float] = {}
        self._told: dict[tuple[str, int], int] = {}

    @classmethod
    def open(cls, config: EngineConfig, outlet: Outlet) -> Worker:
        """Find the device, load the host's checkpoint and say that jobs may come.

        Raises:
            ModelError: the checkpoint or the device is not there.
        """
        if config.threads:
            torch.set_num_threads(config.threads)
        if config.compile:
            prepare_compiling(Path(config.cache_dir) / COMPILED)
        device = choose_device(config.device)
        dtype = choose_dtype(config.dtype, device)
        library = Library(config, device, dtype)
        library.diffusion("")
        rows = 1 if config.deterministic else config.max_batch
        limit = lane_limit(rows, SLICES, tile_rule(library))
        if config.deterministic:
            limit = lane_limit(rows, 1)
        engine = Engine(
            Runner(library, make_hands(library)),
            Scheduler(rows, limit, library.fitting, pace=Pace()),
        )
        outbox = Outbox(Path(config.outbox), outlet.send)
        outlet.send(
            Ready(
                device=str(device),
                dtype=str(dtype).removeprefix("torch."),
                models=library.infos(),
            )
        )
        return cls(
            engine,
            Studio(library, describe=describe, lists=WordLists(Path(config.wordlists_dir))),
            outlet,
            outbox,
            Previews(_show(library, config), Path(config.outbox), config.preview_every),
        )

    def work(self, stream: BinaryIO) -> int:
        """Work until told to stop or the bot is gone; return the exit code."""
        intake = Intake(stream)
        intake.start()
        draining = False
        while not (draining and self._engine.idle):
            item = intake.take(wait=self._engine.idle)
            match item:
                case Arrival(submit):
                    with about((submit.job_id, submit.attempt)):
                        self._accept(item)
                    continue
                case Cancel():
                    with about((item.job_id, item.attempt)):
                        self._cancel(item)
                    continue
                case Stop(drain=False):
                    break
                case Stop():
                    draining = True
                case None:
                    pass
            try:
                self._report(self._engine.step())
            except DeviceLost:
                log.exception("The device is lost.")
                return DEVICE_LOST
        self._outbox.close()
        self._previews.close()
        return 0

    def _accept(self, arrival: Arrival) -> None:
        key = (arrival.submit.job_id, arrival.submit.attempt)
        self._begun[key] = time.perf_counter()
        if arrival.job is None:
            error = arrival.error or ValueError("a job without a reason")
            self._outlet.send(failed(*key, error))
            return
        operation = OPERATIONS[arrival.job.kind](arrival.job, arrival.pictures, self._studio)
        self._report(self._engine.add(*key, operation, arrival.parts))

    def _cancel(self, command: Cancel) -> None:
        self._report(self._engine.cancel(command.job_id, command.attempt, keep=command.keep))

    def _report(self, reports: list[Report]) -> None:
        for report in reports:
            with about(report.run.key):
                self._tell(report)

    def _tell(self, report: Report) -> None:
        key = report.run.key
        match report:
            case Stepped(run):
                self._progress(run)
            case Kept(run, part):
                self._outbox.keep(run, part)
            case Done(run, outcome):
                seconds = time.perf_counter() - self._begun.get(key, time.perf_counter())
                self._forget(key)
                self._outbox.put(run, outcome, seconds)
            case Broken(_, error):
                self._forget(key)
                self._outlet.send(failed(*key, error))
            case GivenUp():
                self._forget(key)
                self._outlet.send(Dropped(job_id=key[0], attempt=key[1]))

    def _progress(self, run: Run) -> None:
        """Tell of a step; asides that move nothing are worth no word."""
        key = run.key
        if self._told.get(key) != run.step:
            self._told[key] = run.step
            self._outlet.send(
                Progress(
                    job_id=run.job_id,
                    attempt=run.attempt,
                    step=run.step,
                    steps=run.steps,
                    preview=self._previews.step(run),
                    rows=run.rows,
                    flops=run.flops,
                )
            )

    def _forget(self, key: tuple[str, int]) -> None:
        self._begun.pop(key, None)
        self._told.pop(key, None)
        self._previews.forget(key)


def _show(library: Library, config: EngineConfig) -> Show:
    """Make what shows latents of the library's checkpoints."""
    approximations = Approximations(Path(config.models_dir))
    return lambda model, latents: approximations.show(library.diffusion(model), latents)
