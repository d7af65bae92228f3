"""Loopback: a picture repainted, then its result, then that result, and so on."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from PIL import Image

from inference.api.errors import JobError
from inference.api.infotext.job_values import job_values
from inference.api.jobs import LoopbackJob
from inference.api.jobs.drawn_prompts import WildcardLists
from inference.api.jobs.names import count_seed
from inference.api.notices import Notice
from inference.diffusion.model import ModelTraits
from inference.engine.work import (
    DenoiseWork,
    JobResult,
    Operation,
    OutputImage,
    StopRequested,
    WorkRequest,
)
from inference.images.contact_sheet import encode_animation, make_contact_sheet
from inference.images.regions import Size
from inference.images.strength_curves import loop_strengths
from inference.operations.context import ImageDescriber, Images, OperationContext
from inference.operations.img2img import InitImage, finish_images, open_source, prepare_init_image
from inference.operations.shared import sizes
from inference.operations.shared.batch_variants import resolve_wildcards, work_notes
from inference.operations.shared.parameters import build_denoise_work, build_infotext
from inference.operations.shared.side_call import run_beside

#: Pictures beside each other on a sheet, and the sheet's longest side in pixels.
SHEET_COLUMNS = 8
SHEET_SIDE = 4096
#: What an animation may weigh: every server takes files of this many bytes.
ANIMATION_BYTES = 8 * 2**20


@dataclass(eq=False)
class LoopChain:
    """One picture of the batch on its way through the loops."""

    #: Its place in the batch, from 0.
    number: int
    #: Seed of its first loop; each loop adds one.
    seed: int
    init_image: InitImage
    #: The words that its seed drew, as fields of a work.
    prompt_fields: dict[str, Any]
    frames: list[Image.Image] = field(default_factory=list)
    works: list[DenoiseWork] = field(default_factory=list)

    def add_frame(self, work: DenoiseWork, frame: Image.Image) -> None:
        """Keep a loop's frame, from which the next one begins."""
        self.works.append(work)
        self.frames.append(frame)
        self.init_image = InitImage(frame)


def run_loopback(job: LoopbackJob, images: Images, context: OperationContext) -> Operation:
    """Repaint the source loop by loop; the batch's chains run side by side.

    Stopped, it answers with the loops that are whole.
    """
    model = context.resolve_model(job)
    describe = _image_describer(job, context)
    source, size = yield from open_source(job, images, context, model)
    multiple = context.library.size_multiple(model)
    size_notes = sizes.rounded_note((job.width, job.height), size, multiple)
    units = job.steps * job.batch
    init_image = yield from prepare_init_image(
        job, model, source, size, later_units=job.loops * units
    )
    chains = [_start_chain(job, number, init_image, context.lists) for number in range(job.batch)]
    plan = loop_strengths(job.strength, job.final_strength, job.loops, job.curve)
    try:
        for number, strength in enumerate(plan):
            works = []
            for chain in chains:
                prompt = yield from _loop_prompt(job, chain, describe)
                works.append(_loop_work(job, model, size, chain, prompt, strength))
            results = yield WorkRequest(
                works=tuple(works), later_units=(job.loops - number - 1) * units
            )
            finished_images = yield from finish_images(job, results, init_image.image)
            for chain, work, image in zip(chains, works, finished_images, strict=True):
                chain.add_frame(work, image)
    except StopRequested:
        if not chains[0].frames:
            raise
        # Nothing more may be asked for: what is there is laid out at once.
        return _loopback_result(job, chains, context.library.model_traits(model), size_notes)
    traits = context.library.model_traits(model)
    return (yield from run_beside(partial(_loopback_result, job, chains, traits, size_notes), size))


def _start_chain(
    job: LoopbackJob, number: int, init_image: InitImage, lists: WildcardLists
) -> LoopChain:
    seed = count_seed(job.seed, number * job.loops)
    return LoopChain(number, seed, init_image, resolve_wildcards(job, seed, lists))


def _image_describer(job: LoopbackJob, context: OperationContext) -> ImageDescriber | None:
    if job.append == "none":
        return None
    if context.describe is None:
        raise JobError("append", "loopback.no_captioner")
    return context.describe


def _loop_prompt(
    job: LoopbackJob, chain: LoopChain, describe: ImageDescriber | None
) -> Generator[WorkRequest, list[Any], str]:
    """Append what the current picture shows to the chain's own prompt."""
    if describe is None:
        return str(chain.prompt_fields["prompt"])
    description = yield from describe(chain.init_image.image, job.append)
    return ", ".join(part for part in (chain.prompt_fields["prompt"], description) if part)


