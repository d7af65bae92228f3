"""Where tasks wait: lanes of asides and groups of denoising rows, with no tensor in them."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from itertools import accumulate

from inference.engine.task import JobRun, Task
from inference.model_files.files import Weights


class AuxQueue:
    """Asides that may share a call; its jobs take turns."""

    def __init__(self, weights: Weights | None, since: int) -> None:
        self.weights = weights
        #: The turn in which it came or was last served.
        self.since = since
        self._waiting: OrderedDict[int, deque[Task]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add_task(self, task: Task) -> None:
        """Let a task wait here."""
        self._waiting.setdefault(id(task.run), deque()).append(task)

    def pop_tasks(self, limit: int) -> tuple[Task, ...]:
        """Take up to `limit` tasks, one of each job in turn."""
        popped_tasks: list[Task] = []
        while self._waiting and len(popped_tasks) < limit:
            run, tasks = self._waiting.popitem(last=False)
            popped_tasks.append(tasks.popleft())
            if tasks:
                self._waiting[run] = tasks
        return tuple(popped_tasks)

    def list_runs(self) -> set[JobRun]:
        """Give the jobs of the tasks that wait here."""
        return {tasks[0].run for tasks in self._waiting.values()}

    def drop_run(self, run: JobRun) -> None:
        """Forget a job's tasks."""
        self._waiting.pop(id(run), None)


class DenoiseGroup:
    """Denoising rows that may share a call; who has begun stays until it is done.

    A place that falls free goes to the job that had the fewest so far, then to who came first: a
    job of many rows does not keep the others out.
    """

    def __init__(self, weights: Weights | None, since: int) -> None:
        self.weights = weights
        #: The turn in which it came or was last served.
        self.since = since
        self._active_tasks: list[Task] = []
        self._waiting: list[Task] = []
        #: Places that each job was given.
        self._started_by_run: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._active_tasks) + len(self._waiting)

    def add_task(self, task: Task) -> None:
        """Let a row wait for a place."""
        self._waiting.append(task)

    def list_runs(self) -> set[JobRun]:
        """Give the jobs of the rows that are here."""
        return {task.run for task in (*self._active_tasks, *self._waiting)}

    def next_rows(self, max_rows: int, max_entries: int) -> list[Task]:
        """List the rows that the next call could have, at least one, in the order of places."""
        rows = self._active_tasks[:max_rows]
        started_by_run, waiting_tasks = self._started_by_run.copy(), list(self._waiting)
        while waiting_tasks and len(rows) < max_rows:
            task = min(waiting_tasks, key=lambda waiting: started_by_run[id(waiting.run)])
            started_by_run[id(task.run)] += 1
            waiting_tasks.remove(task)
            rows.append(task)
        sizes = accumulate(task.entries for task in rows)
        return rows[: max(1, sum(size <= max_entries for size in sizes))]

    def start_rows(self, rows: Sequence[Task]) -> None:
        """Give rows the places of the next call; they stay here until they are done."""
        for task in rows:
            if task in self._waiting:
                self._started_by_run[id(task.run)] += 1
                self._waiting.remove(task)
                self._active_tasks.append(task)

    def remove_row(self, task: Task) -> None:
        """Let a row go, if it is here."""
        for tasks in (self._active_tasks, self._waiting):
            if task in tasks:
                tasks.remove(task)
