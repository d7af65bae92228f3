"""What to do when the device's memory runs out: smaller, alone, sparingly, then give a job up."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from inference.engine.task import Task
from inference.errors import DeviceLost, OutOfMemory
from inference.models.exhaustion import is_out_of_memory

Failures = list[tuple[Task, BaseException]]


@dataclass(frozen=True)
class Attempt:
    """What came of a piece of work for several tasks."""

    #: The most tasks that went through together.
    fitted: int
    failures: Failures = field(default_factory=list)


def is_device_lost(error: BaseException) -> bool:
    """Recognise errors after which every further call on a CUDA device fails too."""
    words = str(error)
    return isinstance(error, RuntimeError) and "CUDA error" in words and not is_out_of_memory(error)


def attempt(
    work: Callable[[Sequence[Task]], None],
    tasks: Sequence[Task],
    relieve: Callable[[Task], bool] = lambda _task: False,
) -> Attempt:
    """Do a piece of work for several tasks; on lack of memory in halves, down to each alone.

    For one that does not even fit alone, `relieve` makes the device's memory go further, if it can.
    Any other error fails the task it belongs to: together first, then each alone to find it.

    Raises:
        DeviceLost: the process must end.
    """
    error = _try(work, tasks)
    if error is None:
        return Attempt(len(tasks))
    if is_device_lost(error):
        raise DeviceLost from error
    free()
    if len(tasks) > 1:
        middle = len(tasks) // 2
        first = attempt(work, tasks[:middle], relieve)
        second = attempt(work, tasks[middle:], relieve)
        fitted = max(first.fitted, second.fitted) if is_out_of_memory(error) else len(tasks)
        return Attempt(fitted, first.failures + second.failures)
    while is_out_of_memory(error) and relieve(tasks[0]):
        error = _try(work, tasks)
        if error is None:
            return Attempt(1)
        free()
    return Attempt(1, [(tasks[0], OutOfMemory() if is_out_of_memory(error) else error)])


def free() -> None:
    """Give back what nobody refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _try(work: Callable[[Sequence[Task]], None], tasks: Sequence[Task]) -> BaseException | None:
    """Return the error without its traceback, whose frames would keep the failed try's tensors."""
    try:
        work(tasks)
    except Exception as error:
        return error.with_traceback(None)
    return None
