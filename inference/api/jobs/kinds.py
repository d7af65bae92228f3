"""The kinds of job: six operations on pictures, pictures from words, looks at prompt and mask."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from inference.api.errors import JobError, UnknownChoice
from inference.api.jobs import names
from inference.api.jobs.base import (
    EditingJob,
    Job,
    boolean_field,
    choice_field,
    number_field,
    text_field,
)
from inference.api.jobs.control import CONTROL_IMAGE, ControlledJob

#: Pictures that are looked at besides the one that is edited.
REFERENCE_IMAGES = ("image2", "image3", "image4")


def refiner_field() -> Any:
    """Declare the checkpoint that goes on with a picture."""
    return text_field(
        "", 100, "Refiner: the checkpoint that goes on where another stops; empty for none"
    )


def refiner_switch_field() -> Any:
    """Declare where it takes over."""
    return number_field(
        0.8, 0.01, 1.0, "Refiner switch at: the share of the way after which it takes over"
    )


def image_guidance_field() -> Any:
    """Declare how closely a model that edits by instructions keeps to the picture."""
    return number_field(
        1.5, 0.0, 3.0, "Image CFG scale: how closely an InstructPix2Pix keeps to the picture"
    )


def instruct_field() -> Any:
    """Declare that the words are an order to a model that looks at the picture."""
    return boolean_field(
        False, "Edit: the words say what to change, and the model sees the picture"
    )


def caption_field() -> Any:
    """Declare whether a picture alone is described first."""
    return boolean_field(
        False, "Caption as prompt: where there is none, what the picture is described as"
    )


def restore_field() -> Any:
    """Declare the network that makes faces anew at the end."""
    return text_field("", 100, "Restore faces: the network that does it; empty for none")


def restore_visibility_field() -> Any:
    """Declare how much of the restored faces shows."""
    return number_field(1.0, 0.0, 1.0, "Face restoration visibility: how much of it shows")


def restore_weight_field() -> Any:
    """Declare how closely a CodeFormer keeps to the faces."""
    return number_field(
        0.5, 0.0, 1.0, "CodeFormer weight: 0 has the most effect, 1 keeps closest to the face"
    )


@dataclass(frozen=True, kw_only=True)
class ImagineJob(ControlledJob):
    """Draw a picture from words alone."""

    kind: ClassVar[str] = "imagine"

    width: int | None = number_field(None, 64, 2048, "Width: empty for the model's own size", "px")
    height: int | None = number_field(
        None, 64, 2048, "Height: empty for the model's own size", "px"
    )
    refiner: str = refiner_field()
    refiner_switch: float = refiner_switch_field()
    hires_scale: float = number_field(
        1.0, 1.0, 4.0, "Upscale by: hires fix, enlarges by this and denoises again"
    )
    hires_strength: float = number_field(0.5, 0.0, 1.0, "Hires fix: denoising strength")
    hires_steps: int = number_field(0, 0, 150, "Hires steps: 0 takes the first pass's")
    hires_upscaler: str = text_field("latent", 100, "Hires fix: latent, or an upscaler's name")
    hires_width: int | None = number_field(
        None, 64, 8192, "Resize width to: hires fix, whatever the scale", "px"
    )
    hires_height: int | None = number_field(
        None, 64, 8192, "Resize height to: hires fix, whatever the scale", "px"
    )
    hires_sampler: str = choice_field(
        names.FIRST_PASS_CHOICE,
        (names.FIRST_PASS_CHOICE, *names.SAMPLER_NAMES),
        "Hires sampling method: of the hires fix",
    )
    hires_schedule: str = choice_field(
        names.FIRST_PASS_CHOICE,
        (names.FIRST_PASS_CHOICE, *names.SCHEDULE_NAMES),
        "Hires schedule type: of the hires fix",
    )
    hires_guidance: float | None = number_field(
        None, 0.1, 30.0, "Hires CFG scale: empty takes the first pass's"
    )
    hires_prompt: str = text_field("", 6000, "Hires prompt: empty takes the first pass's")
    hires_negative_prompt: str = text_field(
        "", 6000, "Hires negative prompt: empty takes the first pass's"
    )
    restore_faces: str = restore_field()
    restore_visibility: float = restore_visibility_field()
    restore_weight: float = restore_weight_field()

    @property
    def has_hires_fix(self) -> bool:
        """Whether a second pass follows the first."""
        return self.hires_scale > 1 or bool(self.hires_width or self.hires_height)

    @property
    def second_pass(self) -> ImagineJob:
        """The same job, with the second pass's settings in the place of the first one's."""
        same_choice = names.FIRST_PASS_CHOICE
        return dataclasses.replace(
            self,
            steps=self.hires_steps or self.steps,
            sampler=self.sampler if self.hires_sampler == same_choice else self.hires_sampler,
            schedule=self.schedule if self.hires_schedule == same_choice else self.hires_schedule,
            guidance=self.guidance if self.hires_guidance is None else self.hires_guidance,
            prompt=self.hires_prompt or self.prompt,
            negative_prompt=self.hires_negative_prompt or self.negative_prompt,
        )


@dataclass(frozen=True, kw_only=True)
class Img2ImgJob(EditingJob, ControlledJob):
    """Repaint a picture as the prompt says."""

    kind: ClassVar[str] = "img2img"
    required_images: ClassVar[tuple[str, ...]] = ("image",)
    reference_images: ClassVar[tuple[str, ...]] = REFERENCE_IMAGES

    caption_prompt: bool = caption_field()
    refiner: str = refiner_field()
    refiner_switch: float = refiner_switch_field()
    image_guidance: float = image_guidance_field()
    instruct: bool = instruct_field()
    restore_faces: str = restore_field()
    restore_visibility: float = restore_visibility_field()
    restore_weight: float = restore_weight_field()


@dataclass(frozen=True, kw_only=True)
class InpaintJob(EditingJob, ControlledJob):
    """Repaint the masked part of a picture."""

    kind: ClassVar[str] = "inpaint"
    required_images: ClassVar[tuple[str, ...]] = ("image",)
    optional_images: ClassVar[tuple[str, ...]] = ("mask", CONTROL_IMAGE)
    reference_images: ClassVar[tuple[str, ...]] = REFERENCE_IMAGES

    mask_shape: str = text_field(
        "", 400, "Mask in words: subject, face, left 30%, circle 50% 40% r20%"
    )
    mask_mode: str = choice_field(
        "masked", names.MASK_MODES, "Mask mode: inpaint masked or not masked, inside or outside"
    )
    mask_blur: int = number_field(4, 0, 64, "Mask blur: softens the edge, in px", "px")
    masked_content: str = choice_field(
        "original", names.MASKED_CONTENT, "Masked content: what lies under the mask first"
    )
    area: str = choice_field(
        "whole picture",
        names.INPAINT_AREAS,
        "Inpaint area: the picture, only masked, or the mask's edge",
    )
    padding: int = number_field(32, 0, 256, "Only masked padding: px around the masked area", "px")
    mask_weight: float = number_field(
        1.0, 0.0, 1.0, "Inpainting conditioning mask strength: for inpainting checkpoints"
    )
    soft: bool = boolean_field(False, "Soft inpainting: blend along the mask's grey")
    image_guidance: float = image_guidance_field()
    instruct: bool = instruct_field()
    restore_faces: str = restore_field()
    restore_visibility: float = restore_visibility_field()
    restore_weight: float = restore_weight_field()


@dataclass(frozen=True, kw_only=True)
class OutpaintJob(EditingJob):
    """Continue a picture beyond its edges."""

    kind: ClassVar[str] = "outpaint"
    required_images: ClassVar[tuple[str, ...]] = ("image",)

    caption_prompt: bool = caption_field()
    strength: float = number_field(
        0.9, 0.0, 1.0, "Denoising strength: how far the new area is made anew"
    )
    steps: int = number_field(50, 1, 150, "Sampling steps: how many")
    guidance: float = number_field(9.0, 0.1, 30.0, "CFG scale: how closely to follow the words")
    left: int = number_field(0, 0, 512, "Left: px to the left", "px")
    right: int = number_field(0, 0, 512, "Right: px to the right", "px")
    up: int = number_field(0, 0, 512, "Up: px upwards", "px")
    down: int = number_field(0, 0, 512, "Down: px downwards", "px")
    preset: str = choice_field("custom", names.OUTPAINT_PRESETS, "Ready-made directions")
    method: str = choice_field(
        "mk2", names.OUTPAINT_METHODS, "Outpainting script: mk2, or poor man's"
    )
    masked_content: str = choice_field(
        "fill", names.MASKED_CONTENT, "Masked content: poor man's, the new area at first"
    )
    mask_blur: int = number_field(8, 0, 64, "Mask blur: softens the edge, in px", "px")
    fall_off: float = number_field(1.0, 0.0, 4.0, "Fall-off exponent: mk2; lower gives more detail")
    colour_variation: float = number_field(0.05, 0.0, 1.0, "Colour variation: mk2")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.preset == "custom" and not (self.left or self.right or self.up or self.down):
            raise JobError("left", "canvas.no_direction")


@dataclass(frozen=True, kw_only=True)
class LoopbackJob(EditingJob):
    """Feed the result back as the next source, several times."""

    kind: ClassVar[str] = "loopback"
    required_images: ClassVar[tuple[str, ...]] = ("image",)
    supports_early_stop: ClassVar[bool] = True

    caption_prompt: bool = caption_field()
    loops: int = number_field(4, 1, 32, "Loops: how often")
    final_strength: float = number_field(
        0.5, 0.0, 1.0, "Final denoising strength: of the last loop"
    )
    curve: str = choice_field(
        "linear", names.STRENGTH_CURVES, "Denoising strength curve: from first to last"
    )
    append: str = choice_field(
        "none", names.APPEND_CHOICES, "Append interrogated prompt: what each picture shows"
    )
    animate: bool = boolean_field(False, "Answer with an animation of all frames as well")


@dataclass(frozen=True, kw_only=True)
class UpscaleJob(Job):
    """Enlarge a picture with a network made for it."""

    kind: ClassVar[str] = "upscale"
    required_images: ClassVar[tuple[str, ...]] = ("image",)

    upscaler: str = text_field("realesr-animevideov3", 100, "Upscaler: the network")
    factor: float = number_field(2.0, 1.0, 8.0, "Scale by: how many times as wide and high")
    width: int | None = number_field(None, 1, 8192, "Scale to width: instead of a factor", "px")
    height: int | None = number_field(None, 1, 8192, "Scale to height: instead of a factor", "px")
    crop: bool = boolean_field(False, "Crop to fit: cut to exactly the target size")
    max_side: int | None = number_field(
        None, 1, 8192, "Max side length: no side of the result is longer", "px"
    )
    second: str = text_field("", 100, "Upscaler 2: one to blend in")
    visibility: float = number_field(0.0, 0.0, 1.0, "Upscaler 2 visibility: how much of it")
    denoise: float = number_field(1.0, 0.0, 1.0, "Denoise: how much realesr-general-x4v3 denoises")
    restore_faces: str = restore_field()
    restore_visibility: float = restore_visibility_field()
    restore_weight: float = restore_weight_field()
    colourise: str = text_field(
        "", 100, "Colourise: the network that gives a grey picture colours; empty for none"
    )
    mode: str = choice_field(
        "enlarge",
        ("enlarge", "redraw"),
        "Mode: enlarge, or redraw (SD upscale), which denoises every tile",
    )
    prompt: str = text_field("", 6000, "Prompt: what the redrawn picture shows")
    negative_prompt: str = text_field(
        "", 6000, "Negative prompt: what the redrawn picture should not show"
    )
    model: str = text_field(
        "", 100, "Checkpoint: the model that redraws; empty for the server's own"
    )
    strength: float = number_field(
        0.3, 0.0, 1.0, "Denoising strength: 0.2 to 0.4 keeps the redrawn picture what it is"
    )
    steps: int = number_field(20, 1, 150, "Sampling steps: of each redrawn tile")
    guidance: float = number_field(
        7.0, 0.1, 30.0, "CFG scale: how closely redrawn tiles follow the prompt"
    )
    sampler: str = choice_field("Euler a", names.SAMPLER_NAMES, "Sampling method: of redrawn tiles")
    schedule: str = choice_field(
        "Automatic", names.SCHEDULE_NAMES, "Schedule type: of redrawn tiles"
    )
    seed: int = number_field(-1, -1, names.MAX_SEED, "Seed: of redrawn tiles; -1 draws one")
    overlap: int = number_field(64, 0, 256, "Tile overlap: px that redrawn tiles share", "px")


@dataclass(frozen=True, kw_only=True)
class InterrogateJob(Job):
    """Describe a picture in words."""

    kind: ClassVar[str] = "interrogate"
    required_images: ClassVar[tuple[str, ...]] = ("image",)

    method: str = choice_field("caption", ("caption", "tags"), "A sentence, or tags")
    model: str = text_field("", 100, "The captioner or tagger; empty for the server's own")
    beams: int = number_field(1, 1, 16, "Caption: beams of the search")
    min_length: int = number_field(24, 1, 128, "Caption: least tokens")
    max_length: int = number_field(48, 1, 256, "Caption: most tokens")
    ranks: bool = boolean_field(True, "Caption: add the best matches of each list")
    lists: str = text_field("", 200, "Caption: only these lists, as mediums, movements")
    top: int = number_field(0, 0, 50, "The most matches of a list, or tags; 0 for the usual")
    show_ranks: bool = boolean_field(False, "Write the figures behind matches or tags")
    threshold: float = number_field(0.5, 0.0, 1.0, "Tags: least probability")
    sort: str = choice_field("name", ("name", "score"), "Tags: A–Z, or the likeliest first")
    underscores: bool = boolean_field(False, "Tags: write red_apple, not red apple")
    escape: bool = boolean_field(True, "Tags: a backslash before brackets, as prompts want it")
    skip: str = text_field("", 1000, "Tags never to write, separated by commas")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_length > self.max_length:
            raise JobError("min_length", "option.lengths_crossed")


@dataclass(frozen=True, kw_only=True)
class ExplainJob(Job):
    """Explain how a prompt is read, without painting."""

    kind: ClassVar[str] = "explain"

    prompt: str = text_field("", 6000, "The prompt")
    negative_prompt: str = text_field("", 6000, "The negative prompt")
    steps: int = number_field(20, 1, 150, "The steps its schedules are spread over")
    sampler: str = choice_field("Euler a", names.SAMPLER_NAMES, "Sampling method: the sampler")
    seed: int = number_field(-1, -1, names.MAX_SEED, "Seed: draws its words; -1 draws one")
    model: str = text_field("", 100, "The checkpoint whose words count")


@dataclass(frozen=True, kw_only=True)
class PreviewJob(Job):
    """Show where a picture would be repainted, without painting."""

    kind: ClassVar[str] = "preview"
    required_images: ClassVar[tuple[str, ...]] = ("image",)
    optional_images: ClassVar[tuple[str, ...]] = ("mask",)

    show: str = choice_field(
        "mask", names.PREVIEW_KINDS, "Show: the mask over the picture, or a grid to name cells"
    )
    mask_shape: str = text_field(
        "", 400, "Mask in words: subject, face, left 30%, circle 50% 40% r20%"
    )
    mask_mode: str = choice_field(
        "masked", names.MASK_MODES, "Mask mode: inpaint masked or not masked, inside or outside"
    )


#: Jobs that take a description of their picture where they have no words.
CaptionedJob = Img2ImgJob | OutpaintJob | LoopbackJob
#: Jobs that may end with restored faces.
RestoringJob = ImagineJob | Img2ImgJob | InpaintJob | UpscaleJob
#: Options of an `UpscaleJob` that mean something with its mode `redraw` alone.
REDRAW_OPTIONS = frozenset(
    (
        *("prompt", "negative_prompt", "model", "strength", "steps", "guidance"),
        *("sampler", "schedule", "seed", "overlap"),
    )
)
JOB_TYPES: Mapping[str, type[Job]] = {
    job_type.kind: job_type
    for job_type in (
        ImagineJob,
        Img2ImgJob,
        InpaintJob,
        OutpaintJob,
        LoopbackJob,
        UpscaleJob,
        InterrogateJob,
        ExplainJob,
        PreviewJob,
    )
}


def decode_job(kind: str, params: Mapping[str, Any]) -> Job:
    """Read a job back from its kind and its encoded fields.

    Raises:
        JobError: the kind or a field is unknown, or a value impossible.
    """
    if kind not in JOB_TYPES:
        raise UnknownChoice("kind", kind, tuple(JOB_TYPES))
    return JOB_TYPES[kind].from_params(params)
