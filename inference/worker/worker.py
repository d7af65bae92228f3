"""The worker's loop: between two steps of the engine, see what has come in."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import BinaryIO

import torch

from inference.api.commands import CancelJob, StopWorker
from inference.api.config import EngineConfig
from inference.api.errors import DeviceLost
from inference.api.jobs.wordlists import WordLists
from inference.api.log_relay import bind_jobs
from inference.api.messages import JobCancelled, JobProgress, WorkerReady
from inference.diffusion.latent_preview import LatentPreviewer
from inference.engine.batch_size import BatchSizer
from inference.engine.engine import (
    Engine,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPartCompleted,
    RunProgressed,
    RunReport,
    aux_batch_limit,
)
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.task import JobRun
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.interrogate import describe_image
from inference.operations.registry import OPERATIONS
from inference.runtime.compiling import prepare_compiling
from inference.runtime.precision import choose_device, choose_dtype
from inference.worker.command_reader import CommandReader, IncomingJob
from inference.worker.executors import build_executors, tile_batch_rule
from inference.worker.failed_event import failed_event
from inference.worker.previews import PreviewDecoder, PreviewWriter
from inference.worker.result_writer import ResultWriter
from inference.worker.stdio import EventSender

log = logging.getLogger(__name__)

#: The exit code that says: the device needs a new process.
EXIT_DEVICE_LOST = 4
#: What compiled networks are kept in, within the cache folder.
COMPILED_DIR_NAME = "compiled"
#: Tiles and other small asides that share a call.
MAX_AUX_BATCH = 4


class Worker:
    """One device at work."""

    def __init__(
        self,
        engine: Engine,
        context: OperationContext,
        sender: EventSender,
        result_writer: ResultWriter,
        preview_writer: PreviewWriter,
    ) -> None:
        self._engine = engine
        self._studio = context
        self._outlet = sender
        self._outbox = result_writer
        self._previews = preview_writer
        self._begun: dict[tuple[str, int], float] = {}
        self._told: dict[tuple[str, int], int] = {}

    @classmethod
    def open(cls, config: EngineConfig, sender: EventSender) -> Worker:
        """Find the device, load the host's checkpoint and say that jobs may come.

        Raises:
            ModelError: the checkpoint or the device is not there.
        """
        if config.threads:
            torch.set_num_threads(config.threads)
        if config.compile:
            prepare_compiling(Path(config.cache_dir) / COMPILED_DIR_NAME)
        device = choose_device(config.device)
        dtype = choose_dtype(config.dtype, device)
        library = ModelLibrary(config, device, dtype)
        library.get_checkpoint("")
        max_rows = 1 if config.deterministic else config.max_batch
        batch_limit = aux_batch_limit(max_rows, MAX_AUX_BATCH, tile_batch_rule(library))
        if config.deterministic:
            batch_limit = aux_batch_limit(max_rows, 1)
        engine = Engine(
            Runner(library, build_executors(library)),
            Scheduler(max_rows, batch_limit, library.loadable_together, batch_sizer=BatchSizer()),
        )
        result_writer = ResultWriter(Path(config.outbox), sender.send_event)
        sender.send_event(
            WorkerReady(
                device=str(device),
                dtype=str(dtype).removeprefix("torch."),
                models=library.list_models(),
            )
        )
        return cls(
            engine,
            OperationContext(
                library, describe=describe_image, lists=WordLists(Path(config.wordlists_dir))
            ),
            sender,
            result_writer,
            PreviewWriter(
                _preview_decoder(library, config), Path(config.outbox), config.preview_every
            ),
        )

    def process_commands(self, stream: BinaryIO) -> int:
        """Work until told to stop or the bot is gone; return the exit code."""
        reader = CommandReader(stream)
        reader.start_reading()
        draining = False
        while not (draining and self._engine.is_idle):
            command = reader.next_command(wait=self._engine.is_idle)
            match command:
                case IncomingJob(submit):
                    with bind_jobs((submit.job_id, submit.attempt)):
                        self._start_job(command)
                    continue
                case CancelJob():
                    with bind_jobs((command.job_id, command.attempt)):
                        self._cancel_job(command)
                    continue
                case StopWorker(drain=False):
                    break
                case StopWorker():
                    draining = True
                case None:
                    pass
            try:
                self._handle_reports(self._engine.step())
            except DeviceLost:
                log.exception("The device is lost.")
                return EXIT_DEVICE_LOST
        self._outbox.finish_writing()
        self._previews.finish_writing()
        return 0

    def _start_job(self, incoming_job: IncomingJob) -> None:
        key = (incoming_job.submit.job_id, incoming_job.submit.attempt)
        self._begun[key] = time.perf_counter()
        if incoming_job.job is None:
            error = incoming_job.error or ValueError("a job without a reason")
            self._outlet.send_event(failed_event(*key, error))
            return
        operation = OPERATIONS[incoming_job.job.kind](
            incoming_job.job, incoming_job.images, self._studio
        )
        self._handle_reports(self._engine.add_job(*key, operation, incoming_job.partial_results))

    def _cancel_job(self, command: CancelJob) -> None:
        self._handle_reports(
            self._engine.cancel_run(command.job_id, command.attempt, keep_results=command.keep)
        )

    def _handle_reports(self, reports: list[RunReport]) -> None:
        for report in reports:
            with bind_jobs(report.run.attempt_key):
                self._handle_report(report)

    def _handle_report(self, report: RunReport) -> None:
        key = report.run.attempt_key
        match report:
            case RunProgressed(run):
                self._send_progress(run)
            case RunPartCompleted(run, part):
                self._outbox.write_part(run, part)
            case RunCompleted(run, outcome):
                seconds = time.perf_counter() - self._begun.get(key, time.perf_counter())
                self._forget_attempt(key)
                self._outbox.write_result(run, outcome, seconds)
            case RunFailed(_, error):
                self._forget_attempt(key)
                self._outlet.send_event(failed_event(*key, error))
            case RunCancelled():
                self._forget_attempt(key)
                self._outlet.send_event(JobCancelled(job_id=key[0], attempt=key[1]))

    def _send_progress(self, run: JobRun) -> None:
        """Tell of a step; asides that move nothing are worth no word."""
        key = run.attempt_key
        if self._told.get(key) != run.steps_done:
            self._told[key] = run.steps_done
            self._outlet.send_event(
                JobProgress(
                    job_id=run.job_id,
                    attempt=run.attempt,
                    step=run.steps_done,
                    steps=run.steps_total,
                    preview=self._previews.update_preview(run),
                    rows=run.batch_rows,
                    flops=run.flops,
                )
            )

    def _forget_attempt(self, key: tuple[str, int]) -> None:
        self._begun.pop(key, None)
        self._told.pop(key, None)
        self._previews.remove_preview(key)


def _preview_decoder(library: ModelLibrary, config: EngineConfig) -> PreviewDecoder:
    """Make what shows latents of the library's checkpoints."""
    approximations = LatentPreviewer(Path(config.models_dir))
    return lambda model, latents: approximations.preview_latents(
        library.get_checkpoint(model), latents
    )
