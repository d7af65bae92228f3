"""What makes a picture dear is bounded before it is queued, and again once words are drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.api.errors import JobError
from inference.api.jobs import ExplainJob, Img2ImgJob, LoopbackJob, UpscaleJob, estimate_cost
from inference.api.jobs.limits import (
    MAX_PROMPT_CHUNKS,
    MAX_PROMPT_LORAS,
    JobLimits,
)
from inference.api.prompts.conjunction import split_and
from inference.api.prompts.wildcards import draw_wildcards

LIMITS = JobLimits(prompt_parts=3, pictures=100)
LORAS = " ".join(f"<lora:{number}:1>" for number in range(MAX_PROMPT_LORAS))


def refusal(check, *arguments):
    try:
        check(*arguments)
    except JobError as error:
        return error.notice.code
    return None


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("a", None),
        ("a AND b AND c", None),
        ("sand ANDY BRAND and", None),
        ("a AND b AND c AND d", "prompt.too_many_parts"),
        ("AND AND AND", "prompt.too_many_parts"),
        ("a AND " * 1000, "prompt.too_many_parts"),
        ("[a AND b:c AND d:0.5] AND e", "prompt.too_many_parts"),
        # Only one of them is drawn.
        ("{a AND b|c AND d|e AND f}", None),
        ("{a|b} AND c AND d AND e", "prompt.too_many_parts"),
        # Braces without a choice stay text.
        ("{a AND b AND c AND d}", "prompt.too_many_parts"),
        ("{ a AND b AND c AND d", "prompt.too_many_parts"),
        (LORAS, None),
        (LORAS + "<Lora:more>", "prompt.too_many_loras"),
        (LORAS + "<lyco:name=more:te=1>", "prompt.too_many_loras"),
        (LORAS + LORAS, None),
        ("<lora:x:1>" + "a BREAK " * (MAX_PROMPT_CHUNKS - 1), None),
        ("a BREAK " * MAX_PROMPT_CHUNKS, "prompt.too_many_chunks"),
    ],
)
def test_a_prompt_that_makes_a_picture_dear_is_refused(prompt, code):
    assert refusal(LIMITS.check_job, Img2ImgJob(prompt=prompt)) == code
    assert refusal(LIMITS.check_job, UpscaleJob(mode="redraw", prompt=prompt)) == code
    assert refusal(LIMITS.check_job, ExplainJob(prompt=prompt)) is None


def test_a_negative_prompt_has_no_parts_but_has_chunks():
    assert refusal(LIMITS.check_job, Img2ImgJob(negative_prompt="a AND b AND c AND d")) is None
    dear = Img2ImgJob(negative_prompt="a BREAK " * MAX_PROMPT_CHUNKS)
    assert refusal(LIMITS.check_job, dear) == "prompt.too_many_chunks"


@given(
    st.lists(st.sampled_from(["{", "}", "|", "A", "N", "D", " AND ", "a", "2$$", "\\"])).map(
        "".join
    ),
    st.integers(0, 9),
)
def test_nothing_is_refused_that_might_draw_little(prompt, seed):
    parts = len(split_and(draw_wildcards(prompt, seed, {})))
    if parts <= LIMITS.prompt_parts:
        assert refusal(LIMITS.check_job, Img2ImgJob(prompt=prompt)) is None
    else:
        assert refusal(LIMITS.check_prompts, draw_wildcards(prompt, seed, {}), "") == (
            "prompt.too_many_parts"
        )


def test_a_job_that_is_too_much_work_is_refused():
    ordinary = estimate_cost(Img2ImgJob())
    assert refusal(LIMITS.check_cost, 99 * ordinary) is None
    assert refusal(LIMITS.check_cost, 101 * ordinary) == "job.too_dear"
    longest = LoopbackJob(loops=32, batch=8, steps=150, sampler="Heun", width=2048, height=2048)
    assert refusal(JobLimits().check_cost, estimate_cost(longest)) == "job.too_dear"
