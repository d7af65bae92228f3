"""GGUF files of tiny flow transformers, in the names of the original layouts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file

#: Parts of names of Z-Image in diffusers, and what the original layout calls them.
Z_IMAGE_NAMES = (
    ("all_final_layer.2-1.", "final_layer."),
    ("all_x_embedder.2-1.", "x_embedder."),
    (".attention.to_out.0.", ".attention.out."),
    (".attention.norm_k.", ".attention.k_norm."),
    (".attention.norm_q.", ".attention.q_norm."),
)
NETWORK_FILE = Path("transformer", "diffusion_pytorch_model.safetensors")


def to_original_names(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give Z-Image's weights the names of its original layout, q, k and v joined."""
    renamed = {}
    for name, weight in weights.items():
        if ".attention.to_k." in name or ".attention.to_v." in name:
            continue
        if ".attention.to_q." in name:
            joined = [weights[name.replace("to_q", part)] for part in ("to_q", "to_k", "to_v")]
            renamed[name.replace("to_q", "qkv")] = torch.cat(joined)
            continue
        for own, original in Z_IMAGE_NAMES:
            name = name.replace(own, original)
        renamed[name] = weight
    return renamed


def write_gguf_twin(source: Path, folder: Path, kind: Any) -> tuple[Path, Path]:
    """Write a Z-Image checkpoint twice: its transformer as GGUF, and as the numbers of that.

    Matrices are quantised where a row is a whole number of blocks; everything else stays.
    """
    quantised, plain = folder / "quantised", folder / "plain"
    for target in (quantised, plain):
        shutil.copytree(source, target)
    weights = load_file(source / NETWORK_FILE)
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    writer = gguf.GGUFWriter(quantised / "transformer" / "net.gguf", "lumina2")
    (quantised / NETWORK_FILE).unlink()
    numbers = {}
    for name, weight in to_original_names(weights).items():
        array = weight.float().numpy()
        if array.ndim == 2 and array.shape[1] % block == 0 and "pad_token" not in name:
            data = gguf.quants.quantize(array, kind)
            writer.add_tensor(name, data, raw_dtype=kind)
            array = gguf.quants.dequantize(data, kind)
        else:
            writer.add_tensor(name, array)
        numbers[name] = torch.from_numpy(np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(_to_own_names(weights, numbers), plain / NETWORK_FILE)
    return quantised, plain


def _to_own_names(
    weights: dict[str, torch.Tensor], numbers: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Give numbers by their original names diffusers' names again, without its converter."""
    renamed = {}
    for name in weights:
        original = name
        for own, other in Z_IMAGE_NAMES:
            original = original.replace(own, other)
        for place, part in enumerate(("to_q", "to_k", "to_v")):
            if f".attention.{part}." in name:
                joined = numbers[name.replace(part, "qkv")]
                renamed[name] = joined.chunk(3)[place].contiguous()
        if name not in renamed:
            renamed[name] = numbers[original]
    return renamed
