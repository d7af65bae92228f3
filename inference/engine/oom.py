"""What to do when the device's memory runs out: smaller, alone, sparingly, then give a job up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from inference.api.errors import DeviceLost, OutOfMemory
from inference.engine.task import Task
from inference.runtime.memory import is_out_of_memory, release_memory

Failures = list[tuple[Task, BaseException]]


@dataclass(frozen=True)
class BatchAttempt:
    """What came of a piece of work for several tasks."""

    #: The most tasks that went through together.
    fitted_tasks: int
    failures: Failures = field(default_factory=list)


def is_device_lost(error: BaseException) -> bool:
    """Recognise errors after which every further call on a CUDA device fails too."""
    message = str(error)
    return (
        isinstance(error, RuntimeError) and "CUDA error" in message and not is_out_of_memory(error)
    )


def run_with_oom_retry(
    work: Callable[[Sequence[Task]], None],
    tasks: Sequence[Task],
    free_memory: Callable[[Task], bool] = lambda _task: False,
) -> BatchAttempt:
    """Do a piece of work for several tasks; on lack of memory in halves, down to each alone.

    For one that does not even fit alone, `relieve` makes the device's memory go further, if it can.
    Any other error fails the task it belongs to: together first, then each alone to find it.

    Raises:
        DeviceLost: the process must end.
    """
    error = _try_work(work, tasks)
    if error is None:
        return BatchAttempt(len(tasks))
    if is_device_lost(error):
        raise DeviceLost from error
    release_memory()
    if len(tasks) > 1:
        middle = len(tasks) // 2
        first = run_with_oom_retry(work, tasks[:middle], free_memory)
        second = run_with_oom_retry(work, tasks[middle:], free_memory)
        fitted_tasks = (
            max(first.fitted_tasks, second.fitted_tasks) if is_out_of_memory(error) else len(tasks)
        )
        return BatchAttempt(fitted_tasks, first.failures + second.failures)
    while is_out_of_memory(error) and free_memory(tasks[0]):
        error = _try_work(work, tasks)
        if error is None:
            return BatchAttempt(1)
        release_memory()
    return BatchAttempt(1, [(tasks[0], OutOfMemory() if is_out_of_memory(error) else error)])


def _try_work(
    work: Callable[[Sequence[Task]], None], tasks: Sequence[Task]
) -> BaseException | None:
    """Return the error without its traceback, whose frames would keep the failed try's tensors."""
    try:
        work(tasks)
    except Exception as error:
        return error.with_traceback(None)
    return None
