"""Files as the field's programs have written them: every weight is read, or named as unused."""

import json
import math

import pytest
import torch
from safetensors.torch import save_file

from inference.api.prompts.extra_networks import LoraTag
from inference.diffusion.lora.active import ActiveLoras
from inference.diffusion.lora.files import load_lora

RANK = 4
ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
ORIGINAL = "input_blocks.3.1.transformer_blocks.0.attn2"
TEXT = "encoder.layers.0.self_attn"
FIRST, SECOND = (f"{part}.text_model.{TEXT}" for part in ("text_encoder", "text_encoder_2"))


def flat(stem, layer):
    return stem + layer.replace(".", "_") + "."


Q = ("unet", f"{ATTENTION}.to_q")


def pair(stem, down="lora_down.weight", up="lora_up.weight", seed=0):
    """Weights of a low rank for a layer of 32 inputs and outputs."""
    generator = torch.Generator().manual_seed(seed)
    return {
        f"{stem}{down}": torch.randn(RANK, 32, generator=generator) * 0.1,
        f"{stem}{up}": torch.randn(32, RANK, generator=generator) * 0.1,
    }


def diffusers(stem):
    return pair(stem, "down.weight", "up.weight")


def peft(stem, ending=".weight"):
    return pair(stem, f"lora_A{ending}", f"lora_B{ending}")


UNET_FILES = {
    "kohya": pair(flat("lora_unet_", Q[1])),
    "kohya, Stability's names": pair(flat("lora_unet_", f"{ORIGINAL}.to_q")),
    "LyCORIS alone": pair(flat("lycoris_", Q[1])),
    "ComfyUI": pair(f"diffusion_model.{ORIGINAL}.to_q."),
    "ComfyUI, peft": peft(f"diffusion_model.{ORIGINAL}.to_q."),
    "diffusers 0.14": diffusers(f"{ATTENTION}.processor.to_q_lora."),
    "diffusers 0.17": diffusers(f"unet.{ATTENTION}.processor.to_q_lora."),
    "diffusers 0.18": diffusers(f"unet.{ATTENTION}.to_q.lora."),
    "diffusers 0.20": diffusers(f"unet.{ATTENTION}.to_q.lora_linear_layer."),
    "peft": peft(f"unet.{ATTENTION}.to_q."),
    "peft, bare": peft(f"base_model.model.{ATTENTION}.to_q."),
    "peft, wrapped": peft(f"unet.base_model.model.{ATTENTION}.to_q."),
    "peft, wrapped outside": peft(f"base_model.model.unet.{ATTENTION}.to_q."),
    "peft, default": peft(f"unet.{ATTENTION}.to_q.", ".default.weight"),
    "peft, named": peft(f"unet.{ATTENTION}.to_q.", ".ink_v2.weight"),
    "peft, no ending": peft(f"unet.{ATTENTION}.to_q.", ""),
}
TEXT_FILES = {
    "kohya": (pair(flat("lora_te1_text_model_", f"{TEXT}.q_proj")), "0"),
    "kohya, SD 1": (pair(flat("lora_te_text_model_", f"{TEXT}.q_proj")), "0"),
    "kohya, second": (pair(flat("lora_te2_text_model_", f"{TEXT}.q_proj")), "1"),
    "diffusers 0.17": (diffusers(f"{FIRST}.to_q_lora."), "0"),
    "diffusers 0.20": (diffusers(f"{FIRST}.q_proj.lora_linear_layer."), "0"),
    "second of 0.20": (
        diffusers(f"{SECOND}.q_proj.lora_linear_layer."),
        "1",
    ),
    "peft": (peft(f"{SECOND}.q_proj."), "1"),
    "peft, wrapped": (peft(f"text_encoder.base_model.model.text_model.{TEXT}.q_proj."), "0"),
    "peft, bare": (peft(f"base_model.model.text_model.{TEXT}.q_proj."), "0"),
    "ComfyUI": (pair(f"text_encoders.clip_l.transformer.text_model.{TEXT}.q_proj."), "0"),
    "ComfyUI, second": (pair(f"text_encoders.clip_g.transformer.text_model.{TEXT}.q_proj."), "1"),
}


@pytest.fixture
def load(make_parts, tmp_path):
    def load(state, metadata=None, family="sdxl", name="style.safetensors"):
        parts = make_parts(family)
        path = tmp_path / name
        save_file(state, path, metadata)
        return load_lora(path, parts.unet, tuple(parts.texts))

    return load


