"""Read a ControlNet from a folder of diffusers' layout, or from one file of either layout."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, ControlNetUnionModel
from torch import Tensor

from inference.diffusion.control.kinds import UNION_KINDS
from inference.diffusion.ldm_names import UnetNames
from inference.diffusion.single_file import read_config
from inference.model_files.errors import CorruptWeights, UnsupportedWeights
from inference.model_files.files import is_folder
from inference.model_files.header import SafetensorsHeader, read_header
from inference.model_files.identity import FAMILY_BY_TEXT_WIDTH, identify_header
from inference.model_files.inspection import describe_error
from inference.model_files.json_files import read_json_object
from inference.model_files.pipeline_folder import CONFIG_FILE, read_part_config
from inference.model_files.pipelines.part_weights import DIFFUSERS_STEM, find_weight_files
from inference.model_files.reader import load_into, open_tensors

#: Families that have ControlNets of these classes, in the order in which a file is held to them.
CONTROL_FAMILIES = ("sd1", "sd2", "sdxl")
CONTROL_CLASSES: Mapping[str, Any] = {
    "ControlNetModel": ControlNetModel,
    "ControlNetUnionModel": ControlNetUnionModel,
}
#: What the original files have before every name, and a weight that only they have.
LDM_PREFIX, LDM_SIGN = "control_model.", "input_hint_block.0.weight"
HINT = "controlnet_cond_embedding"
DIFFUSERS_SIGN, UNION_SIGN = f"{HINT}.conv_in.weight", "task_embedding"
#: The convolutions of the map's encoder whose channels its settings name, in either layout.
HINT_CONVOLUTIONS = tuple(
    f"{HINT}.{name}.weight" for name in ("conv_in", "blocks.1", "blocks.3", "blocks.5")
)
LDM_HINT_CONVOLUTIONS = tuple(f"input_hint_block.{number}.weight" for number in (0, 4, 8, 12))
#: A LoRA beside the denoising network that stands for a ControlNet (Stability's Control-LoRA).
CONTROL_LORA_SIGN = "lora_controlnet"


@dataclass(frozen=True)
class ControlPlan:
    """How a ControlNet is built: its class and settings, and where its weights are."""

    family: str
    class_name: str
    config: Mapping[str, Any]
    files: tuple[Path, ...]
    #: Of a file of the original layout the denoising network's settings, by which it names parts.
    ldm_unet: Mapping[str, Any] | None = None

    @property
    def union_kinds(self) -> tuple[str, ...]:
        """The kinds of maps that a union takes."""
        count = int(self.config.get("num_control_type", 0))
        return UNION_KINDS[:count] if self.class_name == "ControlNetUnionModel" else ()


def plan_network(path: Path, configs: Path) -> ControlPlan:
    """Read off headers and settings what a ControlNet is.

    Raises:
        UnsupportedWeights: it is something else, or of a family that is not run.
        ModelError: it cannot be read.
    """
    return _plan_folder(path) if is_folder(path) else _plan_file(path, configs)


def load_network(
    plan: ControlPlan, path: Path, device: torch.device, dtype: torch.dtype
) -> torch.nn.Module:
    """Load a ControlNet's weights.

    Raises:
        CorruptWeights: one is missing or has another shape, or its settings cannot be built.
    """
    kind = CONTROL_CLASSES[plan.class_name]
    parameters = inspect.signature(kind.__init__).parameters
    config = {name: value for name, value in plan.config.items() if name in parameters}
    try:
        with torch.device("meta"):
            module = kind(**config)
    except Exception as error:  # settings are wrong in ways that no library foresaw
        values = {"name": path.name, "error": describe_error(error)}
        raise CorruptWeights("weights.unreadable", **values) from error
    with ExitStack() as stack:
        reader = stack.enter_context(open_tensors(*plan.files))
        names = None if plan.ldm_unet is None else UnetNames(plan.ldm_unet)

        def find_tensor(name: str) -> Tensor | None:
            if names is None:
                return reader.get_tensor(name)
            original = _original_name(name, names, module)
            return reader.get_tensor(LDM_PREFIX + original, original)

        loaded_module: torch.nn.Module = load_into(module, find_tensor, path, device, dtype)
    return loaded_module.to(memory_format=torch.channels_last)


def _plan_folder(path: Path) -> ControlPlan:
    class_name = str(read_json_object(path / CONFIG_FILE).get("_class_name", "ControlNetModel"))
    if class_name not in CONTROL_CLASSES:
        raise UnsupportedWeights("control.class", name=path.name, title=class_name[:60])
    config = read_part_config(path.parent, path.name, class_name)
    width = config.get("cross_attention_dim")
    files = tuple(find_weight_files(path, DIFFUSERS_STEM))
    for file in files:
        read_header(file)
    family = FAMILY_BY_TEXT_WIDTH.get(width if type(width) is int else 0, "")
    plan = ControlPlan(family, class_name, config, files)
    return _check_union(plan, path)


def _check_union(plan: ControlPlan, path: Path) -> ControlPlan:
    """Refuse a union of more maps than its authors' lists name."""
    count = plan.config.get("num_control_type", 0)
    if plan.union_kinds and not (type(count) is int and 0 < count <= len(UNION_KINDS)):
        raise UnsupportedWeights("control.class", name=path.name, title=f"{count} kinds of maps")
    return plan


