from __future__ import annotations

import torch
from torch import Tensor

from inference.prompts.cache import CachedEncoder, ConditioningCache
from inference.prompts.conditioning import Conditioning


class Recorder:
    """An encoder of 32 bytes a text."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode_pooled(self, text: str) -> Conditioning:
        self.asked.append(text)
        return Conditioning(torch.zeros(4 * max(1, len(text) // 50), 2))

    def encode_empty(self) -> Tensor:
        return torch.zeros(4, 2)


def test_a_cache_answers_for_the_same_key_and_text_only() -> None:
    encoder, cache = Recorder(), ConditioningCache(10_000)

    for key in ("one", "two", "one"):
        CachedEncoder(encoder, cache, key).encode_pooled("fox")
        CachedEncoder(encoder, cache, key).encode_empty()

    assert encoder.asked == ["fox", "", "fox", ""]
    assert len(cache) == 4


def test_a_cache_stays_within_its_bytes_and_drops_the_longest_unused() -> None:
    encoder, cache = Recorder(), ConditioningCache(3 * 32)
    cached = CachedEncoder(encoder, cache, "model")

    for text in ("a", "b", "c", "a", "d", "a", "b"):
        cached.encode_pooled(text)

    assert encoder.asked == ["a", "b", "c", "d", "b"]
    assert cache.size == 96
    cached.encode_pooled("x" * 200)
    assert (cache.size, len(cache)) == (96, 3)


def test_a_cleared_cache_is_empty() -> None:
    cache = ConditioningCache(100)
    cache.put("a", Conditioning(torch.zeros(4, 2), torch.zeros(2)))
    cache.put("a", Conditioning(torch.zeros(4, 2), torch.zeros(4)))
    assert (cache.size, len(cache)) == (48, 1)

    cache.clear()

    assert (cache.size, cache.get("a")) == (0, None)
