"""Philox 4x32-10, the counter-based generator that Nvidia's cards draw noise with.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011): ten rounds of
two multiplications over a counter of four words, under a key of two. A card's generator gives every
number of a tensor its own counter, so the same seed can be drawn on any machine.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

WordArray = npt.NDArray[np.uint32]

ROUND_COUNT = 10
ROUND_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
#: Added to the key after each round: the golden ratio and √3 − 1, in 2⁻³².
WEYL_INCREMENTS = (0x9E3779B9, 0xBB67AE85)
UINT32_STEP = 2.0**-32


def scramble_counters(counter: WordArray, key: WordArray) -> WordArray:
    """Scramble counters [4, N] under keys [2, N], all 32-bit, to [4, N] random words."""
    first, second, third, fourth = counter
    low, high = key
    for number in range(ROUND_COUNT):
        if number:
            low, high = low + np.uint32(WEYL_INCREMENTS[0]), high + np.uint32(WEYL_INCREMENTS[1])
        first_product = first.astype(np.uint64) * ROUND_MULTIPLIERS[0]
        third_product = third.astype(np.uint64) * ROUND_MULTIPLIERS[1]
        first, second, third, fourth = (
            _upper_half(third_product) ^ second ^ low,
            third_product.astype(np.uint32),
            _upper_half(first_product) ^ fourth ^ high,
            first_product.astype(np.uint32),
        )
    return np.stack([first, second, third, fourth])


def _upper_half(product: npt.NDArray[np.uint64]) -> WordArray:
    return (product >> np.uint64(32)).astype(np.uint32)


class PhiloxGenerator:
    """Draws the normal numbers that a card draws for a seed: each tensor is one draw further."""

    def __init__(self, seed: int) -> None:
        self._draw = 0
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> None:
        """Begin anew with another seed."""
        self._seed, self._draw = seed, 0

    def randn(self, shape: tuple[int, ...]) -> Tensor:
        """Draw a tensor of unit variance, float32 on the CPU."""
        count = math.prod(shape)
        counter = np.zeros((4, count), dtype=np.uint32)
        counter[0] = self._draw
        counter[2] = np.arange(count, dtype=np.uint32)
        key = np.empty((2, count), dtype=np.uint32)
        key[0], key[1] = self._seed & 0xFFFFFFFF, self._seed >> 32 & 0xFFFFFFFF
        self._draw += 1
        random_words = scramble_counters(counter, key)
        return torch.from_numpy(_box_muller(random_words[0], random_words[1])).reshape(shape)


def _box_muller(radius: WordArray, angle: WordArray) -> npt.NDArray[np.float32]:
    """Turn pairs of words into normal numbers (Box and Muller 1958), the sine's half of them."""
    uniform = radius * UINT32_STEP + UINT32_STEP / 2
    turn = (angle * UINT32_STEP + UINT32_STEP / 2) * 2 * np.pi
    normal: npt.NDArray[np.float32]
    normal = (np.sqrt(-2 * np.log(uniform)) * np.sin(turn)).astype(np.float32)
    return normal
