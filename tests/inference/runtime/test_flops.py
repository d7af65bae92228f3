from __future__ import annotations

import threading

import pytest
import torch
from PIL import Image
from torch.utils import flop_counter

from inference.api.errors import JobError
from inference.api.jobs import ImagineJob, Img2ImgJob, UpscaleJob
from inference.diffusion.model import DiffusionModel
from inference.engine.engine import RunCompleted, RunFailed
from inference.engine.runner import Runner
from inference.engine.scheduler import ScheduledStep
from inference.engine.task import JobRun
from inference.engine.work import AuxWork, WorkRequest
from inference.operations.registry import OPERATIONS
from inference.runtime.compiling import COMPILE_LOCK, compile_lazily
from inference.runtime.flops import EXTRA_FLOP_FORMULAS, MAX_COUNTED_CALL_KINDS, FlopCounter

SOURCE = Image.radial_gradient("L").convert("RGB").resize((64, 64))


@pytest.fixture
def run(studio, make_engine):
    """Run jobs together in one engine; give what each was charged, by its number."""
    engine = make_engine()

    def start(*jobs):
        reports = []
        for number, job in enumerate(jobs):
            images = {"image": SOURCE} if job.required_images else {}
            reports += engine.add_job(str(number), 1, OPERATIONS[job.kind](job, images, studio))
        charged = {}
        while len(charged) < len(jobs):
            for report in reports:
                assert not isinstance(report, RunFailed), report
                if isinstance(report, RunCompleted):
                    charged[int(report.run.job_id)] = report.run.flops
            reports = engine.step()
        return [charged[number] for number in range(len(jobs))]

    return start


def test_a_multiply_add_is_two_operations_and_counted_once_for_a_size():
    flops, calls = FlopCounter(), []

    def product():
        calls.append(1)
        return torch.ones(4, 8) @ torch.ones(8, 3)

    for _ in range(2):
        result, each = flops.count_call("product", 4, product)
        assert result.shape == (4, 3)
        assert each == 2 * 8 * 3
    assert len(calls) == 2


def test_attention_on_the_processor_is_counted():
    rows = torch.rand(1, 2, 16, 8)

    def attend():
        with torch.inference_mode():
            return torch.nn.functional.scaled_dot_product_attention(rows, rows, rows)

    assert FlopCounter().count_call(None, 1, attend)[1] == 2 * 2 * 2 * 16 * 16 * 8


def test_a_compiled_network_is_counted_as_it_is():
    network = torch.nn.Linear(8, 3, bias=False)
    fast = compile_lazily(network, (1, 8))

    _, each = FlopCounter().count_call("linear", 1, lambda: fast(torch.ones(1, 8)))

    assert each == 2 * 8 * 3


def test_while_something_is_compiled_nothing_is_counted_and_nobody_waits():
    flops = FlopCounter()
    busy, done = threading.Event(), threading.Event()

    def compile_():
        with COMPILE_LOCK:
            busy.set()
            done.wait()

    beside = threading.Thread(target=compile_)
    beside.start()
    busy.wait()
    try:
        assert flops.count_call("x", 1, lambda: 7) == (7, None)
    finally:
        done.set()
        beside.join()
    assert flops.count_call("x", 1, lambda: 7) == (7, 0.0)


def test_a_sum_that_lacks_a_part_is_none():
    run = JobRun("a", 1, iter(()))
    run.add_flops(3.0)
    assert run.flops == 3.0
    run.add_flops(None)
    run.add_flops(4.0)
    assert run.flops == 0.0


def test_a_count_that_fails_costs_no_job(monkeypatch):
    def broken(*_, **__):
        raise AssertionError("shapes")

    monkeypatch.setitem(flop_counter.flop_registry, torch.ops.aten.mm, broken)
    flops = FlopCounter()

    result, each = flops.count_call("product", 1, lambda: torch.ones(2, 2) @ torch.ones(2, 2))

    assert result.shape == (2, 2)
    assert each == 0.0


@pytest.mark.parametrize("error", [JobError("x", "no"), MemoryError()])
def test_what_is_wrong_with_a_job_is_not_tried_twice(error):
    calls = []

    def fail():
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        FlopCounter().count_call("x", 1, fail)
    assert len(calls) == 1


def test_what_is_remembered_is_bounded():
    flops = FlopCounter()
    for number in range(MAX_COUNTED_CALL_KINDS + 10):
        flops.count_call(number, 1, int)

    assert len(flops._counts) == MAX_COUNTED_CALL_KINDS


def test_a_job_is_charged_the_same_whoever_shares_its_calls(run):
    job, other = (
        Img2ImgJob(prompt="a cat", steps=3, seed=1),
        ImagineJob(prompt="a dog", steps=5, seed=2),
    )

    (alone,), (once_more,) = run(job), run(job)
    together = run(job, other, job)

    assert alone > 0
    assert alone == pytest.approx(once_more, rel=0.01)  # its text was encoded before
    assert alone == pytest.approx(together[0], rel=0.01)
    assert together[0] == pytest.approx(together[2], rel=0.01)


def test_steps_guidance_and_size_are_charged_as_they_run(run):
    common = {"prompt": "a cat", "seed": 1}
    few, many, plain, large = run(
        Img2ImgJob(**common, steps=2),
        Img2ImgJob(**common, steps=6),
        Img2ImgJob(**common, steps=6, guidance=1.0),
        ImagineJob(**common, steps=2, width=128, height=128),
    )

    assert many - few == pytest.approx(2 * (many - plain) * 4 / 6, rel=0.01)
    assert large > 2 * few


def test_the_networks_calls_are_what_torch_counts(run, monkeypatch):
    """The sum over single calls, each counted by itself."""
    seen = []
    for name in ("denoise", "encode_pixels", "decode_latents"):
        plain = getattr(DiffusionModel, name)

        def counted(self, *given, plain=plain, **named):
            with flop_counter.FlopCounterMode(
                display=False, custom_mapping=EXTRA_FLOP_FORMULAS
            ) as counter:
                result = plain(self, *given, **named)
            seen.append(counter.get_total_flops())
            return result

        monkeypatch.setattr(DiffusionModel, name, counted)

    (charged,) = run(Img2ImgJob(prompt="a cat", steps=4, seed=1))

    assert pytest.approx(sum(seen), rel=0.01) == charged  # and a little for the text


def test_what_runs_no_network_is_charged_nothing(run):
    assert run(UpscaleJob(upscaler="lanczos")) == [0.0]


def test_what_the_worker_measures_for_itself_is_charged_to_nobody(tiny_library):
    square = torch.ones(8, 8)
    runner = Runner(tiny_library, {"x": lambda lane, loads: [square @ square for _ in loads]})
    charged = {}
    for free in (False, True):
        run = JobRun("a", 1, iter(()))
        tasks = run.create_tasks(
            WorkRequest(works=(AuxWork(queue_key="x", payload=None, is_uncharged=free),))
        )
        runner.run_step(ScheduledStep(aux=tuple(tasks)))
        charged[free] = run.flops, run.charged_seconds > 0

    assert charged == {False: (2 * 8**3, True), True: (0, False)}
