"""Which number format an upscaler computes in: one tile in each decides."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

Precision = Literal["auto", "float32", "bfloat16", "float16"]
#: The shorter formats.
SHORT_DTYPES: dict[str, torch.dtype] = {"bfloat16": torch.bfloat16, "float16": torch.float16}

PROBE_SIDE = 64  # pixels
PROBE_RUNS = 2
SPEED_MARGIN = 0.8  # a shorter format must take at most this share of float32's time
MIN_PROBE_PSNR_DB = 40.0  # decibels; some transformers fall apart in bfloat16 though they claim it


@torch.inference_mode()
def forward_clamped(
    descriptor: ImageModelDescriptor[torch.nn.Module], batch: Tensor, dtype: torch.dtype | None
) -> Tensor:
    """Run [B, 3, h, w] float32 and return [B, 3, h·scale, w·scale] float32, clamped to 0..1."""
    with torch.autocast(batch.device.type, dtype or torch.bfloat16, enabled=dtype is not None):
        output: Tensor = descriptor(batch)
    return output.float()


def choose_precision(
    descriptor: ImageModelDescriptor[torch.nn.Module], device: torch.device, precision: Precision
) -> torch.dtype | None:
    """Decide between float32 (None) and the shorter formats by one timed tile in each.

    float16 is for graphics cards, some of which know no bfloat16; processors do not gain by it.
    """
    able = {"bfloat16": descriptor.supports_bfloat16, "float16": descriptor.supports_half}
    if precision != "auto":
        return SHORT_DTYPES[precision] if able.get(precision) else None
    candidates = [
        name for name in SHORT_DTYPES if able[name] and (name, device.type) != ("float16", "cpu")
    ]
    if not candidates:
        return None
    tile = probe_tile(device)
    plain, max_seconds = time_forward(descriptor, tile, None)
    max_seconds *= SPEED_MARGIN
    chosen_dtype = None
    for dtype in (SHORT_DTYPES[name] for name in candidates):
        output, seconds = time_forward(descriptor, tile, dtype)
        if seconds <= max_seconds and psnr(output, plain) >= MIN_PROBE_PSNR_DB:
            chosen_dtype, max_seconds = dtype, seconds
    return chosen_dtype


def psnr(output: Tensor, reference: Tensor) -> float:
    """Return two pictures' peak signal-to-noise ratio in decibels, for 0..1; NaN gives −inf."""
    # Moved first: Apple's cards know no float64.
    difference = output.cpu().double() - reference.cpu().double()
    error = float(difference.square().mean())
    if error != error:
        return float("-inf")
    return float("inf") if error == 0 else -10 * float(torch.tensor(error).log10())


def time_forward(
    descriptor: ImageModelDescriptor[torch.nn.Module], tile: Tensor, dtype: torch.dtype | None
) -> tuple[Tensor, float]:
    """Return the output and the least time in seconds of a few runs after a warm-up.

    On a CPU it is processor time: a busy machine must not decide.
    """
    clock = time.process_time if tile.device.type == "cpu" else time.perf_counter
    output = forward_clamped(descriptor, tile, dtype)
    times = []
    for _ in range(PROBE_RUNS):
        wait_for(tile.device)
        begin = clock()
        output = forward_clamped(descriptor, tile, dtype)
        wait_for(tile.device)
        times.append(clock() - begin)
    return output, min(times)


def wait_for(device: torch.device) -> None:
    """Let a graphics card come to the end of what it was given, before a clock is read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def probe_tile(device: torch.device, side: int = PROBE_SIDE) -> Tensor:
    """Draw a smooth tile with a little grain, [1, 3, side, side] in 0..1, always the same."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=side, mode="bilinear")
    grain = torch.rand(1, 3, side, side, generator=generator)
    tile = smooth * 0.9 + grain * 0.1
    return tile.to(device, memory_format=torch.channels_last)
