import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact

from inference.model_files.errors import UnsupportedWeights
from inference.model_files.identity import checkpoint_identity, identify_file

ONE = torch.zeros(1)


@pytest.fixture
def identified(tmp_path):
    def identify(state):
        path = tmp_path / "net.safetensors"
        save_file(state, path)
        return identify_file(path)

    return identify


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
@pytest.mark.parametrize("channels", [4, 9])
def test_checkpoints_are_told_apart(write_original, tmp_path, family, channels):
    path = tmp_path / "net.safetensors"
    write_original(path, family, channels=channels)
    found = checkpoint_identity(path)

    assert ("checkpoint", family, channels) == (found.kind, found.family, found.channels)
    assert (found.prediction, found.zero_terminal_snr, found.has_vae) == (None, False, True)


def test_marker_keys_and_metadata_are_read(write_original, tmp_path):
    path = tmp_path / "net.safetensors"
    write_original(path, "sdxl", extra={"v_pred": ONE, "ztsnr": ONE})
    marked = checkpoint_identity(path)
    write_original(path, "sd2", metadata={"modelspec.prediction_type": "v"})

    assert (marked.prediction, marked.zero_terminal_snr) == ("v_prediction", True)
    assert checkpoint_identity(path).prediction == "v_prediction"


@pytest.mark.parametrize(
    ("state", "kind", "family"),
    [
        ({"lora_unet_a_attn2_to_k.lora_down.weight": torch.zeros(4, 768)}, "lora", "sd1"),
        ({"unet.a.attn2.to_k.lora_A.weight": torch.zeros(4, 2048)}, "lora", "sdxl"),
        ({"lora_te2_x.lora_down.weight": torch.zeros(4, 9)}, "lora", "sdxl"),
        ({"lora_unet_a.hada_w1_a": torch.zeros(4, 4)}, "lora", None),
        ({"decoder.conv_in.weight": torch.zeros(8, 4, 3, 3)}, "vae", None),
        ({"emb_params": torch.zeros(3, 768)}, "embedding", "sd1"),
        ({"clip_l": torch.zeros(3, 768), "clip_g": torch.zeros(3, 1280)}, "embedding", "sdxl"),
        ({"model.diffusion_model.double_blocks.0.x": ONE}, "other", None),
        ({"bert.layer.weight": ONE, "bert.bias": torch.ones(2)}, "other", None),
    ],
)
def test_other_files_are_recognised(identified, state, kind, family):
    found = identified(state)

    # SDXL's two vectors are 2048 wide together, as its words are.
    assert (kind, family) == (found.kind, found.family)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lora_unet_x.lora_down.weight", "a LoRA, no checkpoint: lay it into the folder loras"),
        ("decoder.conv_in.weight", "autoencoder.*folder vae"),
        ("double_blocks.0.x", "FLUX or Chroma model"),
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path, name, words):
    path = tmp_path / "net.safetensors"
    save_file({name: torch.zeros(1, 4, 1, 1), "other": ONE}, path)

    with pytest.raises(UnsupportedWeights, match=words):
        checkpoint_identity(path)


def test_an_upscaler_is_told_by_its_arrays_alone(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file(Compact(num_feat=8, num_conv=2, upscale=2).state_dict(), path)
    found = identify_file(path)
    assert (found.kind, found.title) == ("upscaler", "an upscaler (RealESRGAN Compact)")
    with pytest.raises(UnsupportedWeights, match="no checkpoint: lay it into the folder upscalers"):
        checkpoint_identity(path)
