from __future__ import annotations

import pytest

from inference.api.workers import cards
from inference.api.workers.cards import list_cards
from inference.api.workers.environment import isolate_card


@pytest.mark.parametrize(
    ("device", "environment", "name", "variables"),
    [
        ("cuda:1", {}, "cuda", {"CUDA_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "1"}),
        (
            "cuda:1",
            {"CUDA_VISIBLE_DEVICES": "4,6"},
            "cuda",
            {"CUDA_VISIBLE_DEVICES": "6", "HIP_VISIBLE_DEVICES": "6"},
        ),
        (
            "cuda:0",
            {"HIP_VISIBLE_DEVICES": "3", "ROCR_VISIBLE_DEVICES": "5,7"},
            "cuda",
            {"CUDA_VISIBLE_DEVICES": "0", "HIP_VISIBLE_DEVICES": "3"},
        ),
        ("xpu:1", {}, "xpu", {"ZE_AFFINITY_MASK": "1"}),
        ("xpu:1", {"ZE_AFFINITY_MASK": "0.0,0.1"}, "xpu", {"ZE_AFFINITY_MASK": "0.1"}),
        (
            "xpu:1",
            {"ONEAPI_DEVICE_SELECTOR": "level_zero:2,3", "ZE_AFFINITY_MASK": "0,1,2,3"},
            "xpu",
            {"ONEAPI_DEVICE_SELECTOR": "level_zero:3"},
        ),
        (
            "xpu:1",
            {"ONEAPI_DEVICE_SELECTOR": "level_zero:gpu"},
            "xpu",
            {"ZE_AFFINITY_MASK": "1"},
        ),
        ("cuda", {"CUDA_VISIBLE_DEVICES": "4,6"}, "cuda", {}),
        ("auto", {}, "auto", {}),
        ("cpu", {}, "cpu", {}),
    ],
)
def test_a_worker_sees_its_card_alone(device, environment, name, variables):
    assert isolate_card(device, environment) == (name, variables)


async def test_a_machine_without_a_driver_is_not_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(cards, "CARD_PATHS", (str(tmp_path / "none"),))
    monkeypatch.setattr(cards, "LIST_COMMAND", ("no-such-command",))
    assert await list_cards() == ()


async def test_torch_is_asked_where_there_may_be_cards(monkeypatch, tmp_path):
    monkeypatch.setattr(cards, "CARD_PATHS", (str(tmp_path),))
    listed = await list_cards()
    assert listed is not None
    torch = pytest.importorskip("torch")
    assert len(listed) == torch.cuda.device_count() + torch.xpu.device_count()
