from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from inference.config import EngineConfig
from inference.models.compiling import plainly
from inference.models.lean import as_its_library_has_it
from inference.models.library import Library
from inference.models.loader import weights_of
from inference.models.packing import (
    SMALL,
    PackedConv,
    PackedLinear,
    can_pack,
    gains,
    pack,
    packed_bytes,
)
from inference.models.resident import weight_bytes

CPU = torch.device("cpu")

needs_packing = pytest.mark.skipif(
    not can_pack(torch.bfloat16), reason="this processor or build of torch packs no bfloat16"
)


def network():
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(4, 32, 3, padding=1),
        nn.SiLU(),
        nn.Conv2d(32, 32, 3, stride=2, padding=1, groups=4, bias=False),
        nn.Flatten(2),
        nn.Linear(64, 96),
        nn.Linear(96, 8, bias=False),
    ]
    return nn.Sequential(*layers).bfloat16().requires_grad_(False)


def new_unet():
    return UNet2DConditionModel(
        sample_size=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(32, 32),
        layers_per_block=1,
        cross_attention_dim=8,
        attention_head_dim=2,
    )


def values(count=2):
    draw = torch.Generator().manual_seed(1)
    return torch.randn(count, 4, 16, 16, generator=draw).bfloat16()


@needs_packing
@pytest.mark.parametrize("count", [1, 2, 16])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_numbers_stay(count, layout):
    plain, ours = network().to(memory_format=layout), network().to(memory_format=layout)
    pack(ours)
    assert [PackedConv, PackedConv, PackedLinear, PackedLinear] == [
        type(part) for part in ours if "Packed" in type(part).__name__
    ]
    given = values(count).contiguous(memory_format=layout)
    rounding = 2e-3  # of values around 0.1
    torch.testing.assert_close(ours(given), plain(given), rtol=0.02, atol=rounding)


@needs_packing
def test_the_plain_weights_serve_another_number_format():
    plain, ours = network(), network()
    pack(ours)
    expected = plain.float()(values().float())
    torch.testing.assert_close(ours.float()(values().float()), expected, rtol=0, atol=0)
    torch.testing.assert_close(ours.bfloat16()(values()), plain.bfloat16()(values()))


@needs_packing
def test_a_counter_sees_every_operation():
    plain, ours = network(), network()
    pack(ours)
    counts = []
    for part in (plain, ours):
        with plainly(), FlopCounterMode(display=False) as counter:
            part(values())
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0


@needs_packing
def test_packed_weights_are_counted():
    ours = network()
    assert 0 == packed_bytes(ours)
    pack(ours)
    assert packed_bytes(ours) == sum(part.weight.nbytes for part in ours if hasattr(part, "weight"))


def test_a_padding_in_words_stays_plain():
    part = nn.Conv2d(4, 4, 3, padding="same").bfloat16()
    pack(part)
    assert type(part) is nn.Conv2d


def test_other_number_formats_are_not_packed():
    assert not can_pack(torch.float32)


@needs_packing
@pytest.mark.parametrize(
    "dtype, compiled, packed",
    [(torch.bfloat16, False, True), (torch.float32, False, False), (torch.bfloat16, True, True)],
)
def test_a_checkpoint_is_packed_for_a_processor_alone(tmp_path, dtype, compiled, packed):
    config = EngineConfig(models_dir=tmp_path, cache_dir=tmp_path, compile=compiled)
    model = Library(config, CPU, dtype).diffusion("")
    assert packed == any(isinstance(part, PackedConv) for part in model.unet.modules())
    if compiled:  # what compilers do not understand stays out of their network
        assert not any(isinstance(part, PackedConv) for part in model.fast.network.modules())
    # Large maps beside few weights gain nothing by it.
    assert not any(isinstance(part, PackedConv) for part in model.vae.modules())


@needs_packing
def test_large_networks_stay_as_they_are():
    small, large = nn.Linear(4, 4), nn.Linear(SMALL // 2048 + 1, 1024)
    assert gains(small.bfloat16(), torch.bfloat16)
    assert not gains(large.bfloat16(), torch.bfloat16)


@needs_packing
def test_packed_weights_count_against_the_budget(tmp_path):
    config = EngineConfig(models_dir=tmp_path, cache_dir=tmp_path)
    model = Library(config, CPU, torch.bfloat16).diffusion("")
    plain = weight_bytes(model.unet, model.vae, *model.words.models)
    assert weights_of(model) == plain + packed_bytes(model.unet) > plain


@needs_packing
def test_copies_that_compiling_makes_count_against_the_budget(tmp_path):
    config = EngineConfig(models_dir=tmp_path, cache_dir=tmp_path, max_batch=2)
    plain, compiled = (
        Library(replace(config, compile=compile_), CPU, torch.bfloat16).diffusion("")
        for compile_ in (False, True)
    )
    assert [1, 2, 4] == compiled.fast.sizes
    assert weights_of(compiled) == weights_of(plain) + 3 * packed_bytes(plain.unet)


@needs_packing
def test_the_librarys_network_is_the_same_without_what_easel_changed():
    packed, plain = (new_unet().bfloat16().requires_grad_(False).eval() for _ in range(2))
    plain.load_state_dict(packed.state_dict())
    pack(packed)
    found = as_its_library_has_it(packed)
    assert not any(isinstance(part, PackedConv) for part in found.modules())
    call = values(1), torch.zeros(1), torch.ones(1, 3, 8).bfloat16()
    torch.testing.assert_close(found(*call).sample, plain(*call).sample, rtol=0, atol=0)
    assert found.conv_in.weight.data_ptr() == packed.conv_in.weight.data_ptr()
