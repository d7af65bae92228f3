"""A job's own options under the keys of the `parameters` text, written and read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from inference.api.infotext.names import RESTORER_BY_VISIBILITY_KEY
from inference.api.infotext.text import READING_DEFAULTS
from inference.api.jobs import (
    BooleanSpec,
    ChoiceSpec,
    ControlledJob,
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    InterrogateJob,
    Job,
    JobOption,
    LoopbackJob,
    OutpaintJob,
    UpscaleJob,
    list_job_options,
)
from inference.api.jobs.control import AUTOMATIC_MAP, MADE_MAPS, MAP_KINDS, READY_MAP

#: Options and the keys they stand under: the web UIs' own where they have one.
OPTION_KEYS: Mapping[str, str] = {
    "seed_delta": "ENSD",
    "force_clip_skip": "Force clip skip",
    "guidance_rescale": "CFG rescale",
    "extra_noise": "Extra noise",
    "exact_steps": "Exact steps",
    "image_guidance": "Image CFG scale",
    "instruct": "Edit instruction",
    "refiner": "Refiner",
    "refiner_switch": "Refiner switch at",
    "noise_multiplier": "Noise multiplier",
    "resize_mode": "Resize mode",
    "colour_correction": "Color correction",
    "mask_shape": "Mask shape",
    "mask_mode": "Mask mode",
    "mask_blur": "Mask blur",
    "masked_content": "Masked content",
    "area": "Inpaint area",
    "padding": "Masked area padding",
    "mask_weight": "Conditional mask weight",
    "soft": "Soft inpainting enabled",
    "method": "Outpainting",
    "preset": "Outpainting preset",
    "fall_off": "Outpainting fall-off exponent",
    "colour_variation": "Outpainting color variation",
    "loops": "Loops",
    "final_strength": "Final denoising strength",
    "curve": "Denoising curve",
    "append": "Append interrogation",
    "caption_prompt": "Caption as prompt",
    "animate": "Animate",
    "hires_scale": "Hires upscale",
    "hires_steps": "Hires steps",
    "hires_upscaler": "Hires upscaler",
    "hires_sampler": "Hires sampler",
    "hires_schedule": "Hires schedule type",
    "hires_guidance": "Hires CFG Scale",
    "hires_prompt": "Hires prompt",
    "hires_negative_prompt": "Hires negative prompt",
    "mode": "Postprocess mode",
    "upscaler": "Postprocess upscaler",
    "factor": "Postprocess upscale by",
    "crop": "Postprocess crop",
    "max_side": "Postprocess max side length",
    "second": "Postprocess upscaler 2",
    "visibility": "Postprocess visibility",
    "denoise": "Postprocess denoise",
    "restore_faces": "Face restoration",
    "restore_visibility": "CodeFormer visibility",
    "restore_weight": "CodeFormer weight",
    "colourise": "Postprocess colorizer",
    "overlap": "SD upscale overlap",
}
#: Keys of two lengths, and the options they join, 0 for one that is not set.
SIZE_KEYS: Mapping[str, tuple[str, str]] = {
    "Seed resize from": ("seed_resize_width", "seed_resize_height"),
    "Hires resize": ("hires_width", "hires_height"),
}
#: Where `width` and `height` stand of kinds whose `Size` is that of a part painted at once.
TARGET_SIZE_KEYS: Mapping[type[Job], str] = {
    UpscaleJob: "Postprocess upscale to",
    OutpaintJob: "Outpainting tile",
}
#: Options that stand in every text of a kind, whatever their value.
ALWAYS_WRITTEN = {
    "inpaint": ("mask_blur",),
    "outpaint": ("mask_blur", "method"),
    "loopback": ("final_strength", "curve", "loops"),
    "upscale": ("upscaler",),
}
#: Keys that tell of a hires fix.
HIRES_SIZE_KEYS = ("Hires upscale", "Hires resize")
HIRES_KEYS = (*HIRES_SIZE_KEYS, "Hires upscaler")
#: Keys that only a masked picture has, and what "Inpaint area" is where nothing is said.
MASK_KEYS = ("Mask blur", "Mask mode", "Mask shape")
DEFAULT_AREA = READING_DEFAULTS["Inpaint area"]
GROWTH_KEY = "Outpainting pixels"
GROWN_SIDES = ("left", "right", "up", "down")
GFPGAN_VISIBILITY_KEY = "GFPGAN visibility"
RESTORING_TYPES = (ImagineJob, Img2ImgJob, InpaintJob, UpscaleJob)
#: The first unit of the web UI's ControlNet extension, and its parts that are read.
CONTROL_KEY = "ControlNet 0"
CONTROL_UNIT_KEYS: Mapping[str, str] = {
    "model": "control_model",
    "weight": "control_strength",
    "guidance start": "control_begin",
    "guidance end": "control_end",
    "union control type": "control_type",
}
SD_UPSCALER_KEY = "SD upscale upscaler"
KEEPS_SIZE_KEY = "Keeps source size"
MASK_MODE_PREFIX = "Inpaint "
#: Choices that the web UIs begin with a capital letter.
CAPITALISED_CHOICES = ("area", "curve", "resize_mode")


def job_values(job: Job) -> dict[str, object]:
    """Give what a text must say of a job besides what every picture says of itself."""
    values: dict[str, object] = {}
    always = ALWAYS_WRITTEN.get(job.kind, ())
    for option in list_job_options(type(job)):
        value, key = getattr(job, option.name), OPTION_KEYS.get(option.name)
        if key is None or value is None:
            continue
        if option.name in always or value != _restored_value(option, key):
            values[key] = _write_value(option, value)
    _name_restoration(values, job)
    for key, (width, height) in _size_options(type(job)).items():
        if getattr(job, width) or getattr(job, height):
            values[key] = f"{getattr(job, width) or 0}x{getattr(job, height) or 0}"
    match job:
        case ImagineJob(has_hires_fix=True):
            values.setdefault(OPTION_KEYS["hires_upscaler"], "Latent")
            values["Denoising strength"] = job.hires_strength
            if not (job.hires_width or job.hires_height):
                values[OPTION_KEYS["hires_scale"]] = job.hires_scale
        case ImagineJob() if job.hires_strength != ImagineJob.hires_strength:
            values["Hires strength"] = job.hires_strength
        case InpaintJob():
            if job.area != "whole picture":
                values[OPTION_KEYS["padding"]] = job.padding
            if job.width is None and job.height is None:
                values[KEEPS_SIZE_KEY] = True
        case UpscaleJob():
            if not (job.width or job.height):
                values[OPTION_KEYS["factor"]] = job.factor
            if job.mode == "redraw":
                values[OPTION_KEYS["overlap"]] = job.overlap
                values[SD_UPSCALER_KEY] = job.upscaler
        case OutpaintJob():
            sides = ((side, getattr(job, side)) for side in GROWN_SIDES)
            values[GROWTH_KEY] = ", ".join(f"{side} {pixels}" for side, pixels in sides if pixels)
        case _:
            pass
    return values


def _name_restoration(values: dict[str, object], job: Job) -> None:
    """Write how much of restored faces shows as the web UI does: under the network's name."""
    key = OPTION_KEYS["restore_visibility"]
    name = str(getattr(job, "restore_faces", ""))
    if not name:
        values.pop(key, None)
        values.pop(OPTION_KEYS["restore_weight"], None)
        return
    if isinstance(job, UpscaleJob):
        values[key] = job.restore_visibility
    if key in values and "codeformer" not in name.casefold():
        values[GFPGAN_VISIBILITY_KEY] = values.pop(key)


