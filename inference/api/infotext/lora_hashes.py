"""Find the host's LoRAs by the hashes that a picture's file states beside their names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from inference.api.infotext.readers import GenerationInfo
from inference.api.messages import ModelInfo
from inference.api.notices import Notice
from inference.api.prompts.extra_networks import plain_lora_name, take_networks

#: Digits of a hash that are enough to tell files apart, and of the field's hash of weights alone.
MIN_HASH_DIGITS, WEIGHTS_HASH_DIGITS = 8, 12
#: How Civitai's list of hashes names a LoRA.
_LORA_KEY = "lora:"

_HASH_ENTRY = re.compile(r"(?P<name>.+?): *(?P<digest>[0-9a-fA-F]{8,64})(?:, *|$)", re.DOTALL)


def with_local_loras(
    info: GenerationInfo, models: Iterable[ModelInfo]
) -> tuple[GenerationInfo, tuple[Notice, ...]]:
    """Let the tags of a prompt name the host's files of the stated hashes; say which they are.

    A tag whose name is here as well, but as another file, is noted.
    """
    local_digests = {model.name: model.digest for model in models if model.kind == "lora"}
    prompt, notes = info.prompt, []
    digests = _stated_digests(info.values)
    for network in take_networks(prompt)[1]:
        name = network.name
        digest = digests.get(plain_lora_name(name), "").lower()
        if not network.is_lora or len(digest) < MIN_HASH_DIGITS:
            continue
        if _is_same(digest, local_digests.get(name, "")):
            continue
        found_name = next(
            (
                local_name
                for local_name, local_digest in local_digests.items()
                if _is_same(digest, local_digest)
            ),
            None,
        )
        if found_name is not None:
            prompt = _rename_tags(prompt, name, found_name)
            notes.append(Notice("like.lora_found", name=name, found=found_name))
        elif local_digests.get(name) and len(digest) == WEIGHTS_HASH_DIGITS:
            notes.append(Notice("like.other_lora", name=name))
    return replace(info, prompt=prompt), tuple(dict.fromkeys(notes))


def _rename_tags(prompt: str, name: str, new_name: str) -> str:
    pattern = rf"(<\w+:(?:\s*name=)?){re.escape(name)}(?=[:>])"
    return re.sub(pattern, lambda match: match[1] + new_name, prompt)


def _stated_digests(values: Mapping[str, str]) -> dict[str, str]:
    """Read the hashes of LoRAs by their names as lists of hashes spell them."""
    text = values.get("Lora hashes", "")
    digests = {match["name"].strip(): match["digest"] for match in _HASH_ENTRY.finditer(text)}
    try:
        hashes = json.loads(values.get("Hashes", "{}"))
    except ValueError:
        hashes = {}
    for key, digest in hashes.items() if isinstance(hashes, dict) else ():
        if key.startswith(_LORA_KEY) and isinstance(digest, str):
            digests.setdefault(plain_lora_name(key.removeprefix(_LORA_KEY)), digest)
    return digests


def _is_same(digest: str, known_digest: str) -> bool:
    """Whether two hashes, each cut to so many digits, are of one file."""
    digits = min(len(digest), len(known_digest))
    return digits >= MIN_HASH_DIGITS and digest[:digits] == known_digest[:digits].lower()
