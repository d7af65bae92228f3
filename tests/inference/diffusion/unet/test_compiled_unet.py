from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from inference.api.config import EngineConfig
from inference.diffusion.unet.compiled_unet import CompiledUnet
from inference.model_library import ModelLibrary
from inference.runtime.compiling import eager_mode
from tests.patience import PATIENCE

CELLS, TOKENS = 8, 4


class Network(nn.Module):
    """Adds up all it is given, row by row."""

    config = SimpleNamespace(in_channels=4)

    def forward(self, inputs, timestep, text, added_cond_kwargs=None):
        more = sum(value.flatten(1).sum(1) for value in (added_cond_kwargs or {}).values())
        total = timestep + text.sum((1, 2)) + more
        return SimpleNamespace(sample=inputs + total[:, None, None, None])


class Compiler:
    """Stands for `compiled`; notes what is to be compiled, and the calls."""

    def __init__(self):
        self.shapes, self.calls = (), []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, module, *shapes):
        self.shapes = shapes

        def fast(inputs, *others, **named):
            assert self.gate.wait(30)
            self.calls.append(len(inputs))
            return module(inputs, *others, **named)

        return fast


def compiled(buckets, call):
    """Ask for a size until it is compiled; give what comes of it then."""
    deadline = time.monotonic() + PATIENCE
    size = next(size for size in buckets.sizes if size >= len(call[0]))
    while size not in buckets.ready:
        assert time.monotonic() < deadline
        buckets(*call)
        time.sleep(0.01)
    return buckets(*call)


@pytest.fixture
def compiler():
    return Compiler()


@pytest.fixture
def buckets(compiler):
    return CompiledUnet(Network(), cells=CELLS, tokens=TOKENS, max_entries=6, compile_=compiler)


def call(count, cells=CELLS, tokens=TOKENS):
    draw = torch.Generator().manual_seed(count)
    return (
        torch.randn(count, 4, cells, cells, generator=draw),
        torch.randn(count, generator=draw),
        torch.randn(count, tokens, 3, generator=draw),
        {"text_embeds": torch.randn(count, 5, generator=draw)},
    )


def test_a_few_sizes_are_compiled_up_to_the_most_that_come(buckets, compiler):
    assert [shape[0] for shape in compiler.shapes] == [1, 2, 4, 8]
    assert {shape[1:] for shape in compiler.shapes} == {(4, CELLS, CELLS)}


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_calls_between_are_padded_and_cut(buckets, compiler, count):
    inputs, timestep, text, added = call(count)
    expected = Network()(inputs, timestep, text, added_cond_kwargs=added).sample
    torch.testing.assert_close(compiled(buckets, call(count)), expected)
    assert [{1: 1, 2: 2, 3: 4, 5: 8, 8: 8}[count]] * 2 == compiler.calls


def test_a_call_that_is_counted_starts_no_compiler(buckets, compiler):
    with eager_mode():
        buckets(*call(2))
    assert not buckets._requested_sizes


def test_nobody_waits_for_the_compiler(buckets, compiler):
    compiler.gate.clear()
    inputs, timestep, text, added = call(2)
    expected = Network()(inputs, timestep, text, added_cond_kwargs=added).sample
    for _ in range(3):
        torch.testing.assert_close(buckets(*call(2)), expected)
    assert not buckets.ready
    compiler.gate.set()
    torch.testing.assert_close(compiled(buckets, call(2)), expected)
    assert compiler.calls == [2, 2]


def test_the_compilers_thread_ends_with_its_size(buckets, compiler):
    """A thread that has computed makes every later operation of the others wait."""
    before = set(threading.enumerate())
    compiler.gate.clear()
    buckets(*call(2))
    [thread] = set(threading.enumerate()) - before
    compiler.gate.set()
    compiled(buckets, call(2))
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("other", [call(9), call(2, cells=16), call(2, tokens=8)])
def test_other_sizes_run_as_without_it(buckets, compiler, other):
    inputs, timestep, text, added = other
    expected = Network()(inputs, timestep, text, added_cond_kwargs=added).sample
    torch.testing.assert_close(buckets(*other), expected)
    assert compiler.calls == []


def test_what_no_prompt_adds_is_not_padded(buckets, compiler):
    inputs, timestep, text, _ = call(3)
    expected = Network()(inputs, timestep, text).sample
    torch.testing.assert_close(compiled(buckets, (inputs, timestep, text, None)), expected)


def test_a_host_who_wants_it_gets_networks_compiled_for_full_batches(tiny_model, tmp_path):
    config = EngineConfig(
        model="tiny",
        models_dir=str(tiny_model),
        cache_dir=str(tmp_path),
        compile=True,
        max_batch=4,
    )
    library = ModelLibrary(config, torch.device("cpu"), torch.float32)
    assert library.get_checkpoint("tiny").fast.sizes[-1] == 8
    assert (
        None
        is ModelLibrary(replace(config, compile=False), torch.device("cpu"), torch.float32)
        .get_checkpoint("tiny")
        .fast
    )


def test_pictures_go_through_it_and_stay_the_same(tiny_model, tmp_path):
    config = EngineConfig(model="tiny", models_dir=str(tiny_model), cache_dir=str(tmp_path))
    model = ModelLibrary(config, torch.device("cpu"), torch.float32).get_checkpoint("tiny")
    compiler = Compiler()
    tokens = model.text_encoders.tokenizer.length
    buckets = CompiledUnet(
        model.unet, cells=model.size // 8, tokens=tokens, max_entries=4, compile_=compiler
    )
    side = model.size // 8
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, side, side, generator=draw)
    text = torch.randn(3, tokens, 32, generator=draw)
    sigma = torch.tensor([5.0, 1.0, 0.1])
    expected = model.denoise(x, sigma, text)
    fast = replace(model, fast=buckets)
    first = fast.denoise(x, sigma, text)
    deadline = time.monotonic() + PATIENCE
    while not buckets.ready and time.monotonic() < deadline:
        time.sleep(0.01)
    for found in (first, fast.denoise(x, sigma, text)):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert compiler.calls == [4, 4]
