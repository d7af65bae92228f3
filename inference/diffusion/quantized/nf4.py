"""Layers that a file has in four bits, as bitsandbytes writes them (NF4, FP4)."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from inference.diffusion.quantized.quantized_linear import QuantizedLinear, replace_layer
from inference.model_files.pipeline_folder import BITSANDBYTES_MARK
from inference.model_files.reader import TensorFile


def keep_nf4(network: Any, reader: TensorFile, device: torch.device, dtype: torch.dtype) -> Any:
    """Let layers of a network on the meta device hold the four bits that the file has of them.

    A layer's scales, a sixteenth of its bytes at most, follow it to the device at its first call
    and stay there.
    """
    for place, layer in list(network.named_modules()):
        name = f"{place}.weight"
        own_names = [other_name for other_name in reader.names if other_name.startswith(f"{name}.")]
        if not isinstance(layer, nn.Linear) or not any(BITSANDBYTES_MARK in n for n in own_names):
            continue
        packed_weight = reader.get_tensor(name)
        if packed_weight is None:
            continue  # `load_into` says so
        decode = functools.partial(decode_nf4, _read_state(reader, name, own_names))
        layer.weight.data = layer.weight.data.to(dtype)
        replace_layer(
            network, place, QuantizedLinear(packed_weight.to(device), layer.bias, decode, layer)
        )
    return network


def _read_state(reader: TensorFile, name: str, own_names: list[str]) -> Any:
    from bitsandbytes.functional import QuantState

    parts = {
        other_name.removeprefix(f"{name}."): reader.get_tensor(other_name)
        for other_name in own_names
    }
    return QuantState.from_dict(parts, device=torch.device("cpu"))


def decode_nf4(state: Any, packed_weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Write numbers out of four bits each, [out, in]."""
    from bitsandbytes.functional import dequantize_4bit

    if state.absmax.device != packed_weight.device:
        state.to(packed_weight.device)
    numbers: Tensor = dequantize_4bit(packed_weight, state)
    return numbers.to(dtype)
