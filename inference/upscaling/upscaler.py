"""Load a super-resolution network through spandrel and run tiles of one shape through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from inference.model_files.errors import BrokenOutput
from inference.runtime.compiling import Shape, compile_lazily, never_compile
from inference.runtime.memory import weight_bytes
from inference.upscaling.attention import ChannelAttention, find_attention
from inference.upscaling.dense_blocks import compile_dense_blocks, lighten_dense_blocks
from inference.upscaling.descriptor import describe_network, interpolate_states, read_state
from inference.upscaling.tiling.plan import NetworkTraits
from inference.upscaling.tiling.precision_probe import Precision, choose_precision, forward_clamped
from inference.upscaling.tiling.stitcher import round_to_uint8
from inference.upscaling.tiling.tile_config import TileConfig
from inference.upscaling.tiling.tiles import TileWork

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

WHOLE_TILE = 512  # pixels a side; where a network averages over what it sees: few are larger
WIDE_OVERLAP = 32  # pixels; with a blend, for networks that see further than any useful overlap
ENDS_IN_FLOAT32 = frozenset({"Compact", "ESRGAN", "RealCUGAN"})


@dataclass(frozen=True)
class Upscaler:
    """One network on one device, ready for tiles."""

    descriptor: ImageModelDescriptor[torch.nn.Module]
    device: torch.device
    autocast: torch.dtype | None
    """What the convolutions compute in; None means float32 throughout."""
    scale: int
    """How many times larger a pass makes each side."""
    overlap: int
    """Pixels of context that a tile needs around what it adds."""
    exact: bool
    """Whether tiles cut hard at that overlap equal the untiled picture."""
    attention: ChannelAttention | None = None
    """What averages over the network's whole input, where something does."""
    identity: str = ""
    """Tells its weights from all others; empty where nobody asks."""
    compile_for: Callable[[Shape | None], None] = never_compile
    """Lets it be compiled for one shape of input, or for none."""

    @property
    def nbytes(self) -> int:
        """Bytes of its weights."""
        return weight_bytes(self.descriptor.model)

    def network_traits(self, key: str, tiling: TileConfig = TileConfig()) -> NetworkTraits:  # noqa: B008
        """Tell a plan what it must know, under the key by which the network is found again."""
        tile = max(tiling.side - 2 * self.overlap, 2 * self.overlap)
        return NetworkTraits(
            key=key,
            scale=self.scale,
            tile=tile if self.attention is None else WHOLE_TILE,
            overlap=self.overlap,
            exact=self.exact,
            surveys=0 if self.attention is None else len(self.attention),
            full=tiling.compiled,
        )

    def process_tiles(self, works: Sequence[TileWork]) -> list[Tensor]:
        """Do tiles of one group in one call: their enlargements, or what they average.

        Raises:
            BrokenOutput: the network gave NaN or infinity in float32 too.
        """
        batch = torch.stack([tile_work.tile for tile_work in works])
        if self.attention is None:
            return self._enlarge_to_uint8(batch)
        averages = [tile_work.averages for tile_work in works if tile_work.averages is not None]
        regions = [tile_work.survey for tile_work in works if tile_work.survey is not None]
        if regions:
            return self.attention.collect_statistics(
                regions, averages, lambda: self.enlarge_tiles(batch)
            )
        with self.attention.with_averages(averages):
            return self._enlarge_to_uint8(batch)

    def _enlarge_to_uint8(self, batch: Tensor) -> list[Tensor]:
        """Enlarge tiles to uint8, a quarter of the bytes: a job waits for several at once."""
        return [round_to_uint8(tile) for tile in self.enlarge_tiles(batch)]

    def enlarge_tiles(self, tiles: Tensor) -> Tensor:
        """Enlarge a batch of tiles.

        Takes [B, 3, h, w] and returns [B, 3, h·scale, w·scale], both float32 in 0..1; the result
        lies on the network's device.

        Raises:
            ValueError: the batch has another shape or dtype.
            BrokenOutput: the network gave NaN or infinity in float32 too.
        """
        if tiles.ndim != 4 or tiles.shape[1] != 3 or tiles.dtype != torch.float32:
            raise ValueError(f"Expected [B, 3, h, w] float32, got {tiles.shape} {tiles.dtype}.")
        batch = tiles.to(self.device, memory_format=torch.channels_last)
        for dtype in dict.fromkeys((self.autocast, None)):
            output = forward_clamped(self.descriptor, batch, dtype)
            if _is_image(output):
                return output
        raise BrokenOutput("model.broken_upscaler")


