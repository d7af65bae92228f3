"""Large layers of a denoising network in eight bits (E4M3): half the memory of sixteen."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from inference.diffusion.quantized.quantized_linear import QuantizedLinear, replace_layer
from inference.model_files.pipelines.part_sizes import is_large_weight
from inference.model_files.reader import TensorFile

#: What is made here, and what files may have.
FP8_DTYPE = torch.float8_e4m3fn
FP8_DTYPES = (FP8_DTYPE, torch.float8_e5m2)
#: What some files' eight bits are to be multiplied by, beside a layer's `weight`.
SCALE_NAMES = ("scale_weight", "weight_scale")


def keep_fp8(
    network: Any,
    reader: TensorFile,
    device: torch.device,
    dtype: torch.dtype,
    *,
    is_wanted: bool,
) -> Any:
    """Let layers of a network on the meta device hold their weights in eight bits.

    Those that the file has so stay so; where it is wanted, the other large ones become so. What
    normalises or embeds is left as it is, and so is all else for `load_into`.
    """
    for place, layer in list(network.named_modules()):
        name = f"{place}.weight"
        if not isinstance(layer, nn.Linear) or not (
            is_wanted or reader.dtype_of(name) in FP8_DTYPES
        ):
            continue
        weight = reader.get_tensor(name)
        if weight is None or weight.shape != layer.weight.shape:
            continue  # `load_into` says so
        if weight.dtype not in FP8_DTYPES:
            if not is_large_weight(name, weight.shape):
                continue
            weight = to_fp8(weight)
        scale = reader.get_tensor(*(f"{place}.{scale_name}" for scale_name in SCALE_NAMES))
        factor = 1.0 if scale is None else float(scale)
        decode = functools.partial(decode_fp8, weight.dtype, factor)
        layer.weight.data = layer.weight.data.to(dtype)
        packed_weight = weight.contiguous().view(torch.uint8).to(device)
        replace_layer(network, place, QuantizedLinear(packed_weight, layer.bias, decode, layer))
    return network


def to_fp8(weight: Tensor) -> Tensor:
    """Round a weight to eight bits; what is beyond their range becomes its end."""
    limit = torch.finfo(FP8_DTYPE).max
    lowest_value, highest_value = weight.aminmax()
    if lowest_value < -limit or highest_value > limit:  # NaN in some versions of torch
        weight = weight.clamp(-limit, limit)
    return weight.to(FP8_DTYPE)


def decode_fp8(
    fp8_dtype: torch.dtype, scale: float, packed_weight: Tensor, dtype: torch.dtype
) -> Tensor:
    """Write numbers out of bytes of a format of eight bits."""
    numbers = packed_weight.view(fp8_dtype).to(dtype)
    return numbers if scale == 1.0 else numbers * scale
