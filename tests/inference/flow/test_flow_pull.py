"""Each family is fetched from a hub as its repository lies there, and loads."""

import pytest
import torch

from inference.api.config import EngineConfig
from inference.model_files.hub import ModelHub, pull_checkpoint
from inference.model_library import ModelLibrary
from tests.doubles.model_hub import serve_hub
from tests.inference.flow.flow_checkpoints import CHECKPOINTS


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_repository_is_fetched_and_loads(name, flow_models, tmp_path):
    models = tmp_path / "models"
    with serve_hub({"owner/net": flow_models / name}) as server:
        pull_checkpoint(
            "owner/net",
            models / "checkpoints" / "net",
            tmp_path / "cache",
            60.0,
            hub=ModelHub(server.address),
        )
    config = EngineConfig(model="net", models_dir=str(models), cache_dir=str(tmp_path))
    model = ModelLibrary(config, torch.device("cpu"), torch.float32).get_checkpoint("net")
    assert model.size == 1024
