"""What to do when the device's memory runs out: smaller, alone, sparingly, then give a job up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from inference.api.errors import DeviceLost, OutOfMemory
from inference.engine.task import Task
from inference.runtime.device_errors import is_device_lost, is_out_of_memory
from inference.runtime.memory import release_memory

Failures = list[tuple[Task, BaseException]]


#: Does a piece of work for tasks, with at most so many entries in a network call.
TaskWork = Callable[[Sequence[Task], int], None]


@dataclass(frozen=True)
class BatchAttempt:
    """What came of a piece of work for several tasks."""

    #: The most entries that went through a network call together.
    fitted_entries: int
    failures: Failures = field(default_factory=list)


def run_with_oom_retry(
    work: TaskWork,
    tasks: Sequence[Task],
    free_memory: Callable[[Task], bool] = lambda _task: False,
    max_entries: int = sys.maxsize,
) -> BatchAttempt:
    """Do a piece of work for several tasks; on lack of memory in halves, down to each alone.

    One that does not even fit alone has its entries go through in several calls; then `free_memory`
    makes the device's memory go further, if it can. Any other error fails the task it belongs to:
    together first, then each alone to find it.

    Raises:
        DeviceLost: the process must end.
    """
    entries = min(max_entries, sum(task.entries for task in tasks))
    error = _try_work(work, tasks, entries)
    if error is None:
        return BatchAttempt(entries)
    if len(tasks) == 1:
        return _retry_alone(work, tasks[0], error, free_memory, entries)
    middle = len(tasks) // 2
    first = run_with_oom_retry(work, tasks[:middle], free_memory, max_entries)
    second = run_with_oom_retry(work, tasks[middle:], free_memory, max_entries)
    fitted_entries = (
        max(first.fitted_entries, second.fitted_entries) if is_out_of_memory(error) else entries
    )
    return BatchAttempt(fitted_entries, first.failures + second.failures)


def _retry_alone(
    work: TaskWork,
    task: Task,
    error: BaseException | None,
    free_memory: Callable[[Task], bool],
    max_entries: int,
) -> BatchAttempt:
    """Try a task in ever smaller calls, then the same with more memory, rung by rung."""
    entries = max_entries
    while error is not None and is_out_of_memory(error):
        if entries > 1:
            entries = (entries + 1) // 2
        elif free_memory(task):
            entries = max_entries
        else:
            error = OutOfMemory()
            break
        error = _try_work(work, (task,), entries)
    return BatchAttempt(entries, [] if error is None else [(task, error)])


def _try_work(work: TaskWork, tasks: Sequence[Task], max_entries: int) -> BaseException | None:
    """Return the error without its traceback, whose frames would keep the failed try's tensors.

    Raises:
        DeviceLost: the process must end.
    """
    try:
        work(tasks, max_entries)
    except Exception as error:
        if is_device_lost(error):
            raise DeviceLost from error
        failure = error.with_traceback(None)
    else:
        return None
    release_memory()
    return failure
