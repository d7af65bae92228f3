"""Number formats by what the chosen device has; cards that cannot compute are named."""

from __future__ import annotations

import contextlib

import pytest
import torch

from inference import model_library
from inference.api.config import EngineConfig
from inference.api.errors import EngineError, OutOfMemory
from inference.runtime import card_problems, device_trial, memory, precision
from inference.runtime.card_problems import find_card_problem
from inference.runtime.precision import PartFormats, choose_dtype, has_bfloat16

CARD, CPU = torch.device("cuda:1"), torch.device("cpu")
F16, BF16, F32 = torch.float16, torch.bfloat16, torch.float32


@pytest.fixture
def make_card(monkeypatch):
    """Stand for a card: what is asked of it is noted, and its trials fail in some formats."""

    def make(*, bfloat16: bool, fails: tuple[torch.dtype, ...] = ()):
        asked = []

        @contextlib.contextmanager
        def on_device(device):
            asked.append(device)
            yield

        def is_supported(including_emulation=True):
            return including_emulation or bfloat16

        def try_device(device, dtype):
            if dtype in fails:
                raise EngineError("worker.card_errs", device=str(device), what="x", dtype="y")

        monkeypatch.setattr(torch.cuda, "device", on_device)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
        monkeypatch.setattr(precision, "try_device", try_device)
        return asked

    return make


def test_what_a_card_only_pretends_to_have_does_not_count(make_card):
    asked = make_card(bfloat16=False)
    assert not has_bfloat16(CARD)
    assert asked == [CARD]


@pytest.mark.parametrize(
    ("bfloat16", "settings", "overflows", "formats"),
    [
        (True, {}, False, PartFormats(F16, BF16, F16)),
        (True, {"force_upcast": True}, True, PartFormats(F16, BF16, F16)),
        (False, {}, False, PartFormats(F16, F16, F16)),
        (False, {"force_upcast": False}, False, PartFormats(F16, F16, F16)),
        (False, {"force_upcast": True}, False, PartFormats(F16, F32, F16)),
        (False, {}, True, PartFormats(F16, F32, F16)),
    ],
)
def test_each_part_has_its_format(make_card, bfloat16, settings, overflows, formats):
    make_card(bfloat16=bfloat16)
    dtype = choose_dtype("auto", CARD)
    assert dtype is F16
    chosen = PartFormats.of_device(dtype, CARD).for_autoencoder(settings, overflows=overflows)
    assert chosen == formats


@pytest.mark.parametrize("dtype", [F32, BF16])
def test_a_processor_reads_words_in_float32(dtype):
    assert PartFormats.of_device(dtype, CPU) == PartFormats(dtype, dtype, F32)


def test_a_card_that_errs_in_half_precision_computes_in_float32(make_card, caplog):
    make_card(bfloat16=True, fails=(F16,))
    assert choose_dtype("auto", CARD) is F32
    assert "gives wrong numbers" in caplog.text


def test_one_that_errs_in_all_is_named(make_card):
    make_card(bfloat16=True, fails=(F16, F32))
    with pytest.raises(EngineError, match="The device cuda:1 gives wrong numbers"):
        choose_dtype("auto", CARD)


def test_a_format_of_the_hosts_own_choice_is_tried_too(make_card):
    make_card(bfloat16=False, fails=(BF16,))
    with pytest.raises(EngineError, match="cuda:1"):
        choose_dtype("bfloat16", CARD)


def test_a_processor_is_timed_once(monkeypatch, tmp_path):
    config, seconds = EngineConfig(cache_dir=str(tmp_path)), iter((1, 2, 2, 2))
    monkeypatch.setattr(precision, "_time_convolution", lambda dtype: next(seconds))
    assert model_library._choose_kept_dtype(config, CPU) is BF16
    assert model_library._choose_kept_dtype(config, CPU) is BF16
    (store,) = tmp_path.iterdir()
    store.write_text(store.read_text(encoding="utf-8").replace("bfloat16", "float3"))
    assert model_library._choose_kept_dtype(config, CPU) is F32


@pytest.mark.parametrize("dtype", [F32, BF16, F16])
def test_this_processor_passes_its_trial(dtype):
    device_trial.try_device(CPU, dtype)


