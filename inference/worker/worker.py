"""The worker's loop: between two steps of the engine, see what has come in."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import BinaryIO

from inference.api.commands import CancelJob, DisplayLimits, StopWorker
from inference.api.config import EngineConfig
from inference.api.errors import DeviceLost
from inference.api.jobs.wordlists import EMBEDDINGS_FOLDER, WordLists
from inference.api.log_relay import bind_jobs
from inference.api.messages import JobCancelled, JobProgress, JobsWaiting, WorkerReady
from inference.api.notices import Notice
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
from inference.runtime.card_problems import find_card_problem
from inference.worker.command_reader import CommandReader, IncomingJob
from inference.worker.executors import build_executors, tile_batch_rule
from inference.worker.model_reports import ModelReporter
from inference.worker.previews import PreviewWriter
from inference.worker.result_writer import ResultWriter, failed_event
from inference.worker.stdio import EventSender

log = logging.getLogger(__name__)

AUTO = "auto"
#: The exit code that says: the device needs a new process.
EXIT_DEVICE_LOST = 4
#: Between two words, at most, of jobs that wait for their next step: far below any lease.
WAITING_WORD_SECONDS = 2.0  # seconds
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
        model_reporter: ModelReporter,
    ) -> None:
        self._engine = engine
        self._context = context
        self._event_sender = sender
        self._result_writer = result_writer
        self._previews = preview_writer
        self._model_reporter = model_reporter
        self._start_times: dict[tuple[str, int], float] = {}
        self._display_limits: dict[tuple[str, int], DisplayLimits] = {}
        self._told: dict[tuple[str, int], int] = {}
        self._waiting_told_at = time.monotonic()

    @classmethod
    def open(cls, config: EngineConfig, sender: EventSender) -> Worker:
        """Find the device, load the host's checkpoint and say that jobs may come.

        Raises:
            EngineError: the device is not there, or fails a trial.
            ModelError: the checkpoint is not there.
        """
        library = ModelLibrary.open(config)
        max_rows = 1 if config.deterministic else config.max_batch
        batch_limit = aux_batch_limit(max_rows, MAX_AUX_BATCH, tile_batch_rule(library))
        if config.deterministic:
            batch_limit = aux_batch_limit(max_rows, 1)
        engine = Engine(
            Runner(library, build_executors(library)),
            Scheduler(max_rows, batch_limit, library.loadable_together, batch_sizer=BatchSizer()),
        )
        result_writer = ResultWriter(Path(config.outbox), sender.send_event)
        models = library.list_models()
        sender.send_event(
            WorkerReady(
                device=str(library.device),
                dtype=str(library.dtype).removeprefix("torch."),
                models=models,
                notes=_start_notes(config, library),
            )
        )
        model_reporter = ModelReporter(library, models, sender.send_event)
        model_reporter.report_changes()
        return cls(
            engine,
            OperationContext(
                library,
                describe=describe_image,
                lists=WordLists(
                    Path(config.wordlists_dir), Path(config.models_dir) / EMBEDDINGS_FOLDER
                ),
            ),
            sender,
            result_writer,
            PreviewWriter(library.preview_latents, Path(config.outbox), config.preview_every),
            model_reporter,
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
                self._model_reporter.report_changes()
                self._send_waiting()
            except DeviceLost:
                log.exception("The device is lost.")
                self._engine.close()
                return EXIT_DEVICE_LOST
        self._engine.close()
        self._result_writer.finish_writing()
        self._previews.finish_writing()
        return 0

    def _start_job(self, incoming_job: IncomingJob) -> None:
        key = (incoming_job.submit.job_id, incoming_job.submit.attempt)
        self._start_times[key] = time.perf_counter()
        if incoming_job.job is None:
            error = incoming_job.error or ValueError("a job without a reason")
            self._event_sender.send_event(failed_event(*key, error))
            return
        self._display_limits[key] = incoming_job.submit.display
        operation = OPERATIONS[incoming_job.job.kind](
            incoming_job.job, incoming_job.images, self._context
        )
        reports = self._engine.add_job(
            *key, operation, incoming_job.partial_results, incoming_job.submit.owner
        )
        self._handle_reports(reports)

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
                self._result_writer.write_part(run, part)
            case RunCompleted(run, outcome):
                seconds = time.perf_counter() - self._start_times.get(key, time.perf_counter())
                limits = self._display_limits.get(key, DisplayLimits())
                self._forget_attempt(key)
                self._result_writer.write_result(run, outcome, seconds, limits)
                self._model_reporter.report_digests()
            case RunFailed(_, error):
                self._forget_attempt(key)
                self._event_sender.send_event(failed_event(*key, error))
            case RunCancelled():
                self._forget_attempt(key)
                self._event_sender.send_event(JobCancelled(job_id=key[0], attempt=key[1]))

    def _send_progress(self, run: JobRun) -> None:
        """Tell of a step; asides that move nothing are worth no word."""
        key = run.attempt_key
        if self._told.get(key) != run.steps_done:
            self._told[key] = run.steps_done
            self._event_sender.send_event(
                JobProgress(
                    job_id=run.job_id,
                    attempt=run.attempt,
                    step=run.steps_done,
                    steps=run.steps_total,
                    preview=self._previews.update_preview(run),
                    rows=run.batch_rows,
                    flops=run.flops,
                    gpu_seconds=run.charged_seconds,
                )
            )

    def _send_waiting(self) -> None:
        """Tell, now and then and only after a step, of the jobs that the engine has still to do."""
        current_time = time.monotonic()
        if current_time - self._waiting_told_at >= WAITING_WORD_SECONDS:
            self._waiting_told_at = current_time
            if waiting_jobs := tuple(self._engine.waiting_jobs()):
                self._event_sender.send_event(JobsWaiting(jobs=waiting_jobs))

    def _forget_attempt(self, key: tuple[str, int]) -> None:
        self._start_times.pop(key, None)
        self._display_limits.pop(key, None)
        self._told.pop(key, None)
        self._previews.remove_preview(key)


def _start_notes(config: EngineConfig, library: ModelLibrary) -> tuple[Notice, ...]:
    """Say what the host should know: a card that is here and not used."""
    is_processor_chosen = config.device != AUTO and library.device.type == "cpu"
    problem = None if is_processor_chosen else find_card_problem()
    return () if problem is None else (problem,)
