import pytest
import torch
from safetensors.torch import load_file, save_file
from spandrel.architectures.Compact import Compact

from inference.model_files.errors import MissingWeights, UnknownModel, UnsupportedWeights
from inference.upscaling.registry import UpscalerRegistry, key_with_denoise


def save_net(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        save_file(Compact(num_feat=8, num_conv=2, upscale=2).state_dict(), path)


@pytest.fixture
def shelf(tmp_path):
    save_net(tmp_path / "models" / "upscalers" / "mine.safetensors")
    for seed, name in enumerate(("realesr-general-x4v3", "realesr-general-wdn-x4v3")):
        save_net(tmp_path / "cache" / "upscalers" / f"{name}.safetensors", seed)
    return UpscalerRegistry(tmp_path / "models", tmp_path / "cache", torch.device("cpu"))


def test_the_hosts_own_files_go_by_their_names(shelf):
    assert shelf.load_network("mine").scale == 2
    found = {info.name: info.about for info in shelf.list_upscalers()}
    assert found["mine"] == "the host's own"
    assert found["realesr-general-x4v3"] == "photo"


def test_a_name_that_is_none_is_told_the_nearest(shelf):
    with pytest.raises(UnknownModel, match=r"no upscaler “mime” here\. Did you mean mine"):
        shelf.find_path("mime")


def test_a_catalogued_one_that_is_not_here_says_how_to_get_it(shelf):
    with pytest.raises(MissingWeights, match=r"models pull scunet-gan` fetches them from https"):
        shelf.find_path("scunet-gan")


def test_how_much_is_denoised_blends_two_files(shelf, tmp_path):
    strong, weak = (
        load_file(tmp_path / "cache" / "upscalers" / f"{name}.safetensors")
        for name in ("realesr-general-x4v3", "realesr-general-wdn-x4v3")
    )
    blended = shelf.load_network(
        key_with_denoise("realesr-general-x4v3", 0.25)
    ).descriptor.model.state_dict()
    for name, value in blended.items():
        torch.testing.assert_close(value, 0.25 * strong[name] + 0.75 * weak[name])
    assert key_with_denoise("realesr-general-x4v3", 1.0) == "realesr-general-x4v3"


def test_other_networks_leave_nothing_to_choose(shelf):
    for ask in (
        lambda: key_with_denoise("realesrgan-x4plus", 0.5),
        lambda: shelf.load_network("mine@0.50"),
    ):
        with pytest.raises(UnsupportedWeights, match="or use realesr-general-x4v3"):
            ask()
