"""Read a LoRA file into branches for the layers of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inference.diffusion.lora.layers import (
    FullDeltaBranch,
    HadamardBranch,
    KroneckerBranch,
    LoraBranch,
    LowRankBranch,
)
from inference.diffusion.lora.names import UNET_PART, Place, map_layer_names, split_name
from inference.model_files.errors import CorruptWeights, UnsupportedWeights
from inference.model_files.identity import FAMILY_BY_TEXT_WIDTH, FAMILY_TITLES, identify_file
from inference.model_files.reader import open_tensors

Fields = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class LoraFile:
    """What one file adds to one model."""

    branches: Mapping[Place, LoraBranch]
    nbytes: int


def load_lora(path: Path, unet: Any, texts: tuple[Any, ...]) -> LoraFile:
    """Read a LoRA, LoCon, LoHa or LoKr for the parts of a model.

    Raises:
        UnsupportedWeights: it is for another family, of another method, or no LoRA at all.
        CorruptWeights: it is damaged, or a layer's weights do not belong together.
    """
    identity = identify_file(path)
    if identity.kind != "lora":
        raise UnsupportedWeights("weights.no_lora", file=path.name, title=identity.title)
    family = FAMILY_BY_TEXT_WIDTH.get(int(unet.config.cross_attention_dim))
    if identity.family and family and identity.family != family:
        raise UnsupportedWeights(
            "weights.other_family",
            name=path.stem,
            title=identity.title,
            family=FAMILY_TITLES[family],
        )
    places_by_name = map_layer_names(unet, texts)
    branches: dict[Place, LoraBranch] = {}
    nbytes = 0
    for layer, fields in _read_layers(path).items():
        place = places_by_name.get(layer)
        if place is None:
            continue
        part = unet if place[0] == UNET_PART else texts[int(place[0])]
        weight = part.get_submodule(place[1]).weight
        tensors = {name: value.to(weight.device) for name, value in fields.items()}
        nbytes += sum(value.nbytes for value in tensors.values())
        branches[place] = _make_checked_branch(path, layer, tensors, weight.shape)
    if not branches:
        raise UnsupportedWeights("weights.no_layer", name=path.stem)
    return LoraFile(branches, nbytes)


def _read_layers(path: Path) -> dict[str, Fields]:
    layers: dict[str, Fields] = {}
    with open_tensors(path) as reader:
        for name in sorted(reader.names):
            name_parts = split_name(name)
            tensor = reader.get_tensor(name)
            if name_parts is not None and tensor is not None:
                layers.setdefault(name_parts[0], {})[name_parts[1]] = tensor
    return layers


def _make_checked_branch(path: Path, layer: str, fields: Fields, shape: torch.Size) -> LoraBranch:
    """Make a branch and see that it fits its layer."""
    if "dora_scale" in fields:
        raise UnsupportedWeights("weights.dora", name=path.stem)
    try:
        branch = make_branch(fields)
    except KeyError as error:
        raise CorruptWeights(
            "weights.layer_lacks", name=path.stem, part=error, layer=layer
        ) from error
    try:
        make_branch(_to_meta(fields)).weight_delta(shape)
    except RuntimeError as error:
        raise UnsupportedWeights("weights.layer_misfit", name=path.stem, layer=layer) from error
    return branch


def _to_meta(fields: Fields) -> Fields:
    """Keep of the weights their shapes alone, with which a product costs nothing."""
    return {name: value if name == "alpha" else value.to("meta") for name, value in fields.items()}


def make_branch(fields: Mapping[str, Tensor]) -> LoraBranch:
    """Make a branch of a layer's weights.

    Raises:
        KeyError: a weight is missing.
    """
    alpha = float(fields["alpha"]) if "alpha" in fields else None
    if "hada_w1_a" in fields:
        cores = (fields["hada_t1"], fields["hada_t2"]) if "hada_t1" in fields else None
        return HadamardBranch(
            (fields["hada_w1_a"], fields["hada_w1_b"]),
            (fields["hada_w2_a"], fields["hada_w2_b"]),
            _alpha_scale(alpha, len(fields["hada_w1_b"])),
            cores,
        )
    if any(name.startswith("lokr_") for name in fields):
        return _make_kronecker(fields, alpha)
    if "diff" in fields:
        return FullDeltaBranch(fields["diff"])
    down, up = fields["down"], fields["up"]
    return LowRankBranch(down, up, _alpha_scale(alpha, len(down)), fields.get("mid"))


def _make_kronecker(fields: Mapping[str, Tensor], alpha: float | None) -> KroneckerBranch:
    first, second = (
        (fields[name],) if name in fields else (fields[f"{name}_a"], fields[f"{name}_b"])
        for name in ("lokr_w1", "lokr_w2")
    )
    ranks = [len(parts[1]) for parts in (second, first) if len(parts) == 2]
    # Where both are whole there is no rank to set alpha against.
    scale = _alpha_scale(alpha, ranks[0]) if ranks else 1.0
    return KroneckerBranch(first, second, scale, fields.get("lokr_t2"))


def _alpha_scale(alpha: float | None, rank: int) -> float:
    return 1.0 if alpha is None else alpha / rank
