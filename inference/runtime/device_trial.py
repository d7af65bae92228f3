"""One small convolution, attention and enlargement on a device, before it is given work.

A card can be listed and still be of no use: torch has no code for it, cuDNN no convolution in the
format, or its numbers are wrong (some cards give NaN in float16).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from inference.api.errors import EngineError, OutOfMemory
from inference.runtime.device_errors import is_out_of_memory, lacks_kernels

#: How far a result may lie from the processor's in float32, in parts of its largest number: ten
#: times what bfloat16 rounds.
MAX_ERROR = 0.05

Inputs = Mapping[str, Tensor]


def _convolve(inputs: Inputs) -> Tensor:
    return functional.conv2d(inputs["map"], inputs["kernel"], padding=1)


def _attend(inputs: Inputs) -> Tensor:
    words = inputs["words"]
    return functional.scaled_dot_product_attention(words, words, words)


def _enlarge(inputs: Inputs) -> Tensor:
    """Do what an autoencoder's block does: normalise, activate, enlarge, convolve."""
    activated_map = functional.silu(functional.group_norm(inputs["map"], 8))
    enlarged_map = functional.interpolate(activated_map, scale_factor=2.0, mode="nearest")
    return functional.conv2d(enlarged_map, inputs["kernel"], padding=1)


#: What is tried, as it is called in messages.
TRIALS: dict[str, Callable[[Inputs], Tensor]] = {
    "convolution": _convolve,
    "attention": _attend,
    "enlargement": _enlarge,
}


@torch.inference_mode()
def try_device(device: torch.device, dtype: torch.dtype) -> None:
    """See that a device computes in a format, and rightly.

    Raises:
        OutOfMemory: another program has the device's memory.
        EngineError: it does not; the message names the device and what it failed at.
    """
    inputs = _draw_inputs()
    for name, run in TRIALS.items():
        values = {"device": str(device), "what": name, "dtype": str(dtype).removeprefix("torch.")}
        try:
            moved_inputs = {key: value.to(device, dtype) for key, value in inputs.items()}
            result = run(moved_inputs).cpu().float()
        except Exception as error:
            if is_out_of_memory(error) and "engine" not in str(error):
                raise OutOfMemory from error
            if lacks_kernels(error):
                raise EngineError("worker.card_unknown", device=str(device)) from error
            raise EngineError("worker.card_fails", **values, error=error) from error
        reference = run(inputs)
        difference = float((result - reference).abs().max() / reference.abs().max())
        if not difference <= MAX_ERROR:
            raise EngineError("worker.card_errs", **values)


def _draw_inputs() -> Inputs:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return {
        "map": draw(2, 32, 16, 16),
        "kernel": draw(32, 32, 3, 3) / 17,
        "words": draw(2, 4, 77, 40),
    }
