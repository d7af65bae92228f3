"""Read a LoRA file into branches for the layers of one model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from inference.diffusion.lora.adapter_settings import AdapterSettings, read_adapter_settings
from inference.diffusion.lora.branches import SCALAR_FIELDS, BranchWeights, make_branches
from inference.diffusion.lora.bundled_embeddings import read_bundled_embeddings
from inference.diffusion.lora.layers import LoraBranch
from inference.diffusion.lora.names import UNET_PART, Place, map_layer_names, split_name
from inference.diffusion.offload import CPU_DEVICE
from inference.model_files.errors import CorruptWeights, UnsupportedWeights
from inference.model_files.header import read_header
from inference.model_files.identity import FAMILY_BY_TEXT_WIDTH, FAMILY_TITLES, identify_header
from inference.model_files.pipelines.flow_families import FLOW_FAMILIES
from inference.model_files.reader import open_tensors

Fields = dict[str, Tensor]

META_DEVICE = torch.device("meta")

#: Methods that are not run, by how their weights' names end.
UNSUPPORTED_METHODS = (
    (re.compile(r"\.oft_[rR](\.|$)"), "OFT as peft writes it"),
    (re.compile(r"\.boft_[Rs](\.|$)"), "BOFT as peft writes it"),
    (re.compile(r"\.ia3_l(\.|$)"), "(IA)³ as peft writes it"),
    (re.compile(r"\.lora_E(\.|$)"), "AdaLoRA"),
    (re.compile(r"\.vera_lambda_[bd](\.|$)"), "VeRA"),
    (re.compile(r"\.lambda_layer$"), "T-LoRA"),
    (re.compile(r"\.hra_u(\.|$)"), "HRA"),
    (re.compile(r"\.fourierft_spectrum(\.|$)"), "FourierFT"),
)
#: Channels of the first layer as LoRAs know it, and of an inpainting network's: the same first.
IMAGE_CHANNELS, INPAINT_CHANNELS = 4, 9


@dataclass(frozen=True, eq=False)
class LoraFile:
    """What one file adds to one model."""

    branches: Mapping[Place, tuple[LoraBranch, ...]]
    nbytes: int
    #: Words that it brings along: for each, [vectors, width] of every text encoder.
    embeddings: Mapping[str, tuple[Tensor, ...]] = field(default_factory=dict)
    #: Names of weights that nothing here uses.
    unused_names: tuple[str, ...] = ()


def load_lora(
    path: Path, unet: Any, texts: tuple[Any, ...], device: torch.device = CPU_DEVICE
) -> LoraFile:
    """Read a LoRA or LyCORIS file for the parts of a model, onto the device where they work.

    Raises:
        UnsupportedWeights: it is for another family, of another method, or no LoRA at all.
        CorruptWeights: it is damaged, or a layer's weights do not belong together.
    """
    header = read_header(path)
    identity = identify_header(header)
    if identity.kind != "lora":
        raise UnsupportedWeights("weights.no_lora", file=path.name, title=identity.title)
    width = unet.config.get("cross_attention_dim")
    if identity.family and width is None:
        title = _flow_title(unet)
        raise UnsupportedWeights(
            "weights.other_family", name=path.stem, title=identity.title, family=title
        )
    family = None if width is None else FAMILY_BY_TEXT_WIDTH.get(int(width))
    if identity.family and family and identity.family != family:
        raise UnsupportedWeights(
            "weights.other_family",
            name=path.stem,
            title=identity.title,
            family=FAMILY_TITLES[family],
        )
    _refuse_unsupported_method(path, header.entries)
    with open_tensors(path) as reader:
        tensors = {name: reader.get_tensor(name) for name in sorted(reader.names)}
    settings = read_adapter_settings(path, header.metadata)
    found_tensors = {name: value for name, value in tensors.items() if value is not None}
    return _LoraLoader(path, unet, texts, settings, device).load_tensors(found_tensors)


def _flow_title(network: Any) -> str:
    family = FLOW_FAMILIES.get(type(network).__name__)
    return "another family" if family is None else family.title


def _refuse_unsupported_method(path: Path, names: Mapping[str, object]) -> None:
    for sign, method in UNSUPPORTED_METHODS:
        if any(sign.search(name) for name in names):
            raise UnsupportedWeights("weights.lora_method", name=path.stem, method=method)


class _LoraLoader:
    """One file on its way to the layers of one model."""

    def __init__(
        self,
        path: Path,
        unet: Any,
        texts: tuple[Any, ...],
        settings: AdapterSettings,
        device: torch.device,
    ) -> None:
        self._path, self._settings, self._device = path, settings, device
        self._unet, self._texts = unet, texts
        self._places = map_layer_names(unet, texts)

    def load_tensors(self, tensors: Fields) -> LoraFile:
        """Make the branches of every layer that is there, and list what nothing uses."""
        widths = [int(text.config.hidden_size) for text in self._texts]
        embeddings, used_names = read_bundled_embeddings(tensors, widths)
        names_by_place: dict[Place, dict[str, str]] = {}
        for name in tensors:
            layer, what = split_name(name) or ("", "")
            if layer in self._places:
                names_by_place.setdefault(self._places[layer], {}).setdefault(what, name)
        branches: dict[Place, tuple[LoraBranch, ...]] = {}
        nbytes = 0
        for place, names in names_by_place.items():
            fields = {what: tensors[name] for what, name in names.items()}
            layer_branches, used_fields = self._make_checked_branches(place, fields)
            if layer_branches:
                branches[place] = layer_branches
                used_names |= {names[what] for what in used_fields}
                nbytes += sum(fields[what].nbytes for what in used_fields)
        if not branches and not embeddings:
            raise self._nothing_acts_error(tensors)
        unused_names = tuple(name for name in tensors if name not in used_names)
        return LoraFile(branches, nbytes, embeddings, unused_names)

    def _nothing_acts_error(self, tensors: Fields) -> UnsupportedWeights:
        """Say whether the layers are unknown, or what the file does to them."""
        for name in tensors:
            layer, _, ending = name.partition(".")
            if layer in self._places:
                values = {"name": self._path.stem, "method": f"“{ending}”"}
                return UnsupportedWeights("weights.lora_method", **values)
        return UnsupportedWeights("weights.no_layer", name=self._path.stem)

    def _make_checked_branches(
        self, place: Place, fields: Fields
    ) -> tuple[tuple[LoraBranch, ...], set[str]]:
        """Make a layer's branches and see that they fit it; give the weights they use too."""
        part = self._unet if place[0] == UNET_PART else self._texts[int(place[0])]
        layer = part.get_submodule(place[1])
        fields = _pad_channels(fields, layer.weight.shape)
        default_scale = partial(self._settings.rank_scale, place)
        try:
            # Shapes alone say whether it fits: a product of them costs nothing.
            shapes = BranchWeights(_move_weights(fields, META_DEVICE), default_scale)
            for branch in make_branches(shapes, layer):
                branch.check_fit(layer.weight.to(META_DEVICE))
            weights = BranchWeights(_move_weights(fields, self._device), default_scale)
            return make_branches(weights, layer), weights.used_names
        except KeyError as error:
            raise CorruptWeights(
                "weights.layer_lacks", name=self._path.stem, part=error, layer=place[1]
            ) from error
        except (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError) as error:
            raise UnsupportedWeights(
                "weights.layer_misfit", name=self._path.stem, layer=place[1]
            ) from error


def _move_weights(fields: Fields, device: torch.device) -> Fields:
    """Bring weights to a device; what is one number each is read where it is."""
    return {
        what: value if what in SCALAR_FIELDS else value.to(device) for what, value in fields.items()
    }


def _pad_channels(fields: Fields, shape: torch.Size) -> Fields:
    """Let what was made for a network's first layer fit that of its inpainting variant."""
    if shape[1:2] != (INPAINT_CHANNELS,):
        return fields
    missing = INPAINT_CHANNELS - IMAGE_CHANNELS
    return {
        what: pad(value.float(), (0, 0, 0, 0, 0, missing))
        if what in ("down", "diff") and value.shape[1:2] == (IMAGE_CHANNELS,) and value.ndim == 4
        else value
        for what, value in fields.items()
    }
