import math
from types import SimpleNamespace

import pytest
import torch

from inference.diffusion.prediction_type import probe_prediction, stated_prediction
from inference.model_files.identity import FileType
from inference.sampling.noise_table import NoiseTable


class Answering(torch.nn.Module):
    """A network with a known answer to pure noise."""

    def __init__(self, share):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.share = share
        self.config = SimpleNamespace(in_channels=9, cross_attention_dim=8)

    def forward(self, x, _step, _text):
        other = torch.randn(x[:, :4].shape, generator=torch.Generator().manual_seed(7))
        return SimpleNamespace(sample=self.share * x[:, :4] + other)


@pytest.mark.parametrize(
    ("share", "prediction"), [(3.0, "epsilon"), (0.07, "v_prediction"), (-0.5, "v_prediction")]
)
def test_what_a_network_does_to_noise_tells_what_it_predicts(share, prediction):
    assert probe_prediction(Answering(share)) == prediction


@pytest.mark.parametrize(
    ("family", "said", "expected"),
    [
        ("sd1", None, "epsilon"),
        ("sdxl", "v_prediction", "v_prediction"),
        ("sd2", "epsilon", "epsilon"),
        ("sd2", None, None),
        ("sdxl", None, None),
    ],
)
def test_what_a_file_says(tmp_path, family, said, expected):
    identity = FileType("checkpoint", family, prediction=said)

    assert stated_prediction(tmp_path / "net.safetensors", identity) == expected


@pytest.mark.parametrize(("line", "expected"), [('"v"', "v_prediction"), ("eps", "epsilon")])
def test_a_config_beside_the_file_comes_first(tmp_path, line, expected):
    (tmp_path / "net.yaml").write_text(f"model:\n  params:\n    parameterization: {line}\n")
    identity = FileType("checkpoint", "sd2", prediction="epsilon")

    assert stated_prediction(tmp_path / "net.safetensors", identity) == expected


SPREAD = 0.3  # of the slopes' steepness


class Gaussian(torch.nn.Module):
    """The best network for slopes whose steepness is normal around 1; it predicts as it is told."""

    def __init__(self, prediction):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.prediction = prediction
        self.config = SimpleNamespace(
            in_channels=4,
            cross_attention_dim=8,
            sample_size=128,
            addition_embed_type="text_time",
            addition_time_embed_dim=2,
            projection_class_embeddings_input_dim=20,
        )

    def forward(self, x, step, _text, added_cond_kwargs):
        assert added_cond_kwargs["text_embeds"].shape == (1, 8)
        sigma = NoiseTable.from_config({}).t_to_sigma(step)
        alpha, level = 1 / math.sqrt(sigma**2 + 1), sigma / math.sqrt(sigma**2 + 1)
        shape = torch.linspace(-1, 1, x.shape[-1]).expand_as(x)
        seen = 1 / SPREAD**2 + alpha**2 * (shape**2).sum() / level**2
        picture = shape * (1 / SPREAD**2 + alpha * (x * shape).sum() / level**2) / seen
        noise = (x - alpha * picture) / level
        answers = {
            "epsilon": noise,
            "v_prediction": alpha * noise - level * picture,
            "untrained": torch.randn(x.shape, generator=torch.Generator().manual_seed(3)),
        }
        return SimpleNamespace(sample=answers[self.prediction])


@pytest.mark.parametrize(
    ("network", "prediction"),
    [("epsilon", "epsilon"), ("v_prediction", "v_prediction"), ("untrained", "epsilon")],
)
def test_an_sdxl_that_does_not_say_is_asked(network, prediction):
    assert probe_prediction(Gaussian(network), "sdxl") == prediction
