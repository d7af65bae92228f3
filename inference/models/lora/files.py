"""Read a LoRA file into branches for the layers of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inference.models.errors import CorruptWeights, UnsupportedWeights
from inference.models.identity import TITLES, WIDTHS, identify_file
from inference.models.lora.branches import Branch, Difference, Hadamard, Kronecker, LowRank
from inference.models.lora.names import UNET, Place, places, split_name
from inference.models.reader import opened

Fields = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class LoraFile:
    """What one file adds to one model."""

    branches: Mapping[Place, Branch]
    nbytes: int


def load_lora(path: Path, unet: Any, texts: tuple[Any, ...]) -> LoraFile:
    """Read a LoRA, LoCon, LoHa or LoKr for the parts of a model.

    Raises:
        UnsupportedWeights: it is for another family, of another method, or no LoRA at all.
        CorruptWeights: it is damaged, or a layer's weights do not belong together.
    """
    identity = identify_file(path)
    if identity.kind != "lora":
        raise UnsupportedWeights(f"{path.name} is {identity.title}, no LoRA.")
    family = WIDTHS.get(int(unet.config.cross_attention_dim))
    if identity.family and family and identity.family != family:
        raise UnsupportedWeights(
            f"{path.stem} is {identity.title}, but this checkpoint is {TITLES[family]}: "
            "choose a LoRA of its family."
        )
    known = places(unet, texts)
    branches: dict[Place, Branch] = {}
    nbytes = 0
    for layer, fields in _read(path).items():
        place = known.get(layer)
        if place is None:
            continue
        part = unet if place[0] == UNET else texts[int(place[0])]
        weight = part.get_submodule(place[1]).weight
        placed = {name: value.to(weight.device) for name, value in fields.items()}
        nbytes += sum(value.nbytes for value in placed.values())
        branches[place] = _checked(path, layer, placed, weight.shape)
    if not branches:
        raise UnsupportedWeights(
            f"{path.stem} names no layer of this checkpoint: it was made for another family."
        )
    return LoraFile(branches, nbytes)


def _read(path: Path) -> dict[str, Fields]:
    layers: dict[str, Fields] = {}
    with opened(path) as reader:
        for name in sorted(reader.names):
            found = split_name(name)
            tensor = reader.get(name)
            if found is not None and tensor is not None:
                layers.setdefault(found[0], {})[found[1]] = tensor
    return layers


def _checked(path: Path, layer: str, fields: Fields, shape: torch.Size) -> Branch:
    """Make a branch and see that it fits its layer."""
    if "dora_scale" in fields:
        raise UnsupportedWeights(
            f"{path.stem} is a DoRA, which Easel does not run: use a plain LoRA of it."
        )
    try:
        branch = make_branch(fields)
    except KeyError as error:
        raise CorruptWeights(f"{path.stem} lacks {error} of the layer {layer}.") from error
    try:
        make_branch(_shapes(fields)).delta(shape)
    except RuntimeError as error:
        raise UnsupportedWeights(
            f"{path.stem} does not fit the layer {layer} of this checkpoint: it was made for "
            "another family."
        ) from error
    return branch


def _shapes(fields: Fields) -> Fields:
    """Keep of the weights their shapes alone, with which a product costs nothing."""
    return {name: value if name == "alpha" else value.to("meta") for name, value in fields.items()}


def make_branch(fields: Mapping[str, Tensor]) -> Branch:
    """Make a branch of a layer's weights.

    Raises:
        KeyError: a weight is missing.
    """
    alpha = float(fields["alpha"]) if "alpha" in fields else None
    if "hada_w1_a" in fields:
        cores = (fields["hada_t1"], fields["hada_t2"]) if "hada_t1" in fields else None
        return Hadamard(
            (fields["hada_w1_a"], fields["hada_w1_b"]),
            (fields["hada_w2_a"], fields["hada_w2_b"]),
            _scale(alpha, len(fields["hada_w1_b"])),
            cores,
        )
    if any(name.startswith("lokr_") for name in fields):
        return _kronecker(fields, alpha)
    if "diff" in fields:
        return Difference(fields["diff"])
    down, up = fields["down"], fields["up"]
    return LowRank(down, up, _scale(alpha, len(down)), fields.get("mid"))


def _kronecker(fields: Mapping[str, Tensor], alpha: float | None) -> Kronecker:
    first, second = (
        (fields[name],) if name in fields else (fields[f"{name}_a"], fields[f"{name}_b"])
        for name in ("lokr_w1", "lokr_w2")
    )
    ranks = [len(parts[1]) for parts in (second, first) if len(parts) == 2]
    # Where both are whole there is no rank to set alpha against.
    scale = _scale(alpha, ranks[0]) if ranks else 1.0
    return Kronecker(first, second, scale, fields.get("lokr_t2"))


def _scale(alpha: float | None, rank: int) -> float:
    return 1.0 if alpha is None else alpha / rank