def places_of(file):
    return {(part, layer.removeprefix("text_model.")) for part, layer in file.branches}


@pytest.mark.parametrize("state", UNET_FILES.values(), ids=UNET_FILES)
def test_names_of_the_network_are_read(load, state):
    file = load(state)

    assert places_of(file) == {Q}
    assert file.unused_names == ()


@pytest.mark.parametrize(("state", "part"), TEXT_FILES.values(), ids=TEXT_FILES)
def test_names_of_text_encoders_are_read(load, state, part):
    file = load(state)

    assert places_of(file) == {(part, f"{TEXT}.q_proj")}
    assert file.unused_names == ()


@pytest.mark.parametrize(
    ("ours", "theirs"), [("q_proj", "q"), ("k_proj", "k"), ("v_proj", "v"), ("out_proj", "out")]
)
def test_early_diffusers_names_of_a_text_encoder(load, ours, theirs):
    file = load(diffusers(f"{FIRST}.to_{theirs}_lora."), family="sd1")

    assert places_of(file) == {("0", f"{TEXT}.{ours}")}


def test_what_nothing_uses_is_listed(load):
    unused = {
        "lora_unet_of_another_network.lora_down.weight": torch.ones(4, 4),
        f"unet.{ATTENTION}.to_v.alpha": torch.ones(1),
        f"unet.{ATTENTION}.to_q.lora_A.second.weight": torch.ones(4, 32),
        f"unet.{ATTENTION}.to_q.w_norm": torch.ones(32),
        "loose": torch.ones(1),
    }
    file = load(peft(f"unet.{ATTENTION}.to_q.", ".first.weight") | unused)

    assert places_of(file) == {Q}
    assert file.unused_names == tuple(sorted(unused))


METADATA = {
    "plain": ({"unet.r": RANK, "unet.lora_alpha": 8}, 2.0),
    "of every part": ({"r": RANK, "lora_alpha": 8}, 2.0),
    "by its root": ({"unet.lora_alpha": 8, "unet.use_rslora": True}, 8 / math.sqrt(RANK)),
    "of a layer": ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"attn2.to_q": 2}}, 0.5),
    "of another layer": ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_k": 2}}, 2.0),
    "of another part": ({"text_encoder.lora_alpha": 8}, 1.0),
    "no pattern": ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"(": 2}}, 2.0),
    "no settings": (["r"], 1.0),
}


@pytest.mark.parametrize(("settings", "scale"), METADATA.values(), ids=METADATA)
def test_alpha_may_stand_in_the_metadata(load, settings, scale):
    metadata = {"lora_adapter_metadata": json.dumps(settings)}
    (branch,) = load(peft(f"unet.{ATTENTION}.to_q."), metadata).branches[Q]

    assert branch.scale == pytest.approx(scale)


def test_alpha_may_stand_in_pefts_own_file(load, tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": 16}))
    state = peft(f"base_model.model.{ATTENTION}.to_q.")
    (own,) = load(state, name="adapter_model.safetensors").branches[Q]
    (other,) = load(state, name="ink.safetensors").branches[Q]

    assert (own.scale, other.scale) == (4.0, 1.0)


def test_a_weight_of_its_own_goes_before_the_metadata(load):
    state = peft(f"unet.{ATTENTION}.to_q.") | {f"unet.{ATTENTION}.to_q.alpha": torch.tensor(1.0)}
    metadata = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 8})}

    assert load(state, metadata).branches[Q][0].scale == 0.25


BUNDLED = {
    "bundle_emb.ink.clip_g": torch.ones(2, 32) * 2,
    "bundle_emb.ink.clip_l": torch.ones(2, 32),
}
FOREIGN_BUNDLED = {"bundle_emb.ink.string_to_param.*": torch.ones(2, 32)}


def test_embeddings_in_a_lora_come_along_unless_its_weight_is_nothing(load):
    file = load(UNET_FILES["kohya"] | BUNDLED)
    used, unused = (ActiveLoras([(LoraTag("a", 0.0, unet), file)]) for unet in (0.5, 0.0))

    assert [part.mean().item() for part in file.embeddings["ink"]] == [1.0, 2.0]
    assert (used.embeddings, unused.embeddings) == (file.embeddings, {})
    assert (len(used.text_key), file.unused_names) == (1, ())


def test_embeddings_of_another_family_in_a_lora_are_listed(load):
    file = load(UNET_FILES["kohya"] | FOREIGN_BUNDLED)

    assert (file.embeddings, file.unused_names) == ({}, tuple(FOREIGN_BUNDLED))
