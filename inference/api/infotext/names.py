"""Samplers, schedules and networks under the names that other programs give them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from inference.api.jobs import names
from inference.api.messages import ModelInfo

#: Other names of our samplers, as they are compared: lower case, signs between words left out.
OTHER_SAMPLERS: Mapping[str, str] = {
    # ComfyUI, which Fooocus shares
    "eulerancestral": "Euler a",
    "dpm2ancestral": "DPM2 a",
    "dpmpp2sancestral": "DPM++ 2S a",
    "dpmpp2m": "DPM++ 2M",
    "dpmppsde": "DPM++ SDE",
    "dpmpp2msde": "DPM++ 2M SDE",
    "dpmpp2msdeheun": "DPM++ 2M SDE Heun",
    "dpmpp3msde": "DPM++ 3M SDE",
    "eulerancestralcfgpp": "Euler a CFG++",
    "dpmpp2sancestralcfgpp": "DPM++ 2S a CFG++",
    "unipcbh2": "UniPC",
    # InvokeAI
    "kdpm2": "DPM2",
    "kdpm2a": "DPM2 a",
    "pndm": "PLMS",
    # NovelAI and programs before the k-diffusion names
    "ddimv3": "DDIM",
}
#: Samplers read as ours that differ from it by their formula, and the formula that ours has.
OTHER_FORMULAS: Mapping[str, str] = {"unipcbh2": "bh1"}
OTHER_SCHEDULES: Mapping[str, str] = {
    "ddimuniform": "DDIM",
    "native": "Automatic",
    "alignyoursteps": "Align Your Steps",
    "ays": "Align Your Steps",
    "quadratic": "Polyexponential",
}
#: The web UIs' latent upscalers that do what ours does: bilinear between cells.
LATENT_UPSCALERS: Mapping[str, str] = {"latent": "latent"}
PLAIN_UPSCALERS: Mapping[str, str] = {"none": "lanczos", "lanczos": "lanczos", "nearest": "nearest"}
#: Keys by which the web UI's *Extras* say that faces were restored, and by which architecture.
RESTORER_BY_VISIBILITY_KEY: Mapping[str, str] = {
    "CodeFormer visibility": "CodeFormer",
    "GFPGAN visibility": "GFPGAN",
}
#: Other names of upscalers, as they are compared: the web UIs' and those of the published files.
OTHER_UPSCALERS: Mapping[str, str] = {
    "resrgan4x+": "realesrganx4plus",
    "realesrganx4plus": "realesrganx4plus",
    "resrgan4x+anime6b": "realesrganx4plusanime",
    "realesrganx4plusanime6b": "realesrganx4plusanime",
    "resrgan2x+": "realesrganx2plus",
    "realesrganx2plus": "realesrganx2plus",
    "resrgananimevideo": "realesranimevideov3",
    "resrgangeneral4xv3": "realesrgeneralx4v3",
    "resrgangeneralwdn4xv3": "realesrgeneralwdnx4v3",
    "esrgan4x": "esrganx4",
    "esrgan": "esrganx4",
    "bsrgan": "bsrganx4",
    "bsrgan4x": "bsrganx4",
    "swinir4x": "swinirlargex4",
    "scunet": "scunetgan",
}
_FILE_SUFFIX = re.compile(r"\.(?:safetensors|pth|pt|onnx|bin)$", re.IGNORECASE)
_CHECKPOINT_SUFFIX = re.compile(r"\.(?:safetensors|ckpt|pt|pth|bin)$", re.IGNORECASE)
#: Samplers and schedules whose steps lie elsewhere than in the web UI: docs/samplers.md says why.
OTHER_GRIDS = {"sampler": ("DDIM", "PLMS", "LCM"), "schedule": ("KL Optimal",)}
#: Which implementation ran says nothing about the numbers.
_IMPLEMENTATION_SUFFIX = re.compile(r"gpu$")
_SIGNS_PATTERN = re.compile(r"[^a-z0-9+]+")


def _normalise_name(name: str) -> str:
    return _SIGNS_PATTERN.sub("", name.lower()).replace("++", "pp")


_SAMPLER_NAMES = {**{_normalise_name(name): name for name in names.SAMPLER_NAMES}, **OTHER_SAMPLERS}
_SCHEDULE_NAMES = {
    **{_normalise_name(name): name for name in names.SCHEDULE_NAMES},
    **OTHER_SCHEDULES,
}


def find_sampler(name: str) -> tuple[str | None, str | None]:
    """Give our names of a sampler and of the schedule that its name may end in; None where none.

    `DPM++ 2M Karras` is `DPM++ 2M` with `Karras`, `euler_k` and `k_euler` are `Euler`.
    """
    plain = _IMPLEMENTATION_SUFFIX.sub("", _normalise_name(name))
    if plain in _SAMPLER_NAMES:
        return _SAMPLER_NAMES[plain], None
    for ending in ("karras", "exponential", "polyexponential"):
        sampler_name = _SAMPLER_NAMES.get(plain.removesuffix(ending))
        if plain.endswith(ending) and sampler_name:
            return sampler_name, _SCHEDULE_NAMES[ending]
    if plain.endswith("k") and plain[:-1] in _SAMPLER_NAMES:  # InvokeAI: with Karras' noise levels
        return _SAMPLER_NAMES[plain[:-1]], "Karras"
    if plain.startswith("k"):  # NovelAI, and InvokeAI once: of k-diffusion
        return _SAMPLER_NAMES.get(plain[1:]), None
    return None, None


def find_formula(name: str) -> str | None:
    """Give the formula that our sampler has where another program's name means another one."""
    return OTHER_FORMULAS.get(_normalise_name(name))


