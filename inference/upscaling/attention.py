"""Squeeze-and-excitation taken over a whole picture: what Real-CUGAN averages, shared by its tiles.

Its blocks weigh their channels by the channels' averages over all they see (Hu et al.,
"Squeeze-and-Excitation Networks", 2018). Tiles see different averages, so they differ in tone and
the seams show; given the whole picture's, they agree. They are learnt block after block, for what
one averages depends on how the one before weighed: the tiles are run up to a block, the cells that
no other tile owns are summed, and the sums of all tiles give the block's average.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from inference.upscaling.tiling.tiles import TileRegion

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

ATTENTION_BLOCK_CLASS = "SEBlock"
#: Sides in pixels of two probes: how much larger a map is for the larger one tells its scale.
PROBE_SIDES = (32, 64)


class BlockScale(NamedTuple):
    """How a block's map lies over the tile."""

    pitch: float
    """Tile pixels from one cell to the next."""
    margin: float
    """Tile pixels by which the map reaches beyond the tile, on each side."""

    def cell_range(self, begin: float, end: float, count: int) -> slice:
        """Find the cells of a map of `count` that lie between two places of the tile."""
        first, last = ((place + self.margin) / self.pitch for place in (begin, end))
        return slice(round(max(first, 0)), round(min(last, count)))


class _StatisticsReady(Exception):
    """The survey's block is reached: the rest of the network need not run."""

    def __init__(self, sums: Tensor) -> None:
        super().__init__()
        self.sums = sums


class ChannelAttention:
    """The blocks of one network that average over their whole input."""

    def __init__(
        self, descriptor: ImageModelDescriptor[torch.nn.Module], blocks: list[Any]
    ) -> None:
        self._blocks = blocks
        self._widths = [int(block.conv1.in_channels) for block in blocks]
        self._given: Sequence[Tensor] = ()
        self._regions: Sequence[TileRegion] = ()
        self._heights: list[int] | None = None
        for number, block in enumerate(blocks):
            setattr(block, "forward", partial(self._forward_block, number))  # noqa: B010
        self._scales = self._probe_scales(descriptor)

    def __len__(self) -> int:
        return len(self._blocks)

    def collect_statistics(
        self, regions: Sequence[TileRegion], averages: Sequence[Tensor], run: Callable[[], object]
    ) -> list[Tensor]:
        """Run a batch of tiles up to the first block without averages; give what it averages.

        `averages` are those of the blocks before it, [C'] for each tile, or none. Returns [2, C]
        float32 on the CPU for each tile: the sums of the block's channels over the tile's region,
        and over how many cells they were taken.
        """
        self._regions = regions
        try:
            with self.with_averages(averages):
                run()
        except _StatisticsReady as statistics:
            return list(statistics.sums.cpu())
        finally:
            self._regions = ()
        raise ValueError("Every block has its averages already.")

    @contextmanager
    def with_averages(self, averages: Sequence[Tensor]) -> Iterator[None]:
        """Let the first blocks take these averages, [C] for each tile; the others their own."""
        if averages:
            stacked_averages = torch.stack(list(averages))
            block_count = list(accumulate(self._widths)).index(stacked_averages.shape[1]) + 1
            self._given = torch.split(stacked_averages, self._widths[:block_count], dim=1)
        try:
            yield
        finally:
            self._given = ()

    def _forward_block(self, number: int, values: Tensor) -> Tensor:
        """Weigh the channels of [B, C, h, w]."""
        if self._heights is not None:
            self._heights.append(values.shape[2])
        if number < len(self._given):
            average = self._given[number][:, :, None, None].to(values.device)
        elif self._regions:
            raise _StatisticsReady(self._region_sums(self._scales[number], values))
        else:
            average = values.float().mean(dim=(2, 3), keepdim=True)
        output: Tensor = self._blocks[number].forward_mean(values, average.to(values.dtype))
        return output

    def _region_sums(self, scale: BlockScale, values: Tensor) -> Tensor:
        """Sum [B, C, h, w] over each tile's region: [B, 2, C] with the numbers of cells."""
        rows = []
        for region, tile in zip(self._regions, values, strict=True):
            row_range = scale.cell_range(region.top, region.bottom, tile.shape[1])
            column_range = scale.cell_range(region.left, region.right, tile.shape[2])
            part = tile[:, row_range, column_range]
            total = part.float().sum(dim=(1, 2))
            rows.append(torch.stack([total, torch.full_like(total, part[0].numel())]))
        return torch.stack(rows)

    @torch.inference_mode()
    def _probe_scales(self, descriptor: ImageModelDescriptor[torch.nn.Module]) -> list[BlockScale]:
        """Learn how each block's map lies from its height for two tiles."""
        heights: list[list[int]] = []
        for side in PROBE_SIDES:
            heights.append([])
            self._heights = heights[-1]
            descriptor(torch.zeros(1, 3, side, side, device=descriptor.device))
        self._heights = None
        small, large = PROBE_SIDES
        scales = []
        for small_height, large_height in zip(*heights, strict=True):
            pitch = (large - small) / (large_height - small_height)
            scales.append(BlockScale(pitch, (large_height * pitch - large) / 2))
        return scales


def find_attention(descriptor: ImageModelDescriptor[torch.nn.Module]) -> ChannelAttention | None:
    """Take over the blocks of a Real-CUGAN network; None for others."""
    if descriptor.architecture.id != "RealCUGAN":
        return None
    modules = descriptor.model.modules()
    return ChannelAttention(
        descriptor, [m for m in modules if type(m).__name__ == ATTENTION_BLOCK_CLASS]
    )
