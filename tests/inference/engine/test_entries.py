"""A row of many prompts is many entries: bounded, counted, and split where memory is short."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from inference.api.errors import JobError
from inference.api.jobs import ImagineJob, Img2ImgJob
from inference.api.jobs.limits import JobLimits
from inference.diffusion.model import DiffusionModel
from inference.engine import runner
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.operations.registry import OPERATIONS

PIXELS = np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8)
COMMON = {"seed": 3, "steps": 3, "width": 64, "height": 64, "sampler": "Euler", "guidance": 3.0}
EIGHT_PARTS = Img2ImgJob(
    prompt=" AND ".join(f"{words} :{0.2 + number / 20}" for number, words in enumerate(
        ("red apple", "a cat", "white sky", "on", "background", "cat", "sky on", "apple")
    )),
    **COMMON,
)  # fmt: skip
ONE_PART = Img2ImgJob(prompt="a cat", **COMMON)


@pytest.fixture
def calls(monkeypatch):
    """Give the list of entries of each network call; memory is short above `calls.most`."""

    class Calls(list):
        most = 10**6

    calls, real = Calls(), DiffusionModel.denoise

    def count(self, x, *rest):
        calls.append(len(x))
        if len(x) > calls.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(self, x, *rest)

    monkeypatch.setattr(DiffusionModel, "denoise", count)
    return calls


@pytest.fixture
def run(studio, tiny_library):
    def start(*jobs, max_entries=0, rows=8):
        scheduler = Scheduler(rows, aux_batch_limit(rows, 1), max_entries=max_entries)
        engine, ends = Engine(Runner(tiny_library, {}), scheduler), {}
        images = {"image": Image.fromarray(PIXELS)}
        reports = [
            report
            for number, job in enumerate(jobs)
            for report in engine.add_job(
                str(number),
                1,
                OPERATIONS[job.kind](job, images if job.required_images else {}, studio),
            )
        ]
        while not engine.is_idle or reports:
            for report in reports:
                if isinstance(report, RunCompleted):
                    ends[report.run.job_id] = report
                elif isinstance(report, RunFailed):
                    ends[report.run.job_id] = report.error
            reports = engine.step() if not engine.is_idle else []
        return [ends[str(number)] for number in range(len(jobs))]

    return start


def pixels(end):
    return np.asarray(end.result.images[0].image, dtype=np.int16)


def difference(end, other):
    return int(np.abs(pixels(end) - pixels(other)).max())


def test_no_call_has_more_entries_than_the_batch_allows(run, calls):
    ends = run(*[EIGHT_PARTS] * 3, *[ONE_PART] * 9)
    assert max(calls) <= 16
    assert all(isinstance(end, RunCompleted) for end in ends)


@pytest.mark.parametrize("max_entries", [1, 2, 4, 5, 8])
def test_a_row_of_more_entries_than_a_call_takes_several(run, calls, max_entries):
    (whole,) = run(EIGHT_PARTS, max_entries=9)
    assert calls == [9] * 3
    del calls[:]

    (split,) = run(EIGHT_PARTS, max_entries=max_entries)

    assert max(calls) <= max_entries
    assert sum(calls) == 27
    assert difference(whole, split) <= 1
    assert split.run.flops == pytest.approx(whole.run.flops, rel=0.01)


@pytest.mark.parametrize("most", [1, 2, 4, 8])
def test_where_even_one_row_does_not_fit_its_entries_go_through_apart(run, calls, most):
    (whole,) = run(EIGHT_PARTS)
    del calls[:]
    calls.most = most

    (split,) = run(EIGHT_PARTS)

    assert difference(whole, split) <= 1
    # What did not fit is tried once, not in every step.
    assert sum(size > most for size in calls) == len([9, 5, 3, 2][: [8, 4, 2, 1].index(most) + 1])


def test_a_neighbour_is_not_failed_by_what_does_not_fit(run, calls):
    (alone,) = run(ONE_PART)
    calls.most = 2
    ends = run(EIGHT_PARTS, ONE_PART)
    assert difference(ends[1], alone) <= 1


def test_a_job_pays_for_its_entries(run, monkeypatch):
    seconds = itertools.count()  # each piece of work takes one of them
    monkeypatch.setattr(runner, "time", SimpleNamespace(perf_counter=lambda: next(seconds)))
    dear, common = run(EIGHT_PARTS, ONE_PART)
    assert dear.run.flops > 2 * common.run.flops
    # Prepared and decoded together, and three steps of 9 and 2 entries.
    assert dear.run.charged_seconds == pytest.approx(1 + 3 * 9 / 11)
    assert common.run.charged_seconds == pytest.approx(1 + 3 * 2 / 11)


@pytest.mark.parametrize(
    "prompt",
    ["a " + "A{N|N}D a " * 8, "a " + "AND a " * 8, "[a:" + "cat AND " * 8 + "sky:0.5]"],
)
def test_drawn_words_are_bounded_too(run, calls, tiny_library, prompt):
    tiny_library.job_limits = JobLimits(prompt_parts=8)
    refused, common = run(ImagineJob(prompt=prompt, **COMMON), ONE_PART)
    assert isinstance(refused, JobError)
    assert refused.notice.code == "prompt.too_many_parts"
    assert isinstance(common, RunCompleted)
    assert max(calls) == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("cat BREAK " * 255 + "cat {cat BREAK cat|cat BREAK a}", "prompt.too_many_chunks"),
        ("[" + "|".join(["cat " * 400, *map(str, range(40))]) + "]", "prompt.too_many_texts"),
    ],
)
@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_words_that_would_fill_the_memory_are_refused(run, calls, words, code, field):
    job = ImagineJob(**COMMON | {"steps": 60, field: words})
    (alone,) = run(ONE_PART)
    refused, common = run(job, ONE_PART)
    assert isinstance(refused, JobError)
    assert refused.notice.code == code
    assert isinstance(common, RunCompleted)
    # Prepared beside one that cannot be, and once.
    assert common.run.flops == pytest.approx(alone.run.flops, rel=0.01)
