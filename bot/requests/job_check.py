"""What can be told of a job before a worker has it: names, masks in words, pictures of no use.

A worker would refuse the same later and dearer. What is not certain here is left to it: a name that
no worker has told but that lies in the models folder may be newer than what they told.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bot.guilds.checks import checkpoint_of
from bot.uploads.validation import CheckedImage
from inference.api.did_you_mean import did_you_mean
from inference.api.errors import JobError, UnreadableMask
from inference.api.infotext.names import find_restorer, find_upscaler
from inference.api.jobs import (
    ControlledJob,
    ImagineJob,
    InpaintJob,
    InterrogateJob,
    Job,
    LoopbackJob,
    UpscaleJob,
)
from inference.api.jobs.control import CONTROL_IMAGE, CONTROL_KIND, DEPTH_MAP, PREPROCESSOR_KIND
from inference.api.jobs.sizes import LATENT_CELL_PIXELS
from inference.api.messages import (
    COLOURISER_KIND,
    FACE_RESTORER_KIND,
    ModelInfo,
)
from inference.api.notices import Notice
from inference.api.prompts.extra_networks import read_loras, take_networks
from inference.api.prompts.mask_grammar import FACE, SUBJECT, marks_no_pixel, named_objects
from inference.api.workers import WorkerPool

CHECKPOINT, UPSCALER, LORA, CAPTIONER, TAGGER = (
    "diffusion",
    "upscaler",
    "lora",
    "captioner",
    "tagger",
)
#: Options that name a network that restores, and its kind.
RESTORER_FIELDS = {"restore_faces": FACE_RESTORER_KIND, "colourise": COLOURISER_KIND}
#: The kind of networks that mark what masks in words name.
MASK_NETWORK, ANY_WORDS = "mask", "words"
JobT = TypeVar("JobT", bound=Job)
CARD_UPSCALER = "realesrgan-x4plus"  # a processor takes a minute for a photograph
MAX_SEARCHED_FILES = 20000  # files of the models folder that are looked through for one name
_ENDING_PATTERN = re.compile(r"(?:\.(?:safetensors|ckpt|pth|pt|onnx))?(?:\s*\[[0-9a-f]{6,}\])?$")
_DRAWN_MARKS = ("__", "{", "[")
"""Marks of prompts whose words are drawn or change, so that names in them are not what they are."""
IMAGE_KINDS = frozenset({"img2img", "inpaint", "outpaint", "loopback", "preview"})
"""Kinds that cannot start from a picture with nothing in it."""


def list_ready_models(workers: WorkerPool) -> list[ModelInfo]:
    """List what the workers told that they have, those too that are starting again."""
    return [model for worker in workers.worker_statuses for model in worker.models]


def can_mark(models: Iterable[ModelInfo], name: str) -> bool:
    """Whether some worker finds a thing in pictures: `subject`, `face`, or by any other words."""
    network = name if name in (SUBJECT, FACE) else ANY_WORDS
    return any(model.kind == MASK_NETWORK and model.name == network for model in models)


def default_face_restorer(workers: Any) -> str:
    """Name the face restorer to use unasked: the first that a worker has.

    Raises:
        JobError: there is none.
    """
    for worker in workers:
        for model in worker.models:
            if model.kind == FACE_RESTORER_KIND:
                return str(model.name)
    raise JobError("restore_faces", "restore.none")


def default_upscaler(workers: Any) -> str:
    """Name the upscaler to use unasked: the usual one, else the first that a worker has.

    The usual one is quick and smooth, for processors. Where all workers have cards it is the one
    that keeps fur and grain.
    """
    names = [m.name for worker in workers for m in worker.models if m.kind == UPSCALER]
    usual = UpscaleJob().upscaler
    if CARD_UPSCALER in names and not any(_is_processor(worker.device) for worker in workers):
        usual = CARD_UPSCALER
    return usual if usual in names or not names else str(names[0])


def _is_processor(device: str) -> bool:
    """Whether a worker computes on a processor, or has not said yet."""
    return device.partition(":")[0] in ("", "cpu")


class JobChecker:
    """Refuses what cannot be done, and puts names as the workers have them."""

    def __init__(self, workers: WorkerPool, models_folder: Path) -> None:
        self._workers, self._models_folder = workers, models_folder

    def check_job(self, job: JobT, images: Collection[str] = ()) -> JobT:
        """Return the job with its names as the workers have them; `images` names its pictures.

        Raises:
            JobError: a name is none, a network is missing, or a mask's words cannot be read.
        """
        models = list_ready_models(self._workers)
        mask_words = str(getattr(job, "mask_shape", ""))
        objects = named_objects(mask_words) if mask_words.strip() else ()
        if not models:
            return job
        for name in objects:
            if not can_mark(models, name):
                raise UnreadableMask(_missing_network_code(name), name=name)
        job = self._resolve_fields(job, models)
        if isinstance(job, ControlledJob):
            job = self._resolve_control(job, models, CONTROL_IMAGE in images)
        self._check_describers(job, models)
        self._check_loras(job, models)
        return job

    def check_images(self, job: Job, images: Mapping[str, CheckedImage]) -> None:
        """Refuse pictures and masks that leave nothing to do.

        Raises:
            JobError: says what to change.
        """
        image, mask = images.get("image"), images.get("mask")
        if image is None or job.kind not in IMAGE_KINDS:
            return
        if min(image.size) < LATENT_CELL_PIXELS:
            raise JobError("image", "image.too_small")
        if "invisible" in image.traits:
            raise JobError("image", "image.transparent")
        mask_words = str(getattr(job, "mask_shape", "")).strip()
        if mask_words and marks_no_pixel(mask_words, image.size):
            width, height = image.size
            raise UnreadableMask("mask.marks_nothing", words=mask_words, width=width, height=height)
        shows_mask = isinstance(job, InpaintJob) or getattr(job, "show", "") == "mask"
        if not shows_mask or mask_words or "holed" in image.traits:
            return
        if mask is None:
            # Pictures that were stored earlier carry no traits: the worker looks at those.
            if "opaque" in image.traits:
                raise JobError("mask", "mask.missing")
            return
        has_own_strokes = mask.size == image.size and mask.traits & image.traits & {
            "black",
            "white",
        }
        if "black" in mask.traits and job_mode(job) == "masked" and not has_own_strokes:
            raise JobError("mask", "mask.black")
        if "white" in mask.traits and job_mode(job) == "not masked" and not has_own_strokes:
            raise JobError("mask", "mask.all_white")

    def _resolve_fields(self, job: JobT, models: Collection[ModelInfo]) -> JobT:
        changes: dict[str, Any] = {}
        if name := checkpoint_of(job):
            changes["model"] = self._resolve_name("model", name, CHECKPOINT, models)
        if refiner := str(getattr(job, "refiner", "")):
            changes["refiner"] = self._resolve_name("refiner", refiner, CHECKPOINT, models)
        for field, kind in RESTORER_FIELDS.items():
            if restorer := str(getattr(job, field, "")):
                changes[field] = self._resolve_restorer(field, restorer, kind, models)
        if isinstance(job, UpscaleJob):
            changes["upscaler"] = self._resolve_upscaler("upscaler", job.upscaler, models)
            if job.second:
                changes["second"] = self._resolve_upscaler("second", job.second, models)
        if isinstance(job, ImagineJob) and job.has_hires_fix:
            name = self._resolve_upscaler("hires_upscaler", job.hires_upscaler, models)
            changes["hires_upscaler"] = name
        return dataclasses.replace(job, **changes) if changes else job

    def _resolve_control(
        self, job: ControlledJob, models: Collection[ModelInfo], has_picture: bool
    ) -> Any:
        """Name the ControlNet that is meant, of the checkpoint's family.

        What the host's own checkpoint is, its worker knows; so the choice is left to that where
        there are several families.
        """
        makers = {model.name for model in models if model.kind == PREPROCESSOR_KIND}
        if job.control_kind == DEPTH_MAP and DEPTH_MAP not in makers:
            raise JobError("control_kind", "control.no_depth")
        families = {m.name: m.family for m in models if m.kind == CHECKPOINT}
        family = families.get(job.model, "")
        if job.control_model:
            kinds = (CONTROL_KIND, models)
            name = self._resolve_name("control_model", job.control_model, *kinds)
            job = dataclasses.replace(job, control_model=name)
            networks = {m.name: m.family for m in models if m.kind == CONTROL_KIND}
            network_family = networks.get(name, "")
            if family and network_family not in ("", family):
                values = {"name": name, "model": job.model}
                raise JobError("control_model", "control.other_family", **values)
            return job
        chosen_job = job.with_network(models, family, has_picture=has_picture)
        is_certain = bool(family) or len({m.family for m in models if m.kind == CONTROL_KIND}) == 1
        return chosen_job if is_certain else job

    def _resolve_upscaler(self, field: str, name: str, models: Collection[ModelInfo]) -> str:
        known_names = [model.name for model in models if model.kind == UPSCALER]
        return find_upscaler(name, known_names) or self._resolve_name(field, name, UPSCALER, models)

    def _resolve_restorer(
        self, field: str, name: str, kind: str, models: Collection[ModelInfo]
    ) -> str:
        known_name = find_restorer(name, models, kind)
        return known_name or self._resolve_name(field, name, kind, models)

    def _check_describers(self, job: Job, models: Collection[ModelInfo]) -> None:
        kinds = {model.kind for model in models}
        if isinstance(job, LoopbackJob):
            if job.append == "tags" and TAGGER not in kinds:
                raise JobError("append", "model.no_tagger")
            if job.append == "caption" and CAPTIONER not in kinds:
                raise JobError("append", "loopback.no_captioner")
        if isinstance(job, InterrogateJob):
            kind = TAGGER if job.method == "tags" else CAPTIONER
            if kind == TAGGER and TAGGER not in kinds:
                raise JobError("method", "model.no_tagger")
            if job.model and not any(_means(job.model, model) for model in models):
                self._resolve_name("model", job.model, kind, models)

    def _check_loras(self, job: Job, models: Collection[ModelInfo]) -> None:
        for field in ("prompt", "negative_prompt"):
            prompt = str(getattr(job, field, ""))
            if "<" not in prompt:
                continue
            for lora in read_loras(take_networks(prompt)[1]):
                if not any(mark in lora.name for mark in _DRAWN_MARKS):
                    self._resolve_name(field, lora.name, LORA, models)

    def _resolve_name(self, field: str, name: str, kind: str, models: Collection[ModelInfo]) -> str:
        """Return the name by which the workers have a model.

        Raises:
            JobError: there is none, not even a new file of that name.
        """
        candidates = [model for model in models if model.kind == kind]
        for model in candidates:
            if model.name == name:
                return name
        for model in candidates:
            if _means(name, model):
                return model.name
        if self._lies_in_folder(name):
            return name
        hint = did_you_mean(name, [model.name for model in candidates], cutoff=0.4)
        code = _UNKNOWN_CODES.get(kind, "model.unknown_describer")
        raise JobError(field, code, name=name, kind=kind, why=hint or Notice("names.listed"))

    def _lies_in_folder(self, name: str) -> bool:
        wanted_stem = _plain_name(name)
        if not wanted_stem or not self._models_folder.is_dir():
            return False
        paths = self._models_folder.rglob("*")
        return any(
            wanted_stem in (_plain_name(path.name), path.name.casefold())
            for path, _ in zip(paths, range(MAX_SEARCHED_FILES), strict=False)
        )


_UNKNOWN_CODES = {
    CHECKPOINT: "model.unknown_checkpoint",
    UPSCALER: "model.unknown_upscaler",
    LORA: "prompt.no_lora",
    FACE_RESTORER_KIND: "restore.unknown_face",
    COLOURISER_KIND: "restore.unknown_colour",
    CONTROL_KIND: "control.unknown",
}


def job_mode(job: Job) -> str:
    """Return whether a mask is worked on inside or outside."""
    return str(getattr(job, "mask_mode", "masked"))


def _means(name: str, model: ModelInfo) -> bool:
    plain_names = {_plain_name(model.name), model.name.casefold(), model.alias.casefold()}
    return _plain_name(name) in plain_names or name.casefold() in plain_names


def _plain_name(name: str) -> str:
    """Reduce a name to its file's, without folder, ending, hash, or regard to case."""
    plain_name = name.strip().replace("\\", "/").rpartition("/")[2].casefold()
    return _ENDING_PATTERN.sub("", plain_name).strip()


def _missing_network_code(name: str) -> str:
    return "mask.no_finder" if name in (SUBJECT, FACE) else "mask.no_word_finder"
