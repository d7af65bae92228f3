"""Which LoRAs and embeddings a pair of prompts uses, with their hashes as the field prints them."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator

from inference.api.errors import JobError
from inference.api.prompts.extra_networks import plain_lora_name, read_loras, take_networks
from inference.diffusion.lora.catalog import LoraCatalog
from inference.model_files.errors import ModelError
from inference.model_files.files import EMBEDDINGS_DIR, ModelFolder
from inference.model_files.hashes import SHORT_HASH_DIGITS, FileHashes

log = logging.getLogger(__name__)


class NetworkHashes:
    """The host's LoRAs and embeddings, seen from a picture's parameters."""

    def __init__(self, folder: ModelFolder, hashes: FileHashes, catalog: LoraCatalog) -> None:
        """Take the models folder, what remembers hashes, and the LoRAs."""
        self._folder, self._hashes, self._catalog = folder, hashes, catalog

    def infotext_hashes(
        self, prompt: str, negative: str, unused_words: Collection[str] = ()
    ) -> dict[str, str]:
        """Give `Lora hashes` and `TI hashes` of what a pair of prompts uses, as far as it is here.

        A LoRA's is the hash that its header states, or that of its weights without the header; an
        embedding's is the hash of its file. `unused_words` are embeddings that stay words.
        """
        text = f"{take_networks(prompt)[0]}\n{negative}"
        hashes = {
            "Lora hashes": ", ".join(self._lora_hashes(prompt)),
            "TI hashes": ", ".join(self._embedding_hashes(text, unused_words)),
        }
        return {key: value for key, value in hashes.items() if value}

    def _lora_hashes(self, prompt: str) -> Iterator[str]:
        try:
            prompt_loras = read_loras(take_networks(prompt)[1])
        except JobError:
            return
        for lora in prompt_loras:
            found_lora = self._catalog.find_lora(lora.name)
            if found_lora is None:
                continue
            try:
                digest = self._catalog.lora_hash(found_lora.path)
            except (OSError, ModelError):
                log.warning("The LoRA %s cannot be hashed.", found_lora.name)
            else:
                yield f"{plain_lora_name(lora.name)}: {digest}"

    def _embedding_hashes(self, text: str, unused_words: Collection[str]) -> Iterator[str]:
        for name, path in self._folder.list_files(EMBEDDINGS_DIR).items():
            is_word = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE)
            if is_word and name not in unused_words:
                try:
                    yield f"{name}: {self._hashes.sha256(path)[:SHORT_HASH_DIGITS]}"
                except OSError:
                    log.warning("The embedding %s cannot be hashed.", name)
