"""How sparingly a checkpoint uses its device's memory: as much as what it works on needs.

Rungs are climbed when memory runs out, and remembered by the size that needed them, so that a
large picture makes no small one slow. The autoencoder first works in stripes, then parks what lies
between its layers in the machine's memory, with the other parts parked there too. The denoising
network first has the other parts leave (the field's `medvram`), then comes block by block
(`lowvram`), the next one on its way while one works.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from inference.api.catalogue.memory_plan import LOW_MEMORY_MODES, LowMemory
from inference.diffusion.streaming.block_stream import BlockStream
from inference.diffusion.streaming.flat_block import FlatBlock
from inference.runtime.memory import count_free_bytes

log = logging.getLogger(__name__)

CPU_DEVICE = torch.device("cpu")
UNET, VAE, TEXT = "unet", "vae", "text"
#: Rungs of the autoencoder.
LEVEL_STRIPED, LEVEL_PARKED = 1, 2
#: Rungs of the denoising network.
LEVEL_OTHERS_OFFLOADED, LEVEL_BLOCKWISE = 1, 2
#: Bytes that work takes beside the weights: for each cell of a denoising network's entries, each
#: pixel of the autoencoder, and for text encoders in all.
WORK_BYTES = {UNET: 20 * 2**10, VAE: 1600, TEXT: 256 * 2**20}
#: Bytes of the device that are left alone.
RESERVED_BYTES = 512 * 2**20
#: Pixels above which the autoencoder works in stripes from the start.
MAX_WHOLE_PIXELS = 2 * 1024 * 1024

#: What only holds blocks, and is never called itself.
BLOCK_CONTAINERS = (torch.nn.ModuleList, torch.nn.ModuleDict)


class OffloadedModule:
    """A module whose weights lie on the device, or in the machine's memory while others work."""

    def __init__(self, module: Any, device: torch.device, park: torch.device) -> None:
        self.module = module
        blocks = list(_child_blocks(module))
        inner = {id(child) for block in blocks for child in block.modules()}
        self._device = device
        #: The module's blocks, in the order in which they are defined, with their weights.
        self.blocks = [(block, FlatBlock(block.modules(), device, park)) for block in blocks]
        #: What the module has beside its blocks: it comes with each call.
        self.rest = FlatBlock((m for m in module.modules() if id(m) not in inner), device, park)

    @property
    def flat_blocks(self) -> list[FlatBlock]:
        """All weights."""
        return [self.rest, *(flat for _, flat in self.blocks)]

    def load_weights(self) -> None:
        """Bring the weights to the device."""
        for flat in self.flat_blocks:
            flat.load_weights()

    def unload_weights(self) -> None:
        """Free the device of the weights."""
        for flat in self.flat_blocks:
            flat.unload_weights()

    def count_missing_bytes(self) -> int:
        """Count the bytes of weights that are not on the device."""
        tensors = (tensor for flat in self.flat_blocks for tensor in flat.list_tensors())
        return sum(tensor.nbytes for tensor in tensors if tensor.device != self._device)

    def forget_parked(self) -> None:
        """Forget the copies in the machine's memory: the weights have changed."""
        for flat in self.flat_blocks:
            flat.forget_parked()


