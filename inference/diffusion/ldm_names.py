"""The names that latent diffusion's own files give to the parts diffusers and transformers name.

Facts of the published layouts: CompVis/latent-diffusion (openaimodel.py, model.py) and
mlfoundations/open_clip (transformer.py), both MIT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RESNET_NAMES = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
#: Parts of the denoising network that no block holds.
TOP_LEVEL_NAMES = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE_ATTENTION_NAMES = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
VAE_ATTENTION_SPELLINGS = {
    "group_norm": ("norm", "group_norm"),
    "to_q": ("q", "query", "to_q"),
    "to_k": ("k", "key", "to_k"),
    "to_v": ("v", "value", "to_v"),
    "to_out.0": ("proj_out", "proj_attn", "to_out.0"),
}
RESAMPLER_NAMES = {"downsamplers": "downsample", "upsamplers": "upsample"}
OPEN_CLIP_LAYER_NAMES = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
OPEN_CLIP_NAMES = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
    "text_projection.weight": "text_projection",
}


class UnetNames:
    """The original names of one denoising network's parts, by its config."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._blocks = TOP_LEVEL_NAMES | _down_blocks(config) | _up_blocks(config)

    def original_name(self, name: str) -> str:
        """Translate the dotted name of a module or a weight.

        Raises:
            KeyError: the network has no such part in that layout.
        """
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            block = self._blocks.get(".".join(parts[:length]))
            if block is not None:
                subparts = parts[length:]
                if ".resnets." in name and subparts:
                    subparts = [RESNET_NAMES[subparts[0]], *subparts[1:]]
                return ".".join([block, *subparts])
        raise KeyError(name)


def _down_blocks(config: Mapping[str, Any]) -> dict[str, str]:
    names = {}
    kinds, layers = config["down_block_types"], config["layers_per_block"]
    number = 1
    for block, kind in enumerate(kinds):
        for layer in range(layers):
            names[f"down_blocks.{block}.resnets.{layer}"] = f"input_blocks.{number}.0"
            if "CrossAttn" in kind:
                names[f"down_blocks.{block}.attentions.{layer}"] = f"input_blocks.{number}.1"
            number += 1
        if block < len(kinds) - 1:
            names[f"down_blocks.{block}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
            number += 1
    return names


def _up_blocks(config: Mapping[str, Any]) -> dict[str, str]:
    names = {}
    kinds, layers = config["up_block_types"], config["layers_per_block"] + 1
    number = 0
    for block, kind in enumerate(kinds):
        crossing = "CrossAttn" in kind
        for layer in range(layers):
            names[f"up_blocks.{block}.resnets.{layer}"] = f"output_blocks.{number}.0"
            if crossing:
                names[f"up_blocks.{block}.attentions.{layer}"] = f"output_blocks.{number}.1"
            number += 1
        if block < len(kinds) - 1:
            last = f"output_blocks.{number - 1}.{2 if crossing else 1}.conv"
            names[f"up_blocks.{block}.upsamplers.0.conv"] = last
    return names


def vae_name(name: str, levels: int) -> str:
    """Translate the name of an autoencoder's weight; `levels` is its number of resolutions."""
    parts = name.split(".")
    if parts[0] not in ("encoder", "decoder"):
        return name
    coder, block, *subparts = parts
    match block:
        case "mid_block":
            place = "attn_1" if subparts[0] == "attentions" else f"block_{int(subparts[1]) + 1}"
            return f"{coder}.mid.{place}.{_vae_part(subparts[2:])}"
        case "down_blocks" | "up_blocks":
            level = int(subparts[0]) if block == "down_blocks" else levels - 1 - int(subparts[0])
            stem = f"{coder}.{block.removesuffix('_blocks')}.{level}"
            if subparts[1] == "resnets":
                return f"{stem}.block.{subparts[2]}.{_vae_part(subparts[3:])}"
            return ".".join([stem, RESAMPLER_NAMES[subparts[1]], *subparts[3:]])
        case "conv_norm_out":
            return ".".join([coder, "norm_out", *subparts])
    return name


def vae_names(name: str, levels: int) -> list[str]:
    """List the names that files give to an autoencoder's weight, the original first.

    Its attention is spelled in three ways: latent diffusion's, diffusers' of 2022 and of today.
    """
    names = [vae_name(name, levels), name]
    for part, spellings in VAE_ATTENTION_SPELLINGS.items():
        if f".attentions.0.{part}." in name:
            coder, ending = name.split(".", 1)[0], name.rsplit(".", 1)[1]
            stems = (f"{coder}.mid.attn_1", f"{coder}.mid_block.attentions.0")
            names += [f"{stem}.{word}.{ending}" for stem in stems for word in spellings]
    return names


def _vae_part(parts: list[str]) -> str:
    dotted_name = ".".join(parts)
    for name, original in (VAE_ATTENTION_NAMES | {"conv_shortcut": "nin_shortcut"}).items():
        if dotted_name.startswith(f"{name}."):
            return original + dotted_name.removeprefix(name)
    return dotted_name


def open_clip_name(name: str) -> tuple[str, int | None]:
    """Translate the name of a text encoder's weight into OpenCLIP's layout.

    The number says which third of a joined query, key and value weight it is; None: all of it.
    """
    if name in OPEN_CLIP_NAMES:
        return OPEN_CLIP_NAMES[name], None
    _, _, number, subname = name.split(".", 3)
    stem, kind = subname.rsplit(".", 1)
    block = f"transformer.resblocks.{number}"
    for third, projection in enumerate(("q_proj", "k_proj", "v_proj")):
        if stem == f"self_attn.{projection}":
            return f"{block}.attn.in_proj_{kind}", third
    return f"{block}.{OPEN_CLIP_LAYER_NAMES[stem]}.{kind}", None
