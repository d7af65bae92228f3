"""Which LoRAs and embeddings a pair of prompts uses, with their hashes as the field prints them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from inference.api.errors import JobError
from inference.api.prompts.extra_networks import read_loras, take_networks
from inference.model_files.errors import ModelError
from inference.model_files.files import EMBEDDINGS_DIR, LORAS_DIR, ModelFolder
from inference.model_files.hashes import SHORT_HASH_DIGITS, FileHashes
from inference.model_files.header import read_header

log = logging.getLogger(__name__)

#: Digits of a LoRA's hash; an embedding's has as many as a checkpoint's.
LORA_HASH_DIGITS = 12
#: Where training tools write a LoRA's hash into its header.
LORA_HASH_KEY = "sshs_model_hash"


class NetworkHashes:
    """The host's LoRAs and embeddings, seen from a picture's parameters."""

    def __init__(self, folder: ModelFolder, hashes: FileHashes) -> None:
        """Take the models folder and what remembers hashes."""
        self._folder, self._hashes = folder, hashes

    def infotext_hashes(self, prompt: str, negative: str) -> dict[str, str]:
        """Give `Lora hashes` and `TI hashes` of what a pair of prompts uses, as far as it is here.

        A LoRA's is the hash that its header states, or that of its weights without the header; an
        embedding's is the hash of its file.
        """
        hashes = {
            "Lora hashes": ", ".join(self._lora_hashes(prompt)),
            "TI hashes": ", ".join(self._embedding_hashes(f"{prompt}\n{negative}")),
        }
        return {key: value for key, value in hashes.items() if value}

    def _lora_hashes(self, prompt: str) -> Iterator[str]:
        try:
            prompt_loras = read_loras(take_networks(prompt)[1])
        except JobError:
            return
        files = self._folder.list_files(LORAS_DIR) if prompt_loras else {}
        for lora in prompt_loras:
            if lora.name in files and (digest := self._lora_hash(files[lora.name])):
                yield f"{lora.name}: {digest}"

    def _embedding_hashes(self, text: str) -> Iterator[str]:
        for name, path in self._folder.list_files(EMBEDDINGS_DIR).items():
            if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE):
                try:
                    yield f"{name}: {self._hashes.sha256(path)[:SHORT_HASH_DIGITS]}"
                except OSError:
                    log.warning("The embedding %s cannot be hashed.", name)

    def _lora_hash(self, path: Path) -> str:
        try:
            stated_hash = read_header(path).metadata.get(LORA_HASH_KEY, "")
            return (stated_hash or self._hashes.weights_sha256(path))[:LORA_HASH_DIGITS]
        except (OSError, ModelError):
            log.warning("The LoRA %s cannot be hashed.", path.stem)
            return ""
