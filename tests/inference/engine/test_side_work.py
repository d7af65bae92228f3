"""What a processor draws is drawn beside the steps of other jobs, and is paid for."""

from __future__ import annotations

import threading

import pytest
from PIL import Image

from inference.api.errors import JobError
from inference.api.jobs import (
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    LoopbackJob,
    OutpaintJob,
    PreviewJob,
    UpscaleJob,
)
from inference.engine.engine import (
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPartCompleted,
    RunProgressed,
)
from inference.engine.work import JobResult, SideWork, WorkRequest
from inference.images.mask import grid_overlay, masks
from inference.images.mask import preview as overlay
from inference.images.outpaint import mk2, poor_mans
from inference.operations import img2img, inpaint, loopback, sd_upscale
from inference.operations.outpaint import operation
from inference.operations.registry import OPERATIONS
from inference.operations.shared import side_call
from inference.runtime import side_work
from inference.upscaling import upscale

PAINTING = ImagineJob(prompt="a cat", seed=1, steps=6, width=64, height=64)
QUICK = {"seed": 1, "steps": 2}
REDRAWN = {**QUICK, "mode": "redraw", "upscaler": "lanczos", "factor": 2.0, "overlap": 16}
#: Jobs, and what takes them the longest.
DRAWN = [
    (PreviewJob(mask_shape="left 30%"), overlay, "draw_mask_preview"),
    (PreviewJob(mask_shape="left 30%"), masks, "is_blank"),
    (PreviewJob(show="grid"), grid_overlay, "draw_lettered_grid"),
    (InpaintJob(mask_shape="left 30%", seed=1, steps=2), masks, "is_blank"),
    (InpaintJob(**QUICK, mask_shape="left 30%"), inpaint, "choose_work_area"),
    (InpaintJob(**QUICK, mask_shape="left 30%"), inpaint, "prepare_masked_start"),
    (InpaintJob(**QUICK, mask_shape="left 30%"), inpaint, "measure_seam"),
    (Img2ImgJob(**QUICK), img2img, "flatten_alpha"),
    (Img2ImgJob(**QUICK), img2img, "fit_image"),
    (Img2ImgJob(**QUICK, colour_correction=True), img2img, "correct_colours"),
    (LoopbackJob(**QUICK, loops=2), loopback, "make_contact_sheet"),
    (OutpaintJob(**QUICK, right=64), mk2, "matched_noise"),
    (OutpaintJob(**QUICK, right=64), mk2, "paste_pass_result"),
    (OutpaintJob(**QUICK, right=64), operation, "measure_seam"),
    (OutpaintJob(**QUICK, right=64, method="poor man's"), poor_mans, "plan_tiled_outpaint"),
    (OutpaintJob(**QUICK, right=64, method="poor man's"), poor_mans, "finish_tiled_outpaint"),
    (UpscaleJob(upscaler="lanczos", factor=2.0), upscale, "_resize_pixels"),
    (UpscaleJob(**REDRAWN), sd_upscale, "cut_tiles"),
    (UpscaleJob(**REDRAWN), sd_upscale, "combine_tiles"),
]


#: Those of them that have steps, or tiles.
COUNTED = [job for job, _, work in DRAWN if job.kind != "preview" and work != "_resize_pixels"]


@pytest.fixture(autouse=True)
def picture_work_goes_beside_whatever_its_size(monkeypatch):
    monkeypatch.setattr(side_call, "MIN_BESIDE_PIXELS", 0)


@pytest.fixture
def begin(studio):
    def start(job):
        images = {"image": Image.new("RGB", (96, 64), "red")} if job.required_images else {}
        return OPERATIONS[job.kind](job, images, studio)

    return start


def drive(engine, reports, job_id):
    """Step until a job has come to its end; give its last report and all its steps."""
    steps, reports = [], list(reports)
    while True:
        for report in reports:
            if report.run.job_id == job_id:
                if not isinstance(report, RunProgressed | RunPartCompleted):
                    return report, steps
                steps.append(report.run.steps_done)
        reports = engine.step()


