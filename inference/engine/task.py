"""One work of one job on its way through the engine: what is asked, and how far it is."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from inference.engine.parts import Parts
from inference.engine.work import Ask, Operation, Paint, Slice
from inference.models.files import Weights
from inference.prompts.networks import Lora

if TYPE_CHECKING:
    from inference.engine.row import Row


class Stage(Enum):
    """Where a task stands."""

    PREPARE = "prepare"  # text and picture are to be encoded
    DENOISE = "denoise"  # a row of batches
    DECODE = "decode"  # the latent is to become a picture
    SLICE = "slice"  # a piece of work that is not denoising
    DONE = "done"


@dataclass(frozen=True)
class BatchKey:
    """Who may share a network call: steps, sampler, seed, strength and guidance may differ."""

    model: str
    #: Latent height and width.
    height: int
    width: int
    #: Tokens of the conditioning.
    tokens: int
    #: Whether guidance runs a second, unconditional half.
    guided: bool
    #: The LoRAs beside the network.
    loras: tuple[Lora, ...] = ()


@dataclass(eq=False)
class Task:
    """A work and its state; the scheduler moves it, the runner changes it."""

    run: Run
    #: Its place among the works asked for together.
    index: int
    work: Paint | Slice
    stage: Stage
    #: Set once the conditioning is known.
    key: BatchKey | None = None
    #: The device side of a denoising row; set by the runner's preparation.
    row: Row | None = None
    result: Any = None
    #: What went wrong with this task alone, in the turn just run.
    error: BaseException | None = None
    #: Progress units done so far.
    units: int = 0

    @property
    def lane(self) -> Hashable:
        """Name what it waits for when it is not denoising; equal lanes may share a call."""
        if isinstance(self.work, Slice):
            return self.work.lane
        return (self.stage.value, self.work.model, self.work.width, self.work.height)

    @property
    def weights(self) -> Weights | None:
        """Name the network it needs in memory."""
        return self.work.weights

    def advance(self) -> None:
        """Count a step, never beyond what the work stands for."""
        self.units = min(self.units + 1, self.work.units)

    def finish(self, result: Any) -> None:
        """Note the result and let go of the device side."""
        self.result = result
        self.row = None
        self.stage = Stage.DONE
        self.units = self.work.units


@dataclass(eq=False)
class Run:
    """One attempt at a job: its coroutine and the works it waits for."""

    job_id: str
    attempt: int
    operation: Operation
    #: What earlier attempts have finished.
    parts: Parts = field(default_factory=Parts)
    tasks: list[Task] = field(default_factory=list)
    #: Progress units of earlier asks.
    behind: int = 0
    #: Progress units that the last ask announced for later.
    later: int = 0
    #: Its share of the device's time, in seconds.
    charged: float = 0.0
    #: Floating point operations that the networks ran for it; 0 where not all were counted.
    flops: float = 0.0
    #: Whether all its calls were counted so far.
    counted: bool = True
    #: Rows of the network call that its last step sat in.
    rows: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """Its job's id and the attempt."""
        return (self.job_id, self.attempt)

    def spend(self, flops: float | None) -> None:
        """Charge operations; None were not counted, and a part of the sum would mislead."""
        self.counted = self.counted and flops is not None
        self.flops = self.flops + (flops or 0.0) if self.counted else 0.0

    def ask(self, ask: Ask) -> list[Task]:
        """Turn what the operation asks for into tasks."""
        self.behind += sum(task.work.units for task in self.tasks)
        self.later = ask.later
        self.tasks = [
            Task(
                run=self,
                index=index,
                work=work,
                stage=Stage.PREPARE if isinstance(work, Paint) else Stage.SLICE,
            )
            for index, work in enumerate(ask.works)
        ]
        return self.tasks

    def recall(self, task: Task) -> bool:
        """Answer a task from what an earlier attempt has finished, if it is there."""
        result = self.parts.recall(task.work) if isinstance(task.work, Paint) else None
        if result is not None:
            task.finish(result)
        return result is not None

    @property
    def answered(self) -> bool:
        """Whether everything asked for is there."""
        return all(task.stage is Stage.DONE for task in self.tasks)

    @property
    def step(self) -> int:
        """Progress units done."""
        return self.behind + sum(task.units for task in self.tasks)

    @property
    def steps(self) -> int:
        """Progress units in all, as far as known."""
        return self.behind + sum(task.work.units for task in self.tasks) + self.later
