"""A picture alone: its own description stands in for the words that were not said."""

from __future__ import annotations

import dataclasses

import pytest

from inference.api.infotext.text import parse_infotext
from inference.api.jobs import Img2ImgJob, LoopbackJob, OutpaintJob
from inference.engine.work import AuxWork, WorkRequest
from inference.model_files.errors import MissingWeights
from inference.operations.registry import OPERATIONS

JOBS = (
    Img2ImgJob(caption_prompt=True, steps=2, seed=1),
    OutpaintJob(caption_prompt=True, steps=2, seed=1, preset="pan left"),
    LoopbackJob(caption_prompt=True, steps=2, seed=1, loops=2),
)


def describe(image, method):
    (words,) = yield WorkRequest(works=(AuxWork(queue_key=("interrogate", method), payload=image),))
    return words


def describe_nothing(image, method):
    raise MissingWeights("model.no_tagger")
    yield


def run_with(run_operation, studio, job, square, describer=describe):
    seen = []

    def hand(lane, loads):
        seen.extend(loads)
        return ["a red fox" for _ in loads]

    telling = dataclasses.replace(studio, describe=describer)
    operation = OPERATIONS[job.kind](job, {"image": square}, telling)
    return run_operation(operation, hands={"interrogate": hand}), seen


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.kind)
def test_the_picture_is_described_once_and_that_is_said(run_operation, studio, square, job):
    result, seen = run_with(run_operation, studio, job, square)
    assert len(seen) == 1
    assert parse_infotext(result.images[0].infotext).prompt == "a red fox"
    assert result.notes[0].code == "prompt.captioned"
    assert "“a red fox”" in str(result.notes[0])


def test_the_same_comes_of_the_words_themselves(run_operation, studio, square):
    job = JOBS[0]
    captioned, _ = run_with(run_operation, studio, job, square)
    said = dataclasses.replace(job, prompt="a red fox", caption_prompt=False)
    spoken, seen = run_with(run_operation, studio, said, square)
    assert not seen
    assert captioned.images[0].image.tobytes() == spoken.images[0].image.tobytes()
    assert captioned.images[0].infotext == spoken.images[0].infotext


@pytest.mark.parametrize(
    "changes", [{"prompt": "a cat"}, {"caption_prompt": False}], ids=["words", "not asked"]
)
def test_words_or_nobody_asking_leave_the_picture_undescribed(
    run_operation, studio, square, changes
):
    job = dataclasses.replace(JOBS[0], **changes)
    result, seen = run_with(run_operation, studio, job, square)
    assert not seen
    assert not [note for note in result.notes if note.code == "prompt.captioned"]


@pytest.mark.parametrize("describer", [None, describe_nothing], ids=["none", "without weights"])
def test_where_nobody_describes_it_goes_on_without_words(run_operation, studio, square, describer):
    result, _ = run_with(run_operation, studio, JOBS[0], square, describer)
    assert parse_infotext(result.images[0].infotext).prompt == ""