def read_job_values(
    values: Mapping[str, str], job_type: type[Job]
) -> tuple[dict[str, tuple[str, str]], set[str]]:
    """Find the options that a text sets: name to key and text, and the keys that were looked at.

    Numbers and choices are not checked yet.
    """
    option_texts: dict[str, tuple[str, str]] = {}
    if issubclass(job_type, InterrogateJob):
        return option_texts, set()
    for option in list_job_options(job_type):
        key = OPTION_KEYS.get(option.name, "")
        if key in values:
            option_texts[option.name] = key, _read_choice(option, values[key])
    if GFPGAN_VISIBILITY_KEY in values and issubclass(job_type, RESTORING_TYPES):
        option_texts["restore_visibility"] = (
            GFPGAN_VISIBILITY_KEY,
            values[GFPGAN_VISIBILITY_KEY],
        )
    for key, names in _size_options(job_type).items():
        for name, side in zip(names, values.get(key, "").split("x"), strict=False):
            if side.strip().strip("0").isdigit():
                option_texts[name] = key, side
    if issubclass(job_type, OutpaintJob):
        if OPTION_KEYS["method"] not in values:  # another kind's mask says nothing of this one's
            for name in ("mask_blur", "masked_content"):
                option_texts.pop(name, None)
        for part in values.get(GROWTH_KEY, "").split(","):
            side, _, pixels = part.strip().partition(" ")
            if side in GROWN_SIDES:
                option_texts[side] = GROWTH_KEY, pixels
    if issubclass(job_type, ImagineJob) and "Hires strength" in values:
        option_texts["hires_strength"] = "Hires strength", values["Hires strength"]
    if issubclass(job_type, UpscaleJob) and SD_UPSCALER_KEY in values:
        option_texts.setdefault("upscaler", (SD_UPSCALER_KEY, values[SD_UPSCALER_KEY]))
        option_texts.setdefault("mode", (SD_UPSCALER_KEY, "redraw"))
    if issubclass(job_type, ControlledJob) and CONTROL_KEY in values:
        option_texts |= _read_control(values[CONTROL_KEY])
    used_keys = {key for key, _ in option_texts.values()} | set(_size_options(job_type))
    return option_texts, used_keys | {GROWTH_KEY, SD_UPSCALER_KEY}


