"""Load a super-resolution network through spandrel and run tiles of one shape through it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError
from torch import Tensor

from inference.models.attention import Attention, find_attention
from inference.models.errors import BrokenOutput, CorruptWeights, MissingWeights, UnsupportedWeights
from inference.models.resident import weight_bytes
from inference.models.tiles import TileWork
from inference.models.upscale_plan import NetworkTraits

Precision = Literal["auto", "float32", "bfloat16"]

TILE = 256  # pixels a side that a tile adds
WHOLE_TILE = 512  # the same where a network averages over what it sees: few pictures are larger
WIDE_OVERLAP = 32  # pixels; with a blend, for networks that see further than any useful overlap
PROBE_SIDE = 128  # pixels
PROBE_RUNS = 2
SPEED_MARGIN = 0.8  # bfloat16 must take at most this share of float32's time
PROBE_PSNR = 40.0  # decibels; some transformers fall apart in bfloat16 though they claim it
ENDS_IN_FLOAT32 = frozenset({"Compact", "ESRGAN", "RealCUGAN"})
PICKLED = frozenset({".pth", ".pt", ".ckpt", ".bin", ".pkl"})


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
    tile: int = TILE
    """Pixels a side that a tile adds; the network sees at most `tile + 2·overlap`."""
    attention: Attention | None = None
    """What averages over the network's whole input, where something does."""

    @property
    def nbytes(self) -> int:
        """Bytes of its weights."""
        return weight_bytes(self.descriptor.model)

    def traits(self, key: str) -> NetworkTraits:
        """Tell a plan what it must know, under the key by which the network is found again."""
        surveys = 0 if self.attention is None else len(self.attention)
        return NetworkTraits(key, self.scale, self.tile, self.overlap, self.exact, surveys)

    def work(self, works: Sequence[TileWork]) -> list[Tensor]:
        """Do tiles of one group in one call: their enlargements, or what they average.

        Raises:
            BrokenOutput: the network gave NaN or infinity in float32 too.
        """
        batch = torch.stack([each.tile for each in works])
        if self.attention is None:
            return list(self.run(batch))
        averages = [each.averages for each in works if each.averages is not None]
        regions = [each.survey for each in works if each.survey is not None]
        if regions:
            return self.attention.survey(regions, averages, lambda: self.run(batch))
        with self.attention.given(averages):
            return list(self.run(batch))

    def run(self, tiles: Tensor) -> Tensor:
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
        output = _forward(self.descriptor, batch, self.autocast)
        if self.autocast is not None and not bool(torch.isfinite(output).all()):
            output = _forward(self.descriptor, batch, None)
        if not bool(torch.isfinite(output).all()):
            raise BrokenOutput("The upscaler gave numbers that are no picture; use another model.")
        return output


def load_upscaler(
    path: Path,
    device: torch.device | str,
    precision: Precision = "auto",
    *,
    partner: Path | None = None,
    share: float = 0.0,
) -> Upscaler:
    """Load a network from a safetensors file.

    With `auto` one tile is timed in float32 and in bfloat16, and bfloat16 is taken where it is
    clearly faster and gives the same picture. With `partner`, a file of the same network trained
    to another end, the weights are (1 − share) of the one plus share of the other.
    Source of the blend: Wang et al., "Deep Network Interpolation" (2019).

    Raises:
        MissingWeights: there is no such file.
        UnsupportedWeights: another format, an unknown architecture, or no RGB-to-RGB network.
        CorruptWeights: the file is damaged, or its arrays do not fit its architecture.
        ValueError: the share is outside 0..1.
    """
    target = torch.device(device)
    state = _state(path)
    if partner is not None:
        state = interpolate(state, _state(partner), share)
    descriptor = _describe(state, path.name, target)
    descriptor.model.to(memory_format=torch.channels_last)
    descriptor.model.requires_grad_(False).eval()
    if descriptor.architecture.id in ENDS_IN_FLOAT32:
        _keep_ends(descriptor.model)
    reach = receptive_radius(descriptor)
    attention = find_attention(descriptor)
    return Upscaler(
        descriptor=descriptor,
        device=target,
        autocast=_choose(descriptor, target, precision),
        scale=descriptor.scale,
        overlap=WIDE_OVERLAP if reach is None else reach,
        exact=reach is not None,
        tile=TILE if attention is None else WHOLE_TILE,
        attention=attention,
    )


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