def _plan_file(path: Path, configs: Path) -> ControlPlan:
    header = read_header(path)
    shapes = {name.removeprefix(LDM_PREFIX): e.shape for name, e in header.entries.items()}
    if CONTROL_LORA_SIGN in header.entries:
        raise UnsupportedWeights("control.class", name=path.name, title="Control-LoRA")
    if LDM_SIGN not in shapes and DIFFUSERS_SIGN not in shapes:
        title = identify_header(header).title
        raise UnsupportedWeights("control.no_network", file=path.name, title=title)
    family, unet = _match_family(header, shapes, configs)
    config = dict(unet) | {"in_channels": 4}
    is_original = LDM_SIGN in shapes
    try:
        config |= _read_hint_channels(
            shapes, LDM_HINT_CONVOLUTIONS if is_original else HINT_CONVOLUTIONS
        )
        if is_original:
            return ControlPlan(family, "ControlNetModel", config, (path,), unet)
        config |= _read_depths(shapes)
        if UNION_SIGN not in shapes:
            return ControlPlan(family, "ControlNetModel", config, (path,))
        if family != "sdxl":
            raise UnsupportedWeights("control.class", name=path.name, title=f"a union for {family}")
        config |= _read_union_settings(shapes)
    except (LookupError, ValueError) as error:
        raise CorruptWeights("weights.lacks_weight", file=path.name, name=str(error)) from error
    return _check_union(ControlPlan(family, "ControlNetUnionModel", config, (path,)), path)


def _match_family(
    header: SafetensorsHeader, shapes: Mapping[str, tuple[int, ...]], configs: Path
) -> tuple[str, dict[str, Any]]:
    """Find the family whose denoising network the file is a copy of."""
    first = shapes.get("conv_in.weight", shapes.get("input_blocks.0.0.weight", (0,)))
    for family in CONTROL_FAMILIES:
        unet = dict(read_config(family, configs)["unet"])
        widths = [shape[-1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")]
        projections = [s for name, s in shapes.items() if name.endswith(".proj_in.weight")]
        is_linear = bool(projections) and len(projections[0]) == 2
        # SDXL's smallest have no attention at all, but its added vector.
        has_vector = any(n.startswith(("label_emb.", "add_embedding.")) for n in shapes)
        is_same = (
            first[0] == unet["block_out_channels"][0]
            and has_vector == (unet.get("addition_embed_type") == "text_time")
            and (not widths or widths[0] == unet["cross_attention_dim"])
            and (not projections or is_linear == bool(unet.get("use_linear_projection")))
        )
        if is_same:
            return family, unet
    title = identify_header(header).title
    raise UnsupportedWeights("control.no_family", file=header.path.name, title=title)


def _read_hint_channels(
    shapes: Mapping[str, tuple[int, ...]], names: tuple[str, ...]
) -> dict[str, Any]:
    """Read off a file how wide its map's encoder is."""
    return {"conditioning_embedding_out_channels": [shapes[name][0] for name in names]}


def _read_depths(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Read off a file of diffusers' names where it attends, and how deep."""
    blocks = 1 + max(int(n.split(".")[1]) for n in shapes if n.startswith("down_blocks."))
    depths = [_count_layers(shapes, f"down_blocks.{block}.attentions.0") for block in range(blocks)]
    middle = _count_layers(shapes, "mid_block.attentions.0")
    return {
        "down_block_types": ["CrossAttnDownBlock2D" if n else "DownBlock2D" for n in depths],
        "mid_block_type": "UNetMidBlock2DCrossAttn" if middle else "UNetMidBlock2D",
        # The middle block takes as many as the last is said to have, which need not have any.
        "transformer_layers_per_block": [*(n or 1 for n in depths[:-1]), middle or 1],
    }


def _count_layers(shapes: Mapping[str, tuple[int, ...]], place: str) -> int:
    pattern = re.compile(re.escape(place) + r"\.transformer_blocks\.(\d+)\.")
    matches = (pattern.match(name) for name in shapes)
    return 1 + max((int(match[1]) for match in matches if match), default=-1)


def _read_union_settings(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    layers = {name.split(".")[1] for name in shapes if name.startswith("transformer_layes.")}
    return {
        "num_control_type": shapes[UNION_SIGN][0],
        "num_trans_channel": shapes[UNION_SIGN][1],
        "num_trans_layer": len(layers),
        "num_proj_channel": shapes["spatial_ch_projs.weight"][0],
    }


def _original_name(name: str, names: UnetNames, module: Any) -> str:
    """Translate a weight's name into the one of ControlNet's own files."""
    part, _, ending = name.rpartition(".")
    if part == "controlnet_mid_block":
        return f"middle_block_out.0.{ending}"
    if part.startswith("controlnet_down_blocks."):
        return f"zero_convs.{part.split('.')[1]}.0.{ending}"
    if part == f"{HINT}.conv_in":
        return f"input_hint_block.0.{ending}"
    if part == f"{HINT}.conv_out":  # between any two convolutions is one activation
        return f"input_hint_block.{2 * len(module.controlnet_cond_embedding.blocks) + 2}.{ending}"
    if part.startswith(f"{HINT}.blocks."):
        return f"input_hint_block.{2 * int(part.rsplit('.', 1)[1]) + 2}.{ending}"
    return names.original_name(name)
