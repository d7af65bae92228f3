from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app import engine_config, open_core
from bot.errors import SettingsError
from bot.settings import Settings
from bot.worker_plan import WorkerPlan, assign_devices, plan_workers
from inference.api.workers import cards as card_module
from inference.api.workers import pool
from inference.api.workers.cards import Card
from inference.api.workers.process import WorkerProcess
from tests.inference.api.workers.conftest import COMMAND
from tests.patience import PATIENCE


def card(device: str) -> Card:
    return Card(device=device, name="Tester 4000", memory_bytes=24 * 2**30)


def some_cards(count: int, kind: str = "cuda") -> tuple[Card, ...]:
    return tuple(card(f"{kind}:{number}") for number in range(count))


@pytest.mark.parametrize(
    ("device", "workers", "cards", "places"),
    [
        ("auto", None, 4, "cuda:0 cuda:1 cuda:2 cuda:3"),
        ("auto", 4, 4, "cuda:0 cuda:1 cuda:2 cuda:3"),
        ("auto", 2, 4, "cuda:0 cuda:1"),
        ("auto", None, 1, "cuda:0"),
        ("auto", None, 0, "auto"),
        ("auto", 2, 0, "auto auto"),
        ("auto", 0, 4, ""),
        ("cuda", None, 2, "cuda:0 cuda:1"),
        ("cuda:1", None, 4, "cuda:1"),
        ("cuda:0,cuda:2", None, 4, "cuda:0 cuda:2"),
        ("cuda:2,cuda:0", 1, 4, "cuda:2"),
        ("cuda:0,cuda:0", None, 1, "cuda:0 cuda:0"),
        ("cuda:0,cpu", None, 1, "cuda:0 cpu"),
        ("cpu", 3, 4, "cpu cpu cpu"),
        ("mps", None, 0, "mps"),
    ],
)
def test_each_worker_has_a_card_of_its_own(device, workers, cards, places):
    devices = assign_devices(device.split(","), workers, some_cards(cards))
    assert devices == tuple(places.split())


def test_cards_of_the_faster_kind_are_taken_first():
    cards = (*some_cards(1, "xpu"), *some_cards(2))
    assert assign_devices(("auto",), None, cards) == ("cuda:0", "cuda:1")
    assert assign_devices(("auto",), None, some_cards(2, "xpu")) == ("xpu:0", "xpu:1")


def test_where_cards_cannot_be_counted_the_worker_finds_out():
    assert assign_devices(("auto",), None, None) == ("auto",)
    assert assign_devices(("cuda:1",), None, None) == ("cuda:1",)


@pytest.mark.parametrize(
    ("device", "workers", "cards", "words"),
    [
        ("auto", 4, 1, "EASEL_WORKERS is 4, but the workers have 1 device: cuda:0"),
        ("auto", 5, 4, "EASEL_DEVICE=cuda:0,cuda:1,cuda:2,cuda:3,cuda:0"),
        ("cuda:0,cpu", 3, 1, "EASEL_WORKERS is 3, but the workers have 2 devices"),
        ("cuda:7", None, 2, "cuda:7, but there are: cuda:0 (Tester 4000, 24 GiB), cuda:1"),
        ("cuda:0,cuda:2", None, 2, "EASEL_DEVICE names cuda:2"),
        ("cuda", None, 0, "EASEL_DEVICE names cuda, but torch sees no card here"),
        ("xpu", None, 2, "EASEL_DEVICE names xpu, but there are: cuda:0"),
    ],
)
def test_what_cannot_be_is_refused_in_words(device, workers, cards, words):
    with pytest.raises(SettingsError) as caught:
        assign_devices(device.split(","), workers, some_cards(cards))
    assert words in str(caught.value)


@given(
    st.lists(st.sampled_from(["auto", "cpu", "mps", "cuda", "cuda:0", "cuda:1"]), min_size=1),
    st.none() | st.integers(0, 8),
    st.integers(0, 3),
)
def test_a_plan_names_cards_that_are_there_as_often_as_they_were_asked_for(devices, workers, count):
    cards = some_cards(count)
    try:
        places = assign_devices(devices, workers, cards)
    except SettingsError as error:
        assert "EASEL_DEVICE" in str(error)
        return
    assert workers is None or len(places) == workers
    assert all(p in [c.device for c in cards] for p in places if p.startswith("cuda"))
    if devices == ["auto"] and workers is None:
        assert len(places) == max(1, count)
        assert len(set(places)) == len(places)