@pytest.mark.parametrize("name", device_trial.TRIALS)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda result: result * float("nan"), "gives wrong numbers for a small {name} in float16"),
        (lambda result: result * 1.2, "gives wrong numbers for a small {name}"),
        ("Unable to find an engine to execute this computation", "cannot do a small {name} in"),
        ("CUDA error: no kernel image is available", "without code for the card cpu"),
    ],
)
def test_what_a_device_fails_at_is_named(monkeypatch, name, fault, words):
    real = device_trial.TRIALS[name]

    def run(inputs):
        result = real(inputs)
        if inputs["map"].dtype is F32:
            return result
        if isinstance(fault, str):
            raise RuntimeError(fault)
        return fault(result)

    monkeypatch.setitem(device_trial.TRIALS, name, run)
    with pytest.raises(EngineError, match=words.format(name=name)):
        device_trial.try_device(CPU, F16)


def test_a_full_card_is_no_broken_one(monkeypatch):
    def fill(_inputs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB")

    monkeypatch.setitem(device_trial.TRIALS, "convolution", fill)
    with pytest.raises(OutOfMemory):
        device_trial.try_device(CPU, F16)


NVIDIA, AMD = "NVIDIA_SIGNS", "AMD_SIGNS"


@pytest.mark.parametrize(
    ("signs", "versions", "error", "words"),
    [
        (
            NVIDIA,
            ("13.0", None),
            RuntimeError(
                "The NVIDIA driver on your system is too old (found version 12040). Please update "
                "your GPU driver by downloading and installing a new version from the URL"
            ),
            "knows CUDA 12.4, torch here was built for 13.0",
        ),
        (
            NVIDIA,
            (None, None),
            AssertionError("Torch not compiled with CUDA enabled"),
            "a card of NVIDIA in this machine, but torch .* without support",
        ),
        (
            AMD,
            ("13.0", None),
            RuntimeError("Found no NVIDIA driver on your system."),
            "a card of AMD in this machine, but torch",
        ),
        (
            NVIDIA,
            ("13.0", None),
            RuntimeError("Unexpected error from cudaGetDeviceCount(). Error 804: forward "),
            "cannot use: Unexpected error from cudaGetDeviceCount",
        ),
        (None, ("13.0", None), RuntimeError("Found no NVIDIA driver on your system."), None),
        (None, (None, None), AssertionError("Torch not compiled with CUDA enabled"), None),
    ],
)
def test_a_card_that_torch_cannot_use_is_named(monkeypatch, signs, versions, error, words):
    def fail():
        raise error

    for backend in (torch.cuda, torch.xpu, torch.backends.mps):
        monkeypatch.setattr(backend, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", fail)
    monkeypatch.setattr(torch.version, "cuda", versions[0])
    monkeypatch.setattr(torch.version, "hip", versions[1])
    monkeypatch.setattr(card_problems, "NVIDIA_PROGRAM", "no such program")
    for name in (NVIDIA, AMD):
        monkeypatch.setattr(card_problems, name, ("/dev/null",) if name == signs else ())

    problem = find_card_problem()
    if words is None:
        assert problem is None
    else:
        with pytest.raises(EngineError, match=words):
            raise EngineError(problem)
        with pytest.raises(EngineError, match=words):
            precision.choose_device("cuda")


@pytest.mark.parametrize(
    ("free_gib", "workers", "budget_gib"), [(12, 1, 8.4), (4, 1, 2.8), (12, 2, 4.2), (3, 2, 2.1)]
)
def test_weights_fill_a_share_of_what_is_free(monkeypatch, free_gib, workers, budget_gib):
    sizes = (free_gib * 2**30, 12 * 2**30)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: sizes)
    assert memory.default_budget(CARD, workers) == pytest.approx(budget_gib * 2**30, abs=2)


def test_cards_compute_float32_in_tf32_and_other_devices_do_not(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", chosen.append)
    for name in ("benchmark", "allow_tf32"):
        monkeypatch.setattr(torch.backends.cudnn, name, False)
    precision.hasten_float32(CPU)
    assert (chosen, torch.backends.cudnn.benchmark) == ([], False)
    precision.hasten_float32(CARD)
    assert (chosen, torch.backends.cudnn.benchmark) == (["high"], True)
    assert torch.backends.cudnn.allow_tf32
