from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from inference.api.config import EngineConfig
from inference.api.workers.cards import LIST_COMMAND, Card
from inference.api.workers.environment import child_environment
from inference.model_library import ModelLibrary
from inference.runtime.list_cards import list_cards


class Backend:
    """Stands where torch.cuda or torch.xpu does."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def is_available(self) -> bool:
        return bool(self._names)

    def device_count(self) -> int:
        return len(self._names)

    def get_device_properties(self, number: int) -> SimpleNamespace:
        return SimpleNamespace(name=self._names[number], total_memory=2**30 * (number + 1))


def test_cards_come_with_name_and_memory(monkeypatch):
    monkeypatch.setattr(torch, "cuda", Backend("A", "B"))
    monkeypatch.setattr(torch, "xpu", Backend("C"))
    assert [Card(**card) for card in list_cards()] == [
        Card(device="cuda:0", name="A", memory_bytes=2**30),
        Card(device="cuda:1", name="B", memory_bytes=2**31),
        Card(device="xpu:0", name="C", memory_bytes=2**30),
    ]


def test_the_process_says_the_same(monkeypatch):
    answer = subprocess.run(
        LIST_COMMAND, capture_output=True, check=True, env=child_environment(os.environ)
    )
    assert json.loads(answer.stdout) == list_cards()
    assert LIST_COMMAND[0] == sys.executable


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_that_share_a_device_share_its_memory(workers, tmp_path):
    folders = {name: str(tmp_path) for name in ("models_dir", "cache_dir")}
    cpu = torch.device("cpu")
    alone = ModelLibrary(EngineConfig(**folders), cpu, torch.float32)
    library = ModelLibrary(EngineConfig(device_workers=workers, **folders), cpu, torch.float32)
    assert library.model_cache.budget == alone.model_cache.budget // workers
