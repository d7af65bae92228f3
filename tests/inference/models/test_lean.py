from __future__ import annotations

import pytest
import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from inference.config import EngineConfig
from inference.models.lean import LeanAttention, LeanResnet, as_its_library_has_it, make_lean
from inference.models.library import Library


def call(unet, count=2):
    draw = torch.Generator().manual_seed(0)
    width = unet.config.cross_attention_dim
    return (
        torch.randn(count, unet.config.in_channels, 8, 8, generator=draw),
        torch.full((count,), 300.0),
        torch.randn(count, 5, width, generator=draw),
    )


def added(family, count=2):
    if family != "sdxl":
        return None
    return {"text_embeds": torch.ones(count, 32), "time_ids": torch.ones(count, 6)}


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
@torch.inference_mode()
def test_a_network_gives_the_same_numbers(make_parts, family):
    unet = make_parts(family).unet.requires_grad_(False)
    given = call(unet)
    more = added(family)
    expected = unet(*given, added_cond_kwargs=more).sample
    make_lean(unet)
    kinds = [type(part) for part in unet.modules()]
    assert LeanAttention in kinds and LeanResnet in kinds
    assert Attention not in kinds and ResnetBlock2D not in kinds
    assert torch.equal(expected, unet(*given, added_cond_kwargs=more).sample)
    assert torch.equal(expected, as_its_library_has_it(unet)(*given, added_cond_kwargs=more).sample)


@torch.inference_mode()
def test_nothing_given_is_overwritten():
    torch.manual_seed(0)
    block = ResnetBlock2D(in_channels=32, temb_channels=16).eval()
    make_lean(block)
    values, time = torch.randn(1, 32, 4, 4), torch.randn(1, 16)
    kept = values.clone(), time.clone()
    first, second = block(values, time), block(values, time)
    assert torch.equal(kept[0], values) and torch.equal(kept[1], time)
    assert torch.equal(first, second)


@torch.inference_mode()
def test_a_mask_is_obeyed():
    torch.manual_seed(0)
    plain, ours = (Attention(16, heads=2, dim_head=8).eval() for _ in range(2))
    ours.load_state_dict(plain.state_dict())
    make_lean(ours)
    values = torch.randn(2, 6, 16)
    mask = torch.zeros(2, 1, 6).masked_fill(torch.arange(6) > 3, -1e4)
    assert torch.equal(plain(values, attention_mask=mask), ours(values, attention_mask=mask))
    assert not torch.equal(ours(values), ours(values, attention_mask=mask))


@pytest.mark.parametrize(
    "part",
    [
        Attention(32, heads=2, dim_head=16, norm_num_groups=32),
        Attention(16, heads=2, dim_head=8, residual_connection=True),
        Attention(16, heads=2, dim_head=8, rescale_output_factor=2.0),
        Attention(16, heads=2, dim_head=8, qk_norm="layer_norm"),
        ResnetBlock2D(in_channels=32, output_scale_factor=2.0),
        ResnetBlock2D(in_channels=32, non_linearity="gelu"),
        ResnetBlock2D(in_channels=32, up=True),
        ResnetBlock2D(in_channels=32, time_embedding_norm="scale_shift"),
    ],
)
def test_what_is_not_plain_stays(part):
    kind = type(part)
    make_lean(nn.Sequential(part))
    assert type(part) is kind


def test_checkpoints_run_lean(tmp_path):
    config = EngineConfig(models_dir=str(tmp_path), cache_dir=str(tmp_path))
    model = Library(config, torch.device("cpu"), torch.float32).diffusion("")
    kinds = {type(part) for part in model.unet.modules()}
    assert {LeanAttention, LeanResnet} <= kinds and ResnetBlock2D not in kinds