def test_workers_that_share_a_device_know_how_many_they_are():
    config = engine_config(Settings(_env_file=None))
    plan = WorkerPlan(("cuda:0", "cuda:1", "cuda:0"), some_cards(2))
    configs = list(plan.configure_workers(config))
    assert [(c.device, c.device_workers) for c in configs] == [
        ("cuda:0", 2),
        ("cuda:1", 1),
        ("cuda:0", 2),
    ]


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Make a machine of so many cards, whose workers are processes that tell what they see."""

    def make(cards: int | tuple[Card, ...]) -> None:
        listed = some_cards(cards) if isinstance(cards, int) else cards
        script = f"import json, sys; json.dump({[asdict(c) for c in listed]!r}, sys.stdout)"
        monkeypatch.setattr(card_module, "LIST_COMMAND", (sys.executable, "-c", script))
        monkeypatch.setattr(card_module, "CARD_PATHS", (str(tmp_path),))
        start = WorkerProcess.start

        async def start_child(config, label, *command):
            return await start(config, label, COMMAND)

        monkeypatch.setattr(pool.WorkerProcess, "start", start_child)

    return make


async def seen_by_workers(settings: Settings) -> list[dict[str, str]]:
    """Start the workers of these settings, and return what each of them sees."""
    async with open_core(settings) as core:
        async with asyncio.timeout(PATIENCE):
            while not all(s.ready for s in core.workers.worker_statuses):  # noqa: ASYNC110 - none tells
                await asyncio.sleep(0.01)
        return [
            dict(note.code.partition("=")[::2] for note in status.notes) | {"said": status.device}
            for status in core.workers.worker_statuses
        ]


def seeing(tmp_path: Path, **changes: object) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path / "data", model="sees", **changes)


async def test_four_workers_see_four_cards(machine, monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    machine(4)
    seen = await seen_by_workers(seeing(tmp_path))
    assert [worker["CUDA_VISIBLE_DEVICES"] for worker in seen] == ["0", "1", "2", "3"]
    assert [worker["HIP_VISIBLE_DEVICES"] for worker in seen] == ["0", "1", "2", "3"]
    assert [worker["device"] for worker in seen] == ["cuda"] * 4
    assert [worker["device_workers"] for worker in seen] == ["1"] * 4
    assert [worker["said"] for worker in seen] == ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]


async def test_what_the_host_hides_stays_hidden_and_uuids_are_passed_on(
    machine, monkeypatch, tmp_path
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5ad7, 3,MIG-1f")
    machine(3)
    seen = await seen_by_workers(seeing(tmp_path, device="cuda:2,cuda:0"))
    assert [worker["CUDA_VISIBLE_DEVICES"] for worker in seen] == ["MIG-1f", "GPU-5ad7"]


async def test_workers_on_the_processor_see_what_the_bot_sees(machine, monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    machine(0)
    seen = await seen_by_workers(seeing(tmp_path, workers=2))
    assert [worker["device"] for worker in seen] == ["auto", "auto"]
    assert [worker["device_workers"] for worker in seen] == ["2", "2"]
    assert not any("CUDA_VISIBLE_DEVICES" in worker for worker in seen)


async def test_a_start_with_more_workers_than_cards_is_refused(machine, tmp_path):
    machine(1)
    with pytest.raises(SettingsError, match="EASEL_WORKERS is 4"):
        async with open_core(seeing(tmp_path, workers=4)):
            pass


@pytest.mark.parametrize(
    "script", ["raise SystemExit('no torch')", "print('what?')", "print('[{\"device\": 1}]')"]
)
async def test_a_count_that_fails_leaves_one_worker(machine, monkeypatch, tmp_path, script, caplog):
    machine(4)
    monkeypatch.setattr(card_module, "LIST_COMMAND", (sys.executable, "-c", script))
    plan = await plan_workers(seeing(tmp_path))
    assert plan == WorkerPlan(("auto",), None)
    assert "cannot be counted" in caplog.text
