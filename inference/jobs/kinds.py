"""The kinds of job: six operations on pictures, pictures from words, looks at prompt and mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from inference.errors import JobError, UnknownChoice
from inference.jobs import names
from inference.jobs.base import Denoising, Editing, Job
from inference.jobs.fields import choice, flag, number, words


@dataclass(frozen=True, kw_only=True)
class Imagine(Denoising):
    """Draw a picture from words alone."""

    kind: ClassVar[str] = "imagine"

    width: int | None = number(None, 64, 2048, "Width; empty for the model's own size", "px")
    height: int | None = number(None, 64, 2048, "Height; empty for the model's own size", "px")
    hires_scale: float = number(1.0, 1.0, 4.0, "Hires fix: enlarge by this and denoise again")
    hires_strength: float = number(0.5, 0.0, 1.0, "Hires fix: denoising strength")
    hires_steps: int = number(0, 0, 150, "Hires fix: steps; 0 takes the first pass's")
    hires_upscaler: str = words("latent", 100, "Hires fix: latent, or an upscaler's name")


@dataclass(frozen=True, kw_only=True)
class Img2Img(Editing):
    """Repaint a picture as the prompt says."""

    kind: ClassVar[str] = "img2img"
    needs: ClassVar[tuple[str, ...]] = ("image",)


@dataclass(frozen=True, kw_only=True)
class Inpaint(Editing):
    """Repaint the masked part of a picture."""

    kind: ClassVar[str] = "inpaint"
    needs: ClassVar[tuple[str, ...]] = ("image",)
    takes: ClassVar[tuple[str, ...]] = ("mask",)

    mask_shape: str = words(
        "", 400, "The mask in words: subject, face, left 30%, circle 50% 40% r20%"
    )
    mask_mode: str = choice("masked", names.MASK_MODES, "Repaint inside or outside the mask")
    mask_blur: int = number(4, 0, 64, "Mask blur", "px")
    masked_content: str = choice("original", names.MASKED_CONTENT, "What lies under the mask first")
    area: str = choice(
        "whole picture", names.INPAINT_AREAS, "Work on the picture, the masked area, or its edge"
    )
    padding: int = number(32, 0, 256, "Around the masked area", "px")
    mask_weight: float = number(1.0, 0.0, 1.0, "Conditioning mask weight (inpainting checkpoints)")
    soft: bool = flag(False, "Soft inpainting: blend along the mask's grey")


@dataclass(frozen=True, kw_only=True)
class Outpaint(Editing):
    """Continue a picture beyond its edges."""

    kind: ClassVar[str] = "outpaint"
    needs: ClassVar[tuple[str, ...]] = ("image",)

    strength: float = number(0.9, 0.0, 1.0, "Denoising strength")
    steps: int = number(50, 1, 150, "Denoising steps")
    guidance: float = number(9.0, 1.0, 30.0, "Guidance scale")
    left: int = number(0, 0, 512, "To the left", "px")
    right: int = number(0, 0, 512, "To the right", "px")
    up: int = number(0, 0, 512, "Upwards", "px")
    down: int = number(0, 0, 512, "Downwards", "px")
    preset: str = choice("custom", names.OUTPAINT_PRESETS, "Ready-made directions")
    method: str = choice("mk2", names.OUTPAINT_METHODS, "How the new area is begun")
    masked_content: str = choice("fill", names.MASKED_CONTENT, "Poor man's: the new area at first")
    mask_blur: int = number(8, 0, 64, "Mask blur", "px")
    fall_off: float = number(1.0, 0.0, 4.0, "mk2: fall-off exponent; lower gives more detail")
    colour_variation: float = number(0.05, 0.0, 1.0, "mk2: colour variation")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.preset == "custom" and not (self.left or self.right or self.up or self.down):
            raise JobError("left", "Say how far: left, right, up or down in pixels, or a preset.")


@dataclass(frozen=True, kw_only=True)
class Loopback(Editing):
    """Feed the result back as the next source, several times."""

    kind: ClassVar[str] = "loopback"
    needs: ClassVar[tuple[str, ...]] = ("image",)
    keeps: ClassVar[bool] = True

    loops: int = number(4, 1, 32, "How often")
    final_strength: float = number(0.5, 0.0, 1.0, "Denoising strength of the last loop")
    curve: str = choice("linear", names.CURVES, "How the strength goes from first to last")
    append: str = choice("none", names.APPENDED, "Add what the picture shows to the prompt")
    animate: bool = flag(False, "Answer with an animation of all frames as well")


@dataclass(frozen=True, kw_only=True)
class Upscale(Job):
    """Enlarge a picture with a network made for it."""

    kind: ClassVar[str] = "upscale"
    needs: ClassVar[tuple[str, ...]] = ("image",)

    upscaler: str = words("realesr-animevideov3", 100, "Upscaler")
    factor: float = number(2.0, 1.0, 8.0, "How many times as wide and high")
    width: int | None = number(None, 1, 8192, "Target width instead of a factor", "px")
    height: int | None = number(None, 1, 8192, "Target height instead of a factor", "px")
    crop: bool = flag(False, "Cut to exactly the target size")
    max_side: int | None = number(None, 1, 8192, "No side of the result is longer", "px")
    second: str = words("", 100, "A second upscaler to blend in")
    visibility: float = number(0.0, 0.0, 1.0, "How much of the second upscaler")
    denoise: float = number(1.0, 0.0, 1.0, "How much realesr-general-x4v3 denoises")
    mode: str = choice("enlarge", ("enlarge", "redraw"), "Redraw denoises every tile afterwards")
    prompt: str = words("", 6000, "Redraw: what the picture shows")
    negative_prompt: str = words("", 6000, "Redraw: what it should not show")
    model: str = words("", 100, "Redraw: the checkpoint")
    strength: float = number(0.3, 0.0, 1.0, "Redraw: denoising strength")
    steps: int = number(20, 1, 150, "Redraw: steps")
    guidance: float = number(7.0, 1.0, 30.0, "Redraw: guidance scale")
    sampler: str = choice("Euler a", names.SAMPLERS, "Redraw: sampler")
    schedule: str = choice("Automatic", names.SCHEDULES, "Redraw: noise schedule")
    seed: int = number(-1, -1, names.MAX_SEED, "Redraw: seed; -1 draws one")
    overlap: int = number(64, 0, 256, "Redraw: overlap of the tiles", "px")


@dataclass(frozen=True, kw_only=True)
class Interrogate(Job):
    """Describe a picture in words."""

    kind: ClassVar[str] = "interrogate"
    needs: ClassVar[tuple[str, ...]] = ("image",)

    method: str = choice("caption", ("caption", "tags"), "A sentence, or tags")
    model: str = words("", 100, "The captioner or tagger; empty for the server's own")
    beams: int = number(1, 1, 16, "Caption: beams of the search")
    min_length: int = number(24, 1, 128, "Caption: least tokens")
    max_length: int = number(48, 1, 256, "Caption: most tokens")
    ranks: bool = flag(True, "Caption: add the best matches of each list")
    lists: str = words("", 200, "Caption: only these lists, as mediums, movements")
    top: int = number(0, 0, 50, "The most matches of a list, or tags; 0 for the usual")
    show_ranks: bool = flag(False, "Write the figures behind matches or tags")
    threshold: float = number(0.5, 0.0, 1.0, "Tags: least probability")
    sort: str = choice("name", ("name", "score"), "Tags: A–Z, or the likeliest first")
    underscores: bool = flag(False, "Tags: write red_apple, not red apple")
    escape: bool = flag(True, "Tags: a backslash before brackets, as prompts want it")
    skip: str = words("", 1000, "Tags never to write, separated by commas")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_length > self.max_length:
            raise JobError("min_length", "min length is above max length: lower it.")


@dataclass(frozen=True, kw_only=True)
class Explain(Job):
    """Explain how a prompt is read, without painting."""

    kind: ClassVar[str] = "explain"

    prompt: str = words("", 6000, "The prompt")
    negative_prompt: str = words("", 6000, "The negative prompt")
    steps: int = number(20, 1, 150, "The steps its schedules are spread over")
    seed: int = number(-1, -1, names.MAX_SEED, "The seed that draws its words; -1 draws one")
    model: str = words("", 100, "The checkpoint whose words count")


@dataclass(frozen=True, kw_only=True)
class Preview(Job):
    """Show where a picture would be repainted, without painting."""

    kind: ClassVar[str] = "preview"
    needs: ClassVar[tuple[str, ...]] = ("image",)
    takes: ClassVar[tuple[str, ...]] = ("mask",)

    show: str = choice("mask", names.PREVIEWS, "The mask over the picture, or a grid to name cells")
    mask_shape: str = words(
        "", 400, "The mask in words: subject, face, left 30%, circle 50% 40% r20%"
    )
    mask_mode: str = choice("masked", names.MASK_MODES, "Repaint inside or outside the mask")


KINDS: Mapping[str, type[Job]] = {
    job_type.kind: job_type
    for job_type in (
        Imagine,
        Img2Img,
        Inpaint,
        Outpaint,
        Loopback,
        Upscale,
        Interrogate,
        Explain,
        Preview,
    )
}


def decode(kind: str, params: Mapping[str, Any]) -> Job:
    """Read a job back from its kind and its encoded fields.

    Raises:
        JobError: the kind or a field is unknown, or a value impossible.
    """
    if kind not in KINDS:
        raise UnknownChoice("kind", kind, tuple(KINDS))
    return KINDS[kind].decode(params)
