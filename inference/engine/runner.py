"""The only part that touches the device: encode, denoise, decode, and slices of other work."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import torch
from PIL import Image

from inference.engine.batch import Batch
from inference.engine.flops import Flops
from inference.engine.memory import Attempt, Failures, attempt
from inference.engine.prepare import batch_key, plan_sigmas, prepare_rows, wanted_loras
from inference.engine.row import Row
from inference.engine.scheduler import Turn
from inference.engine.task import Stage, Task
from inference.engine.work import Paint, Painted, Slice
from inference.journal import about
from inference.models.diffusion import DiffusionModel
from inference.models.errors import BrokenOutput
from inference.models.files import UPSCALER
from inference.models.library import Library

#: Does the slices of one lane: loads in, results out, in the same order.
Hand = Callable[[Hashable, Sequence[object]], Sequence[object]]


T = TypeVar("T")


class Ran(NamedTuple):
    """What came of a turn."""

    failures: Failures
    #: The most rows of the batch that went through one call together.
    fitted: int
    #: What the batch took.
    seconds: float


class Runner:
    """Runs turns; what it learns about a task it leaves on the task."""

    def __init__(self, library: Library, hands: Mapping[str, Hand]) -> None:
        self._library = library
        self._hands = hands
        self._flops = Flops()

    def run(self, turn: Turn) -> Ran:
        """Run one turn.

        Raises:
            DeviceLost: the process must end.
        """
        failures: Failures = []
        fitted, seconds = 0, 0.0
        if turn.aside:
            failures += self._timed(self._aside, turn.aside)[0].failures
        if turn.batch:
            result, seconds = self._timed(self._denoise, turn.batch)
            fitted = result.fitted
            failures += result.failures
            failures += [(task, task.error) for task in turn.batch if task.error is not None]
        return Ran(failures, fitted, seconds)

    def _timed(
        self, work: Callable[[Sequence[Task]], None], tasks: Sequence[Task]
    ) -> tuple[Attempt, float]:
        """Do a piece of work and charge each job its share of the time, in seconds."""
        begin = time.perf_counter()
        """Do a piece of work and charge each job its share of the time, in seconds."""
        begin = time.perf_counter()
        with about(*dict.fromkeys(task.run.key for task in tasks)):
            result = attempt(work, tasks, lambda task: self._library.relieve(task.weights))
        seconds = time.perf_counter() - begin
        share = seconds / len(tasks)
        for task in tasks:
            task.run.charged += 0 if isinstance(task.work, Slice) and task.work.free else share
        return result, seconds

    def _aside(self, tasks: Sequence[Task]) -> None:
        match tasks[0].stage:
            case Stage.PREPARE:
                self._prepare(tasks)
            case Stage.DECODE:
                self._decode(tasks)
            case _:
                self._slice(tasks)

    def _prepare(self, tasks: Sequence[Task]) -> None:
        """Make tasks ready to denoise; one that needs no step keeps its picture."""
        moving = []
        for task in tasks:
            work = _paint(task)
            model = self._library.diffusion(work.model)
            if plan_sigmas(work, model).sigmas:
                moving.append(task)
            else:
                self._keep(task, work, model)
        # Apart, since they ask for different things: those with a picture to encode, and others.
        for encoding in (True, False):
            self._make_rows([task for task in moving if _encodes(task) is encoding], encoding)

    def _keep(self, task: Task, work: Paint, model: DiffusionModel) -> None:
        latent = work.latent
        if work.picture is not None:
            latents = self._counted(("still", task.lane), (task,), lambda: _encoded(work, model))
            latent = latents[0]
        task.finish(Painted(picture=work.picture, latent=_on_cpu(latent)))

    def _make_rows(self, tasks: Sequence[Task], encoding: bool) -> None:
        if not tasks:
            return
        works = [_paint(task) for task in tasks]
        model = self._library.diffusion(works[0].model)
        sides = [self._library.side(work.model, wanted_loras(work)) for work in works]
        rows = self._counted(
            (encoding, tasks[0].lane), tasks, lambda: prepare_rows(works, model, sides)
        )
        for task, row in zip(tasks, rows, strict=True):
            task.row = row
            task.key = batch_key(_paint(task), row)
            task.stage = Stage.DENOISE

    def _counted(self, key: Hashable | None, tasks: Sequence[Task], call: Callable[[], T]) -> T:
        """Make a call for tasks that ask alike, and charge each job the operations of its own."""
        result, each = self._flops.run(key, len(tasks), call)
        for task in tasks:
            task.run.spend(each)
        return result

    def _denoise(self, tasks: Sequence[Task]) -> None:
        """Call the network once for all rows, then let each row's sampler step."""
        model = self._library.diffusion(_paint(tasks[0]).model)
        rows = [_row(task) for task in tasks]
        batch = Batch.gather(rows, model.device)
        entries = [len(row.current().conditions) + row.guided for row in rows]
        output, each = self._flops.run(
            tasks[0].key,
            len(batch.x),
            lambda: model.denoise(
                batch.x, batch.sigma, batch.text, batch.extra, batch.pooled, rows[0].side
            ),
        )
        for task, count in zip(tasks, entries, strict=True):
            task.run.spend(None if each is None else each * count)
        with torch.inference_mode():
            denoised = batch.scatter(output)
            for task, row, clean in zip(tasks, rows, denoised, strict=True):
                self._advance(task, row, clean)
        _settle(model.device)

    def _advance(self, task: Task, row: Row, clean: torch.Tensor) -> None:
        """Step one row; its error must not make the others step twice."""
        try:
            going = row.advance(clean)
        except Exception as error:
            task.error = error.with_traceback(None)
            return
        task.stage = Stage.DENOISE if going else Stage.DECODE
        task.advance()

    def _decode(self, tasks: Sequence[Task]) -> None:
        """Turn finished latents into pictures."""
        model = self._library.diffusion(_paint(tasks[0]).model)
        latents = [row.latent for task in tasks if (row := _row(task)).latent is not None]
        stacked = torch.stack(latents)
        if not torch.isfinite(stacked).all():
            raise BrokenOutput(
                "The denoising ran away into numbers that are no picture. Lower the guidance "
                "scale, or use another sampler."
            )
        wanted = any(_paint(task).decode for task in tasks)
        pictures: Sequence[Image.Image | None] = [None] * len(tasks)
        if wanted:
            pictures = self._counted(tasks[0].lane, tasks, lambda: model.decode(stacked))
        for task, picture, latent in zip(tasks, pictures, latents, strict=True):
            task.finish(Painted(picture=picture, latent=_on_cpu(latent)))

    def _slice(self, tasks: Sequence[Task]) -> None:
        lane = tasks[0].lane
        kind = lane[0] if isinstance(lane, tuple) else lane
        hand = self._hands[str(kind)]
        slices = [_slice(task) for task in tasks]
        if (weights := slices[0].weights) is not None and weights[0] == UPSCALER:
            self._library.upscalers.get(weights[1])  # the trial runs of its loading are nobody's
        loads = [each.load for each in slices]
        if slices[0].free:  # and unwatched: who counts operations lengthens what is timed
            results = hand(lane, loads)
        else:
            key = None if slices[0].varying else lane
            results = self._counted(key, tasks, lambda: hand(lane, loads))
        for task, result in zip(tasks, results, strict=True):
            task.finish(result)


def _settle(device: torch.device) -> None:
    """Wait until the device is done, or the next turn would be charged for this one's work."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _paint(task: Task) -> Paint:
    if not isinstance(task.work, Paint):
        raise TypeError(f"a {type(task.work).__name__} came where denoising was expected")
    return task.work


def _slice(task: Task) -> Slice:
    if not isinstance(task.work, Slice):
        raise TypeError(f"a {type(task.work).__name__} came where a slice was expected")
    return task.work


def _encodes(task: Task) -> bool:
    work = _paint(task)
    return work.latent is None and work.picture is not None


def _encoded(work: Paint, model: DiffusionModel) -> torch.Tensor:
    return model.encode([] if work.picture is None else [work.picture])


def _row(task: Task) -> Row:
    if task.row is None:
        raise RuntimeError(f"task {task.index} of job {task.run.job_id} was not prepared")
    return task.row


def _on_cpu(latent: torch.Tensor | None) -> torch.Tensor:
    if latent is None:
        raise ValueError("there is nothing to keep: the work has neither picture nor latent")
    return latent.float().cpu()
