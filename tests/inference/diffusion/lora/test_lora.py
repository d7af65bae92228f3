"""LoRA and LyCORIS files, held to W + strength·ΔW written out by hand."""

import copy
import re

import pytest
import torch
from safetensors.torch import save_file

from inference.api.prompts.extra_networks import LoraTag
from inference.diffusion.lora.active import ActiveLoras
from inference.diffusion.lora.files import load_lora
from inference.diffusion.lora.names import LAYER_TYPES, map_layer_names
from inference.model_files.errors import CorruptWeights, UnsupportedWeights

RANK, ALPHA = 4, 2.0
LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
SQUARE = "down_blocks.0.attentions.0.proj_in"  # a 1 × 1 convolution
CONV = "down_blocks.0.resnets.0.conv1"
STRIDED = "down_blocks.0.downsamplers.0.conv"
TEXT = "encoder.layers.0.self_attn.q_proj"


@pytest.fixture
def random():
    generator = torch.Generator().manual_seed(4)
    return lambda *shape: torch.randn(shape, generator=generator) * 0.3


@pytest.fixture
def save(tmp_path):
    def save(state):
        path = tmp_path / "style.safetensors"
        save_file(state, path)
        return path

    return save


def kohya(layer):
    return "lora_unet_" + layer.replace(".", "_")


