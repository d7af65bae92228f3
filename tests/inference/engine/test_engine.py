from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from inference.api.errors import OutOfMemory
from inference.api.jobs import ImagineJob, Img2ImgJob
from inference.diffusion.model import DiffusionModel
from inference.engine import runner as runner_module
from inference.engine.engine import RunCancelled, RunCompleted, RunFailed, RunProgressed
from inference.engine.work import AuxWork, DenoiseWork, JobResult, StopRequested, WorkRequest
from inference.model_files.errors import BrokenOutput
from inference.operations.registry import OPERATIONS
from inference.sampling.noise import NoiseSource
from inference.sampling.step_plan import plan_noise_levels

#: Jobs that differ in everything that may differ within a batch.
MIXED = (
    {"sampler": "Euler", "steps": 5, "strength": 0.6, "guidance": 7.0, "prompt": "red apple"},
    {"sampler": "Euler a", "steps": 8, "strength": 0.9, "guidance": 3.5, "prompt": "a cat"},
    {"sampler": "DDIM", "steps": 4, "strength": 0.4, "guidance": 12.0, "prompt": "white sky"},
    {"sampler": "Heun", "steps": 3, "strength": 0.75, "guidance": 7.0, "prompt": "(cat:1.3)"},
    {"sampler": "DPM++ 2M SDE", "steps": 6, "strength": 0.7, "guidance": 5.0, "prompt": "sky"},
    {"sampler": "DPM2 a", "steps": 4, "strength": 1.0, "guidance": 2.0, "prompt": "[cat:sky:2]"},
    {"sampler": "Euler a CFG++", "steps": 5, "strength": 0.8, "guidance": 1.0, "prompt": "cat"},
    {"sampler": "DPM++ 2M CFG++", "steps": 7, "strength": 0.9, "guidance": 0.6, "prompt": "apple"},
)


@pytest.fixture(scope="module")
def source():
    values = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return Image.fromarray(values)


@pytest.fixture
def begin(studio):
    def start(job, **images):
        return OPERATIONS[job.kind](job, images, studio)

    return start


def drive(engine, reports=()):
    """Step to the end and collect outcomes and errors by job id."""
    ends, reports = {}, list(reports)
    while True:
        for report in reports:
            if isinstance(report, RunCompleted):
                ends[report.run.job_id] = report.result
            elif isinstance(report, RunFailed):
                ends[report.run.job_id] = report.error
        if engine.is_idle:
            return ends
        reports = engine.step()


def pixels(outcome):
    return np.asarray(outcome.images[0].image, dtype=np.int16)


def jobs():
    return [
        Img2ImgJob(seed=number, width=64, height=64, **settings)
        for number, settings in enumerate(MIXED)
    ]


def test_jobs_together_equal_jobs_alone(make_engine, begin, source):
    alone = []
    for job in jobs():
        engine = make_engine()
        alone.append(drive(engine, engine.add_job("j", 1, begin(job, image=source)))["j"])
    engine = make_engine(rows=len(MIXED))
    reports = [
        report
        for number, job in enumerate(jobs())
        for report in engine.add_job(str(number), 1, begin(job, image=source))
    ]
    together = drive(engine, reports)
    worst = max(
        int(np.abs(pixels(outcome) - pixels(together[str(number)])).max())
        for number, outcome in enumerate(alone)
    )
    # One 8-bit level is rounding: the latents agree within 1e-4.
    assert worst <= 1


def test_a_newcomer_joins_between_steps_and_changes_nothing(make_engine, begin, source):
    first, second = jobs()[0], jobs()[1]
    engine = make_engine()
    expected = drive(engine, engine.add_job("a", 1, begin(first, image=source)))["a"]
    engine = make_engine()
    reports = engine.add_job("a", 1, begin(first, image=source))
    for _ in range(3):
        reports += engine.step()
    reports += engine.add_job("b", 1, begin(second, image=source))
    ends = drive(engine, reports)
    assert np.abs(pixels(expected) - pixels(ends["a"])).max() <= 1
    assert set(ends) == {"a", "b"}


def test_jobs_of_one_key_share_network_calls(make_engine, begin, source, monkeypatch):
    calls = []
    real = DiffusionModel.denoise

    def count(self, x, *rest):
        calls.append(len(x))
        return real(self, x, *rest)

    monkeypatch.setattr(DiffusionModel, "denoise", count)
    engine = make_engine(rows=8)
    reports = []
    for number in range(4):
        job = Img2ImgJob(seed=number, steps=5, width=64, height=64, sampler="Euler")
        reports += engine.add_job(str(number), 1, begin(job, image=source))
    drive(engine, reports)
    # Four jobs with guidance are eight rows of five calls, not twenty calls of two.
    assert calls == [8] * 5


