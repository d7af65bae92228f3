from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact

from inference.model_files.errors import BrokenOutput
from inference.upscaling.tiling.autotune_cache import AutotuneCache, machine_key
from inference.upscaling.tiling.tile_config import TileConfig, TimingTrial
from inference.upscaling.tiling.tuner import TileAutotuner, time_trial
from inference.upscaling.upscaler import load_upscaler

CPU = torch.device("cpu")


class Network(SimpleNamespace):
    """Stands for an upscaler; notes for which shapes it is to be compiled."""

    def __init__(self, **values: object) -> None:
        self.shapes: list[object] = []
        super().__init__(
            **{"overlap": 18, "attention": None, "autocast": None, "identity": "abc", **values},
            compile_for=self.shapes.append,
        )


def tune(tuner: TileAutotuner, network: Network) -> int:
    """Tune to the end; say in how many calls."""
    calls = 0
    while not tuner.is_tuned("net", network):
        tuner.run_next_trial("net", network)
        calls += 1
    return calls


def quick(network: Network, trial: TimingTrial) -> float:
    return 1e-9 * trial.count * trial.side**2


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "measured.json"


def test_it_is_measured_once_and_kept(store):
    first = TileAutotuner(CPU, AutotuneCache(store), measure=quick)
    assert tune(first, Network()) > 3
    again = TileAutotuner(CPU, AutotuneCache(store), measure=quick)
    network = Network()

    again.on_network_loaded("net", network)

    assert again.is_tuned("net", network)
    assert first.tile_config("net") == again.tile_config("net") == TileConfig(256, pixels=1)
    assert machine_key(CPU) in next(iter(json.loads(store.read_text("utf-8"))))


@pytest.mark.parametrize("other", [{"identity": "def"}, {"autocast": torch.bfloat16}])
def test_other_weights_and_formats_are_measured_anew(store, other):
    tune(TileAutotuner(CPU, AutotuneCache(store), measure=quick), Network())
    tuner, network = TileAutotuner(CPU, AutotuneCache(store), measure=quick), Network(**other)

    tuner.on_network_loaded("net", network)

    assert not tuner.is_tuned("net", network)


@pytest.mark.parametrize("text", ["[broken", "[]", '{"%s": {"side": "wide"}}', '{"%s": 3}'])
def test_a_damaged_memory_is_measured_anew(store, text):
    tune(TileAutotuner(CPU, AutotuneCache(store), measure=quick), Network())
    key = next(iter(json.loads(store.read_text("utf-8"))))
    store.write_text(text.replace("%s", key), encoding="utf-8")
    tuner, network = TileAutotuner(CPU, AutotuneCache(store), measure=quick), Network()

    tuner.on_network_loaded("net", network)

    assert not tuner.is_tuned("net", network)


def test_before_that_a_processor_runs_tiles_one_by_one_and_a_card_some_together():
    assert TileAutotuner(CPU, AutotuneCache()).tile_config("net").tiles_per_call(64, 64) == 1
    assert (
        TileAutotuner(torch.device("meta"), AutotuneCache())
        .tile_config("net")
        .tiles_per_call(256, 256)
        == 4
    )


def test_without_a_memory_nothing_is_measured():
    assert TileAutotuner(CPU, None).is_tuned("net", Network())


def test_networks_that_average_over_all_they_see_keep_their_tiles():
    assert TileAutotuner(CPU, AutotuneCache()).is_tuned("net", Network(attention=object()))


def test_a_compiled_one_is_compiled_again_for_its_tiles_when_it_is_loaded(store):
    def cost(network: Network, trial: TimingTrial) -> float:
        return quick(network, trial) * (0.5 if trial.compiled else 1)

    tune(TileAutotuner(CPU, AutotuneCache(store), compiles=True, measure=cost), Network())
    network, plain = Network(), Network()

    TileAutotuner(CPU, AutotuneCache(store), compiles=True).on_network_loaded("net", network)
    TileAutotuner(CPU, AutotuneCache(store)).on_network_loaded("net", plain)

    assert network.shapes == [(1, 3, 256, 256)]
    assert plain.shapes == [None]


def test_a_network_that_gives_no_picture_keeps_the_default(store):
    def broken(network: Network, trial: TimingTrial) -> float:
        raise BrokenOutput

    tuner = TileAutotuner(CPU, AutotuneCache(store), measure=broken)

    assert tune(tuner, Network()) == 1
    assert tuner.tile_config("net") == TileConfig(pixels=1)


@pytest.mark.parametrize(
    ("error", "raised"), [("DefaultCPUAllocator: can't allocate memory", False), ("a bug", True)]
)
def test_lack_of_memory_is_an_answer_and_other_errors_are_not(tmp_path, monkeypatch, error, raised):
    path = tmp_path / "net.safetensors"
    save_file(Compact(num_feat=8, num_conv=2, upscale=2).state_dict(), path)
    network = load_upscaler(path, "cpu", "float32")
    assert time_trial(network, TimingTrial(32, 2)) > 0

    def fail(self: object, tiles: object) -> None:
        raise RuntimeError(error)

    monkeypatch.setattr(type(network), "enlarge_tiles", fail)
    if raised:
        with pytest.raises(RuntimeError, match="a bug"):
            time_trial(network, TimingTrial(32))
    else:
        assert time_trial(network, TimingTrial(32)) is None