def _read_control(unit: str) -> dict[str, tuple[str, str]]:
    """Read what the web UI's extension writes of a ControlNet: `Module: canny, Model: …`."""
    pairs = (part.partition(":") for part in unit.split(","))
    unit_values = {key.strip().casefold(): value.strip() for key, _, value in pairs}
    texts = {
        option: unit_values[key]
        for key, option in CONTROL_UNIT_KEYS.items()
        if unit_values.get(key, "") != ""
    }
    model = texts.get("control_model", "")
    texts["control_model"] = re.sub(r"\s*\[[0-9a-fA-F]{6,}\]$", "", model)
    module = unit_values.get("module", "").casefold()
    signs = (READY_MAP, *MADE_MAPS)
    texts["control_kind"] = next((s for s in signs if module.startswith(s)), AUTOMATIC_MAP)
    if texts.get("control_type") not in MAP_KINDS:
        texts.pop("control_type", None)
    return {option: (CONTROL_KEY, text) for option, text in texts.items()}


def _size_options(job_type: type[Job]) -> dict[str, tuple[str, str]]:
    names = {option.name for option in list_job_options(job_type)}
    keys = {key: pair for key, pair in SIZE_KEYS.items() if pair[0] in names}
    target = next((key for kind, key in TARGET_SIZE_KEYS.items() if issubclass(job_type, kind)), "")
    return keys | ({target: ("width", "height")} if target else {})


def _restored_value(option: JobOption, key: str) -> object:
    """Give what an option is read as where its key is missing."""
    if option.name == "masked_content":
        return READING_DEFAULTS[key]
    return option.default


def _write_value(option: JobOption, value: Any) -> object:
    if option.name == "mask_mode":
        return MASK_MODE_PREFIX + value
    if isinstance(value, str) and option.name in CAPITALISED_CHOICES:
        return value.capitalize()
    return str(value) if isinstance(option.spec, BooleanSpec) else value


def _read_choice(option: JobOption, text: str) -> str:
    """Give a choice as the job spells it; other text as it is."""
    if not isinstance(option.spec, ChoiceSpec):
        return text
    plain = text.removeprefix(MASK_MODE_PREFIX).casefold()
    return next((choice for choice in option.spec.choices if choice.casefold() == plain), text)


def guess_job_type(values: Mapping[str, str]) -> type[Job]:
    """Tell of which kind the job was that a text speaks of."""
    if "Outpainting" in values:
        return OutpaintJob
    if "Denoising curve" in values:
        return LoopbackJob
    if "SD upscale upscaler" in values:
        return UpscaleJob
    postprocess_keys = ("Postprocess upscaler", *RESTORER_BY_VISIBILITY_KEY)
    if any(key in values for key in postprocess_keys) and "Steps" not in values:
        return UpscaleJob
    has_mask = any(key in values for key in MASK_KEYS)
    if has_mask or values.get("Inpaint area", DEFAULT_AREA) != DEFAULT_AREA:
        return InpaintJob
    has_hires = any(key in values for key in HIRES_KEYS)
    return Img2ImgJob if "Denoising strength" in values and not has_hires else ImagineJob
