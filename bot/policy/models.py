"""Which checkpoints and LoRAs a server allows."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

from bot.errors import NotAllowed
from bot.policy.rules import Rules
from bot.sentences import Sentence
from inference.jobs import Denoising, Explain, Job, Upscale

TAG = re.compile(r"<(\w+):([^<>]+)>")
LORA_KINDS = ("lora", "lyco")
LISTED = 10  # names in one refusal


def fitted(rules: Rules, job: Job, default: str) -> Job:
    """Give a job that names no checkpoint one that is allowed, where the host's own is not."""
    if not rules.models or default in rules.models or checkpoint_of(job) != "":
        return job
    chosen: dict[str, Any] = {"model": rules.models[0]}
    return dataclasses.replace(job, **chosen)


def check_models(rules: Rules, job: Job, default: str) -> None:
    """Refuse a checkpoint or a LoRA that the server did not allow.

    Raises:
        NotAllowed: names it, and what is allowed.
    """
    model = checkpoint_of(job)
    if rules.models and model is not None:
        name = model or default
        if name not in rules.models:
            raise _refusal(
                "This server does not allow the model “{name}”. It allows {allowed}.",
                name,
                rules.models,
            )
    if rules.loras:
        for name in loras_in(str(getattr(job, "prompt", ""))):
            if name not in rules.loras:
                raise _refusal(
                    "This server does not allow the LoRA “{name}”. It allows {allowed}.",
                    name,
                    rules.loras,
                )


def allows(rules: Rules, kind: str, name: str) -> bool:
    """Whether a server lets its members name something that workers have."""
    listed = {"diffusion": rules.models, "lora": rules.loras}.get(kind, ())
    return not listed or name in listed


def loras_in(prompt: str) -> Iterator[str]:
    """Yield the names of the LoRAs that a prompt's tags ask for."""
    for kind, inside in TAG.findall(prompt):
        if kind.casefold() not in LORA_KINDS:
            continue
        parts = inside.split(":")
        plain = [part for part in parts if "=" not in part]
        named = [part.partition("=")[2] for part in parts if part.strip().startswith("name=")]
        yield from (part.strip() for part in plain[:1] or named)


def checkpoint_of(job: Job) -> str | None:
    """Return the checkpoint that a job names, empty for the host's own; None where it runs none."""
    if isinstance(job, Denoising | Explain) or (isinstance(job, Upscale) and job.mode == "redraw"):
        return job.model
    return None


def _refusal(words: str, name: str, allowed: Sequence[str]) -> NotAllowed:
    shown: str | Sentence = ", ".join(f"“{one}”" for one in allowed[:LISTED])
    if len(allowed) > LISTED:
        shown = Sentence("{some} and {count} more", some=shown, count=len(allowed) - LISTED)
    quoted = " ".join(name.replace("`", "ˋ").split())[:100]
    return NotAllowed(words, name=quoted, allowed=shown)