def _loop_work(
    job: LoopbackJob, model: str, size: Size, chain: LoopChain, prompt: str, strength: float
) -> DenoiseWork:
    return build_denoise_work(
        job,
        model,
        size,
        **chain.prompt_fields
        | {"prompt": prompt, "seed": count_seed(chain.seed, len(chain.frames))},
        strength=strength,
        part=chain.number * job.loops + len(chain.frames),
        **chain.init_image.work_fields,
    )


def _loopback_result(
    job: LoopbackJob,
    chains: Sequence[LoopChain],
    model: ModelTraits,
    size_notes: tuple[Notice, ...],
) -> JobResult:
    """Answer with each chain's last frame and a sheet; a single chain keeps all its frames."""
    chain_frames = [_output_frames(job, chain, model) for chain in chains]
    last_frames = tuple(frames[-1] for frames in chain_frames)
    sheet_frames = chain_frames[0] if len(chain_frames) == 1 else list(last_frames)
    frames = (
        tuple(_as_frame(frame) for frame in chain_frames[0][:-1]) if len(chain_frames) == 1 else ()
    )
    animation, notes = _make_animations(job, chains)
    return JobResult(
        images=(*last_frames, *animation, *_make_sheet(sheet_frames), *frames),
        notes=(
            *work_notes([chain.works[0] for chain in chains]),
            *_stopped_note(job, len(chains[0].frames)),
            *size_notes,
            *notes,
        ),
    )


def _stopped_note(job: LoopbackJob, loops: int) -> tuple[Notice, ...]:
    return () if loops == job.loops else (Notice("loopback.stopped", loops=loops, all=job.loops),)


def _output_frames(job: LoopbackJob, chain: LoopChain, model: ModelTraits) -> list[OutputImage]:
    return [
        OutputImage(
            image=frame,
            seed=work.seed,
            infotext=build_infotext(work, model, **_loop_values(job, chain, work, number)),
        )
        for number, (frame, work) in enumerate(zip(chain.frames, chain.works, strict=True), 1)
    ]


def _loop_values(
    job: LoopbackJob, chain: LoopChain, work: DenoiseWork, number: int
) -> dict[str, object]:
    """Write which loop a frame is of, and what the first began with."""
    prompt = str(chain.prompt_fields["prompt"])
    description = work.prompt.removeprefix(prompt).removeprefix(", ")
    return job_values(job) | {
        "Loop": number,
        "Initial denoising strength": job.strength,
        "Appended interrogation": description or None,
    }


def _as_frame(output: OutputImage) -> OutputImage:
    return OutputImage(image=output.image, role="frame", seed=output.seed, infotext=output.infotext)


def _make_sheet(sheet_frames: Sequence[OutputImage]) -> tuple[OutputImage, ...]:
    """Lay all pictures out beside each other; one alone needs no sheet."""
    if len(sheet_frames) < 2:
        return ()
    columns = min(len(sheet_frames), SHEET_COLUMNS)
    sheet = make_contact_sheet([frame.image for frame in sheet_frames], columns, largest=SHEET_SIDE)
    return (
        OutputImage(
            image=sheet, role="sheet", seed=sheet_frames[0].seed, infotext=sheet_frames[0].infotext
        ),
    )


def _make_animations(
    job: LoopbackJob, chains: Sequence[LoopChain]
) -> tuple[tuple[OutputImage, ...], tuple[Notice, ...]]:
    """Make an animation of each chain where the job wants one, and notes on what it cost."""
    animations: list[OutputImage] = []
    notes: list[Notice] = []
    for chain in chains if job.animate and len(chains[0].frames) > 1 else ():
        animation = encode_animation(chain.frames, "webp", ANIMATION_BYTES)
        if animation is None:
            notes.append(Notice("loopback.animation_too_large"))
            continue
        if animation.size != chain.frames[0].size:
            notes.append(
                Notice(
                    "loopback.animation_shrunk", width=animation.size[0], height=animation.size[1]
                )
            )
        animations.append(
            OutputImage(
                image=chain.frames[-1],
                role="animation",
                seed=chain.seed,
                encoded_file=(animation.data, "image/webp"),
            )
        )
    return tuple(animations), tuple(dict.fromkeys(notes))
