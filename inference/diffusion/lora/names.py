"""Under which names files speak of a model's layers: the trainers' of the field, old and new."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from torch import nn

from inference.diffusion.ldm_names import UnetNames

#: A layer: the part it is in (`unet`, or the number of the text encoder) and its name there.
Place = tuple[str, str]
UNET_PART = "unet"
#: Layers that files change.
LAYER_TYPES = (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm)

#: Names of weights that end in what they are called here too.
_PLAIN_FIELDS = (
    *("alpha", "scale", "scalar", "dora_scale", "diff", "diff_b", "w_norm", "b_norm"),
    *("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"),
    *("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"),
    *("oft_blocks", "oft_diag", "rescale", "on_input"),
)
#: How a weight's name ends, and what it is of its layer's branches. Between peft's names and
#: `.weight` may stand what the adapter is called.
_FIELD_PATTERNS = tuple(
    (re.compile(pattern + "$"), field)
    for pattern, field in (
        (r"\.lora_(?P<field>down|up|mid)\.weight", "{}"),
        (r"(?:\.lora|_lora|\.lora_linear_layer)\.(?P<field>down|up)\.weight", "{}"),
        (r"\.lora_B(?:\.[^.]+)?\.bias", "up_bias"),
        (r"\.lora_A(?:\.(?!weight$|bias$)[^.]+)?(?:\.weight)?", "down"),
        (r"\.lora_B(?:\.(?!weight$|bias$)[^.]+)?(?:\.weight)?", "up"),
        (r"\.lora_magnitude_vector(?:\.[^.]+){0,2}", "magnitude"),
        (r"\.(?P<field>[ab][12]|bm)\.weight", "{}"),
        (rf"\.(?P<field>{'|'.join(_PLAIN_FIELDS)})", "{}"),
        (r"\.weight", "weight"),
    )
)
_ATTENTION_PATTERN = re.compile(r"\.(?:processor\.)?to_(q|k|v|out)$")
#: Stems of an encoder's names with dots and without; 0 is the first encoder.
_TEXT_STEMS = (
    (
        ("lora_te_", "lora_te1_"),
        ("text_encoder.", "clip_l.transformer.", "clip_h.transformer."),
    ),
    (("lora_te2_",), ("text_encoder_2.", "clip_g.transformer.")),
)


def split_name(name: str) -> tuple[str, str] | None:
    """Split a weight's name into its layer's and what it is there; None for other weights."""
    for pattern, field in _FIELD_PATTERNS:
        if match := pattern.search(name):
            return _modern_layer_name(name[: match.start()]), field.format(*match.groups())
    return None


def _modern_layer_name(name: str) -> str:
    """Bring wrapped names and older diffusers names of attention layers into today's form."""
    name = name.replace("base_model.model.", "").removeprefix("text_encoders.")
    match = _ATTENTION_PATTERN.search(name)
    if match is None:
        return name
    stem = name[: match.start()]
    if stem.endswith("self_attn"):  # of a text encoder
        return f"{stem}.{'out_proj' if match[1] == 'out' else f'{match[1]}_proj'}"
    return f"{stem}.{'to_out.0' if match[1] == 'out' else f'to_{match[1]}'}"


def map_layer_names(unet: Any, texts: tuple[Any, ...]) -> dict[str, Place]:
    """Map every name that a file may use for a layer of these parts to the layer."""
    places_by_alias: dict[str, Place] = {}
    names = UnetNames(unet.config) if "cross_attention_dim" in unet.config else None
    for layer in _layer_names(unet):
        for alias in _unet_aliases(layer):
            places_by_alias[alias] = (UNET_PART, layer)
        if names is None:
            continue
        try:
            original = names.original_name(layer)
        except KeyError:
            continue
        for alias in _unet_aliases(original):
            places_by_alias.setdefault(alias, (UNET_PART, layer))
    for number, text in enumerate(texts):
        for layer in _layer_names(text):
            for alias in _text_aliases(layer.removeprefix("text_model."), number):
                places_by_alias[alias] = (str(number), layer)
    return places_by_alias


def _unet_aliases(layer: str) -> Iterator[str]:
    flat = layer.replace(".", "_")
    yield from (f"lora_unet_{flat}", f"lora_transformer_{flat}", f"lycoris_{flat}")
    yield from (f"{stem}{layer}" for stem in ("unet.", "transformer.", "diffusion_model.", ""))


def _text_aliases(layer: str, number: int) -> Iterator[str]:
    flat = layer.replace(".", "_")
    flat_stems, dotted_stems = _TEXT_STEMS[number]
    for stem in flat_stems:
        yield from (f"{stem}text_model_{flat}", f"{stem}{flat}")
    for stem in dotted_stems:
        yield from (f"{stem}text_model.{layer}", f"{stem}{layer}")
    if number == 0:  # peft writes each part into a file of its own
        yield f"text_model.{layer}"


def _layer_names(part: Any) -> Iterator[str]:
    for name, module in part.named_modules():
        if isinstance(module, LAYER_TYPES) and module.weight is not None:
            yield name
