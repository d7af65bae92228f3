"""Where the parts of a checkpoint lie; the meta device stands for a graphics card."""

import pytest
import torch
from torch import nn

from inference.diffusion.offload import MAX_WHOLE_PIXELS, TEXT, UNET, VAE, OffloadManager

CARD, CPU = torch.device("meta"), torch.device("cpu")


class Network(nn.Module):
    """Two blocks and a last layer; notes where its weights are while each works."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(3, 3) for _ in range(2))
        self.last = nn.Linear(3, 3)
        self.seen = []

    def forward(self, x):
        for layer in (*self.blocks, self.last):
            layer.register_forward_pre_hook(lambda *_: self.seen.append(self.where()))
            x = layer(x)
        return x

    def where(self):
        return [layer.weight.device.type for layer in (*self.blocks, self.last)]


@pytest.fixture
def parts():
    return {UNET: [Network()], VAE: [nn.Linear(2, 2)], TEXT: [nn.Linear(2, 2), nn.Linear(2, 2)]}


def thrift(parts, level="none", device=CARD):
    """Make one whose parts all lie on the device, as far as the level lets them."""
    spare = OffloadManager(parts, device, park=CPU, level=level)
    for part in parts:
        spare.prepare_part(part, 1)
    return spare


def on_card(parts):
    return {
        name
        for name, modules in parts.items()
        if any(tensor.device == CARD for module in modules for tensor in module.parameters())
    }


def test_without_need_everything_stays(parts):
    spare = thrift(parts)

    assert [spare.prepare_part(part, 100) for part in (TEXT, UNET, VAE)] == [0, 0, 0]
    assert on_card(parts) == {UNET, VAE, TEXT}


def test_medvram_keeps_only_the_part_at_work(parts):
    spare = thrift(parts, "medvram")
    seen = []
    for part in (TEXT, UNET, VAE, UNET):
        spare.prepare_part(part, 100)
        seen.append(on_card(parts))

    assert seen == [{TEXT}, {UNET}, {VAE}, {UNET}]


def test_lowvram_brings_one_block_at_a_time(parts):
    spare = thrift(parts, "lowvram")
    (network,) = parts[UNET]
    spare.prepare_part(UNET, 100)
    network(torch.zeros(1, 3, device=CARD))

    assert on_card(parts) == set()
    alone = [["meta" if place == turn else "cpu" for place in range(3)] for turn in range(3)]
    assert alone == network.seen


class NamedBlocks(nn.Module):
    """Blocks in a dictionary, and a parameter and a buffer of the network's own."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleDict({"first": nn.Linear(3, 3), "second": nn.Linear(3, 3)})
        self.padding = nn.Parameter(torch.ones(3))
        self.register_buffer("scale", torch.ones(3))
        self.seen = []

    def forward(self, x):
        for block in self.blocks.values():
            block.register_forward_pre_hook(lambda *_: self.seen.append(self.where()))
            x = block(x * self.scale + self.padding)
        return x

    def where(self):
        weights = [block.weight for block in self.blocks.values()]
        return [tensor.device.type for tensor in (*weights, self.padding, self.scale)]


def test_lowvram_finds_blocks_by_name_and_what_lies_beside_blocks():
    network = NamedBlocks()
    spare = thrift({UNET: [network]}, "lowvram")
    spare.prepare_part(UNET, 100)
    network(torch.zeros(1, 3, device=CARD))

    assert network.seen == [["meta", "cpu", "meta", "meta"], ["cpu", "meta", "meta", "meta"]]
    assert network.where() == ["cpu"] * 4


def test_the_network_climbs_until_nothing_is_left(parts):
    spare = thrift(parts)
    rungs = [spare.prepare_part(UNET, 100)]
    while spare.escalate_level():
        rungs.append(spare.prepare_part(UNET, 100))

    assert rungs == [0, 1, 2]
    assert on_card(parts) == set()


def test_the_autoencoder_climbs_to_stripes_then_away_from_the_card(parts):
    spare = thrift(parts)
    assert spare.prepare_part(VAE, 100) == 0
    assert spare.escalate_level()
    assert spare.prepare_part(VAE, 100) == 1
    assert on_card(parts) == {UNET, VAE, TEXT}
    assert spare.escalate_level()
    assert spare.prepare_part(VAE, 100) == 2
    assert on_card(parts) == {VAE}
    assert not spare.escalate_level()


def test_only_sizes_that_need_it_are_slowed(parts):
    spare = thrift(parts)
    spare.prepare_part(UNET, 100)
    spare.escalate_level()

    assert [spare.prepare_part(UNET, size) for size in (99, 100, 101)] == [0, 1, 1]
    assert spare.prepare_part(UNET, 50) == 0
    assert spare.prepare_part(VAE, 100) == 0


def test_large_pictures_are_striped_at_once(parts):
    assert [
        thrift(parts).prepare_part(VAE, size) for size in (MAX_WHOLE_PIXELS, MAX_WHOLE_PIXELS + 1)
    ] == [0, 1]


def test_on_the_processor_there_is_nowhere_to_park(parts):
    spare = thrift(parts, "lowvram", CPU)
    spare.prepare_part(UNET, 100)
    assert not spare.escalate_level()
    spare.prepare_part(VAE, 100)
    assert spare.escalate_level()
    assert spare.prepare_part(VAE, 100) == 1
    assert not spare.escalate_level()


def test_before_any_use_there_is_nothing_to_spare(parts):
    assert not OffloadManager(parts, CARD).escalate_level()


def test_weights_come_back_as_they_were():
    network = Network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    spare = OffloadManager(
        {UNET: [network], VAE: [nn.Linear(2, 2)]}, CARD, park=CPU, level="medvram"
    )
    spare.prepare_part(UNET, 1)
    spare.prepare_part(VAE, 1)

    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
