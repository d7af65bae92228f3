from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact

from inference.models.errors import BrokenOutput
from inference.models.measured import Measured, machine
from inference.models.upscaling.tiling import Tiling, Trial
from inference.models.upscaling.tuner import Tuner, measure
from inference.models.upscaling.upscaler import load_upscaler

CPU = torch.device("cpu")


class Network(SimpleNamespace):
    """Stands for an upscaler; notes for which shapes it is to be compiled."""

    def __init__(self, **values: object) -> None:
        self.shapes: list[object] = []
        super().__init__(
            **{"overlap": 18, "attention": None, "autocast": None, "identity": "abc", **values},
            compile_for=self.shapes.append,
        )


def tune(tuner: Tuner, network: Network) -> int:
    """Tune to the end; say in how many calls."""
    calls = 0
    while not tuner.settled("net", network):
        tuner.advance("net", network)
        calls += 1
    return calls


def quick(network: Network, trial: Trial) -> float:
    return 1e-9 * trial.count * trial.side**2


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "measured.json"


def test_it_is_measured_once_and_kept(store):
    first = Tuner(CPU, Measured(store), measure=quick)
    assert tune(first, Network()) > 3
    again = Tuner(CPU, Measured(store), measure=quick)
    network = Network()

    again.ready("net", network)

    assert again.settled("net", network)
    assert first.tiling("net") == again.tiling("net") == Tiling(256, pixels=1)
    assert machine(CPU) in next(iter(json.loads(store.read_text("utf-8"))))


@pytest.mark.parametrize("other", [{"identity": "def"}, {"autocast": torch.bfloat16}])
def test_other_weights_and_formats_are_measured_anew(store, other):
    tune(Tuner(CPU, Measured(store), measure=quick), Network())
    tuner, network = Tuner(CPU, Measured(store), measure=quick), Network(**other)

    tuner.ready("net", network)

    assert not tuner.settled("net", network)


@pytest.mark.parametrize("text", ["[broken", "[]", '{"%s": {"side": "wide"}}', '{"%s": 3}'])
def test_a_damaged_memory_is_measured_anew(store, text):
    tune(Tuner(CPU, Measured(store), measure=quick), Network())
    key = next(iter(json.loads(store.read_text("utf-8"))))
    store.write_text(text.replace("%s", key), encoding="utf-8")
    tuner, network = Tuner(CPU, Measured(store), measure=quick), Network()

    tuner.ready("net", network)

    assert not tuner.settled("net", network)


def test_before_that_a_processor_runs_tiles_one_by_one_and_a_card_some_together():
    assert 1 == Tuner(CPU, Measured()).tiling("net").together(64, 64)
    assert 4 == Tuner(torch.device("meta"), Measured()).tiling("net").together(256, 256)


def test_without_a_memory_nothing_is_measured():
    assert Tuner(CPU, None).settled("net", Network())


def test_networks_that_average_over_all_they_see_keep_their_tiles():
    assert Tuner(CPU, Measured()).settled("net", Network(attention=object()))


def test_a_compiled_one_is_compiled_again_for_its_tiles_when_it_is_loaded(store):
    def cost(network: Network, trial: Trial) -> float:
        return quick(network, trial) * (0.5 if trial.compiled else 1)

    tune(Tuner(CPU, Measured(store), compiles=True, measure=cost), Network())
    network, plain = Network(), Network()

    Tuner(CPU, Measured(store), compiles=True).ready("net", network)
    Tuner(CPU, Measured(store)).ready("net", plain)

    assert [(1, 3, 256, 256)] == network.shapes
    assert [None] == plain.shapes


def test_a_network_that_gives_no_picture_keeps_the_default(store):
    def broken(network: Network, trial: Trial) -> float:
        raise BrokenOutput

    tuner = Tuner(CPU, Measured(store), measure=broken)

    assert 1 == tune(tuner, Network())
    assert Tiling(pixels=1) == tuner.tiling("net")


@pytest.mark.parametrize(
    ("error", "raised"), [("DefaultCPUAllocator: can't allocate memory", False), ("a bug", True)]
)
def test_lack_of_memory_is_an_answer_and_other_errors_are_not(tmp_path, monkeypatch, error, raised):
    path = tmp_path / "net.safetensors"
    save_file(Compact(num_feat=8, num_conv=2, upscale=2).state_dict(), path)
    network = load_upscaler(path, "cpu", "float32")
    assert measure(network, Trial(32, 2)) > 0

    def fail(self: object, tiles: object) -> None:
        raise RuntimeError(error)

    monkeypatch.setattr(type(network), "run", fail)
    if raised:
        with pytest.raises(RuntimeError, match="a bug"):
            measure(network, Trial(32))
    else:
        assert measure(network, Trial(32)) is None
