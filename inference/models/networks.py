"""Which LoRAs and embeddings a pair of prompts uses, with their hashes as the field prints them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from inference.errors import JobError
from inference.models.errors import ModelError
from inference.models.files import EMBEDDINGS, LORAS, find_files
from inference.models.hashes import SHORT, Hashes
from inference.models.header import read_header
from inference.prompts.networks import loras, take_networks

log = logging.getLogger(__name__)

#: Digits of a LoRA's hash; an embedding's has as many as a checkpoint's.
LORA_DIGITS = 12
#: Where training tools write a LoRA's hash into its header.
STATED = "sshs_model_hash"


class Networks:
    """The host's LoRAs and embeddings, seen from a picture's parameters."""

    def __init__(self, shelf: Path, hashes: Hashes) -> None:
        """Take the models folder and what remembers hashes."""
        self._shelf, self._hashes = shelf, hashes

    def values(self, prompt: str, negative: str) -> dict[str, str]:
        """Give `Lora hashes` and `TI hashes` of what a pair of prompts uses, as far as it is here.

        A LoRA's is the hash that its header states, or that of its weights without the header; an
        embedding's is the hash of its file.
        """
        found = {
            "Lora hashes": ", ".join(self._loras(prompt)),
            "TI hashes": ", ".join(self._embeddings(f"{prompt}\n{negative}")),
        }
        return {key: value for key, value in found.items() if value}

    def _loras(self, prompt: str) -> Iterator[str]:
        files = find_files(self._shelf, LORAS)
        try:
            used = loras(take_networks(prompt)[1])
        except JobError:
            return
        for lora in used:
            if lora.name in files and (digest := self._digest(files[lora.name])):
                yield f"{lora.name}: {digest}"

    def _embeddings(self, text: str) -> Iterator[str]:
        for name, path in find_files(self._shelf, EMBEDDINGS).items():
            if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE):
                try:
                    yield f"{name}: {self._hashes.sha256(path)[:SHORT]}"
                except OSError:
                    log.warning("The embedding %s cannot be hashed.", name)

    def _digest(self, path: Path) -> str:
        try:
            stated = read_header(path).metadata.get(STATED, "")
            return (stated or self._hashes.weights(path))[:LORA_DIGITS]
        except (OSError, ModelError):
            log.warning("The LoRA %s cannot be hashed.", path.stem)
            return ""
