"""The only part that touches the device: encode, denoise, decode, and slices of other work."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import torch
from PIL import Image

from inference.api.log_relay import bind_jobs
from inference.api.notices import Notice
from inference.diffusion.control.network import add_residuals
from inference.diffusion.model import DiffusionModel, LatentModel
from inference.engine.batch import Batch
from inference.engine.oom import BatchAttempt, Failures, TaskWork, run_with_oom_retry
from inference.engine.prepare import (
    batch_key,
    plan_sigmas,
    prepare_rows,
    refine_row,
    wanted_controls,
    wanted_loras,
)
from inference.engine.row import DenoiseRow
from inference.engine.scheduler import ScheduledStep
from inference.engine.task import Task, TaskStage
from inference.engine.work import AuxWork, DenoiseResult, DenoiseWork
from inference.images.regions import Size
from inference.model_files.errors import BrokenOutput
from inference.model_files.files import UPSCALER
from inference.model_library import ModelLibrary
from inference.runtime.flops import FlopCounter

#: Does the slices of one lane: loads in, results out, in the same order.
AuxExecutor = Callable[[Hashable, Sequence[object]], Sequence[object]]


T = TypeVar("T")


class StepResult(NamedTuple):
    """What came of a turn."""

    failures: Failures
    #: Entries of the batch, and the most of them that went through one call together.
    batch_entries: int
    fitted_entries: int
    #: What the batch took.
    seconds: float


class Runner:
    """Runs turns; what it learns about a task it leaves on the task."""

    def __init__(self, library: ModelLibrary, executors: Mapping[str, AuxExecutor]) -> None:
        self._library = library
        self._executors = executors
        self._flops = FlopCounter()

    def run_step(self, step: ScheduledStep) -> StepResult:
        """Run one turn.

        Raises:
            DeviceLost: the process must end.
        """
        failures: Failures = []
        batch_entries, fitted_entries, seconds = 0, 0, 0.0
        if step.aux:
            work = self._aux_work(step.aux[0].stage)
            failures += self._run_timed(work, step.aux, sys.maxsize)[0].failures
        if step.batch:
            batch_entries = sum(task.entries for task in step.batch)
            result, seconds = self._run_timed(self._denoise_batch, step.batch, step.max_entries)
            fitted_entries = result.fitted_entries
            failures += result.failures
            failures += [(task, task.error) for task in step.batch if task.error is not None]
        return StepResult(failures, batch_entries, fitted_entries, seconds)

    def _run_timed(
        self, work: TaskWork, tasks: Sequence[Task], max_entries: int
    ) -> tuple[BatchAttempt, float]:
        """Do a piece of work and charge each job its share of the time, by its entries."""
        entries_by_task = {task: task.entries for task in tasks}
        begin = time.perf_counter()
        with bind_jobs(*dict.fromkeys(task.run.attempt_key for task in tasks)):
            result = run_with_oom_retry(
                work, tasks, lambda task: self._library.free_memory(task.weights), max_entries
            )
        seconds = time.perf_counter() - begin
        entry_seconds = seconds / sum(entries_by_task.values())
        for task, entries in entries_by_task.items():
            is_uncharged = isinstance(task.work, AuxWork) and task.work.is_uncharged
            task.run.charged_seconds += 0 if is_uncharged else entry_seconds * entries
        return result, seconds

    def _aux_work(self, stage: TaskStage) -> TaskWork:
        match stage:
            case TaskStage.PREPARE:
                return lambda tasks, _: self._prepare_tasks(tasks)
            case TaskStage.REFINE:
                return lambda tasks, _: self._refine_rows(tasks)
            case TaskStage.DECODE:
                return lambda tasks, _: self._decode_latents(tasks)
            case _:
                return lambda tasks, _: self._execute_aux_work(tasks)

    def _prepare_tasks(self, tasks: Sequence[Task]) -> None:
        """Make tasks ready to denoise; one that needs no step keeps its picture."""
        moving = []
        # After another's error the rest comes again, and some of it may be ready.
        for task in (task for task in tasks if task.stage is TaskStage.PREPARE):
            work = _as_denoise_work(task)
            self._library.job_limits.check_prompts(work.prompt, work.negative_prompt)
            model = self._library.get_checkpoint(work.model)
            if plan_sigmas(work, model).sigmas:
                moving.append(task)
            else:
                self._finish_without_steps(task, work, model)
        # Apart, since they ask for different things: by the pictures that are to be encoded.
        for encoded in dict.fromkeys(map(_encoded_sizes, moving)):
            self._make_rows([task for task in moving if _encoded_sizes(task) == encoded], encoded)

    def _finish_without_steps(self, task: Task, work: DenoiseWork, model: LatentModel) -> None:
        image, latent = work.image, work.latent
        if latent is not None:
            image = self._decode_start(task, latent, model) if work.decode else None
        elif image is not None:
            latents = self._run_counted(
                ("still", task.queue_key), (task,), lambda: _encode_init(work, model)
            )
            latent = latents[0]
        task.set_result(DenoiseResult(image=image, latent=_on_cpu(latent)))

    def _decode_start(self, task: Task, latent: torch.Tensor, model: LatentModel) -> Image.Image:
        """Decode the latent that a work without steps begins and ends with."""
        (image,) = self._run_counted(
            ("enlarged", task.queue_key),
            (task,),
            lambda: model.decode_latents(latent.to(model.device)[None]),
        )
        return image

    def _make_rows(self, tasks: Sequence[Task], encoded: tuple[Size, ...]) -> None:
        works = [_as_denoise_work(task) for task in tasks]
        model = self._library.get_checkpoint(works[0].model)
        for work in works:
            for control in wanted_controls(work):
                self._library.controls.check_usable(control.network, control.kind, model)
        work_loras = [self._library.active_loras(work.model, wanted_loras(work)) for work in works]
        rows = self._run_counted(
            (encoded, tasks[0].queue_key), tasks, lambda: prepare_rows(works, model, work_loras)
        )
        for task, work, row in zip(tasks, works, rows, strict=True):
            task.run.notes += self._library.list_prompt_notes(
                work.model,
                work.prompt,
                work.negative_prompt,
                1 if work.force_clip_skip else work.clip_skip,
                guidance=work.guidance,
            )
            task.row = row
            task.key = batch_key(work, row, task.checkpoint, model)
            self._stay_or_switch(task, row)

    def _stay_or_switch(self, task: Task, row: DenoiseRow) -> None:
        """Let a row that goes on wait for its checkpoint's next call, or for its refiner."""
        task.is_refined = task.is_refined or row.needs_refiner
        task.stage = TaskStage.REFINE if row.needs_refiner else TaskStage.DENOISE

    def _refine_rows(self, tasks: Sequence[Task]) -> None:
        """Hand rows over to their refiner, whose reading of their prompts they need."""
        refiner = self._library.get_checkpoint(tasks[0].checkpoint)
        for task in (task for task in tasks if task.stage is TaskStage.REFINE):
            work, row = _as_denoise_work(task), _prepared_row(task)
            loras = wanted_loras(work)
            if refiner.is_refiner and loras:
                task.run.notes.append(
                    Notice("prompt.refiner_loras", model=work.model, refiner=work.refiner)
                )
            active_loras = (
                None if refiner.is_refiner else self._library.active_loras(task.checkpoint, loras)
            )
            self._run_counted(
                None,
                (task,),
                lambda work=work, row=row, beside=active_loras: refine_row(  # type: ignore[misc]
                    work, row, refiner, beside
                ),
            )
            task.key = batch_key(work, row, task.checkpoint, refiner)
            task.stage = TaskStage.DENOISE

    def _run_counted(self, key: Hashable | None, tasks: Sequence[Task], call: Callable[[], T]) -> T:
        """Make a call for tasks that ask alike, and charge each job the operations of its own."""
        result, task_flops = self._flops.count_call(key, len(tasks), call)
        for task in tasks:
            task.run.add_flops(task_flops)
        return result

    def _denoise_batch(self, tasks: Sequence[Task], max_entries: int) -> None:
        """Call the network for all rows, then let each row's sampler step."""
        model = self._library.get_checkpoint(tasks[0].checkpoint)
        rows = [_prepared_row(task) for task in tasks]
        batch = Batch.gather(
            rows, model.device, model.prediction, keeps_lengths=model.keeps_lengths
        )
        outputs: list[torch.Tensor] = []
        control_flops: list[tuple[Task, float | None]] = []
        for part in batch.split_entries(max_entries):
            residuals, part_flops = self._run_controls(part, tasks, model)
            control_flops += part_flops
            output, entry_flops = self._flops.count_call(
                tasks[0].key,
                len(part.x),
                lambda part=part, residuals=residuals: model.denoise(  # type: ignore[misc]
                    part.x,
                    part.sigma,
                    part.text,
                    part.image_channels,
                    part.pooled,
                    rows[0].active_loras,
                    part.text_lengths.tolist(),
                    part.guidance,
                    part.references,
                    residuals,
                ),
            )
            outputs.append(output)
        for task, row in zip(tasks, rows, strict=True):
            task.run.add_flops(None if entry_flops is None else entry_flops * row.entries)
        for task, flops in control_flops:
            task.run.add_flops(flops)
        with torch.inference_mode():
            entries = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
            predictions = zip(
                batch.scatter(entries), batch.list_unconditional(entries), strict=True
            )
            for task, row, (clean, unconditional) in zip(tasks, rows, predictions, strict=True):
                self._step_row(task, row, clean, unconditional)
        _synchronize_device(model.device)

    def _run_controls(
        self, part: Batch, tasks: Sequence[Task], model: LatentModel
    ) -> tuple[list[torch.Tensor] | None, list[tuple[Task, float | None]]]:
        """Have ControlNets look at their entries of a call; give what they add, and who pays it.

        One network after the other, each once for all the rows that it holds.
        """
        if not part.controls or not isinstance(model, DiffusionModel):
            return None, []
        total: list[torch.Tensor] | None = None
        costs: list[tuple[Task, float | None]] = []
        for control in part.controls:
            network = self._library.controls.get_network(control.network, tasks[0].weights)
            residuals, entry_flops = self._flops.count_call(
                (tasks[0].key, control.network, control.kind),
                len(control.entries),
                lambda network=network, control=control: model.predict_residuals(  # type: ignore[misc]
                    network, control, part.x, part.sigma, part.text, part.pooled
                ),
            )
            with torch.inference_mode():
                total = add_residuals(total, residuals, control, len(part.x))
            costs += [(tasks[owner], entry_flops) for owner in control.owners.tolist()]
        return total, costs

    def _step_row(
        self, task: Task, row: DenoiseRow, clean: torch.Tensor, unconditional: torch.Tensor | None
    ) -> None:
        """Step one row; its error must not make the others step twice."""
        try:
            going = row.step_sampler(clean, unconditional)
        except Exception as error:
            task.error = error.with_traceback(None)
            return
        if going:
            self._stay_or_switch(task, row)
        else:
            task.stage = TaskStage.DECODE
        task.count_step()

    def _decode_latents(self, tasks: Sequence[Task]) -> None:
        """Turn finished latents into pictures."""
        model = self._library.get_checkpoint(tasks[0].checkpoint)
        latents = [row.latent for task in tasks if (row := _prepared_row(task)).latent is not None]
        stacked_latents = torch.stack(latents)
        if not torch.isfinite(stacked_latents).all():
            raise BrokenOutput("model.runaway")
        needs_decode = any(_as_denoise_work(task).decode for task in tasks)
        images: Sequence[Image.Image | None] = [None] * len(tasks)
        if needs_decode:
            images = self._run_counted(
                tasks[0].queue_key, tasks, lambda: model.decode_latents(stacked_latents)
            )
        for task, image, latent in zip(tasks, images, latents, strict=True):
            task.set_result(DenoiseResult(image=image, latent=_on_cpu(latent)))

    def _execute_aux_work(self, tasks: Sequence[Task]) -> None:
        queue_key = tasks[0].queue_key
        kind = queue_key[0] if isinstance(queue_key, tuple) else queue_key
        executor = self._executors[str(kind)]
        works = [_as_aux_work(task) for task in tasks]
        if (weights := works[0].weights) is not None and weights[0] == UPSCALER:
            self._library.upscalers.get_upscaler(
                weights[1]
            )  # the trial runs of its loading are nobody's
        payloads = [work.payload for work in works]
        if works[0].is_uncharged:  # and unwatched: who counts operations lengthens what is timed
            results = executor(queue_key, payloads)
        else:
            key = None if works[0].has_varying_cost else queue_key
            results = self._run_counted(key, tasks, lambda: executor(queue_key, payloads))
        for task, result in zip(tasks, results, strict=True):
            task.set_result(result)


