import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from inference.api.errors import JobError
from inference.api.infotext.text import parse_infotext
from inference.api.jobs import Img2ImgJob, LoopbackJob
from inference.api.notices import Notice
from inference.engine.engine import RunCancelled, RunProgressed
from inference.engine.work import AuxWork, WorkRequest
from inference.images.colour.correction import correct_colours
from inference.operations.loopback import run_loopback


def job(**fields):
    return LoopbackJob(**{"steps": 2, "seed": 10, "loops": 3, "prompt": "a cat"} | fields)


def with_role(outcome, role):
    return [made for made in outcome.images if made.role == role]


def same(one, other):
    return np.array_equal(np.asarray(one), np.asarray(other))


def test_each_loop_starts_from_the_one_before(run_job, square):
    """Three loops are three img2img jobs, each fed the last one's picture."""
    outcome = run_job(job(strength=0.75, final_strength=0.25), {"image": square})
    image = square
    for seed, strength in ((10, 0.75), (11, 0.5), (12, 0.25)):
        alone = Img2ImgJob(prompt="a cat", steps=2, seed=seed, strength=strength)
        image = run_job(alone, {"image": image}).images[0].image
    (last,) = with_role(outcome, "result")
    assert same(image, last.image)
    assert last.seed == 12


def test_the_answer_is_last_frame_sheet_and_frames(run_job, square):
    outcome = run_job(job(), {"image": square})
    assert [made.role for made in outcome.images] == ["result", "sheet", "frame", "frame"]
    assert [made.seed for made in with_role(outcome, "frame")] == [10, 11]
    (sheet,) = with_role(outcome, "sheet")
    assert sheet.image.width > 3 * 64
    assert sheet.image.height < 2 * 64


def test_one_loop_has_the_first_strength_and_no_sheet(run_job, square):
    outcome = run_job(job(loops=1, strength=0.5, final_strength=0.9), {"image": square})
    (made,) = outcome.images
    assert parse_infotext(made.infotext).values["Denoising strength"] == "0.5"


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ("linear", ["0.75", "0.625", "0.5"]),
        ("aggressive", ["0.75", "0.5732", "0.5"]),
        ("lazy", ["0.75", "0.6768", "0.5"]),
    ],
)
def test_strengths_follow_the_curve(run_job, square, curve, expected):
    outcome = run_job(job(curve=curve, steps=1), {"image": square})
    made = [*with_role(outcome, "frame"), *with_role(outcome, "result")]
    values = [parse_infotext(one.infotext).values for one in made]
    found = [f"{float(one['Denoising strength']):.4g}" for one in values]
    assert found == expected
    assert {one["Denoising curve"] for one in values} == {curve.capitalize()}
    assert {one["Final denoising strength"] for one in values} == {"0.5"}


def test_a_batch_starts_over_from_the_source_and_keeps_the_last_frames(run_job, square):
    outcome = run_job(job(batch=2), {"image": square})
    assert [made.role for made in outcome.images] == ["result", "result", "sheet"]
    assert [made.seed for made in with_role(outcome, "result")] == [12, 15]
    second = with_role(run_job(job(seed=13), {"image": square}), "result")[0]
    both = np.asarray(with_role(outcome, "result")[1].image, int), np.asarray(second.image, int)
    assert np.abs(both[0] - both[1]).max() <= 1


def test_every_loop_is_matched_to_the_first_source(run_job, square):
    outcome = run_job(job(colour_correction=True, loops=2, final_strength=0.75), {"image": square})
    (first,) = with_role(outcome, "frame")
    alone = Img2ImgJob(prompt="a cat", steps=2, seed=11, strength=0.75)
    uncorrected = run_job(alone, {"image": first.image}).images[0].image
    assert same(correct_colours(uncorrected, square), with_role(outcome, "result")[0].image)


def test_an_animation_shows_all_frames(run_job, square):
    outcome = run_job(job(animate=True), {"image": square})
    (animation,) = with_role(outcome, "animation")
    data, media_type = animation.encoded_file
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.format, opened.n_frames) == ("WEBP", 3)
    assert media_type == "image/webp"


def test_progress_counts_all_loops_from_the_start(run_job, square):
    progress = []
    run_job(job(batch=2), {"image": square}, progress=progress)
    assert {steps for _, steps in progress} == {3 * 2 * 2}
    assert progress[-1] == (12, 12)


def test_a_latent_upscale_is_only_the_first_loops(run_job, square):
    settings = job(resize_mode="latent upscale", width=96, height=64)
    outcome = run_job(settings, {"image": square})
    assert with_role(outcome, "result")[0].image.size == (96, 64)


def test_words_that_nobody_can_find_are_refused(run_job, square):
    with pytest.raises(JobError, match="choose “none”"):
        run_job(job(append="caption"), {"image": square})


def test_what_the_picture_shows_is_appended_anew_each_loop(run_operation, studio, square):
    seen = []

    def describe(image, method):
        (words,) = yield WorkRequest(
            works=(AuxWork(queue_key=("interrogate", method), payload=image),), later_units=4
        )
        return words

    def hand(lane, loads):
        seen.extend(loads)
        return [f"{lane[1]} {len(seen)}" for _ in loads]

    telling = dataclasses.replace(studio, describe=describe)
    operation = run_loopback(job(append="tags", loops=2), {"image": square}, telling)
    outcome = run_operation(operation, hands={"interrogate": hand})
    made = [*with_role(outcome, "frame"), *with_role(outcome, "result")]
    prompts = [parse_infotext(one.infotext).prompt for one in made]
    assert prompts == ["a cat, tags 1", "a cat, tags 2"]
    assert same(seen[0], square)
    assert same(seen[1], made[0].image)


def stopped_after(make_engine, studio, job, square, steps):
    """Stop a loopback of two steps a loop after so many, and return how it ended."""
    engine = make_engine()
    reports = engine.add_job("job", 1, run_loopback(job, {"image": square}, studio))
    while not any(
        isinstance(one, RunProgressed) and one.run.steps_done >= steps for one in reports
    ):
        reports = engine.step()
    (ended,) = engine.cancel_run("job", 1, keep_results=True)
    assert engine.is_idle
    return ended


def test_stopped_it_answers_with_the_loops_that_are_whole(make_engine, studio, run_job, square):
    whole = run_job(job(loops=4), {"image": square})
    ended = stopped_after(make_engine, studio, job(loops=4, animate=True), square, steps=5)
    outcome = ended.result
    roles = [made.role for made in outcome.images]
    assert roles == ["result", "animation", "sheet", "frame"]
    assert outcome.notes == (Notice("loopback.stopped", loops=2, all=4),)
    first, second = with_role(whole, "frame")[:2]
    assert same(first.image, with_role(outcome, "frame")[0].image)
    assert same(second.image, with_role(outcome, "result")[0].image)
    assert with_role(outcome, "result")[0].seed == 11
    with Image.open(io.BytesIO(outcome.images[1].encoded_file[0])) as opened:
        assert opened.n_frames == 2


def test_stopped_each_picture_of_a_batch_has_as_many_loops(make_engine, studio, square):
    outcome = stopped_after(make_engine, studio, job(batch=2), square, steps=6).result
    assert [made.role for made in outcome.images] == ["result", "result", "sheet"]
    assert [made.seed for made in with_role(outcome, "result")] == [10, 13]


def test_stopped_in_its_first_loop_it_has_nothing(make_engine, studio, square):
    ended = stopped_after(make_engine, studio, job(), square, steps=1)
    assert isinstance(ended, RunCancelled)
