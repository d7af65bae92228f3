"""Write checkpoints and LoRAs of real layout and real size, with random weights.

`python -m tools.real_size FOLDER [--family NAME …] [--layout NAME …] [--divisor N]`

Names and shapes are those of the published files; `--divisor` makes every width so many times
narrower, for tests. Beside them lies `configs/`, which a narrower single file is read with. Nothing
is held in memory but one tensor.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from inference.diffusion.ldm_names import UnetNames, open_clip_name, vae_name
from inference.diffusion.single_file import CONFIGS_DIR, TEXT_ENCODER_LAYOUTS

#: Families, and the channels that their networks take.
FAMILIES = {
    "sd1": ("sd1", 4),
    "sd1-inpaint": ("sd1", 9),
    "sd2": ("sd2", 4),
    "sdxl": ("sdxl", 4),
    "sdxl-inpaint": ("sdxl", 9),
}
LAYOUTS = ("file", "folder", "fp16", "shards", "lora")
SHARD_BYTES = 2 * 2**30
LORA_RANK = 16
ITEM_BYTES = 2  # float16
#: Random numbers that are written again and again: drawing billions takes minutes.
POOL_NUMBERS = 2**20
SPREAD = 0.02

Shapes = Mapping[str, Sequence[int]]


def read_narrow_config(family: str, divisor: int) -> dict[str, Any]:
    """Read a family's configs with every width divided."""
    config: dict[str, Any] = json.loads((CONFIGS_DIR / f"{family}.json").read_text())
    if divisor == 1:
        return config
    for text in config["text_encoders"]:
        for name in ("hidden_size", "intermediate_size", "projection_dim"):
            text[name] //= divisor
    for part in ("unet", "vae"):
        widths = [width // divisor for width in config[part]["block_out_channels"]]
        config[part] |= {"block_out_channels": widths, "norm_num_groups": math.gcd(*widths, 32)}
    unet = config["unet"]
    unet["cross_attention_dim"] //= divisor
    if "projection_class_embeddings_input_dim" in unet:
        pooled = config["text_encoders"][1]["projection_dim"]
        unet["projection_class_embeddings_input_dim"] = pooled + 6 * unet["addition_time_embed_dim"]
    return config


def build_parts(config: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """Build a checkpoint's networks without weights."""
    texts = config["text_encoders"]
    kinds = (CLIPTextModel, CLIPTextModelWithProjection)
    with torch.device("meta"):
        parts = {
            "unet": UNet2DConditionModel.from_config({**config["unet"], "in_channels": channels}),
            "vae": AutoencoderKL.from_config(config["vae"]),
        }
        for part, kind, text in zip(("text_encoder", "text_encoder_2"), kinds, texts, strict=False):
            parts[part] = kind(CLIPTextConfig(**text))
    return parts


def original_shapes(
    family: str, config: Mapping[str, Any], parts: Mapping[str, Any]
) -> dict[str, Sequence[int]]:
    """Give the names and shapes of a single file in the original layout."""
    names = UnetNames(config["unet"])
    shapes: dict[str, Sequence[int]] = {
        f"model.diffusion_model.{names.original_name(name)}": value.shape
        for name, value in parts["unet"].state_dict().items()
    }
    levels = len(config["vae"]["block_out_channels"])
    for name, value in parts["vae"].state_dict().items():
        is_square = ".to_" in name and value.ndim == 2
        shapes[f"first_stage_model.{vae_name(name, levels)}"] = (
            (*value.shape, 1, 1) if is_square else value.shape
        )
    for (layout, prefix), part in zip(
        TEXT_ENCODER_LAYOUTS[family], ("text_encoder", "text_encoder_2"), strict=False
    ):
        shapes |= _text_shapes(parts[part], layout, prefix)
    return shapes


def _text_shapes(model: Any, layout: str, prefix: str) -> Iterator[tuple[str, Sequence[int]]]:
    for name, value in model.state_dict().items():
        bare = name.removeprefix("text_model.")
        if layout == "clip":
            yield f"{prefix}text_model.{bare}", value.shape
            continue
        original, third = open_clip_name(bare)
        if third is None:
            flipped = original == "text_projection"
            yield prefix + original, value.shape[::-1] if flipped else value.shape
        elif third == 0:
            yield prefix + original, (3 * value.shape[0], *value.shape[1:])


def lora_shapes(family: str, config: Mapping[str, Any], parts: Mapping[str, Any]) -> Shapes:
    """Give the names and shapes of a LoRA as kohya-ss's trainer writes it.

    It adapts every layer of the transformers, and every one of the text encoders' blocks.
    """
    shapes: dict[str, Sequence[int]] = {}
    names = UnetNames(config["unet"])
    for name, module in parts["unet"].named_modules():
        if ".attentions." in name and isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
            stem = names.original_name(name) if family == "sdxl" else name
            shapes |= _lora_layer(f"lora_unet_{stem}", module.weight.shape)
    for number, part in enumerate(name for name in parts if name.startswith("text_encoder")):
        prefix = f"lora_te{number + 1}_" if family == "sdxl" else "lora_te_"
        for name, module in parts[part].named_modules():
            if ".layers." in name and isinstance(module, torch.nn.Linear):
                stem = name if name.startswith("text_model.") else f"text_model.{name}"
                shapes |= _lora_layer(prefix + stem, module.weight.shape)
    return shapes


def _lora_layer(stem: str, shape: Sequence[int]) -> dict[str, Sequence[int]]:
    key = stem.replace(".", "_")
    rank, kernel = min(LORA_RANK, *shape[:2]), shape[2:]
    return {
        f"{key}.alpha": (),
        f"{key}.lora_down.weight": (rank, *shape[1:]),
        f"{key}.lora_up.weight": (shape[0], rank, *(1 for _ in kernel)),
    }


def write_weights(path: Path, shapes: Shapes, seed: int = 0) -> None:
    """Write a safetensors file of these shapes in float16; of each tensor its own numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header: dict[str, dict[str, Any]] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        size = math.prod(shape) * ITEM_BYTES
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = np.random.default_rng(seed)
    pool = (generator.standard_normal(2 * POOL_NUMBERS) * SPREAD).astype(np.float16)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            is_scale = name.endswith(".alpha") or (name.endswith(".weight") and len(shape) == 1)
            left = math.prod(shape)
            while left:
                count = min(left, POOL_NUMBERS)
                begin = int(generator.integers(POOL_NUMBERS))
                numbers = pool[begin : begin + count]
                file.write((numbers + np.float16(1) if is_scale else numbers).tobytes())
                left -= count


def write_shards(folder: Path, stem: str, shapes: Shapes, shard_bytes: int) -> None:
    """Write weights in shards with their index, as diffusers does."""
    shards: list[dict[str, Sequence[int]]] = [{}]
    size = 0
    for name, shape in shapes.items():
        tensor_bytes = math.prod(shape) * ITEM_BYTES
        if shards[-1] and size + tensor_bytes > shard_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = shape
        size += tensor_bytes
    files = [f"{stem}-{n:05}-of-{len(shards):05}.safetensors" for n in range(1, len(shards) + 1)]
    places = {name: file for file, shard in zip(files, shards, strict=True) for name in shard}
    for number, (file, shard) in enumerate(zip(files, shards, strict=True)):
        write_weights(folder / file, shard, number)
    index = {"metadata": {}, "weight_map": places}
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index))


def write_folder(
    folder: Path, config: Mapping[str, Any], parts: Mapping[str, Any], layout: str, divisor: int
) -> None:
    """Write a checkpoint as a folder in diffusers' layout."""
    is_pair = "text_encoder_2" in parts
    for number, (part, network) in enumerate(parts.items()):
        is_text = part.startswith("text")
        stem = "model" if is_text else "diffusion_pytorch_model"
        shapes = {name: value.shape for name, value in network.state_dict().items()}
        if layout == "shards":
            write_shards(folder / part, stem, shapes, SHARD_BYTES // divisor**2)
        else:
            variant = ".fp16" if layout == "fp16" else ""
            write_weights(folder / part / f"{stem}{variant}.safetensors", shapes, number)
        settings = network.config.to_dict() if is_text else dict(network.config)
        class_name = {} if is_text else {"_class_name": type(network).__name__}
        _write_json(folder / part / "config.json", {**settings, **class_name})
    for name in ("tokenizer", "tokenizer_2") if is_pair else ("tokenizer",):
        shutil.copytree(CONFIGS_DIR / "tokenizer", folder / name, dirs_exist_ok=True)
    scheduler = {"_class_name": "DDIMScheduler", **config["scheduler"]}
    _write_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    pipeline = "StableDiffusionXLPipeline" if is_pair else "StableDiffusionPipeline"
    libraries = {
        part: ["transformers" if part.startswith("text") else "diffusers", type(network).__name__]
        for part, network in parts.items()
    }
    libraries |= {
        part.replace("text_encoder", "tokenizer"): ["transformers", "CLIPTokenizer"]
        for part in parts
        if part.startswith("text")
    }
    libraries["scheduler"] = ["diffusers", "DDIMScheduler"]
    _write_json(folder / "model_index.json", {"_class_name": pipeline, **libraries})


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, default=str), encoding="utf-8")


def write_configs(folder: Path, divisor: int) -> None:
    """Write the configs with which narrower single files are read."""
    shutil.copytree(CONFIGS_DIR / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)
    for family in ("sd1", "sd2", "sdxl"):
        _write_json(folder / f"{family}.json", read_narrow_config(family, divisor))


def write_model(target: Path, name: str, layout: str, divisor: int = 1) -> Path:
    """Write one checkpoint or LoRA below a folder; give its path."""
    family, channels = FAMILIES[name]
    config = read_narrow_config(family, divisor)
    parts = build_parts(config, channels)
    if layout == "file":
        path = target / f"{name}.safetensors"
        write_weights(path, original_shapes(family, config, parts))
    elif layout == "lora":
        path = target / f"{name}-lora.safetensors"
        write_weights(path, lora_shapes(family, config, parts))
    else:
        path = target / f"{name}-{layout}"
        write_folder(path, config, parts, layout, divisor)
    return path


def main() -> None:
    """Read the arguments and write."""
    parser = argparse.ArgumentParser(prog="real_size", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--family", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--layout", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument("--divisor", type=int, default=1)
    options = parser.parse_args()
    write_configs(options.folder / "configs", options.divisor)
    for name in options.family:
        for layout in options.layout:
            print(write_model(options.folder, name, layout, options.divisor))


if __name__ == "__main__":
    main()
