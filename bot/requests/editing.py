"""Edits by instruction: which model does them, and what a job on one begins with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bot.errors import NoEditingModel
from bot.guilds.checks import is_model_allowed
from bot.guilds.settings import GuildSettings
from inference.api.catalogue.entries import read_catalogue
from inference.api.errors import JobError
from inference.api.jobs import Img2ImgJob, InpaintJob, Job, list_job_options
from inference.api.messages import INSTRUCT_ROLE, ModelInfo

#: The catalogue's model that edits by instructions, for small cards.
EDITING_KEY = "instruct-pix2pix"
#: What an edit does where nothing else is said: nothing of the picture's own noise is kept, for the
#: network sees the picture itself, and nothing outside a mask changes.
EDIT_DEFAULTS: Mapping[str, Any] = {"instruct": True, "strength": 1.0, "mask_blur": 0}


def count_references(model: ModelInfo) -> int:
    """Count the pictures that a model looks at in an edit; 0 where it does not edit."""
    return max(model.references, int(model.role == INSTRUCT_ROLE))


def find_editing_model(models: Iterable[ModelInfo], settings: GuildSettings) -> str | None:
    """Name the model that edits by instructions: of those the server allows, that of most pictures.

    Of several that look at as many it is the first.
    """
    allowed_models = [
        model
        for model in models
        if count_references(model) and is_model_allowed(settings, model.kind, model.name)
    ]
    return max(allowed_models, key=count_references).name if allowed_models else None


def require_editing_model(models: Iterable[ModelInfo], settings: GuildSettings) -> str:
    """Name the model that edits.

    Raises:
        NoEditingModel: no worker has one; says which the host can fetch.
    """
    if name := find_editing_model(models, settings):
        return name
    raise NoEditingModel(f"{read_catalogue().find_entry(EDITING_KEY).memory_gb:g}")


def check_references(models: Iterable[ModelInfo], values: Mapping[str, Any]) -> None:
    """See that the model of an edit edits, and looks at as many pictures as are given.

    A model that no worker has is refused elsewhere.

    Raises:
        JobError: it does not, or at fewer.
    """
    name = values["model"]
    counts = [count_references(model) for model in models if model.name == name]
    if not counts:
        return
    given_names = [image for image in Img2ImgJob.reference_images if values.get(image)]
    most, count = max(counts), 1 + len(given_names)
    if not most:
        raise JobError("model", "edit.no_references", name=name)
    if count > most:
        field = given_names[most - 1]
        raise JobError(field, "edit.too_many_references", name=name, most=most, count=count)


def choose_edit_type(values: Mapping[str, Any]) -> type[Job]:
    """Choose the job that does an edit: with a mask, one that leaves the rest as it is."""
    return InpaintJob if values.get("mask") or values.get("mask_shape") else Img2ImgJob


def fill_edit_values(job_type: type[Job], values: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Fill in what an edit is unless it was said otherwise; leave out what the job has not."""
    names = {option.name for option in list_job_options(job_type)}
    names |= {*job_type.list_image_names()}
    said_values = {name: value for name, value in values.items() if value is not None}
    edit_values = {**EDIT_DEFAULTS, "model": model, **said_values}
    return {name: value for name, value in edit_values.items() if name in names}
