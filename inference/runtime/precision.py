"""Which device a worker runs on, and in which number format: measured, not guessed."""

from __future__ import annotations

import time

import torch

from inference.api.errors import EngineError

DTYPES_BY_NAME = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
#: bfloat16 must take at most this share of float32's time to be worth its rounding.
SPEED_MARGIN = 0.8
PROBE_RUNS = 5


def choose_device(name: str) -> torch.device:
    """Resolve `auto` to the best device there is.

    Raises:
        EngineError: the named device is not on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.xpu.is_available():
            return torch.device("xpu")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    is_missing = device.type == "cuda" and not torch.cuda.is_available()
    if is_missing or (device.type == "xpu" and not torch.xpu.is_available()):
        raise EngineError("worker.no_device", name=name)
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Resolve `auto` to the format this device is fast in.

    Graphics cards say what they support; a CPU is asked by timing one convolution in each format.

    Raises:
        EngineError: the name is no format of ours.
    """
    if name != "auto":
        if name not in DTYPES_BY_NAME:
            raise EngineError("worker.no_dtype", name=name, names=", ".join(DTYPES_BY_NAME))
        return DTYPES_BY_NAME[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "xpu":
        return torch.bfloat16
    if device.type != "cpu":
        return torch.float32
    half, full = _time_convolution(torch.bfloat16), _time_convolution(torch.float32)
    return torch.bfloat16 if half <= SPEED_MARGIN * full else torch.float32


def _time_convolution(dtype: torch.dtype) -> float:
    """Take the least time in seconds of a convolution as denoising networks have them."""
    convolution = torch.nn.Conv2d(256, 256, 3, padding=1).to(dtype).requires_grad_(False)
    batch = torch.ones(8, 256, 16, 16, dtype=dtype)
    times = []
    for _ in range(PROBE_RUNS):
        begin = time.perf_counter()
        convolution(batch)
        times.append(time.perf_counter() - begin)
    return min(times)
