"""The original names, held to diffusers' own reading of them."""

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders import single_file_utils as theirs

from inference.diffusion.ldm_names import UnetNames, vae_name
from inference.diffusion.single_file import read_config

SHIPPED = {  # published names at the places where layouts differ
    "sd1": {
        "down_blocks.0.downsamplers.0.conv": "input_blocks.3.0.op",
        "up_blocks.0.upsamplers.0.conv": "output_blocks.2.1.conv",
        "up_blocks.1.upsamplers.0.conv": "output_blocks.5.2.conv",
        "up_blocks.3.attentions.2.proj_out": "output_blocks.11.1.proj_out",
    },
    "sdxl": {
        "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k": (
            "input_blocks.4.1.transformer_blocks.1.attn2.to_k"
        ),
        "up_blocks.0.upsamplers.0.conv": "output_blocks.2.2.conv",
        "up_blocks.2.resnets.2.conv_shortcut": "output_blocks.8.0.skip_connection",
        "add_embedding.linear_2": "label_emb.0.2",
    },
}


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_diffusers_reads_the_same_networks_back(make_parts, original_state, family):
    parts = make_parts(family)
    state = original_state(parts)
    unet = theirs.convert_ldm_unet_checkpoint(dict(state), parts.unet.config)
    vae = theirs.convert_ldm_vae_checkpoint(dict(state), parts.vae.config)

    for mine, read in ((parts.unet.state_dict(), unet), (parts.vae.state_dict(), vae)):
        assert set(mine) == set(read)
        assert all(
            torch.equal(value.flatten(), read[name].flatten()) for name, value in mine.items()
        )


@pytest.mark.parametrize("family", SHIPPED)
def test_published_names(family):
    names = UnetNames(read_config(family)["unet"])

    assert {name: names.original_name(name) for name in SHIPPED[family]} == SHIPPED[family]


def test_the_autoencoder_counts_its_levels_downwards_when_decoding():
    name = "decoder.up_blocks.1.upsamplers.0.conv.weight"

    assert vae_name(name, 4) == "decoder.up.2.upsample.conv.weight"
    assert vae_name("quant_conv.weight", 4) == "quant_conv.weight"


@pytest.mark.parametrize(
    ("family", "weights"), [("sd1", 859_520_964), ("sd2", 865_910_724), ("sdxl", 2_567_463_684)]
)
def test_shipped_configs_give_networks_of_the_published_size(family, weights):
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(read_config(family)["unet"])

    assert sum(weight.numel() for weight in unet.parameters()) == weights
