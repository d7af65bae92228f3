"""The engine: works of many jobs, run step by step in shared batches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from inference.api.log_relay import bind_jobs
from inference.engine.partial_results import PartialResult, PartialResults, make_partial_result
from inference.engine.runner import Runner, StepResult
from inference.engine.scheduler import ScheduledStep, Scheduler
from inference.engine.task import JobRun, Task, TaskStage
from inference.engine.work import DenoiseWork, JobResult, Operation, SideWork, StopRequested
from inference.runtime.side_work import SideThreads

#: Pixels that go through the autoencoder together between two steps.
MAX_VAE_PIXELS = 512 * 512
#: How long a step waits for work beside the steps where there is no other, in seconds.
SIDE_WAIT_SECONDS = 0.02


@dataclass(frozen=True)
class RunProgressed:
    """A run came further."""

    run: JobRun


@dataclass(frozen=True)
class RunPartCompleted:
    """A part of a run is finished; a later attempt may go on from it."""

    run: JobRun
    part: PartialResult


@dataclass(frozen=True)
class RunCompleted:
    """A run is over, with its outcome."""

    run: JobRun
    result: JobResult


@dataclass(frozen=True)
class RunFailed:
    """A run is over, with an error."""

    run: JobRun
    error: BaseException


@dataclass(frozen=True)
class RunCancelled:
    """A run is over, with nothing, as was asked."""

    run: JobRun


RunReport = RunProgressed | RunPartCompleted | RunCompleted | RunFailed | RunCancelled


def aux_batch_limit(
    max_batch: int,
    max_aux: int,
    limits_by_kind: Mapping[str, Callable[[Hashable], int]] | None = None,
) -> Callable[[Hashable], int]:
    """Make the rule of how many asides share a call: by pixels, or by number.

    `own` are the rules of single kinds of lanes.
    """

    def batch_limit(queue_key: Hashable) -> int:
        if isinstance(queue_key, tuple) and queue_key[0] in (
            TaskStage.PREPARE.value,
            TaskStage.DECODE.value,
        ):
            _, _, width, height = queue_key
            return max(1, min(max_batch, MAX_VAE_PIXELS // int(width * height)))
        if limits_by_kind and isinstance(queue_key, tuple) and queue_key[0] in limits_by_kind:
            return limits_by_kind[queue_key[0]](queue_key)
        return max_aux

    return batch_limit


class Engine:
    """Takes jobs as operations, gives reports; `step` is all there is to it."""

    def __init__(self, runner: Runner, scheduler: Scheduler) -> None:
        self._runner = runner
        self._scheduler = scheduler
        self._side_threads: SideThreads[Task] = SideThreads()
        self._runs: dict[tuple[str, int], JobRun] = {}

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return self._scheduler.is_idle and self._side_threads.is_idle

    def waiting_jobs(self) -> list[tuple[str, int]]:
        """List id and attempt of the jobs that wait for a step, or are between two of them."""
        waiting_runs = self._scheduler.waiting_runs()
        waiting_runs |= {task.run for task in self._side_threads.waiting_owners()}
        return [key for key, run in self._runs.items() if run in waiting_runs]

    def add_job(
        self,
        job_id: str,
        attempt: int,
        operation: Operation,
        parts: PartialResults | None = None,
        owner: str = "",
    ) -> list[RunReport]:
        """Take a job; its operation runs up to its first ask at once.

        Works that are among `parts` are answered from there. Jobs of one `owner` share that
        member's places.
        """
        run = JobRun(job_id, attempt, operation, owner, parts or PartialResults())
        self._runs[job_id, attempt] = run
        return self._resume_operation(run, first=True)

    def cancel_run(
        self, job_id: str, attempt: int, *, keep_results: bool = False
    ) -> list[RunReport]:
        """Give a job up; its rows leave before the next step.

        With `keep` it may end with what it has made so far. No report: it was not here.
        """
        run = self._runs.pop((job_id, attempt), None)
        if run is None:
            return []
        report = _stop_operation(run) if keep_results else RunCancelled(run)
        self._discard_run(run)
        return [report]

    def close(self) -> None:
        """Begin no more work beside the steps."""
        self._side_threads.close()

    def step(self) -> list[RunReport]:
        """Schedule, run, postprocess; take what was done beside the steps."""
        side_reports = self._take_side_results()
        step = self._scheduler.schedule()
        result = self._runner.run_step(step)
        self._update_batch_limits(step, result)
        reports = side_reports
        for task, error in result.failures:
            reports += self._fail_run(task.run, error)
        return reports + self._postprocess_step(step)

    def _take_side_results(self) -> list[RunReport]:
        reports: list[RunReport] = []
        has_only_side_work = self._scheduler.is_idle and not self._side_threads.is_idle
        wait_seconds = SIDE_WAIT_SECONDS if has_only_side_work else 0.0
        while (outcome := self._side_threads.next_outcome(wait_seconds)) is not None:
            wait_seconds, task = 0.0, outcome.owner
            task.run.charged_seconds += outcome.seconds
            if outcome.error is not None:
                reports += self._fail_run(task.run, outcome.error)
                continue
            task.set_result(outcome.result)
            if task.run.steps_total:  # nobody knows yet out of how many before the first request
                reports.append(RunProgressed(task.run))
            if task.run.has_all_results:
                reports += self._resume_operation(task.run)
        return reports

    def _update_batch_limits(self, step: ScheduledStep, result: StepResult) -> None:
        """Tell the scheduler how many entries fitted, and how long they took when all did."""
        if not step.batch or step.batch[0].key is None:
            return
        key = step.batch[0].key
        if result.fitted_entries < min(result.batch_entries, step.max_entries):
            self._scheduler.set_max_entries(key, result.fitted_entries)
        elif not result.failures and result.fitted_entries == result.batch_entries:
            self._scheduler.record_time(key, result.batch_entries, result.seconds)

    def _postprocess_step(self, step: ScheduledStep) -> list[RunReport]:
        """Move tasks to where they wait next and let answered operations go on."""
        reports: list[RunReport] = []
        progressed_runs: dict[int, JobRun] = {}
        for task in step.aux:
            if self._is_current(task):
                progressed_runs[id(task.run)] = task.run
                if task.stage is not TaskStage.DONE:
                    self._scheduler.add_task(task)
                elif isinstance(task.work, DenoiseWork):
                    part = make_partial_result(task.work, task.result)
                    reports += [RunPartCompleted(task.run, part)] if part is not None else []
        for task in step.batch:
            task.run.batch_rows = len(step.batch)
            if self._is_current(task):
                progressed_runs[id(task.run)] = task.run
                if task.stage is not TaskStage.DENOISE:
                    self._scheduler.remove_row(task)
                    self._scheduler.add_task(task)
        for run in progressed_runs.values():
            reports.append(RunProgressed(run))
            if run.has_all_results:
                reports += self._resume_operation(run)
        return reports

    def _is_current(self, task: Task) -> bool:
        return self._runs.get((task.run.job_id, task.run.attempt)) is task.run

    def _resume_operation(self, run: JobRun, *, first: bool = False) -> list[RunReport]:
        """Give an operation its results and take its next ask, or its outcome."""
        try:
            while first or run.has_all_results:
                results = None if first else [task.result for task in run.tasks]
                first = False
                request = run.operation.send(results)  # type: ignore[arg-type]
                for task in run.create_tasks(request):
                    if isinstance(task.work, SideWork):
                        with bind_jobs(run.attempt_key):
                            self._side_threads.start_call(task, task.work.call)
                    elif not run.restore_task(task):
                        self._scheduler.add_task(task)
        except StopIteration as finished:
            del self._runs[run.job_id, run.attempt]
            return [RunCompleted(run, run.complete_result(finished.value))]
        except Exception as error:
            return self._fail_run(run, error)
        return []

    def _fail_run(self, run: JobRun, error: BaseException) -> list[RunReport]:
        if self._runs.pop((run.job_id, run.attempt), None) is None:
            return []
        self._discard_run(run)
        return [RunFailed(run, error)]

    def _discard_run(self, run: JobRun) -> None:
        self._scheduler.drop_run(run)
        for task in run.tasks:
            self._side_threads.cancel_call(task)
        run.operation.close()


def _stop_operation(run: JobRun) -> RunReport:
    """Let an operation end with what it has, if that is anything."""
    try:
        run.operation.throw(StopRequested())
    except StopIteration as finished:
        return RunCompleted(run, run.complete_result(finished.value))
    except StopRequested:
        return RunCancelled(run)
    except Exception as error:
        return RunFailed(run, error)
    return RunCancelled(run)