def low_rank(random, weight, alpha=True):
    """Weights of a LoRA, and the ΔW they stand for."""
    out, into, *kernel = weight.shape
    down, up = random(RANK, into, *kernel), random(out, RANK, *(1 for _ in kernel))
    delta = (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
    state = {"lora_down.weight": down, "lora_up.weight": up}
    if alpha:
        state["alpha"] = torch.tensor(ALPHA)
    return state, delta * (ALPHA / RANK if alpha else 1.0)


def tucker(random, weight):
    out, into, *kernel = weight.shape
    down, mid, up = random(RANK, into, 1, 1), random(RANK, RANK, *kernel), random(out, RANK, 1, 1)
    delta = torch.einsum("or,rskl,si->oikl", up[..., 0, 0], mid, down[..., 0, 0])
    state = {"lora_down.weight": down, "lora_mid.weight": mid, "lora_up.weight": up}
    return state, delta


def hadamard(random, weight):
    out, rest = weight.shape[0], weight[0].numel()
    a1, b1, a2, b2 = random(out, RANK), random(RANK, rest), random(out, RANK), random(RANK, rest)
    delta = (a1 @ b1) * (a2 @ b2) * ALPHA / RANK
    names = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
    state = dict(zip(names, (a1, b1, a2, b2), strict=True)) | {"alpha": torch.tensor(ALPHA)}
    return state, delta.reshape(weight.shape)


def hadamard_cores(random, weight):
    out, into, *kernel = weight.shape
    state = {"alpha": torch.tensor(ALPHA)}
    factors = []
    for side in "12":
        core, a, b = random(RANK, RANK, *kernel), random(RANK, out), random(RANK, into)
        state |= {f"hada_t{side}": core, f"hada_w{side}_a": a, f"hada_w{side}_b": b}
        factors.append(torch.einsum("pqkl,po,qi->oikl", core, a, b))
    return state, factors[0] * factors[1] * ALPHA / RANK


def kronecker(random, weight):
    out, into = weight.shape
    one, a, b = random(2, 2), random(out // 2, RANK), random(RANK, into // 2)
    delta = torch.cat([torch.cat([value * (a @ b) for value in row], 1) for row in one], 0)
    state = {"lokr_w1": one, "lokr_w2_a": a, "lokr_w2_b": b, "alpha": torch.tensor(ALPHA)}
    return state, delta * ALPHA / RANK


def kronecker_whole(random, weight):
    out, into, *kernel = weight.shape
    one, two = random(2, 2), random(out // 2, into // 2, *kernel)
    delta = torch.cat([torch.cat([value * two for value in row], 1) for row in one], 0)
    return {"lokr_w1": one, "lokr_w2": two, "alpha": torch.tensor(ALPHA)}, delta


def difference(random, weight):
    delta = random(*weight.shape)
    return {"diff": delta}, delta


CASES = [
    (low_rank, LINEAR),
    (low_rank, SQUARE),
    (low_rank, CONV),
    (low_rank, STRIDED),
    (tucker, CONV),
    (hadamard, LINEAR),
    (hadamard, CONV),
    (hadamard_cores, CONV),
    (kronecker, LINEAR),
    (kronecker_whole, CONV),
    (difference, STRIDED),
]


def call(unet):
    generator = torch.Generator().manual_seed(8)
    x = torch.randn(2, 4, 8, 8, generator=generator)
    text = torch.randn(2, 16, 32, generator=generator)
    with torch.inference_mode():
        return unet(x, torch.tensor([10.0, 700.0]), text).sample


def merged(unet, deltas, strength):
    other = copy.deepcopy(unet)
    with torch.no_grad():
        for layer, delta in deltas.items():
            other.get_submodule(layer).weight += strength * delta
    return other


@pytest.mark.parametrize(("make", "layer"), CASES, ids=lambda case: getattr(case, "__name__", case))
def test_beside_the_network_equals_merged_into_it(make_parts, random, save, make, layer):
    unet = make_parts("sd1").unet
    fields, delta = make(random, unet.get_submodule(layer).weight)
    path = save({f"{kohya(layer)}.{name}": value for name, value in fields.items()})
    side = ActiveLoras([(LoraTag("style", 1.0, 0.7), load_lora(path, unet, ()))])
    before = call(unet)
    with side.applied_to_unet(unet):
        beside = call(unet)
    expected = call(merged(unet, {layer: delta}, 0.7))

    assert torch.allclose(expected, beside, atol=2e-5)
    assert (beside - before).abs().max() > 1e-3
    assert torch.equal(before, call(unet))


def test_several_are_summed_and_nothing_stays_behind(make_parts, random, save):
    unet = make_parts("sd1").unet
    used, deltas = [], {}
    for name, layer, strength in (("a", LINEAR, 0.5), ("b", CONV, -1.5)):
        fields, delta = low_rank(random, unet.get_submodule(layer).weight, alpha=False)
        path = save({f"{kohya(layer)}.{field}": value for field, value in fields.items()})
        used.append((LoraTag(name, 0.0, strength), load_lora(path, unet, ())))
        deltas[layer] = strength * delta
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    with ActiveLoras(used).applied_to_unet(unet):
        beside = call(unet)

    assert torch.allclose(call(merged(unet, deltas, 1.0)), beside, atol=2e-5)
    assert all(torch.equal(value, unet.state_dict()[name]) for name, value in before.items())
    assert not any(module._forward_hooks for module in unet.modules())


def test_a_rank_to_cut_to_keeps_the_first_ranks(make_parts, random, save):
    unet = make_parts("sd1").unet
    weight = unet.get_submodule(LINEAR).weight
    fields, _ = low_rank(random, weight)
    file = load_lora(save({f"{kohya(LINEAR)}.{n}": v for n, v in fields.items()}), unet, ())
    (branch,) = file.branches["unet", LINEAR]
    expected = fields["lora_up.weight"][:, :2] @ fields["lora_down.weight"][:2] * ALPHA / RANK

    assert torch.allclose(expected, branch.truncate_rank(2).weight_delta(weight), atol=1e-6)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("sd1", kohya(LINEAR) + ".lora_{}.weight"),
        ("sd1", f"unet.{LINEAR}.lora_{{}}.weight"),
        ("sd1", f"base_model.model.unet.{LINEAR}.lora_{{}}.weight"),
        ("sd1", f"unet.{LINEAR.removesuffix('.to_k')}.processor.to_k_lora.{{}}.weight"),
        (
            "sdxl",
            "lora_unet_input_blocks_3_1_transformer_blocks_0_attn2_to_k.lora_{}.weight",
        ),
    ],
)
def test_every_way_of_naming_a_layer_is_read(make_parts, random, save, family, name):
    unet = make_parts(family).unet
    layer = LINEAR if family == "sd1" else LINEAR.replace("down_blocks.0", "down_blocks.1")
    peft = name.startswith(("unet.", "base_model.")) and "processor" not in name
    fields, _ = low_rank(random, unet.get_submodule(layer).weight, alpha=False)
    spelled = {"down": "A", "up": "B"} if peft else {"down": "down", "up": "up"}
    state = {name.format(word): fields[f"lora_{key}.weight"] for key, word in spelled.items()}

    assert set(load_lora(save(state), unet, ()).branches) == {("unet", layer)}


@pytest.mark.parametrize(
    ("family", "stem", "number"),
    [
        ("sd1", "lora_te_text_model_", 0),
        ("sdxl", "lora_te1_text_model_", 0),
        ("sdxl", "lora_te2_text_model_", 1),
    ],
)
def test_text_encoders_are_named_by_number(make_parts, family, stem, number):
    parts = make_parts(family)
    part, layer = map_layer_names(parts.unet, tuple(parts.texts))[stem + TEXT.replace(".", "_")]

    assert (str(number), TEXT) == (part, layer.removeprefix("text_model."))


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_no_two_layers_share_a_name(make_parts, family):
    parts = make_parts(family)
    found = map_layer_names(parts.unet, tuple(parts.texts))
    layers = sum(
        isinstance(module, LAYER_TYPES)
        for part in (parts.unet, *parts.texts)
        for module in part.modules()
    )

    assert len(set(found.values())) == layers


def test_a_lora_of_another_family_is_refused(make_parts, random, save):
    parts = make_parts("sd1")
    fields, _ = low_rank(random, torch.zeros(32, 48))
    path = save({f"{kohya(LINEAR)}.{name}": value for name, value in fields.items()})
    with pytest.raises(UnsupportedWeights, match="another family"):
        load_lora(path, parts.unet, ())
    path = save({f"transformer.blocks.7.attn.{name}": value for name, value in fields.items()})
    with pytest.raises(UnsupportedWeights, match="names no layer"):
        load_lora(path, parts.unet, ())


@pytest.mark.parametrize(
    ("more", "less", "error", "words"),
    [
        ({"dora_scale": torch.ones(7)}, None, UnsupportedWeights, "does not fit the layer"),
        ({"lora_E.ink": torch.ones(1)}, None, UnsupportedWeights, "AdaLoRA"),
        ({}, "lora_up.weight", CorruptWeights, "lacks 'up'"),
    ],
)
def test_what_cannot_be_run_is_refused(make_parts, random, save, more, less, error, words):
    unet = make_parts("sd1").unet
    fields, _ = low_rank(random, unet.get_submodule(LINEAR).weight)
    fields = {name: value for name, value in (fields | more).items() if name != less}
    path = save({f"{kohya(LINEAR)}.{name}": value for name, value in fields.items()})

    with pytest.raises(error, match=re.escape(words)):
        load_lora(path, unet, ())


def test_a_checkpoint_is_no_lora(write_original, tmp_path):
    parts = write_original(tmp_path / "net.safetensors")
    with pytest.raises(UnsupportedWeights, match="Stable Diffusion 1, no LoRA"):
        load_lora(tmp_path / "net.safetensors", parts.unet, ())
