"""Which device a worker runs on, and in which number formats: asked and measured, not guessed."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from inference.api.errors import EngineError
from inference.api.notices import Notice
from inference.runtime.card_problems import find_card_problem
from inference.runtime.device_trial import try_device

log = logging.getLogger(__name__)

DTYPES_BY_NAME = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
HALF_DTYPES = (torch.bfloat16, torch.float16)
#: bfloat16 must take at most this share of float32's time to be worth its rounding.
SPEED_MARGIN = 0.8
#: What kinds of cards compute networks in, the best first.
CARD_DTYPES = {
    "cuda": (torch.float16, torch.float32),
    "xpu": (torch.bfloat16, torch.float32),
}
PROBE_RUNS = 5


@dataclass(frozen=True)
class PartFormats:
    """In which format each part of a checkpoint computes."""

    network: torch.dtype
    autoencoder: torch.dtype
    text: torch.dtype = torch.float32

    @classmethod
    def of_device(cls, dtype: torch.dtype, device: torch.device) -> PartFormats:
        """Choose the parts' formats beside the network's own.

        On cards the words are read in float16 where the network computes in half precision, and
        pictures go through the autoencoder in bfloat16, in which nothing overflows, where the card
        itself has it. Processors read words in float32.
        """
        if device.type == "cpu" or dtype not in HALF_DTYPES:
            return cls(dtype, dtype)
        autoencoder = torch.bfloat16 if has_bfloat16(device) else dtype
        return cls(dtype, autoencoder, torch.float16)

    def for_autoencoder(self, config: Mapping[str, Any], *, overflows: bool) -> PartFormats:
        """Take float32 for an autoencoder that overflows in float16, or whose settings say so."""
        is_float16 = self.autoencoder is torch.float16
        if is_float16 and (overflows or config.get("force_upcast") is True):
            return replace(self, autoencoder=torch.float32)
        return self

    def without_float16(self, device: torch.device) -> PartFormats:
        """Give the formats for networks that compute in bfloat16, or in float32 where none is."""
        wide = torch.bfloat16 if has_bfloat16(device) else torch.float32
        return replace(
            self,
            network=wide if self.network is torch.float16 else self.network,
            text=wide if self.text is torch.float16 else self.text,
        )


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
        problem = find_card_problem() or Notice("worker.no_device", name=name)
        raise EngineError(problem)
    return device


def hasten_float32(device: torch.device) -> None:
    """Let NVIDIA's cards compute what is float32 in TF32, and try out their convolutions.

    TF32 has float16's ten bits of a number's digits, and float32's range; convolutions of a shape
    are timed once.
    """
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True


def choose_dtype(name: str, device: torch.device, timed_dtype: str = "") -> torch.dtype:
    """Resolve `auto` to the format this device is fast in.

    Graphics cards take float16, which lies nearer to float32 than bfloat16 does and is as fast,
    where they pass a trial in it. A CPU is asked by timing one convolution in each format, unless
    `timed_dtype` names what came of that before.

    Raises:
        EngineError: the name is no format of ours, or the device fails its trial.
    """
    if name != "auto":
        if name not in DTYPES_BY_NAME:
            raise EngineError("worker.no_dtype", name=name, names=", ".join(DTYPES_BY_NAME))
        try_device(device, DTYPES_BY_NAME[name])
        return DTYPES_BY_NAME[name]
    if device.type in CARD_DTYPES:
        return _choose_card_dtype(device)
    try_device(device, torch.float32)
    if device.type != "cpu":
        return torch.float32
    if timed_dtype in DTYPES_BY_NAME:
        return DTYPES_BY_NAME[timed_dtype]
    half, full = _time_convolution(torch.bfloat16), _time_convolution(torch.float32)
    return torch.bfloat16 if half <= SPEED_MARGIN * full else torch.float32


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself; cards before 2020 only pretend to."""
    if device.type != "cuda":
        return device.type in ("cpu", "xpu")
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _choose_card_dtype(device: torch.device) -> torch.dtype:
    """Take the first of the formats of a kind of card in which it passes its trial."""
    *half_dtypes, last_dtype = CARD_DTYPES[device.type]
    for dtype in half_dtypes:
        try:
            try_device(device, dtype)
        except EngineError as error:
            log.warning("%s", error)
        else:
            return dtype
    try_device(device, last_dtype)
    return last_dtype


def _time_convolution(dtype: torch.dtype) -> float:
    """Take the least processor time in seconds of a convolution as denoising networks have them.

    Not by the clock: a machine that is busy at the first start must not decide for all.
    """
    convolution = torch.nn.Conv2d(256, 256, 3, padding=1).to(dtype).requires_grad_(False)
    batch = torch.ones(8, 256, 16, 16, dtype=dtype)
    times = []
    for _ in range(PROBE_RUNS):
        begin = time.process_time()
        convolution(batch)
        times.append(time.process_time() - begin)
    return min(times)
