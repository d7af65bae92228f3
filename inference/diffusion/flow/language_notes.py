"""What of a prompt means nothing to a language model, or to a network without guidance."""

from __future__ import annotations

from collections.abc import Iterator

from inference.api.notices import Notice
from inference.api.prompts.attention import has_weights
from inference.api.prompts.extra_networks import take_networks
from inference.diffusion.flow.flow_model import USUAL_GUIDANCE
from inference.diffusion.model import LatentModel


def list_language_notes(
    model: LatentModel, prompt: str, negative: str, clip_skip: int, guidance: float
) -> Iterator[Notice]:
    """Say what of a job's prompts and guidance does not act on a checkpoint."""
    name = model.name
    if has_weights(take_networks(prompt)[0]) or has_weights(negative):
        yield Notice("flow.weights", name=name)
    if clip_skip > 1:
        yield Notice("flow.clip_skip", name=name, clip_skip=clip_skip)
    if model.guidance_kind == "cfg":
        return
    if negative.strip():
        yield Notice("flow.negative", name=name)
    is_usual = guidance in (1, USUAL_GUIDANCE)
    if model.guidance_kind == "none" and not is_usual:
        yield Notice("flow.guidance", name=name, guidance=f"{guidance:g}")
    told_guidance = model.tell_guidance(guidance)
    if model.guidance_kind == "embedded" and told_guidance != guidance:
        yield Notice("flow.own_guidance", name=name, guidance=f"{told_guidance:g}")