def interpolate(
    first: dict[str, Tensor], second: dict[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Blend two state dicts of one network into float32 arrays; share 0 gives the first.

    Raises:
        ValueError: the share is outside 0..1.
        UnsupportedWeights: they are not of the same network.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"The share must be from 0 to 1, not {share:g}.")
    shapes = ({name: value.shape for name, value in state.items()} for state in (first, second))
    if next(shapes) != next(shapes):
        raise UnsupportedWeights("Only two files of the same network can be blended.")
    return {name: torch.lerp(first[name].float(), second[name].float(), share) for name in first}


def _describe(
    state: dict[str, Tensor], name: str, device: torch.device
) -> ImageModelDescriptor[torch.nn.Module]:
    """Let spandrel find the architecture of a state dict read from a file of that name."""
    try:
        descriptor = ModelLoader(device).load_from_state_dict(state)
    except UnsupportedModelError as error:
        raise UnsupportedWeights(
            f"{name} holds a network of no architecture that Easel knows. "
            "See docs/models.md for those that it runs."
        ) from error
    except (RuntimeError, KeyError, IndexError, ValueError) as error:
        raise CorruptWeights(f"The arrays in {name} do not fit a network: {error}") from error
    if not isinstance(descriptor, ImageModelDescriptor):
        raise UnsupportedWeights(f"{name} is an inpainting network, not an upscaler.")
    if (descriptor.input_channels, descriptor.output_channels) != (3, 3):
        raise UnsupportedWeights(
            f"{name} maps {descriptor.input_channels} channels to "
            f"{descriptor.output_channels}; an upscaler here must map RGB to RGB."
        )
    return descriptor


def _state(path: Path) -> dict[str, Tensor]:
    """Read a state dict, refusing every format that could run code."""
    if path.suffix in PICKLED:
        raise UnsupportedWeights(
            f"{path.name} is a pickle, which can run code when opened. Convert it once with "
            f"`python main.py models import {path.name}`, then use the .safetensors file."
        )
    if path.suffix != ".safetensors":
        raise UnsupportedWeights(f"{path.name} is no .safetensors file.")
    try:
        state: dict[str, Tensor] = load_file(path)
    except FileNotFoundError as error:
        raise MissingWeights(f"There is no file {path.name}.") from error
    except (SafetensorError, OSError) as error:
        raise CorruptWeights(f"{path.name} is damaged: {error}. Fetch it again.") from error
    return state


@torch.inference_mode()
def _forward(
    descriptor: ImageModelDescriptor[torch.nn.Module], batch: Tensor, dtype: torch.dtype | None
) -> Tensor:
    """Run [B, 3, h, w] float32 and return [B, 3, h·scale, w·scale] float32, clamped to 0..1."""
    with torch.autocast(batch.device.type, dtype or torch.bfloat16, enabled=dtype is not None):
        output: Tensor = descriptor(batch)
    return output.float()


def _choose(
    descriptor: ImageModelDescriptor[torch.nn.Module], device: torch.device, precision: Precision
) -> torch.dtype | None:
    """Decide between float32 (None) and bfloat16 by one timed tile."""
    if precision == "float32" or not descriptor.supports_bfloat16:
        return None
    if precision == "bfloat16":
        return torch.bfloat16
    tile = _probe_tile(device)
    plain, plain_time = _timed(descriptor, tile, None)
    half, half_time = _timed(descriptor, tile, torch.bfloat16)
    same = psnr(half, plain) >= PROBE_PSNR
    return torch.bfloat16 if same and half_time <= SPEED_MARGIN * plain_time else None


def psnr(found: Tensor, expected: Tensor) -> float:
    """Return two pictures' peak signal-to-noise ratio in decibels, for 0..1; NaN gives −inf."""
    error = float((found.double() - expected.double()).square().mean())
    if error != error:
        return float("-inf")
    return float("inf") if error == 0 else -10 * float(torch.tensor(error).log10())


def _timed(
    descriptor: ImageModelDescriptor[torch.nn.Module], tile: Tensor, dtype: torch.dtype | None
) -> tuple[Tensor, float]:
    """Return the output and the least time in seconds of a few runs after a warm-up.

    On a CPU it is processor time: a busy machine must not decide.
    """
    clock = time.process_time if tile.device.type == "cpu" else time.perf_counter
    output = _forward(descriptor, tile, dtype)
    times = []
    for _ in range(PROBE_RUNS):
        _wait(tile.device)
        begin = clock()
        output = _forward(descriptor, tile, dtype)
        _wait(tile.device)
        times.append(clock() - begin)
    return output, min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _probe_tile(device: torch.device) -> Tensor:
    """Draw a smooth tile with a little grain, [1, 3, side, side] in 0..1, always the same."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=PROBE_SIDE, mode="bilinear")
    grain = torch.rand(1, 3, PROBE_SIDE, PROBE_SIDE, generator=generator)
    tile = smooth * 0.9 + grain * 0.1
    return tile.to(device, memory_format=torch.channels_last)
