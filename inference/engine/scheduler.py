"""Who runs next: plain Python over queues, with no tensor in it.

A turn is at most one *aside* (an encode, a decode, a few tiles, a caption) and one *batch* of
denoising rows. Groups of equal `BatchKey` take turns, so a rare size is never starved; within a
group the first rows in stay until they are done and newcomers fill the places that fall free.
Lanes of asides take turns as well, and within a lane the jobs do.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from inference.engine.task import BatchKey, Run, Stage, Task


@dataclass(frozen=True)
class Turn:
    """What one step of the engine runs."""

    aside: tuple[Task, ...] = ()
    batch: tuple[Task, ...] = ()


class Lane:
    """Asides that may share a call; its jobs take turns."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[int, deque[Task]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, task: Task) -> None:
        """Let a task wait here."""
        self._waiting.setdefault(id(task.run), deque()).append(task)

    def take(self, limit: int) -> tuple[Task, ...]:
        """Take up to `limit` tasks, one of each job in turn."""
        taken: list[Task] = []
        while self._waiting and len(taken) < limit:
            run, tasks = self._waiting.popitem(last=False)
            taken.append(tasks.popleft())
            if tasks:
                self._waiting[run] = tasks
        return tuple(taken)

    def drop(self, run: Run) -> None:
        """Forget a job's tasks."""
        self._waiting.pop(id(run), None)


class Scheduler:
    """The waiting rooms and the order of their doors."""

    def __init__(self, max_batch: int, limit: Callable[[Hashable], int]) -> None:
        """Take the most rows of a batch, and how many asides of a lane share a call."""
        self._max_batch = max_batch
        self._limit = limit
        self._lanes: OrderedDict[Hashable, Lane] = OrderedDict()
        self._groups: OrderedDict[BatchKey, list[Task]] = OrderedDict()
        self._caps: dict[BatchKey, int] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not self._lanes and not self._groups

    def add(self, task: Task) -> None:
        """Let a task wait where its stage says."""
        if task.stage is Stage.DENOISE and task.key is not None:
            self._groups.setdefault(task.key, []).append(task)
        else:
            self._lanes.setdefault(task.lane, Lane()).add(task)

    def schedule(self) -> Turn:
        """Choose what runs now; a denoising row keeps its place, an aside leaves its lane."""
        return Turn(aside=self._next_aside(), batch=self._next_batch())

    def cap(self, key: BatchKey, rows: int) -> None:
        """Never again put more rows of this key into a call: memory ran out above that."""
        self._caps[key] = max(1, min(rows, self._caps.get(key, self._max_batch)))

    def leave(self, task: Task) -> None:
        """Take a denoising row out of its group."""
        if task.key is None:
            return
        group = self._groups.get(task.key)
        if group is not None and task in group:
            group.remove(task)
            if not group:
                del self._groups[task.key]

    def drop(self, run: Run) -> None:
        """Forget everything of one job."""
        for lane in list(self._lanes):
            self._lanes[lane].drop(run)
            if not self._lanes[lane]:
                del self._lanes[lane]
        for task in run.tasks:
            self.leave(task)

    def _next_aside(self) -> tuple[Task, ...]:
        if not self._lanes:
            return ()
        name, lane = self._lanes.popitem(last=False)
        taken = lane.take(self._limit(name))
        if lane:
            self._lanes[name] = lane
        return taken

    def _next_batch(self) -> tuple[Task, ...]:
        if not self._groups:
            return ()
        key = next(iter(self._groups))
        self._groups.move_to_end(key)
        return tuple(self._groups[key][: self._caps.get(key, self._max_batch)])