def test_guidance_one_runs_half_the_rows(make_engine, begin, monkeypatch):
    calls = []
    real = DiffusionModel.denoise

    def count(self, x, *rest):
        calls.append(len(x))
        return real(self, x, *rest)

    monkeypatch.setattr(DiffusionModel, "denoise", count)
    engine = make_engine()
    drive(engine, engine.add_job("a", 1, begin(ImagineJob(seed=1, steps=3, guidance=1.0))))
    assert calls == [1, 1, 1]


def test_cfg_pp_asks_for_both_predictions_at_guidance_one(make_engine, begin, tiny_library):
    job = ImagineJob(
        seed=9, steps=4, prompt="a cat", negative_prompt="sky", guidance=1.0, sampler="Euler CFG++"
    )
    engine = make_engine()
    ends = drive(engine, engine.add_job("a", 1, begin(job)))

    model = tiny_library.get_checkpoint("")
    encoder = model.text_encoders.build_encoder(1, "Original")
    texts = torch.stack([encoder.encode_pooled(text).crossattn for text in ("a cat", "sky")])
    plan = plan_noise_levels("Euler CFG++", "Automatic", 4, None, model.table)
    x = NoiseSource(9, (4, 8, 8)).initial_noise() * plan.sigmas[0]
    for sigma, sigma_next in pairwise(plan.sigmas):
        prompted, plain = model.denoise(x.expand(2, -1, -1, -1), torch.full((2,), sigma), texts)
        x = prompted + sigma_next * (x - plain) / sigma
    (expected,) = model.decode_latents(x[None])
    assert np.abs(pixels(ends["a"]) - np.asarray(expected, dtype=np.int16)).max() <= 1


def test_a_cancelled_job_leaves_its_neighbours_alone(make_engine, begin, source):
    first, second = jobs()[0], jobs()[2]
    engine = make_engine()
    expected = drive(engine, engine.add_job("a", 1, begin(first, image=source)))["a"]
    engine = make_engine()
    reports = engine.add_job("a", 1, begin(first, image=source))
    reports += engine.add_job("b", 1, begin(second, image=source))
    for _ in range(3):
        reports += engine.step()
    (given_up,) = engine.cancel_run("b", 1)
    assert isinstance(given_up, RunCancelled)
    assert engine.cancel_run("b", 1) == []
    ends = drive(engine, reports)
    assert set(ends) == {"a"}
    assert np.abs(pixels(expected) - pixels(ends["a"])).max() <= 1


def test_progress_counts_every_step_once(make_engine, begin, source):
    engine = make_engine()
    job = Img2ImgJob(seed=1, steps=4, width=64, height=64, sampler="Heun")
    reports = engine.add_job("a", 1, begin(job, image=source))
    seen = []
    while not engine.is_idle:
        reports = engine.step()
        seen += [
            (r.run.steps_done, r.run.steps_total) for r in reports if isinstance(r, RunProgressed)
        ]
    assert seen[-1] == (4, 4)
    assert sorted(step for step, _ in seen) == [step for step, _ in seen]
    assert {steps for _, steps in seen} == {4}


def test_strength_zero_gives_the_picture_back(make_engine, begin, source):
    engine = make_engine()
    job = Img2ImgJob(seed=1, strength=0.0, width=64, height=64)
    ends = drive(engine, engine.add_job("a", 1, begin(job, image=source)))
    assert np.array_equal(np.asarray(source), np.asarray(ends["a"].images[0].image))


def test_memory_running_out_halves_the_batch_and_remembers(make_engine, begin, source, monkeypatch):
    real, sizes = DiffusionModel.denoise, []

    def scarce(self, x, *rest):
        sizes.append(len(x))
        if len(x) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(self, x, *rest)

    monkeypatch.setattr(DiffusionModel, "denoise", scarce)
    engine = make_engine(rows=8)
    reports = []
    for number in range(4):
        job = Img2ImgJob(seed=number, steps=3, width=64, height=64, sampler="Euler")
        reports += engine.add_job(str(number), 1, begin(job, image=source))
    ends = drive(engine, reports)
    assert {name for name, end in ends.items() if isinstance(end, JobResult)} == {
        "0",
        "1",
        "2",
        "3",
    }
    assert sizes.count(8) == 1


def test_a_job_too_large_even_alone_fails_with_words(make_engine, begin, monkeypatch):
    def never(self, *arguments):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(DiffusionModel, "denoise", never)
    engine = make_engine()
    ends = drive(engine, engine.add_job("a", 1, begin(ImagineJob(seed=1, steps=3))))
    assert isinstance(ends["a"], OutOfMemory)
    assert "smaller" in str(ends["a"])


