"""Blocks with fewer launches against diffusers' own, on networks of the real structure."""

import copy

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D

from inference.diffusion.unet.blocks import (
    JointAttention,
    TimedResnetBlock,
    join_projections,
    list_joint_layers,
    simplify_unet,
)
from tests.inference.pretend_device.networks import FAMILIES

SIDE, TOKENS = 8, 7


def build_unet(family, **changes):
    torch.manual_seed(0)
    settings = {"in_channels": 4, "out_channels": 4, "norm_num_groups": 4, "sample_size": SIDE}
    unet = UNet2DConditionModel(**settings, **FAMILIES[family] | changes).eval()
    return unet.to(memory_format=torch.channels_last)


@torch.inference_mode()
def run(unet):
    generator = torch.Generator().manual_seed(1)
    width = unet.config.cross_attention_dim
    text = torch.randn(2, TOKENS, width, generator=generator)
    latents = torch.randn(2, 4, SIDE, SIDE, generator=generator)
    added = None
    if unet.config.addition_embed_type:
        pooled = unet.config.projection_class_embeddings_input_dim - 6 * 8
        embeds = torch.randn(2, pooled, generator=generator)
        added = {"text_embeds": embeds, "time_ids": torch.full((2, 6), 64.0)}
    times = torch.tensor([7.5, 900.0])
    return unet(latents, times, text, added_cond_kwargs=added).sample


def attentions(unet):
    return [module for module in unet.modules() if isinstance(module, Attention)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("joined", [False, True])
def test_they_answer_as_the_blocks_they_replace(family, joined):
    unet = build_unet(family)
    expected = run(unet)

    simplify_unet(unet)
    if joined:
        join_projections(unet)

    assert torch.allclose(run(unet), expected, atol=1e-5, rtol=1e-4)
    resnets = [module for module in unet.modules() if isinstance(module, ResnetBlock2D)]
    assert {type(module) for module in resnets} == {TimedResnetBlock}
    assert {type(module.processor) for module in attentions(unet)} == {JointAttention}


def test_joined_weights_are_the_same_parameters_and_no_more_bytes():
    unet = build_unet("sd1")
    before = copy.deepcopy(unet.state_dict())
    simplify_unet(unet)
    join_projections(unet)

    after = unet.state_dict()

    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    for attention in attentions(unet):
        layers = list_joint_layers(attention)
        storage = layers[0].weight.untyped_storage()
        assert storage.nbytes() == sum(layer.weight.nbytes for layer in layers)
        assert {layer.weight.untyped_storage().data_ptr() for layer in layers} == {
            storage.data_ptr()
        }


@pytest.mark.parametrize("place", ["to_q", "to_k", "to_v"])
def test_what_runs_beside_one_projection_is_heard(place):
    unet = build_unet("sd1")
    expected_unet = copy.deepcopy(unet)
    simplify_unet(unet)
    join_projections(unet)
    for network in (unet, expected_unet):
        for attention in attentions(network):
            attention.get_submodule(place).register_forward_hook(lambda _, __, out: 1.5 * out)

    expected = run(expected_unet)

    assert torch.allclose(run(unet), expected, atol=1e-5, rtol=1e-4)


def test_weights_that_were_moved_since_are_read_where_they_are():
    unet = build_unet("sd1")
    expected = run(unet)
    simplify_unet(unet)
    join_projections(unet)
    for module in attentions(unet):
        for layer in list_joint_layers(module):
            layer.weight.data = layer.weight.data.clone()

    assert torch.allclose(run(unet), expected, atol=1e-5, rtol=1e-4)


def test_a_network_with_other_blocks_keeps_its_own():
    unet = build_unet("sd1", resnet_time_scale_shift="scale_shift")
    expected = run(unet)

    simplify_unet(unet)

    assert torch.equal(run(unet), expected)
    assert not any(isinstance(module, TimedResnetBlock) for module in unet.modules())


def test_masks_which_are_not_looked_at_are_refused():
    unet = build_unet("sd1")
    simplify_unet(unet)
    text = torch.zeros(1, TOKENS, unet.config.cross_attention_dim)
    mask = torch.ones(1, TOKENS)
    with pytest.raises(TypeError, match="encoder_attention_mask"):
        unet(torch.zeros(1, 4, SIDE, SIDE), 1.0, text, encoder_attention_mask=mask)
