"""A bounded memory of encoded prompts: most jobs share their negative prompt, many all of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from torch import Tensor

from inference.prompts.conditioning import Conditioning, PromptEncoder


class ConditioningCache:
    """Encoded prompts up to a number of bytes; the longest unused leave first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit  # bytes
        self.size = 0  # bytes
        self._entries: OrderedDict[Hashable, Conditioning] = OrderedDict()

    def get(self, key: Hashable) -> Conditioning | None:
        """Look an encoding up, and count it as used."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Hashable, conditioning: Conditioning) -> None:
        """Keep an encoding; one larger than the whole limit is not kept."""
        if conditioning.nbytes > self.limit:
            return
        previous = self._entries.pop(key, None)
        self.size += conditioning.nbytes - (previous.nbytes if previous else 0)
        self._entries[key] = conditioning
        while self.size > self.limit:
            _, oldest = self._entries.popitem(last=False)
            self.size -= oldest.nbytes

    def clear(self) -> None:
        """Forget everything, as when the device needs its memory."""
        self._entries.clear()
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)


class CachedEncoder:
    """An encoder that asks a cache first.

    `key` names everything besides the text that the encoding depends on: the model, its LoRAs and
    embeddings, clip skip and emphasis. `prepare` is called before a text is really encoded.
    """

    def __init__(
        self,
        encoder: PromptEncoder,
        cache: ConditioningCache,
        key: Hashable,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self.encoder, self.cache, self.key, self.prepare = encoder, cache, key, prepare

    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt, or give what it was encoded to before."""
        conditioning = self.cache.get((self.key, text))
        if conditioning is None:
            self.prepare()
            conditioning = self.encoder.encode_pooled(text)
            self.cache.put((self.key, text), conditioning)
        return conditioning

    def encode_prompt(self, text: str) -> Tensor:
        """Encode a prompt to [tokens, width] float32."""
        return self.encode_pooled(text).crossattn

    def encode_empty(self) -> Tensor:
        """Encode the empty prompt to [chunk + 2, width] float32."""
        return self.encode_prompt("")
