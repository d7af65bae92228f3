"""Who runs next: plain Python over queues, with no tensor in it.

A turn is at most one *aside* (an encode, a decode, a few tiles, a caption) and one *batch* of
denoising rows. Groups of equal `BatchKey` take turns, so a rare size is never starved; within a
group the members share the places, as many as the measured pace makes worth while, and a member's
rows stay until they are done. Lanes of asides take turns as well, and within a lane members and
their jobs do.

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

from inference.api.config import MAX_BATCH
from inference.engine.batch_size import BatchSizer
from inference.engine.queues import AuxQueue, DenoiseGroup
from inference.engine.task import BatchKey, JobRun, Task, TaskStage
from inference.model_files.files import Weights

#: Entries of a common row in a network call: its prompt's, and the one that guides away.
ENTRIES_PER_ROW = 2
#: Turns that loaded weights may keep others waiting: two or three jobs of common length.
MODEL_SWITCH_TURNS = 64

#: Says which weights can be in memory together: those loaded now, then the first named.
FittingWeights = Callable[[Sequence[Weights]], Collection[Weights]]

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class ScheduledStep:
    """What one step of the engine runs."""

    aux: tuple[Task, ...] = ()
    batch: tuple[Task, ...] = ()
    #: The most entries of one network call; a row of more takes several.
    max_entries: int = ENTRIES_PER_ROW * MAX_BATCH


class Scheduler:
    """The waiting rooms and the order of their doors."""

    def __init__(
        self,
        max_batch: int,
        aux_limit: Callable[[Hashable], int],
        fitting_weights: FittingWeights = set,
        model_switch_turns: int = MODEL_SWITCH_TURNS,
        batch_sizer: BatchSizer | None = None,
        max_entries: int = 0,
    ) -> None:
        """Take the most rows of a batch, and how many asides of a lane share a call.

        `fitting` says which weights fit into memory together, `patience` for how many turns the
        others wait. Without a `batch_sizer` every batch is as large as it may be. `max_entries` are
        those of one call; 0 for as many as guided rows of one prompt have.
        """
        self._max_batch = max_batch
        self._max_entries = max_entries or ENTRIES_PER_ROW * max_batch
        self._limit = aux_limit
        self._fitting = fitting_weights
        self._patience = model_switch_turns
        #: Rooms in the order in which they were last served.
        self._lanes: OrderedDict[Hashable, AuxQueue] = OrderedDict()
        self._groups: OrderedDict[BatchKey, DenoiseGroup] = OrderedDict()
        #: Entries that fitted where memory once ran out.
        self._caps: dict[BatchKey, int] = {}
        self._batch_sizer = batch_sizer
        self._turn = 0
        #: Turns since weights were last let in that others had to leave for.
        self._kept_waiting = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits."""
        return not self._lanes and not self._groups

    def waiting_runs(self) -> set[JobRun]:
        """Give the runs of which a task waits or is being denoised."""
        queues: list[AuxQueue | DenoiseGroup] = [*self._lanes.values(), *self._groups.values()]
        return {run for queue in queues for run in queue.list_runs()}

    def add_task(self, task: Task) -> None:
        """Let a task wait where its stage says."""
        if task.stage is TaskStage.DENOISE and task.key is not None:
            if task.key not in self._groups:
                self._groups[task.key] = DenoiseGroup(task.weights, self._turn)
            self._groups[task.key].add_task(task)
        else:
            if task.queue_key not in self._lanes:
                self._lanes[task.queue_key] = AuxQueue(task.weights, self._turn)
            self._lanes[task.queue_key].add_task(task)

    def schedule(self) -> ScheduledStep:
        """Choose what runs now; a denoising row keeps its place, an aside leaves its lane."""
        self._turn += 1
        allowed_weights = self._allowed_weights()
        batch = self._next_batch(allowed_weights)
        key = batch[0].key if batch else None
        max_entries = self._max_entries if key is None else self._entries_limit(key)
        return ScheduledStep(self._next_aux(allowed_weights), batch, max_entries)

    def set_max_entries(self, key: BatchKey, entries: int) -> None:
        """Never again put more entries of this key into a call: memory ran out above that."""
        self._caps[key] = max(1, min(entries, self._caps.get(key, self._max_entries)))

    def record_time(self, key: BatchKey, entries: int, seconds: float) -> None:
        """Learn how long a call of so many entries took."""
        if self._batch_sizer is not None:
            self._batch_sizer.record_time(key, entries, seconds)

    def remove_row(self, task: Task) -> None:
        """Take a denoising row out of its group."""
        if task.key is None:
            return
        group = self._groups.get(task.key)
        if group is not None:
            group.remove_row(task)
            if not group:
                del self._groups[task.key]

    def drop_run(self, run: JobRun) -> None:
        """Forget everything of one job."""
        for queue_key in list(self._lanes):
            self._lanes[queue_key].drop_run(run)
            if not self._lanes[queue_key]:
                del self._lanes[queue_key]
        for task in run.tasks:
            self.remove_row(task)

    def _allowed_weights(self) -> Collection[Weights | None]:
        """Name the weights whose rooms may be served in this turn; None stands for no weights."""
        queues: list[AuxQueue | DenoiseGroup] = [*self._lanes.values(), *self._groups.values()]
        queues.sort(key=lambda queue: queue.since)
        wanted_weights = list(
            dict.fromkeys(queue.weights for queue in queues if queue.weights is not None)
        )
        if len(wanted_weights) < 2:
            self._kept_waiting = 0
            return {*wanted_weights, None}
        fitting_weights = self._fitting(wanted_weights)
        excluded_weights = [weights for weights in wanted_weights if weights not in fitting_weights]
        self._kept_waiting = self._kept_waiting + 1 if excluded_weights else 0
        if self._kept_waiting > self._patience:
            self._kept_waiting = 0
            return {excluded_weights[0], None}
        return {*fitting_weights, None}

    def _next_aux(self, allowed_weights: Collection[Weights | None]) -> tuple[Task, ...]:
        queue_key = _longest_unserved(self._lanes, allowed_weights)
        if queue_key is None:
            return ()
        queue = self._lanes.pop(queue_key)
        tasks = queue.pop_tasks(self._limit(queue_key))
        if queue:
            queue.since = self._turn
            self._lanes[queue_key] = queue
        return tasks

    def _next_batch(self, allowed_weights: Collection[Weights | None]) -> tuple[Task, ...]:
        key = _longest_unserved(self._groups, allowed_weights)
        if key is None:
            return ()
        self._groups.move_to_end(key)
        group = self._groups[key]
        group.since = self._turn
        rows = group.next_rows(self._max_batch, self._entries_limit(key))
        if self._batch_sizer is not None:
            row_entries = [task.entries for task in rows]
            rows = rows[: self._batch_sizer.best_size(key, row_entries, len(group))]
        group.start_rows(rows)
        return tuple(rows)

    def _entries_limit(self, key: BatchKey) -> int:
        return self._caps.get(key, self._max_entries)


def _longest_unserved(
    queues: Mapping[Name, AuxQueue | DenoiseGroup], allowed_weights: Collection[Weights | None]
) -> Name | None:
    """Name the room that was unserved for longest, of those that may be served."""
    return next((name for name, queue in queues.items() if queue.weights in allowed_weights), None)