class OffloadManager:
    """The parts of one checkpoint and where they lie."""

    def __init__(
        self,
        parts: Mapping[str, Sequence[Any]] | None = None,
        device: torch.device = CPU_DEVICE,
        *,
        park: torch.device = CPU_DEVICE,
        level: LowMemory = "none",
        text_by_block: bool = False,
    ) -> None:
        """Take the modules of each part, and what the host wants spared from the start.

        Text models come block by block where they do not fit the device whole.
        """
        # "cuda" and "cuda:0" are one device under two names.
        device = torch.empty(0, device=device).device
        self._device = device
        #: Where things lie that shall not take up the device's memory.
        self.offload_device = park
        self._parts = {
            part: [OffloadedModule(module, device, park) for module in modules]
            for part, modules in (parts or {}).items()
        }
        self._level = LOW_MEMORY_MODES.index(level)
        #: For each part, sizes that ran out of memory and the rung that they were given.
        self._needs: dict[str, dict[int, int]] = {}
        self._last: tuple[str, int] | None = None
        #: Parts that come block by block now.
        self._blockwise: set[str] = {TEXT} if text_by_block else set()
        if device != park:
            for part in (UNET, TEXT) if text_by_block else (UNET,):
                for seat in self._parts.get(part, ()):
                    self._hook_blocks(part, seat)

    def prepare_part(self, part: str, size: int) -> int:
        """Make a part ready to work on so many pixels or cells; say how sparingly: its rung."""
        self._last = (part, size)
        memory_level = self._memory_level(part, size)
        if self._device == self.offload_device:
            return memory_level
        if part == UNET:
            is_blockwise = memory_level == LEVEL_BLOCKWISE
            self._blockwise = self._blockwise - {UNET} | ({UNET} if is_blockwise else set())
        if self._level or (memory_level == LEVEL_PARKED if part == VAE else memory_level):
            self._make_room(part, size)
        if part not in self._blockwise:
            for seat in self._parts.get(part, ()):
                seat.load_weights()
        return memory_level

    def _make_room(self, part: str, size: int) -> None:
        """Have other parts leave: the text encoders, and what else there is no room beside.

        Where it cannot be known, and where memory ran out before, all of them.
        """
        may_stay = self._level == LEVEL_OTHERS_OFFLOADED and not self._failed_level(part, size)
        for other_part in (TEXT, VAE, UNET):
            is_needed = other_part == part and part not in self._blockwise
            if is_needed or (may_stay and other_part != TEXT and self._has_room(part, size)):
                continue
            for seat in self._parts.get(other_part, ()):
                seat.unload_weights()

    def _has_room(self, part: str, size: int) -> bool:
        """Whether the device has room for a part and its work beside what is there."""
        free = count_free_bytes(self._device)
        if free is None:
            return False
        missing_bytes = sum(seat.count_missing_bytes() for seat in self._parts.get(part, ()))
        return free >= missing_bytes + size * WORK_BYTES[part] + RESERVED_BYTES

    def forget_parked(self, part: str) -> None:
        """Forget what is parked of a part whose weights have taken another format."""
        for seat in self._parts.get(part, ()):
            seat.forget_parked()

    def escalate_level(self) -> bool:
        """Be more sparing with sizes like the last one; say whether that can help."""
        if self._last is None:
            return False
        part, size = self._last
        memory_level = self._memory_level(part, size) + 1
        if memory_level > self._highest_level(part):
            return False
        self._needs.setdefault(part, {})[size] = memory_level
        log.warning(
            "Memory ran out: the %s goes on at rung %d from size %d.", part, memory_level, size
        )
        return True

    def _memory_level(self, part: str, size: int) -> int:
        min_level = self._level if part == UNET else 0
        if part == VAE and size > MAX_WHOLE_PIXELS:
            min_level = LEVEL_STRIPED
        return max(min_level, self._failed_level(part, size))

    def _failed_level(self, part: str, size: int) -> int:
        """Give the rung that a size needed when memory ran out; 0 where it did not."""
        needs = self._needs.get(part, {}).items()
        return max([0, *(level for known_size, level in needs if known_size <= size)])

    def _highest_level(self, part: str) -> int:
        """Give the last rung that helps: without another memory to park in, only stripes do."""
        if self._device == self.offload_device:
            return LEVEL_STRIPED if part == VAE else 0
        return {UNET: LEVEL_BLOCKWISE, VAE: LEVEL_PARKED}.get(part, LEVEL_OTHERS_OFFLOADED)

    def _hook_blocks(self, part: str, seat: OffloadedModule) -> None:
        """Let the blocks of a network come and go one by one, while that is wanted.

        What the network holds beside its blocks comes with each call.
        """
        stream = BlockStream([flat for _, flat in seat.blocks], self._device)
        moves = [(block, flat, stream.begin_block, stream.end_block) for block, flat in seat.blocks]
        load_rest, unload_rest = FlatBlock.load_weights, FlatBlock.unload_weights
        for module, flat, begin, end in ((seat.module, seat.rest, load_rest, unload_rest), *moves):
            module.register_forward_pre_hook(partial(self._move_block, part, begin, flat))
            end_hook = partial(self._move_block, part, end, flat)
            module.register_forward_hook(end_hook, always_call=True)

    def _move_block(
        self, part: str, move: Callable[[FlatBlock], None], flat: FlatBlock, *_: object
    ) -> None:
        if part in self._blockwise:
            move(flat)


def _child_blocks(network: Any) -> Iterator[Any]:
    """List the blocks of a network's lists of blocks, and what lies beside those lists."""
    for child in network.children():
        if isinstance(child, BLOCK_CONTAINERS):
            yield from child.children()
        elif any(isinstance(part, BLOCK_CONTAINERS) for part in child.children()):
            yield from _child_blocks(child)
        else:
            yield child