@pytest.mark.parametrize(("job", "module", "slow"), DRAWN)
def test_other_jobs_step_on_while_something_is_drawn(
    make_engine, begin, monkeypatch, job, module, slow
):
    real, may_end, has_begun = getattr(module, slow), threading.Event(), threading.Event()

    def wait(*arguments, **named):
        has_begun.set()
        may_end.wait()
        return real(*arguments, **named)

    monkeypatch.setattr(module, slow, wait)
    engine = make_engine()
    try:
        drawn = engine.add_job("drawn", 1, begin(job))
        while not has_begun.is_set():
            drawn += engine.step()
        end, steps = drive(engine, engine.add_job("painted", 1, begin(PAINTING)), "painted")
        assert isinstance(end, RunCompleted)
        assert steps[-1] == 6
        assert not any(isinstance(report, RunCompleted) for report in drawn)
        assert not engine.is_idle
    finally:
        may_end.set()
    end, _ = drive(engine, drawn, "drawn")
    assert isinstance(end, RunCompleted)
    assert engine.is_idle


@pytest.mark.parametrize("job", COUNTED)
def test_how_far_a_job_is_is_said_once_it_is_known_out_of_how_much(make_engine, begin, job):
    engine = make_engine()
    totals, reports = [], engine.add_job("a", 1, begin(job))
    while not any(isinstance(report, RunCompleted | RunFailed) for report in reports):
        totals += [r.run.steps_total for r in reports if isinstance(r, RunProgressed)]
        reports = engine.step()
    assert isinstance(reports[-1], RunCompleted)
    assert totals
    assert set(totals) == {totals[-1]}
    assert totals[-1] > 0


def test_a_small_picture_is_worked_on_at_once(monkeypatch):
    monkeypatch.setattr(side_call, "MIN_BESIDE_PIXELS", 64 * 64)
    requests = []

    def ask(side):
        requests.clear()
        call = side_call.run_beside(lambda: "done", (side, 64))
        try:
            requests.append(next(call))
            call.send(["done beside"])
        except StopIteration as finished:
            return finished.value

    assert (ask(63), len(requests)) == ("done", 0)
    assert (ask(64), len(requests)) == ("done beside", 1)


def ask_side(call):
    (result,) = yield WorkRequest(works=(SideWork(call=call),))
    return JobResult(text=result)


def spin():
    return str(sum(range(3_000_000)))


def test_what_is_drawn_is_charged_the_time_of_its_thread(make_engine):
    engine = make_engine()
    end, _ = drive(engine, engine.add_job("a", 1, ask_side(spin)), "a")
    assert end.result.text == spin()
    assert end.run.charged_seconds > 0


def test_an_error_beside_the_steps_is_that_jobs_own(make_engine, begin):
    def fail():
        raise JobError("mask", "mask.missing")

    engine = make_engine()
    reports = engine.add_job("bad", 1, ask_side(fail))
    reports += engine.add_job("good", 1, begin(PAINTING))
    end, _ = drive(engine, reports, "bad")
    assert isinstance(end, RunFailed)
    assert end.error.notice.code == "mask.missing"
    assert isinstance(drive(engine, [], "good")[0], RunCompleted)


def test_jobs_whose_pictures_wait_for_a_thread_are_named_as_waiting(make_engine, monkeypatch):
    monkeypatch.setattr(side_work, "MAX_THREADS", 1)
    engine, has_begun, may_end = make_engine(), threading.Event(), threading.Event()

    def hold():
        has_begun.set()
        may_end.wait()

    reports = engine.add_job("drawn", 1, ask_side(hold))
    has_begun.wait()
    reports += engine.add_job("next", 1, ask_side(lambda: "done"))
    try:
        assert engine.waiting_jobs() == [("next", 1)]
    finally:
        may_end.set()
    assert isinstance(drive(engine, reports, "next")[0], RunCompleted)


def test_a_worker_that_ends_begins_nothing_more(make_engine):
    engine, may_end, calls = make_engine(), threading.Event(), []
    engine.add_job("running", 1, ask_side(may_end.wait))
    for number in range(9):
        engine.add_job(f"waiting {number}", 1, ask_side(lambda: calls.append(1)))
    engine.close()
    may_end.set()
    for thread in threading.enumerate():
        if thread.name.startswith("side"):
            thread.join(timeout=5)
    assert calls == []


def test_what_was_cancelled_comes_to_nothing(make_engine):
    engine, may_end, calls = make_engine(), threading.Event(), []
    engine.add_job("running", 1, ask_side(may_end.wait))
    engine.add_job("waiting", 1, ask_side(lambda: calls.append(1)))
    reports = engine.cancel_run("waiting", 1) + engine.cancel_run("running", 1)
    assert all(isinstance(report, RunCancelled) for report in reports)
    assert engine.is_idle
    may_end.set()
    end, _ = drive(engine, engine.add_job("later", 1, ask_side(lambda: "done")), "later")
    assert end.result.text == "done"
    assert calls == []
