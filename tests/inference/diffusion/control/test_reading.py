"""ControlNets as they are downloaded: folders, and single files of either layout."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from inference.diffusion.control.kinds import find_kind
from inference.diffusion.control.library import ControlLibrary
from inference.diffusion.control.reading import load_network, plan_network
from inference.diffusion.ldm_names import UnetNames
from inference.model_files.errors import CorruptWeights, UnsupportedWeights
from inference.runtime.model_cache import ModelCache
from tests.inference.engine.control_nets import make_control, save_control

CPU = torch.device("cpu")
#: The original files' names of what only a ControlNet has; of six convolutions between two more.
ORIGINAL_NAMES = {
    "controlnet_cond_embedding.conv_in": "input_hint_block.0",
    **{f"controlnet_cond_embedding.blocks.{n}": f"input_hint_block.{2 + 2 * n}" for n in range(6)},
    "controlnet_cond_embedding.conv_out": "input_hint_block.14",
    **{f"controlnet_down_blocks.{n}": f"zero_convs.{n}.0" for n in range(12)},
    "controlnet_mid_block": "middle_block_out.0",
}


def write(path, state):
    save_file({name: value.contiguous().clone() for name, value in state.items()}, path)


def rename(state, config):
    names, renamed = UnetNames(config), {}
    for name, value in state.items():
        part, _, ending = name.rpartition(".")
        own = ORIGINAL_NAMES.get(part)
        renamed[f"{own}.{ending}" if own else names.original_name(name)] = value
    return renamed


def answer(module, family):
    width = module.config.cross_attention_dim
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(3)
        inputs = (torch.randn(2, 4, 8, 8), torch.tensor([7.0, 500.0]), torch.randn(2, 5, width))
        maps = torch.rand(2, 3, 64, 64)
        added = {"text_embeds": torch.randn(2, 32), "time_ids": torch.rand(2, 6) * 64}
        more = {"added_cond_kwargs": added} if family == "sdxl" else {}
        if hasattr(module, "task_embedding"):
            chosen = torch.eye(6)[[1, 1]]
            more |= {"control_type": chosen, "control_type_idx": [1]}
            maps = [maps]
        output = module(*inputs, controlnet_cond=maps, **more)
    return [*output.down_block_res_samples, output.mid_block_res_sample]


@pytest.mark.parametrize("prefix", ["control_model.", ""])
@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_files_of_the_original_layout(make_parts, tiny_configs, tmp_path, family, prefix):
    parts = make_parts(family)
    module = make_control(parts.unet, 1)
    path = tmp_path / "canny.safetensors"
    state = rename(module.state_dict(), parts.config["unet"])
    write(path, {prefix + name: value for name, value in state.items()})

    plan = plan_network(path, tiny_configs)
    loaded = load_network(plan, path, CPU, torch.float32)

    assert plan.family == family
    for values, expected in zip(answer(loaded, family), answer(module, family), strict=True):
        assert torch.allclose(values, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "union"), [("sd1", False), ("sd2", False), ("sdxl", False), ("sdxl", True)]
)
def test_files_of_diffusers_layout(make_parts, tiny_configs, tmp_path, family, union):
    parts = make_parts(family)
    module = make_control(parts.unet, 1, union)
    path = tmp_path / "depth.safetensors"
    write(path, module.state_dict())

    plan = plan_network(path, tiny_configs)
    loaded = load_network(plan, path, CPU, torch.float32)

    assert plan.family == family
    assert plan.union_kinds == (
        ("pose", "depth", "softedge", "canny", "normal", "segmentation") if union else ()
    )
    for values, expected in zip(answer(loaded, family), answer(module, family), strict=True):
        assert torch.allclose(values, expected, atol=1e-5)


def test_a_folder_loads_to_the_same(make_parts, tiny_configs, tmp_path):
    module = save_control(tmp_path / "pose", make_parts("sdxl").unet, 1)
    plan = plan_network(tmp_path / "pose", tiny_configs)
    loaded = load_network(plan, tmp_path / "pose", CPU, torch.float32)
    for values, expected in zip(answer(loaded, "sdxl"), answer(module, "sdxl"), strict=True):
        assert torch.allclose(values, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["lora_controlnet", "input_blocks.0.0.weight"], "control.class"),
        (["img_in.weight", "double_blocks.0.img_attn.qkv.weight"], "control.no_network"),
        (["input_hint_block.0.weight"], "control.no_family"),
    ],
)
def test_what_is_no_such_network_is_refused_by_name(tmp_path, tiny_configs, names, code):
    write(tmp_path / "x.safetensors", {name: torch.zeros(3, 3) for name in names})
    with pytest.raises(UnsupportedWeights) as refused:
        plan_network(tmp_path / "x.safetensors", tiny_configs)
    assert refused.value.notice.code == code


def test_networks_of_other_families_are_named_by_their_class(tmp_path, tiny_configs):
    (tmp_path / "flux").mkdir()
    config = {"_class_name": "FluxControlNetModel", "num_layers": 2}
    (tmp_path / "flux" / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedWeights, match="FluxControlNetModel"):
        plan_network(tmp_path / "flux", tiny_configs)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("control_v11p_sd15_canny", "canny"),
        ("control_v11f1p_sd15_depth_fp16", "depth"),
        ("control_v11p_sd15_openpose", "pose"),
        ("control_v11p_sd15s2_lineart_anime", "lineart"),
        ("control_v11f1e_sd15_tile", "tile"),
        ("control_v11p_sd15_seg", "segmentation"),
        ("control_v11p_sd15_normalbae", "normal"),
        ("diffusers_xl_depth_full", "depth"),
        ("controlnet-canny-sdxl-1.0", "canny"),
        ("mine", ""),
    ],
)
def test_the_kind_of_map_is_guessed_from_the_name(tmp_path, name, kind):
    assert find_kind(tmp_path / f"{name}.safetensors", name) == kind


def test_a_side_file_says_the_kind(tmp_path):
    path = tmp_path / "canny.safetensors"
    side = tmp_path / "canny.control.json"
    side.write_text('{"kind": "depth"}')
    assert find_kind(path, "canny") == "depth"
    side.write_text('{"kind": "poses"}')
    with pytest.raises(CorruptWeights, match="canny, lineart"):
        find_kind(path, "canny")


def test_the_list_names_kind_and_family_and_leaves_out_what_is_broken(
    make_parts, tiny_configs, tmp_path
):
    folder = tmp_path / "controlnet"
    folder.mkdir()
    unet = make_parts("sdxl").unet
    write(folder / "xl_depth.safetensors", make_control(unet, 1).state_dict())
    write(folder / "xl_union.safetensors", make_control(unet, 1, union=True).state_dict())
    (folder / "broken_canny.safetensors").write_bytes(b"nothing")

    library = ControlLibrary(tmp_path, tiny_configs, CPU, torch.float32, ModelCache(10**9))
    infos = {info.name: info for info in library.list_networks()}

    assert set(infos) == {"xl_depth", "xl_union"}
    assert (infos["xl_depth"].about, infos["xl_depth"].family) == ("depth", "sdxl")
    assert infos["xl_union"].about == "pose, depth, softedge, canny, normal, segmentation"