def load_upscaler(
    path: Path,
    device: torch.device | str,
    precision: Precision = "auto",
    *,
    partner: Path | None = None,
    share: float = 0.0,
    compiles: bool = False,
) -> Upscaler:
    """Load a network from a safetensors file.

    With `auto` one tile is timed in float32 and in the shorter formats, and the fastest is taken
    that is clearly faster and gives the same picture. With `partner`, a file of the same network
    trained to another end, the weights are (1 − share) of the one plus share of the other.
    Source of the blend: Wang et al., "Deep Network Interpolation" (2019). With `compiles` it can
    be compiled for a shape.

    Raises:
        MissingWeights: there is no such file.
        UnsupportedWeights: another format, an unknown architecture, or no RGB-to-RGB network.
        CorruptWeights: the file is damaged, or its arrays do not fit its architecture.
        ValueError: the share is outside 0..1.
    """
    target = torch.device(device)
    state = read_state(path)
    if partner is not None:
        state = interpolate_states(state, read_state(partner), share)
    descriptor = describe_network(state, path.name, target)
    descriptor.model.to(memory_format=torch.channels_last)
    descriptor.model.requires_grad_(False).eval()
    if descriptor.architecture.id in ENDS_IN_FLOAT32:
        _keep_ends(descriptor.model)
    lighten_dense_blocks(descriptor)
    reach = receptive_radius(descriptor)
    attention = find_attention(descriptor)
    return Upscaler(
        descriptor=descriptor,
        device=target,
        autocast=choose_precision(descriptor, target, precision),
        scale=descriptor.scale,
        overlap=WIDE_OVERLAP if reach is None else reach,
        exact=reach is not None,
        attention=attention,
        compile_for=_make_compilable(descriptor)
        if compiles and attention is None
        else never_compile,
    )


def _make_compilable(
    descriptor: ImageModelDescriptor[torch.nn.Module],
) -> Callable[[Shape | None], None]:
    """Let a network be compiled; give what chooses for which shape of input, if any."""
    if descriptor.architecture.id == "ESRGAN":
        return compile_dense_blocks(descriptor)
    network = compile_lazily(descriptor.model.forward)
    setattr(descriptor.model, "forward", network)  # noqa: B010
    return lambda shape: network.set_shapes(*([] if shape is None else [shape]))


def _keep_ends(model: torch.nn.Module) -> None:
    """Compute the first and the last convolution in float32 whatever surrounds them.

    They see the picture itself, where rounding to bfloat16 costs most: 4 to 9 dB for a tenth of
    the time.
    """
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Conv2d)]
    for layer in (layers[0], layers[-1]):
        setattr(layer, "forward", partial(_in_float32, layer.forward))  # noqa: B010


def _in_float32(forward: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    with torch.autocast(values.device.type, enabled=False):
        return forward(values.float())


def receptive_radius(descriptor: ImageModelDescriptor[torch.nn.Module]) -> int | None:
    """Count how many input pixels away an output pixel can see; None where it is no small number.

    Known for Compact networks alone: a chain of convolutions, each adding half its kernel.
    """
    if descriptor.architecture.id != "Compact":
        return None
    layers = (m for m in descriptor.model.modules() if isinstance(m, torch.nn.Conv2d))
    return sum(layer.kernel_size[0] // 2 for layer in layers)


def _is_image(output: Tensor) -> bool:
    """Say whether values that were clamped to 0..1 are numbers; their sum is none if one is not."""
    return bool(output.sum().isfinite())
