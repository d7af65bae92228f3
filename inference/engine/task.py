"""One work of one job on its way through the engine: what is asked, and how far it is."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from inference.api.notices import Notice
from inference.api.prompts.extra_networks import LoraTag
from inference.engine.partial_results import PartialResults
from inference.engine.work import (
    AuxWork,
    DenoiseWork,
    JobResult,
    Operation,
    SideWork,
    Work,
    WorkRequest,
)
from inference.model_files.files import DIFFUSION, Weights

if TYPE_CHECKING:
    from inference.engine.row import DenoiseRow


class TaskStage(Enum):
    """Where a task stands."""

    PREPARE = "prepare"  # text and picture are to be encoded
    DENOISE = "denoise"  # a row of batches
    REFINE = "refine"  # the refiner is to read the text, then to go on
    DECODE = "decode"  # the latent is to become a picture
    AUX = "slice"  # a piece of work that is not denoising
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
    is_guided: bool
    #: The LoRAs beside the network.
    loras: tuple[LoraTag, ...] = ()
    #: Latent height and width of each further picture: places in them are the call's, not a row's.
    layout: tuple[tuple[int, int], ...] = ()


@dataclass(eq=False)
class Task:
    """A work and its state; the scheduler moves it, the runner changes it."""

    run: JobRun
    #: Its place among the works asked for together.
    index: int
    work: Work
    stage: TaskStage
    #: Set once the conditioning is known.
    key: BatchKey | None = None
    #: The device side of a denoising row; set by the runner's preparation.
    row: DenoiseRow | None = None
    #: Whether the refiner has taken over.
    is_refined: bool = False
    result: Any = None
    #: What went wrong with this task alone, in the turn just run.
    error: BaseException | None = None
    #: Progress units done so far.
    units: int = 0

    @property
    def queue_key(self) -> Hashable:
        """Name what it waits for when it is not denoising; equal lanes may share a call."""
        if isinstance(self.work, AuxWork):
            return self.work.queue_key
        if isinstance(self.work, SideWork):
            raise TypeError("work beside the steps waits in no queue of theirs")
        return (self.stage.value, self.checkpoint, self.work.width, self.work.height)

    @property
    def checkpoint(self) -> str:
        """Name the checkpoint of a denoising work that is at work on it now.

        Raises:
            TypeError: the work is no denoising.
        """
        if not isinstance(self.work, DenoiseWork):
            raise TypeError(f"a {type(self.work).__name__} has no checkpoint")
        return self.work.refiner if self.is_refined else self.work.model

    @property
    def weights(self) -> Weights | None:
        """Name the network it needs in memory."""
        if isinstance(self.work, DenoiseWork):
            return (DIFFUSION, self.checkpoint)
        return self.work.weights

    @property
    def entries(self) -> int:
        """Count the entries of a network call that it takes: a row's conditions, else one."""
        is_row = self.stage is TaskStage.DENOISE and self.row is not None
        return self.row.entries if is_row and self.row is not None else 1

    def count_step(self) -> None:
        """Count a step, never beyond what the work stands for."""
        self.units = min(self.units + 1, self.work.units)

    def set_result(self, result: Any) -> None:
        """Note the result and let go of the device side."""
        self.result = result
        self.row = None
        self.stage = TaskStage.DONE
        self.units = self.work.units


@dataclass(eq=False)
class JobRun:
    """One attempt at a job: its coroutine and the works it waits for."""

    job_id: str
    attempt: int
    operation: Operation
    #: Whose it is, as the bot names them; members share the device before their jobs do.
    owner: str = ""
    #: What earlier attempts have finished.
    partial_results: PartialResults = field(default_factory=PartialResults)
    tasks: list[Task] = field(default_factory=list)
    #: Progress units of earlier asks.
    earlier_units: int = 0
    #: Progress units that the last ask announced for later.
    later_units: int = 0
    #: Its share of the device's time, in seconds.
    charged_seconds: float = 0.0
    #: Floating point operations that the networks ran for it; 0 where not all were counted.
    flops: float = 0.0
    #: Whether all its calls were counted so far.
    flops_are_complete: bool = True
    #: Rows of the network call that its last step sat in.
    batch_rows: int = 0
    #: What its owner is to know about how its prompts were read.
    notes: list[Notice] = field(default_factory=list)

    @property
    def attempt_key(self) -> tuple[str, int]:
        """Its job's id and the attempt."""
        return (self.job_id, self.attempt)

    def add_flops(self, flops: float | None) -> None:
        """Charge operations; None were not counted, and a part of the sum would mislead."""
        self.flops_are_complete = self.flops_are_complete and flops is not None
        self.flops = self.flops + (flops or 0.0) if self.flops_are_complete else 0.0

    def complete_result(self, result: JobResult) -> JobResult:
        """Give what the operation came to with the notes of the way there, each once."""
        if not self.notes:
            return result
        return replace(result, notes=tuple(dict.fromkeys((*result.notes, *self.notes))))

    def create_tasks(self, request: WorkRequest) -> list[Task]:
        """Turn what the operation asks for into tasks."""
        self.earlier_units += sum(task.work.units for task in self.tasks)
        if request.later_units is not None:
            self.later_units = request.later_units
        self.tasks = [
            Task(
                run=self,
                index=index,
                work=work,
                stage=TaskStage.PREPARE if isinstance(work, DenoiseWork) else TaskStage.AUX,
            )
            for index, work in enumerate(request.works)
        ]
        return self.tasks

    def restore_task(self, task: Task) -> bool:
        """Answer a task from what an earlier attempt has finished, if it is there."""
        result = (
            self.partial_results.find_result(task.work)
            if isinstance(task.work, DenoiseWork)
            else None
        )
        if result is not None:
            task.set_result(result)
        return result is not None

    @property
    def has_all_results(self) -> bool:
        """Whether everything asked for is there."""
        return all(task.stage is TaskStage.DONE for task in self.tasks)

    @property
    def steps_done(self) -> int:
        """Progress units done."""
        return self.earlier_units + sum(task.units for task in self.tasks)

    @property
    def steps_total(self) -> int:
        """Progress units in all, as far as known."""
        return self.earlier_units + sum(task.work.units for task in self.tasks) + self.later_units