def test_numbers_that_are_no_picture_fail_that_job_only(make_engine, begin, monkeypatch):
    real = runner_module.Batch.scatter

    def poison(self, denoised):
        result = real(self, denoised)
        result[0] = torch.nan
        return result

    engine = make_engine()
    reports = engine.add_job("bad", 1, begin(ImagineJob(seed=1, steps=3, sampler="Euler")))
    reports += engine.add_job("good", 1, begin(ImagineJob(seed=2, steps=4, sampler="Euler")))
    monkeypatch.setattr(runner_module.Batch, "scatter", poison)
    for _ in range(2):
        reports += engine.step()
    monkeypatch.undo()
    ends = drive(engine, reports)
    assert isinstance(ends["bad"], BrokenOutput)
    assert isinstance(ends["good"], JobResult)


def test_an_operation_that_breaks_takes_only_its_own_job(make_engine, begin):
    def breaking():
        yield WorkRequest(works=(AuxWork(queue_key=("echo",), payload=1),))
        raise ValueError("a mistake in the finish")

    engine = make_engine(hands={"echo": lambda lane, loads: loads})
    reports = engine.add_job("bad", 1, breaking())
    reports += engine.add_job("good", 1, begin(ImagineJob(seed=2, steps=2)))
    ends = drive(engine, reports)
    assert isinstance(ends["bad"], ValueError)
    assert isinstance(ends["good"], JobResult)


def test_an_unknown_checkpoint_fails_with_its_name(make_engine, begin):
    engine = make_engine()
    ends = drive(engine, engine.add_job("a", 1, begin(ImagineJob(model="../secret"))))
    assert "../secret" in str(ends["a"])


def test_results_come_back_in_the_order_of_the_ask(make_engine):
    def asking():
        results = yield WorkRequest(
            works=tuple(AuxWork(queue_key=("echo", n % 2), payload=n) for n in range(5)),
            later_units=3,
        )
        again = yield WorkRequest(works=(AuxWork(queue_key=("echo",), payload="last"),))
        return JobResult(text=f"{results} {again}")

    engine = make_engine(hands={"echo": lambda lane, loads: loads})
    ends = drive(engine, engine.add_job("a", 1, asking()))
    assert ends["a"].text == "[0, 1, 2, 3, 4] ['last']"


def test_a_latent_is_handed_on_without_decoding(make_engine):
    def asking():
        settings = {
            "model": "tiny",
            "width": 64,
            "height": 64,
            "prompt": "",
            "negative_prompt": "",
            "steps": 2,
            "guidance": 1.0,
            "sampler": "Euler",
            "schedule": "Automatic",
            "seed": 5,
        }
        (first,) = yield WorkRequest(works=(DenoiseWork(**settings, decode=False),))
        (second,) = yield WorkRequest(
            works=(DenoiseWork(**settings, latent=first.latent, strength=0.5),)
        )
        return JobResult(text=f"{first.image} {tuple(first.latent.shape)} {second.image.size}")

    engine = make_engine()
    assert drive(engine, engine.add_job("a", 1, asking()))["a"].text == "None (4, 8, 8) (64, 64)"


def _catching(answer):
    """An operation that is stopped while it waits for a tile."""
    try:
        yield WorkRequest(works=(AuxWork(queue_key=("tiles",), payload=None),))
    except StopRequested:
        if isinstance(answer, WorkRequest):
            yield answer
        if isinstance(answer, Exception):
            raise answer from None
        if answer is None:
            raise
        return answer


@pytest.mark.parametrize(
    ("answer", "report"),
    [
        (JobResult(text="half of it"), RunCompleted),
        (None, RunCancelled),
        (ValueError("no"), RunFailed),
        (WorkRequest(works=(AuxWork(queue_key=("tiles",), payload=None),)), RunCancelled),
    ],
)
def test_a_stopped_operation_ends_with_what_it_has(make_engine, answer, report):
    engine = make_engine(hands={"tiles": lambda lane, loads: loads})
    engine.add_job("a", 1, _catching(answer))

    (ended,) = engine.cancel_run("a", 1, keep_results=True)

    assert isinstance(ended, report)
    assert engine.is_idle
    if report is RunCompleted:
        assert ended.result is answer


def test_who_was_not_asked_to_keep_is_given_up(make_engine):
    engine = make_engine(hands={"tiles": lambda lane, loads: loads})
    engine.add_job("a", 1, _catching(JobResult(text="half of it")))

    (ended,) = engine.cancel_run("a", 1)

    assert isinstance(ended, RunCancelled)
