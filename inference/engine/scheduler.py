"""Who runs next: plain Python over queues, with no tensor in it.

A turn is at most one *aside* (an encode, a decode, a few tiles, a caption) and one *batch* of
denoising rows. Groups of equal `BatchKey` take turns, so a rare size is never starved; within a
group rows stay until they are done and newcomers fill the places that fall free, as many as the
measured pace makes worth while. Lanes of asides take turns as well, and within a lane the jobs do.

Where not all weights that have work fit into memory, what is loaded stays at work and the others
wait: a reload every turn would cost more than the turns. After `patience` such turns the one that
waited longest is let in, so no room waits for more than about `patience` turns for each room there
is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from inference.engine.pace import Pace
from inference.engine.rooms import Group, Lane
from inference.engine.task import BatchKey, Run, Stage, Task
from inference.models.files import Weights

#: Turns that loaded weights may keep others waiting: two or three jobs of common length.
PATIENCE = 64

#: Says which weights can be in memory together: those loaded now, then the first named.
Fitting = Callable[[Sequence[Weights]], Collection[Weights]]

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Turn:
    """What one step of the engine runs."""

    aside: tuple[Task, ...] = ()
    batch: tuple[Task, ...] = ()


class Scheduler:
    """The waiting rooms and the order of their doors."""

    def __init__(
        self,
        max_batch: int,
        limit: Callable[[Hashable], int],
        fitting: Fitting = set,
        patience: int = PATIENCE,
        pace: Pace | None = None,
    ) -> None:
        """Take the most rows of a batch, and how many asides of a lane share a call.

        `fitting` says which weights fit into memory together, `patience` for how many turns the
        others wait. Without a `pace` every batch is as large as it may be.
        """
        self._max_batch = max_batch
        self._limit = limit
        self._fitting = fitting
        self._patience = patience
        #: Rooms in the order in which they were last served.
        self._lanes: OrderedDict[Hashable, Lane] = OrderedDict()
        self._groups: OrderedDict[BatchKey, Group] = OrderedDict()
        self._caps: dict[BatchKey, int] = {}
        self._pace = pace
        self._turn = 0
        #: Turns since weights were last let in that others had to leave for.
        self._kept_waiting = 0

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not self._lanes and not self._groups

    def add(self, task: Task) -> None:
        """Let a task wait where its stage says."""
        if task.stage is Stage.DENOISE and task.key is not None:
            if task.key not in self._groups:
                self._groups[task.key] = Group(task.weights, self._turn)
            self._groups[task.key].add(task)
        else:
            if task.lane not in self._lanes:
                self._lanes[task.lane] = Lane(task.weights, self._turn)
            self._lanes[task.lane].add(task)

    def schedule(self) -> Turn:
        """Choose what runs now; a denoising row keeps its place, an aside leaves its lane."""
        self._turn += 1
        admitted = self._admitted()
        return Turn(aside=self._next_aside(admitted), batch=self._next_batch(admitted))

    def cap(self, key: BatchKey, rows: int) -> None:
        """Never again put more rows of this key into a call: memory ran out above that."""
        self._caps[key] = max(1, min(rows, self._caps.get(key, self._max_batch)))

    def note(self, key: BatchKey, rows: int, seconds: float) -> None:
        """Learn how long a call of so many rows took."""
        if self._pace is not None:
            self._pace.note(key, rows, seconds)

    def leave(self, task: Task) -> None:
        """Take a denoising row out of its group."""
        if task.key is None:
            return
        group = self._groups.get(task.key)
        if group is not None:
            group.leave(task)
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

    def _admitted(self) -> Collection[Weights | None]:
        """Name the weights whose rooms may be served in this turn; None stands for no weights."""
        rooms: list[Lane | Group] = [*self._lanes.values(), *self._groups.values()]
        rooms.sort(key=lambda room: room.since)
        wanted = list(dict.fromkeys(room.weights for room in rooms if room.weights is not None))
        if len(wanted) < 2:
            self._kept_waiting = 0
            return {*wanted, None}
        fitting = self._fitting(wanted)
        outside = [weights for weights in wanted if weights not in fitting]
        self._kept_waiting = self._kept_waiting + 1 if outside else 0
        if self._kept_waiting > self._patience:
            self._kept_waiting = 0
            return {outside[0], None}
        return {*fitting, None}

    def _next_aside(self, admitted: Collection[Weights | None]) -> tuple[Task, ...]:
        name = _first(self._lanes, admitted)
        if name is None:
            return ()
        lane = self._lanes.pop(name)
        taken = lane.take(self._limit(name))
        if lane:
            lane.since = self._turn
            self._lanes[name] = lane
        return taken

    def _next_batch(self, admitted: Collection[Weights | None]) -> tuple[Task, ...]:
        key = _first(self._groups, admitted)
        if key is None:
            return ()
        self._groups.move_to_end(key)
        group = self._groups[key]
        group.since = self._turn
        most = self._caps.get(key, self._max_batch)
        return group.take(self._pace.best(key, len(group), most) if self._pace else most)


def _first(rooms: Mapping[Name, Lane | Group], admitted: Collection[Weights | None]) -> Name | None:
    """Name the room that was unserved for longest, of those that may be served."""
    return next((name for name, room in rooms.items() if room.weights in admitted), None)
