"""What a job's owner is to know about the LoRAs and embeddings that its prompts name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inference.api.notices import Notice
from inference.api.prompts.extra_networks import ExtraNetworkTag, read_loras, take_networks
from inference.diffusion.lora.registry import LoraRegistry
from inference.diffusion.model import LatentModel

#: Notes on one job's prompts, and characters of a tag in one.
MAX_NETWORK_NOTES, MAX_NOTE_TAG_CHARS = 8, 80


def list_network_notes(
    model: LatentModel, registry: LoraRegistry, prompt: str, negative: str
) -> list[Notice]:
    """Say which tags are left out or read otherwise, what does not act, and what stays a word.

    Raises:
        JobError: a tag cannot be read, or there is no LoRA of a name.
    """
    text, networks = take_networks(prompt)
    loras = read_loras(networks)
    notes = [*_tag_notes(networks), *registry.list_notes(model, loras)]
    bundled_words = registry.active_loras(model, loras).embeddings
    for word in model.text_encoders.embeddings.foreign_words(f"{text}\n{negative}"):
        if word not in bundled_words:
            notes.append(Notice("prompt.plain_embedding", name=word))
    return notes[:MAX_NETWORK_NOTES]


def _tag_notes(networks: Iterable[ExtraNetworkTag]) -> Iterator[Notice]:
    for network in networks:
        tag = str(network)
        if len(tag) > MAX_NOTE_TAG_CHARS:
            tag = tag[: MAX_NOTE_TAG_CHARS - 1] + "…"
        if not network.is_lora:
            yield Notice("prompt.unknown_tag", network=tag)
            continue
        if network.kind != network.kind.lower():
            yield Notice("prompt.tag_case", network=tag, kind=network.kind.lower())
        if network.unknown_arguments:
            arguments = ":".join(network.unknown_arguments)[:MAX_NOTE_TAG_CHARS]
            yield Notice("prompt.tag_arguments", network=tag, arguments=arguments)
