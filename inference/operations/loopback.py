"""Loopback: a picture repainted, then its result, then that result, and so on."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from inference.engine.work import Ask, Made, Operation, Outcome, Paint, StopAsked
from inference.errors import JobError
from inference.jobs import Loopback
from inference.models.diffusion import ModelTraits
from inference.operations import sizes
from inference.operations.img2img import Beginning, begin, finished, open_source
from inference.operations.parameters import infotext, paint
from inference.operations.studio import Describe, Pictures, Studio
from inference.operations.takes import Lists, notes_on, words
from inference.pictures.curves import strengths
from inference.pictures.grid import animate, contact_sheet
from inference.pictures.regions import Size

#: Pictures beside each other on a sheet, and the sheet's longest side in pixels.
SHEET_COLUMNS = 8
SHEET_SIDE = 4096
#: What an animation may weigh: every server takes files of this many bytes.
ANIMATION_BYTES = 8 * 2**20


@dataclass(eq=False)
class Chain:
    """One picture of the batch on its way through the loops."""

    #: Seed of its first loop; each loop adds one.
    seed: int
    begins: Beginning
    #: The words that its seed drew, as fields of a work.
    words: dict[str, Any]
    frames: list[Image.Image] = field(default_factory=list)
    works: list[Paint] = field(default_factory=list)

    def add(self, work: Paint, frame: Image.Image) -> None:
        """Keep a loop's frame, from which the next one begins."""
        self.works.append(work)
        self.frames.append(frame)
        self.begins = Beginning(frame)


def loopback(job: Loopback, pictures: Pictures, studio: Studio) -> Operation:
    """Repaint the source loop by loop; the batch's chains run side by side.

    Stopped, it answers with the loops that are whole.
    """
    model = studio.library.resolve(job.model)
    describe = _describer(job, studio)
    source, size = open_source(job, pictures, studio, model)
    units = job.steps * job.batch
    beginning = yield from begin(job, model, source, size, later=job.loops * units)
    chains = [_chain(job, number, beginning, studio.lists) for number in range(job.batch)]
    plan = strengths(job.strength, job.final_strength, job.loops, job.curve)
    try:
        for number, strength in enumerate(plan):
            works = []
            for chain in chains:
                prompt = yield from _prompt(job, chain, describe)
                works.append(_work(job, model, size, chain, prompt, strength))
            results = yield Ask(works=tuple(works), later=(job.loops - number - 1) * units)
            for chain, work, result in zip(chains, works, results, strict=True):
                chain.add(work, finished(job, result, beginning.picture))
    except StopAsked:
        if not chains[0].frames:
            raise
    return _outcome(job, size, chains, studio.library.traits(model))


def _chain(job: Loopback, number: int, beginning: Beginning, lists: Lists) -> Chain:
    seed = job.seed + number * job.loops
    return Chain(seed, beginning, words(job, seed, lists))


def _describer(job: Loopback, studio: Studio) -> Describe | None:
    if job.append == "none":
        return None
    if studio.describe is None:
        raise JobError(
            "append", "This server cannot put pictures into words: choose “none” to append."
        )
    return studio.describe


def _prompt(
    job: Loopback, chain: Chain, describe: Describe | None
) -> Generator[Ask, list[Any], str]:
    """Append what the current picture shows to the chain's own prompt."""
    if describe is None:
        return str(chain.words["prompt"])
    shown = yield from describe(chain.begins.picture, job.append)
    return ", ".join(part for part in (chain.words["prompt"], shown) if part)


def _work(
    job: Loopback, model: str, size: Size, chain: Chain, prompt: str, strength: float
) -> Paint:
    return paint(
        job,
        model,
        size,
        **chain.words | {"prompt": prompt, "seed": chain.seed + len(chain.frames)},
        strength=strength,
        part=chain.seed - job.seed + len(chain.frames),
        **chain.begins.fields,
    )


def _outcome(job: Loopback, size: Size, chains: Sequence[Chain], model: ModelTraits) -> Outcome:
    """Answer with each chain's last frame and a sheet; a single chain keeps all its frames."""
    made = [_frames(job, chain, model) for chain in chains]
    last = tuple(frames[-1] for frames in made)
    shown = made[0] if len(made) == 1 else list(last)
    frames = tuple(_as_frame(frame) for frame in made[0][:-1]) if len(made) == 1 else ()
    animation, notes = _animation(job, chains)
    return Outcome(
        pictures=(*last, *animation, *_sheet(shown), *frames),
        notes=(
            *notes_on([chain.works[0] for chain in chains]),
            *_stopped_note(job, len(chains[0].frames)),
            *sizes.rounded_note((job.width, job.height), size),
            *notes,
        ),
    )


def _stopped_note(job: Loopback, loops: int) -> tuple[str, ...]:
    return () if loops == job.loops else (f"Stopped after {loops} of {job.loops} loops.",)


def _frames(job: Loopback, chain: Chain, model: ModelTraits) -> list[Made]:
    extras: dict[str, Any] = {
        "Final denoising strength": job.final_strength,
        "Denoising curve": job.curve.capitalize(),
        "Color correction": job.colour_correction,
    }
    return [
        Made(picture=frame, seed=work.seed, infotext=infotext(work, model, **extras))
        for frame, work in zip(chain.frames, chain.works, strict=True)
    ]


def _as_frame(made: Made) -> Made:
    return Made(picture=made.picture, role="frame", seed=made.seed, infotext=made.infotext)


def _sheet(shown: Sequence[Made]) -> tuple[Made, ...]:
    """Lay all pictures out beside each other; one alone needs no sheet."""
    if len(shown) < 2:
        return ()
    columns = min(len(shown), SHEET_COLUMNS)
    sheet = contact_sheet([made.picture for made in shown], columns, largest=SHEET_SIDE)
    return (Made(picture=sheet, role="sheet", seed=shown[0].seed, infotext=shown[0].infotext),)


def _animation(job: Loopback, chains: Sequence[Chain]) -> tuple[tuple[Made, ...], tuple[str, ...]]:
    """Make an animation of each chain where the job wants one, and notes on what it cost."""
    made: list[Made] = []
    notes: list[str] = []
    for chain in chains if job.animate and len(chains[0].frames) > 1 else ():
        animation = animate(chain.frames, "webp", ANIMATION_BYTES)
        if animation is None:
            notes.append("The animation is too large to be sent, however small its frames.")
            continue
        if animation.size != chain.frames[0].size:
            notes.append(
                f"The animation's frames were made {animation.size[0]} x {animation.size[1]}, "
                "so that it can be sent."
            )
        made.append(
            Made(
                picture=chain.frames[-1],
                role="animation",
                seed=chain.seed,
                encoded=(animation.data, "image/webp"),
            )
        )
    return tuple(made), tuple(dict.fromkeys(notes))
