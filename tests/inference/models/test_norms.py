from __future__ import annotations

import pytest
import torch
from torch import nn

from inference.models.norms import NarrowNorm, narrow_norms


def norms(channels, dtype=torch.float32):
    draw = torch.Generator().manual_seed(channels)
    plain = nn.GroupNorm(32, channels).requires_grad_(False)
    plain.weight.normal_(generator=draw)
    plain.bias.normal_(generator=draw)
    ours = nn.GroupNorm(32, channels).requires_grad_(False)
    ours.load_state_dict(plain.state_dict())
    narrow_norms(nn.Sequential(ours))
    return plain.to(dtype), ours.to(dtype)


def test_narrow_norms_alone_are_changed():
    network = nn.Sequential(nn.GroupNorm(32, 384), nn.GroupNorm(32, 512), nn.Conv2d(4, 4, 1))
    narrow_norms(network)
    assert [NarrowNorm, nn.GroupNorm, nn.Conv2d] == [type(part) for part in network]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 64, 16, 16), (1, 384, 4, 4), (2, 64, 40, 32), (3, 64, 7, 9)])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_numbers_and_the_layout_stay(shape, layout, dtype):
    plain, ours = norms(shape[1], dtype)
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(shape, generator=draw).to(dtype).contiguous(memory_format=layout)
    found = ours(values)
    torch.testing.assert_close(found, plain(values))
    assert found.is_contiguous(memory_format=layout)


def test_what_is_no_map_is_normalised_too():
    plain, ours = norms(64)
    values = torch.randn(2, 64, 10, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(values), plain(values))
