"""How a checkpoint fits a card, reckoned from the bytes of its parts before any is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

#: What of a checkpoint lies on its device at once, from all to a block: the host's choices.
LowMemory = Literal["none", "medvram", "lowvram"]
LOW_MEMORY_MODES: tuple[LowMemory, ...] = ("none", "medvram", "lowvram")
#: In what the large layers of a denoising network lie: as they compute, or in eight bits.
WeightFormat = Literal["full", "fp8"]
#: How a checkpoint fits, as `ModelInfo.fit` says it; what no card can be asked about is empty.
Fit = Literal["", "whole", "parts", "blocks", "not"]
FIT_BY_MODE: dict[LowMemory, Fit] = {"none": "whole", "medvram": "parts", "lowvram": "blocks"}
#: The block at work, and the next one on its way.
BLOCKS_AT_ONCE = 2


@dataclass(frozen=True, kw_only=True)
class PartSizes:
    """Bytes of a checkpoint's weights, in the formats in which they would lie on its device."""

    network: int
    text: int
    autoencoder: int
    #: The largest blocks that come and go alone.
    network_block: int
    text_block: int
    #: The network and its largest block with the large layers in eight bits; 0 where nobody does.
    fp8_network: int = 0
    fp8_block: int = 0

    @property
    def total(self) -> int:
        """All parts together."""
        return self.network + self.text + self.autoencoder


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """What is to lie on the device at once, and in what."""

    low_memory: LowMemory = "none"
    weight_format: WeightFormat = "full"
    #: Whether text models come block by block, too.
    text_by_block: bool = False
    #: The most of the device's memory that is taken at once, work included.
    bytes: int = 0

    @property
    def fit(self) -> Fit:
        """How the checkpoint fits, as `ModelInfo.fit` says it."""
        is_split = self.text_by_block and self.low_memory == "none"
        return "parts" if is_split else FIT_BY_MODE[self.low_memory]


def plan_memory(
    sizes: PartSizes,
    free_bytes: int,
    work_bytes: int,
    *,
    low_memory: LowMemory = "none",
    weight_format: WeightFormat | None = None,
) -> MemoryPlan | None:
    """Choose the fastest way in which weights and the work with them fit; None where none does.

    `low_memory` is the least sparing way that the host wants, `weight_format` the only one; None
    leaves that open. What a number costs in digits goes before what it costs in time: eight bits
    come where text models and network do not fit even in turn, and before blocks.
    """
    plans = list_plans(sizes, work_bytes, low_memory, weight_format)
    return next((plan for plan in plans if plan.bytes <= free_bytes), None)


def count_least_bytes(
    sizes: PartSizes, work_bytes: int, weight_format: WeightFormat | None = None
) -> int:
    """Count the memory that the most sparing way takes."""
    return min(plan.bytes for plan in list_plans(sizes, work_bytes, "none", weight_format))


def list_plans(
    sizes: PartSizes,
    work_bytes: int,
    low_memory: LowMemory,
    weight_format: WeightFormat | None,
) -> Iterator[MemoryPlan]:
    """List the ways from a host's least sparing one on, the best first."""
    least_mode = LOW_MEMORY_MODES.index(low_memory)
    formats: list[WeightFormat] = ["full", "fp8"] if sizes.fp8_network else ["full"]
    if weight_format in formats:
        formats = [weight_format]
    for modes in (LOW_MEMORY_MODES[:2], LOW_MEMORY_MODES[2:]):
        for name in formats:
            for mode in modes:
                if LOW_MEMORY_MODES.index(mode) < least_mode:
                    continue
                for text_by_block in (False, True) if mode != "none" else (False,):
                    device_bytes = _count_bytes(sizes, name, mode, text_by_block)
                    yield MemoryPlan(
                        low_memory=mode,
                        weight_format=name,
                        text_by_block=text_by_block,
                        bytes=device_bytes + work_bytes,
                    )


def _count_bytes(
    sizes: PartSizes, weight_format: WeightFormat, mode: LowMemory, text_by_block: bool
) -> int:
    """Count the bytes of weights that lie on the device at once."""
    is_small = weight_format == "fp8"
    network = sizes.fp8_network if is_small else sizes.network
    block = sizes.fp8_block if is_small else sizes.network_block
    text = min(sizes.text, BLOCKS_AT_ONCE * sizes.text_block) if text_by_block else sizes.text
    if mode == "none":
        return network + text + sizes.autoencoder
    if mode == "lowvram":
        network = min(network, BLOCKS_AT_ONCE * block)
    return max(network, text, sizes.autoencoder)