def find_upscaler(name: str, upscalers: Collection[str]) -> str | None:
    """Give our name of a hires fix's upscaler: `latent`, a resampler, or one that is installed."""
    plain = _normalise_name(_FILE_SUFFIX.sub("", name))
    if plain.startswith("latent"):
        return LATENT_UPSCALERS.get(plain)
    if plain in PLAIN_UPSCALERS:
        return PLAIN_UPSCALERS[plain]
    names_by_plain = {_normalise_name(key): key for key in upscalers}
    return names_by_plain.get(OTHER_UPSCALERS.get(plain, plain))


def read_restorer(values: Mapping[str, str]) -> str:
    """Say by which network a text's faces were restored; empty for none."""
    name = values.get("Face restoration", "")
    told_keys = (key for key in RESTORER_BY_VISIBILITY_KEY if key in values)
    return name or next((RESTORER_BY_VISIBILITY_KEY[key] for key in told_keys), "")


def find_restorer(name: str, models: Iterable[ModelInfo], kind: str) -> str | None:
    """Find a network that restores by its name, or by its architecture: the first of that."""
    plain = _normalise_name(_FILE_SUFFIX.sub("", name))
    candidates = [model for model in models if model.kind == kind]
    by_name = (model.name for model in candidates if _normalise_name(model.name) == plain)
    by_architecture = (model.name for model in candidates if _normalise_name(model.about) == plain)
    return next(by_name, None) or next(by_architecture, None)


def find_schedule(name: str) -> str | None:
    """Give our name of a noise schedule; None where there is none."""
    return _SCHEDULE_NAMES.get(_normalise_name(name))


def find_checkpoint(model_name: str, digest: str, checkpoints: list[ModelInfo]) -> str | None:
    """Find a checkpoint by its hash, which is surer, or by its name."""
    wanted_hash = digest.lower().removeprefix("0x")
    for model in checkpoints:
        if (
            model.digest
            and len(wanted_hash) >= len(model.digest)
            and wanted_hash.startswith(model.digest)
        ):
            return model.name
    return next(
        (
            model.name
            for model in checkpoints
            if model_name and plain_checkpoint_name(model.name) == plain_checkpoint_name(model_name)
        ),
        None,
    )


def plain_checkpoint_name(name: str) -> str:
    """Give a checkpoint's name without folder and ending, in small letters."""
    return _CHECKPOINT_SUFFIX.sub("", name.replace("\\", "/").rpartition("/")[2]).strip().casefold()