def _synchronize_device(device: torch.device) -> None:
    """Wait until the device is done, or the next turn would be charged for this one's work."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _as_denoise_work(task: Task) -> DenoiseWork:
    if not isinstance(task.work, DenoiseWork):
        raise TypeError(f"a {type(task.work).__name__} came where denoising was expected")
    return task.work


def _as_aux_work(task: Task) -> AuxWork:
    if not isinstance(task.work, AuxWork):
        raise TypeError(f"a {type(task.work).__name__} came where a slice was expected")
    return task.work


def _encoded_sizes(task: Task) -> tuple[Size, ...]:
    """List the sizes of the pictures that a task has encoded: its start, then its references."""
    work = _as_denoise_work(task)
    starts = [work.image] if work.latent is None and work.image is not None else []
    return tuple(image.size for image in (*starts, *work.references))


def _encode_init(work: DenoiseWork, model: LatentModel) -> torch.Tensor:
    return model.encode_images([] if work.image is None else [work.image])


def _prepared_row(task: Task) -> DenoiseRow:
    if task.row is None:
        raise RuntimeError(f"task {task.index} of job {task.run.job_id} was not prepared")
    return task.row


def _on_cpu(latent: torch.Tensor | None) -> torch.Tensor:
    if latent is None:
        raise ValueError("there is nothing to keep: the work has neither picture nor latent")
    return latent.float().cpu()
