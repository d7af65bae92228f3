from types import SimpleNamespace

import pytest
import torch

from inference.diffusion.prediction_type import probe_prediction, stated_prediction
from inference.model_files.identity import FileType


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
