"""Where tasks wait: lanes of asides and groups of denoising rows, with no tensor in them."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Sequence
from itertools import accumulate, count

from inference.engine.task import JobRun, Task
from inference.model_files.files import Weights


class AuxQueue:
    """Asides that may share a call; members take turns, and so do the jobs of each."""

    def __init__(self, weights: Weights | None, since: int) -> None:
        self.weights = weights
        #: The turn in which it came or was last served.
        self.since = since
        #: By owner, and by the owner's job: who comes first is who was served longest ago.
        self._waiting: OrderedDict[str, OrderedDict[int, deque[Task]]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add_task(self, task: Task) -> None:
        """Let a task wait here."""
        runs = self._waiting.setdefault(task.run.owner, OrderedDict())
        runs.setdefault(id(task.run), deque()).append(task)

    def pop_tasks(self, limit: int) -> tuple[Task, ...]:
        """Take up to `limit` tasks, one of each member in turn."""
        popped_tasks: list[Task] = []
        while self._waiting and len(popped_tasks) < limit:
            owner, runs = self._waiting.popitem(last=False)
            run_id, tasks = runs.popitem(last=False)
            popped_tasks.append(tasks.popleft())
            if tasks:
                runs[run_id] = tasks
            if runs:
                self._waiting[owner] = runs
        return tuple(popped_tasks)

    def list_runs(self) -> set[JobRun]:
        """Give the jobs of the tasks that wait here."""
        return {tasks[0].run for runs in self._waiting.values() for tasks in runs.values()}

    def drop_run(self, run: JobRun) -> None:
        """Forget a job's tasks."""
        runs = self._waiting.get(run.owner, OrderedDict())
        runs.pop(id(run), None)
        if not runs:
            self._waiting.pop(run.owner, None)


class DenoiseGroup:
    """Denoising rows that may share a call, whose places are shared among the members.

    Of each member's rows those that have begun come first; then the job that had the fewest places
    so far, then who came first. A member with many rows gives places up while others wait, but no
    member's only row is set aside for another's: alone in its place, it is done sooner.
    """

    def __init__(self, weights: Weights | None, since: int) -> None:
        self.weights = weights
        #: The turn in which it came or was last served.
        self.since = since
        self._active_tasks: list[Task] = []
        self._waiting: list[Task] = []
        #: Places that each job was given.
        self._started_by_run: Counter[int] = Counter()
        #: When each member was last given one, counted in places.
        self._last_starts: dict[str, int] = {}
        self._places = count(1)

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
        rows_by_owner: defaultdict[str, list[Task]] = defaultdict(list)
        for task in self._active_tasks:
            rows_by_owner[task.run.owner].append(task)
        begun_tasks = set(map(id, self._active_tasks))
        for task in self._order_waiting():
            rows_by_owner[task.run.owner].append(task)
        owners = sorted(rows_by_owner, key=lambda owner: self._last_starts.get(owner, 0))
        rows: list[Task] = []
        for turn in range(max(map(len, rows_by_owner.values()), default=0)):
            turn_rows = [
                rows_by_owner[name][turn] for name in owners if turn < len(rows_by_owner[name])
            ]
            # Who has begun keeps the place; sorting leaves the rest as it is.
            rows += sorted(turn_rows, key=lambda task: id(task) not in begun_tasks)
        del rows[max_rows:]
        sizes = accumulate(task.entries for task in rows)
        return rows[: max(1, sum(size <= max_entries for size in sizes))]

    def _order_waiting(self) -> list[Task]:
        """List the rows that wait: of the job that had the fewest places, then who came first."""
        started_by_run, ordered_tasks = self._started_by_run.copy(), []
        waiting_tasks = list(self._waiting)
        while waiting_tasks:
            task = min(waiting_tasks, key=lambda waiting: started_by_run[id(waiting.run)])
            started_by_run[id(task.run)] += 1
            waiting_tasks.remove(task)
            ordered_tasks.append(task)
        return ordered_tasks

    def start_rows(self, rows: Sequence[Task]) -> None:
        """Give rows the places of the next call; they stay here until they are done."""
        for task in rows:
            if task in self._waiting:
                self._started_by_run[id(task.run)] += 1
                self._last_starts[task.run.owner] = next(self._places)
                self._waiting.remove(task)
                self._active_tasks.append(task)

    def remove_row(self, task: Task) -> None:
        """Let a row go, if it is here."""
        for tasks in (self._active_tasks, self._waiting):
            if task in tasks:
                tasks.remove(task)
