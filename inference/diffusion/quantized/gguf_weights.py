"""Load a flow transformer from a GGUF file: its large layers stay in the file's few bits.

diffusers brings the formulas that write blocks of numbers out, and what turns the names of the
original layouts into its own; both read rows alone, of which each is a whole number of blocks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inference.diffusion.quantized.quantized_linear import QuantizedLinear, replace_layer
from inference.model_files.errors import CorruptWeights
from inference.model_files.gguf.gguf_families import check_gguf
from inference.model_files.gguf.gguf_header import GgufHeader
from inference.model_files.header import TensorEntry
from inference.model_files.pipelines.flow_families import FlowFamily

#: What files hold as plain numbers.
PLAIN_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def load_gguf(
    path: Path, network: Any, family: FlowFamily, device: torch.device, dtype: torch.dtype
) -> Any:
    """Give a transformer built on the meta device the weights of a GGUF file, frozen.

    Raises:
        UnsupportedWeights: the file holds another transformer.
        CorruptWeights: it is damaged, or a weight is missing or has another shape.
    """
    header = check_gguf(path, family)
    weights = rename_weights(map_weights(header), type(network).__name__)
    for name, parameter in network.state_dict().items():
        if name not in weights:
            raise CorruptWeights("weights.lacks_weight", file=path.name, name=name)
        weight = weights.pop(name)
        shape = tuple(getattr(weight, "quant_shape", weight.shape))
        if torch.Size(shape).numel() != parameter.numel() or shape[0] != parameter.shape[0]:
            raise CorruptWeights(
                "weights.wrong_shape",
                file=path.name,
                name=name,
                shape=shape,
                wanted=tuple(parameter.shape),
            )
        _set_weight(network, name, weight, device, dtype)
    return network.requires_grad_(False).eval()


def map_weights(header: GgufHeader) -> dict[str, Tensor]:
    """Map a file's tensors into memory, none of which is read yet; quantised ones as bytes."""
    from diffusers.quantizers.gguf.utils import GGUFParameter
    from gguf import GGMLQuantizationType

    data = np.memmap(header.path, mode="c")  # copied where written to, which nobody does

    def map_tensor(entry: TensorEntry) -> Any:
        packed_weight = torch.from_numpy(data[entry.begin : entry.end])
        if entry.dtype in PLAIN_DTYPES:
            return packed_weight.view(PLAIN_DTYPES[entry.dtype]).reshape(entry.shape)
        rows = packed_weight.reshape(*entry.shape[:-1], -1)
        return GGUFParameter(rows, quant_type=GGMLQuantizationType[entry.dtype])

    return {name: map_tensor(entry) for name, entry in header.entries.items()}


def rename_weights(weights: dict[str, Tensor], class_name: str) -> dict[str, Any]:
    """Give weights diffusers' names, and its rows of what is joined in the original layout.

    Raises:
        CorruptWeights: a weight is missing.
    """
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

    convert: Callable[..., Any] = SINGLE_FILE_LOADABLE_CLASSES[class_name]["checkpoint_mapping_fn"]
    try:
        return dict(convert(weights))
    except KeyError as error:
        raise CorruptWeights("weights.lacks_weight", file="GGUF", name=error.args[0]) from error


def _set_weight(
    network: nn.Module, name: str, weight: Any, device: torch.device, dtype: torch.dtype
) -> None:
    """Put a weight where it belongs; the layer of a quantised one becomes one that holds bytes."""
    place, _, own_name = name.rpartition(".")
    layer = network.get_submodule(place)
    quant_type = getattr(weight, "quant_type", None)
    if quant_type is not None and isinstance(layer, nn.Linear) and own_name == "weight":
        packed_weight = weight.as_tensor().to(device)
        decode = functools.partial(_decode_blocks, quant_type)
        layer.weight.data = layer.weight.data.to(dtype)
        replace_layer(network, place, QuantizedLinear(packed_weight, layer.bias, decode, layer))
        return
    if quant_type is not None:
        weight = _decode_blocks(quant_type, weight.as_tensor(), dtype)
    target = getattr(layer, own_name)
    value = weight.reshape(target.shape).to(device, dtype).contiguous()
    if own_name in layer._buffers:
        layer._buffers[own_name] = value
    else:
        layer._parameters[own_name] = nn.Parameter(value, requires_grad=False)


def _decode_blocks(quant_type: Any, packed_weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Write numbers out of rows of blocks, [rows, bytes] to [rows, numbers].

    Half precision computes them in float16, the format of the blocks' own scales.
    """
    from diffusers.quantizers.gguf.utils import GGML_QUANT_SIZES, dequantize_functions

    block, block_bytes = GGML_QUANT_SIZES[quant_type]
    inner_dtype = torch.float32 if dtype is torch.float32 else torch.float16
    blocks = packed_weight.reshape(-1, block_bytes)
    numbers: Tensor = dequantize_functions[quant_type](
        blocks, block, block_bytes, dtype=inner_dtype
    )
    return numbers.reshape(*packed_weight.shape[:-1], -1).to(dtype)
