from __future__ import annotations

import gc
import logging
import os
import shutil
import threading

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from inference.runtime import compiling
from inference.runtime.compiling import (
    CACHE_VARIABLE,
    COMPILE_LOCK,
    CompiledNetwork,
    compile_frozen,
    compile_lazily,
    eager_mode,
    prepare_compiling,
)

SHAPE = (1, 3, 8, 8)


class Doubling(nn.Module):
    def forward(self, values: Tensor, *, plus: float = 0.0) -> Tensor:
        return values * 2 + plus


class Compiler:
    """Stands for torch.compile; notes the shapes that came to what it made."""

    def __init__(self, error: Exception | None = None) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self._error = error

    def __call__(self, module, *, dynamic):
        assert dynamic is False

        def fast(values, **named):
            self.shapes.append(tuple(values.shape))
            if self._error is not None:
                raise self._error
            return module(values, **named)

        return fast


def test_while_operations_are_counted_the_network_runs_as_it_is():
    compiler = Compiler()
    network = CompiledNetwork(Doubling(), frozenset({SHAPE}), compiler)

    with eager_mode():
        network(torch.ones(SHAPE))
    assert compiler.shapes == []
    network(torch.ones(SHAPE))
    assert compiler.shapes == [SHAPE]


def test_two_threads_never_compile_at_once_and_nobody_waits():
    compiler = Compiler()
    network = CompiledNetwork(Doubling(), frozenset({SHAPE}), compiler)
    busy, done = threading.Event(), threading.Event()

    def other():
        with COMPILE_LOCK:
            busy.set()
            done.wait()

    beside = threading.Thread(target=other)
    beside.start()
    busy.wait()
    assert torch.equal(torch.full(SHAPE, 2.0), network(torch.ones(SHAPE)))
    assert compiler.shapes == []
    done.set()
    beside.join()
    network(torch.ones(SHAPE))
    assert compiler.shapes == [SHAPE]


def test_only_the_named_shapes_are_compiled():
    compiler = Compiler()
    network = CompiledNetwork(Doubling(), frozenset({SHAPE}), compiler)

    found = network(torch.ones(SHAPE), plus=1.0)
    network(torch.ones(SHAPE))
    other = network(torch.ones(1, 3, 8, 16), plus=1.0)

    assert compiler.shapes == [SHAPE, SHAPE]
    assert torch.equal(found, torch.full(SHAPE, 3.0))
    assert torch.equal(other, torch.full((1, 3, 8, 16), 3.0))


def test_what_cannot_be_compiled_runs_as_it_is_and_says_so_once(caplog):
    compiler = Compiler(RuntimeError("no compiler\nfound"))
    network = CompiledNetwork(Doubling(), frozenset({SHAPE, (2, 3, 8, 8)}), compiler)

    with caplog.at_level(logging.WARNING):
        found = [network(torch.ones(SHAPE)) for _ in range(3)]
        network(torch.ones(2, 3, 8, 8))

    assert all(torch.equal(each, torch.full(SHAPE, 2.0)) for each in found)
    assert compiler.shapes == [SHAPE]
    [record] = caplog.records
    assert record.message == "Doubling cannot be compiled and runs as it is: no compiler found"


def test_an_error_of_the_network_itself_is_not_blamed_on_the_compiler(caplog):
    class Broken(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("out of memory")

    network = CompiledNetwork(Broken(), frozenset({SHAPE}), Compiler())

    with pytest.raises(torch.OutOfMemoryError):
        network(torch.ones(SHAPE))
    assert not caplog.records


def test_compiled_files_are_kept_where_the_host_keeps_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, "elsewhere")

    prepare_compiling(tmp_path)

    assert str(tmp_path) == os.environ[CACHE_VARIABLE]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++ on a processor")
@pytest.mark.parametrize("compile_, channels", [(compile_lazily, 8), (compile_frozen, 24)])
def test_a_compiled_network_gives_the_same_picture(
    compile_, channels, tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    module = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.PReLU(channels))
    module.requires_grad_(False).eval()
    image = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))

    network = compile_(module, SHAPE)
    with torch.inference_mode():
        expected = module(image)
        found = [network(image) for _ in range(2)]
        module[0].weight.zero_()
        held = (network(image) - expected).abs().max() < 1e-5

    assert not [record for record in caplog.records if record.name == compiling.log.name]
    assert any(tmp_path.iterdir())
    for each in found:
        assert (each - expected).abs().max() < 1e-5
    assert held == (compile_ is compile_frozen)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++ on a processor")
def test_what_was_compiled_goes_with_its_network(tmp_path, monkeypatch):
    """Else a worker that changes models holds a packed copy of each that it ever had."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))

    def held():
        gc.collect()
        found = [one for one in gc.get_objects() if type(one) in (Tensor, nn.Parameter)]
        return sum(one.numel() == 96 * 80 for one in found)

    def ready(outputs):
        module = nn.Linear(96, outputs, bias=False).bfloat16().requires_grad_(False).eval()
        network = compile_frozen(module, (4, 96))
        with torch.inference_mode():
            network(torch.ones(4, 96).bfloat16())
        return network

    other, before = ready(64), held()
    network = ready(80)
    assert held() > before
    del network
    assert held() == before
    graphs = counters["stats"]["unique_graphs"]
    with torch.inference_mode():
        other(torch.ones(4, 96).bfloat16())
    assert graphs == counters["stats"]["unique_graphs"]
