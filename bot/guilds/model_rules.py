"""Which checkpoints and LoRAs a server allows."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

from bot.errors import NotAllowed
from bot.guilds.settings import GuildSettings
from bot.i18n.message import TranslatableMessage
from inference.api.jobs import DenoisingJob, ExplainJob, Job, UpscaleJob

EXTRA_NETWORK_TAG = re.compile(r"<(\w+):([^<>]+)>")
LORA_KINDS = ("lora", "lyco")
MAX_LISTED_NAMES = 10  # names in one refusal


def with_allowed_model(rules: GuildSettings, job: Job, default: str) -> Job:
    """Give a job that names no checkpoint one that is allowed, where the host's own is not."""
    if not rules.models or default in rules.models or checkpoint_of(job) != "":
        return job
    model_override: dict[str, Any] = {"model": rules.models[0]}
    return dataclasses.replace(job, **model_override)


def check_models(rules: GuildSettings, job: Job, default: str) -> None:
    """Refuse a checkpoint or a LoRA that the server did not allow.

    Raises:
        NotAllowed: names it, and what is allowed.
    """
    model = checkpoint_of(job)
    if rules.models and model is not None:
        name = model or default
        if name not in rules.models:
            raise _not_allowed(
                "This server does not allow the model “{name}”. It allows {allowed}.",
                name,
                rules.models,
            )
    if rules.loras:
        for name in lora_names_in(str(getattr(job, "prompt", ""))):
            if name not in rules.loras:
                raise _not_allowed(
                    "This server does not allow the LoRA “{name}”. It allows {allowed}.",
                    name,
                    rules.loras,
                )


def is_model_allowed(rules: GuildSettings, kind: str, name: str) -> bool:
    """Whether a server lets its members name something that workers have."""
    allowed_names = {"diffusion": rules.models, "lora": rules.loras}.get(kind, ())
    return not allowed_names or name in allowed_names


def lora_names_in(prompt: str) -> Iterator[str]:
    """Yield the names of the LoRAs that a prompt's tags ask for."""
    for kind, tag_body in EXTRA_NETWORK_TAG.findall(prompt):
        if kind.casefold() not in LORA_KINDS:
            continue
        parts = tag_body.split(":")
        plain = [part for part in parts if "=" not in part]
        name_arguments = [
            part.partition("=")[2] for part in parts if part.strip().startswith("name=")
        ]
        yield from (part.strip() for part in plain[:1] or name_arguments)


def checkpoint_of(job: Job) -> str | None:
    """Return the checkpoint that a job names, empty for the host's own; None where it runs none."""
    if isinstance(job, DenoisingJob | ExplainJob) or (
        isinstance(job, UpscaleJob) and job.mode == "redraw"
    ):
        return job.model
    return None


def _not_allowed(words: str, name: str, allowed_names: Sequence[str]) -> NotAllowed:
    names_text: str | TranslatableMessage = ", ".join(
        f"“{allowed_name}”" for allowed_name in allowed_names[:MAX_LISTED_NAMES]
    )
    if len(allowed_names) > MAX_LISTED_NAMES:
        names_text = TranslatableMessage(
            "{some} and {count} more", some=names_text, count=len(allowed_names) - MAX_LISTED_NAMES
        )
    safe_name = " ".join(name.replace("`", "ˋ").split())[:100]
    return NotAllowed(words, name=safe_name, allowed=names_text)
