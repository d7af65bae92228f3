"""The engine: works of many jobs, run step by step in shared batches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from inference.engine.parts import Part, Parts, part_of
from inference.engine.runner import Ran, Runner
from inference.engine.scheduler import Scheduler, Turn
from inference.engine.task import Run, Stage, Task
from inference.engine.work import Operation, Outcome, Paint, StopAsked

#: Pixels that go through the autoencoder together between two steps.
VAE_PIXELS = 512 * 512


@dataclass(frozen=True)
class Stepped:
    """A run came further."""

    run: Run


@dataclass(frozen=True)
class Kept:
    """A part of a run is finished; a later attempt may go on from it."""

    run: Run
    part: Part


@dataclass(frozen=True)
class Done:
    """A run is over, with its outcome."""

    run: Run
    outcome: Outcome


@dataclass(frozen=True)
class Broken:
    """A run is over, with an error."""

    run: Run
    error: BaseException


@dataclass(frozen=True)
class GivenUp:
    """A run is over, with nothing, as was asked."""

    run: Run


Report = Stepped | Kept | Done | Broken | GivenUp


def lane_limit(
    max_batch: int, slices: int, own: Mapping[str, Callable[[Hashable], int]] | None = None
) -> Callable[[Hashable], int]:
    """Make the rule of how many asides share a call: by pixels, or by number.

    `own` are the rules of single kinds of lanes.
    """

    def limit(lane: Hashable) -> int:
        if isinstance(lane, tuple) and lane[0] in (Stage.PREPARE.value, Stage.DECODE.value):
            _, _, width, height = lane
            return max(1, min(max_batch, VAE_PIXELS // int(width * height)))
        if own and isinstance(lane, tuple) and lane[0] in own:
            return own[lane[0]](lane)
        return slices

    return limit


class Engine:
    """Takes jobs as operations, gives reports; `step` is all there is to it."""

    def __init__(self, runner: Runner, scheduler: Scheduler) -> None:
        self._runner = runner
        self._scheduler = scheduler
        self._runs: dict[tuple[str, int], Run] = {}

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self._scheduler.idle

    def add(
        self, job_id: str, attempt: int, operation: Operation, parts: Parts | None = None
    ) -> list[Report]:
        """Take a job; its operation runs up to its first ask at once.

        Works that are among `parts` are answered from there.
        """
        run = Run(job_id, attempt, operation, parts or Parts())
        self._runs[job_id, attempt] = run
        return self._continue(run, first=True)

    def cancel(self, job_id: str, attempt: int, *, keep: bool = False) -> list[Report]:
        """Give a job up; its rows leave before the next step.

        With `keep` it may end with what it has made so far. No report: it was not here.
        """
        run = self._runs.pop((job_id, attempt), None)
        if run is None:
            return []
        report = _stopped(run) if keep else GivenUp(run)
        self._forget(run)
        return [report]

    def step(self) -> list[Report]:
        """Schedule, run, postprocess."""
        turn = self._scheduler.schedule()
        ran = self._runner.run(turn)
        self._learn(turn, ran)
        reports: list[Report] = []
        for task, error in ran.failures:
            reports += self._fail(task.run, error)
        return reports + self._postprocess(turn)

    def _learn(self, turn: Turn, ran: Ran) -> None:
        """Tell the scheduler how many rows fitted, and how long they took when all did."""
        if not turn.batch or turn.batch[0].key is None:
            return
        if ran.fitted < len(turn.batch):
            self._scheduler.cap(turn.batch[0].key, ran.fitted)
        elif not ran.failures:
            self._scheduler.note(turn.batch[0].key, len(turn.batch), ran.seconds)

    def _postprocess(self, turn: Turn) -> list[Report]:
        """Move tasks to where they wait next and let answered operations go on."""
        reports: list[Report] = []
        touched: dict[int, Run] = {}
        for task in turn.aside:
            if self._alive(task):
                touched[id(task.run)] = task.run
                if task.stage is not Stage.DONE:
                    self._scheduler.add(task)
                elif isinstance(task.work, Paint):
                    part = part_of(task.work, task.result)
                    reports += [Kept(task.run, part)] if part is not None else []
        for task in turn.batch:
            task.run.rows = len(turn.batch)
            if self._alive(task):
                touched[id(task.run)] = task.run
                if task.stage is not Stage.DENOISE:
                    self._scheduler.leave(task)
                    self._scheduler.add(task)
        for run in touched.values():
            reports.append(Stepped(run))
            if run.answered:
                reports += self._continue(run)
        return reports

    def _alive(self, task: Task) -> bool:
        return self._runs.get((task.run.job_id, task.run.attempt)) is task.run

    def _continue(self, run: Run, *, first: bool = False) -> list[Report]:
        """Give an operation its results and take its next ask, or its outcome."""
        try:
            while first or run.answered:
                results = None if first else [task.result for task in run.tasks]
                first = False
                ask = run.operation.send(results)  # type: ignore[arg-type]
                for task in run.ask(ask):
                    if not run.recall(task):
                        self._scheduler.add(task)
        except StopIteration as finished:
            del self._runs[run.job_id, run.attempt]
            return [Done(run, finished.value)]
        except Exception as error:
            return self._fail(run, error)
        return []

    def _fail(self, run: Run, error: BaseException) -> list[Report]:
        if self._runs.pop((run.job_id, run.attempt), None) is None:
            return []
        self._forget(run)
        return [Broken(run, error)]

    def _forget(self, run: Run) -> None:
        self._scheduler.drop(run)
        run.operation.close()


def _stopped(run: Run) -> Report:
    """Let an operation end with what it has, if that is anything."""
    try:
        run.operation.throw(StopAsked())
    except StopIteration as finished:
        return Done(run, finished.value)
    except StopAsked:
        return GivenUp(run)
    except Exception as error:
        return Broken(run, error)
    return GivenUp(run)
