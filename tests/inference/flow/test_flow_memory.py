"""Flow transformers that come block by block; the meta device stands for a graphics card."""

import copy

import pytest
import torch

from inference.diffusion.flow.networks import NetworkInputs
from inference.diffusion.offload import UNET, OffloadManager
from tests.inference.flow.flow_checkpoints import CHECKPOINTS

CARD, CPU = torch.device("meta"), torch.device("cpu")


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_every_weight_is_on_the_card_while_its_block_works(flow_library, name):
    model = flow_library.get_checkpoint(name)
    network = copy.deepcopy(model.network)
    config = network.config
    inputs = NetworkInputs(
        latents=torch.zeros(1, 16, 8, 8, device=CARD),
        levels=torch.full((1,), 0.5, device=CARD),
        text=torch.zeros(1, 32, text_width(config), device=CARD),
        text_lengths=[32],
        pooled=torch.zeros(1, config.get("pooled_projection_dim") or 1, device=CARD),
        guidance=torch.ones(1, device=CARD),
    )
    manager = OffloadManager({UNET: [network]}, CARD, park=CPU, level="lowvram")
    manager.prepare_part(UNET, 1)
    with torch.device(CARD):  # tables that a network makes for itself as it runs
        answer = model.run_network(network, inputs)

    assert answer.device == CARD
    blocks = manager._parts[UNET][0].blocks
    assert len(blocks) > 3
    assert all(t.device == CPU for _, flat in blocks for t in flat.list_tensors())
    before = model.network.state_dict()
    in_blocks = {id(t) for _, flat in blocks for t in flat.list_tensors()}
    for key, tensor in network.state_dict(keep_vars=True).items():
        assert id(tensor) not in in_blocks or torch.equal(tensor, before[key])


def text_width(config):
    """Tell how wide the words are that a network takes."""
    return config.get("joint_attention_dim") or config["cap_feat_dim"]
