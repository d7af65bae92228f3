from __future__ import annotations

import dataclasses
import math

import pytest

from inference.api.errors import JobError, OutOfRange, UnknownChoice
from inference.api.jobs import (
    JOB_TYPES,
    BooleanSpec,
    ChoiceSpec,
    Img2ImgJob,
    NumberSpec,
    OutpaintJob,
    TextSpec,
    list_job_options,
)
from inference.api.jobs.names import count_seed

EVERY = [
    pytest.param(kind, option, id=f"{kind}-{option.name}")
    for kind, job_type in JOB_TYPES.items()
    for option in list_job_options(job_type)
]


def build(kind, **given):
    """Build a job of which only one option is looked at."""
    base = {"outpaint": {"up": 64, "down": 64}, "interrogate": {"min_length": 1, "max_length": 256}}
    return JOB_TYPES[kind](**base.get(kind, {}) | given)


@pytest.mark.parametrize("kind", JOB_TYPES)
def test_every_field_of_a_job_says_what_it_may_be(kind):
    fields = [field.name for field in dataclasses.fields(JOB_TYPES[kind])]

    assert [option.name for option in list_job_options(JOB_TYPES[kind])] == fields


@pytest.mark.parametrize(("kind", "option"), EVERY)
def test_every_option_has_words_and_a_possible_default(kind, option):
    text = option.spec.text

    assert text == text.strip() != ""
    assert len(text) <= 100  # Discord's limit for an option's description
    assert getattr(build(kind, **{option.name: option.default}), option.name) == option.default


@pytest.mark.parametrize(("kind", "option"), EVERY)
def test_bounds_hold_on_both_sides(kind, option):
    match option.spec:
        case NumberSpec(low=low, high=high):
            inside = [option.type(low), option.type(high)]
            outside = [low - 1, high + 1]
            refusal = OutOfRange
        case ChoiceSpec(choices=choices):
            inside, outside, refusal = list(choices), ["", choices[0] + "x"], UnknownChoice
        case TextSpec(max_length=longest):
            inside, outside, refusal = ["", "x" * longest], ["x" * (longest + 1)], JobError
        case BooleanSpec():
            inside, outside, refusal = [True, False], [1, "yes"], JobError
    for value in inside:
        assert getattr(build(kind, **{option.name: value}), option.name) == value
    for value in outside:
        with pytest.raises(refusal) as caught:
            build(kind, **{option.name: option.type(value) if refusal is OutOfRange else value})
        assert caught.value.field == option.name


@pytest.mark.parametrize(("kind", "option"), EVERY)
def test_another_type_is_refused_by_name(kind, option):
    wrong = 7 if option.type in (str, bool) else "7"

    with pytest.raises(JobError, match=option.name.replace("_", " ")) as caught:
        build(kind, **{option.name: wrong})
    assert caught.value.field == option.name


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused(value):
    with pytest.raises(OutOfRange):
        Img2ImgJob(strength=value)


@pytest.mark.parametrize("field", ["steps", "strength"])
def test_true_is_no_number(field):
    with pytest.raises(JobError, match="not True"):
        Img2ImgJob(**{field: True})


def test_a_whole_number_will_do_for_a_decimal_one():
    assert Img2ImgJob(strength=1).strength == 1


def test_only_options_without_a_default_may_be_empty():
    assert Img2ImgJob(width=None).width is None
    with pytest.raises(JobError, match="steps must be a whole number, not None"):
        Img2ImgJob(steps=None)


def test_a_refusal_says_what_to_change():
    with pytest.raises(OutOfRange) as number:
        Img2ImgJob(steps=0)
    with pytest.raises(UnknownChoice) as name:
        Img2ImgJob(sampler="euler ancestral a")
    with pytest.raises(JobError) as direction:
        OutpaintJob()

    assert str(number.value) == "steps is 0, but must lie between 1 and 150."
    assert "Did you mean Euler a" in str(name.value)
    assert "left, right, up or down" in str(direction.value)


@pytest.mark.parametrize("seed", [4294967295, 112358132141, 2**53 + 1, 2**64 - 1])
def test_seeds_have_64_bits(seed):
    assert Img2ImgJob(seed=seed).seed == seed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 2**64}, "18446744073709551616, but must lie between -1 and 18446744073709551615"),
        ({"steps": 1000000}, "1000000, but must lie between 1 and 150"),
        ({"guidance": 1234567.0}, "1234567, but must lie between 0.1 and 30"),
        ({"strength": 1.25}, "1.25, but must lie between 0 and 1"),
        ({"strength": math.nan}, "nan, but must lie between 0 and 1"),
    ],
)
def test_bounds_are_written_out(options, words):
    with pytest.raises(OutOfRange, match=words):
        Img2ImgJob(**options)


@pytest.mark.parametrize(
    ("seed", "steps", "expected"),
    [(5, 1, 6), (2**64 - 1, 1, 0), (2**64 - 1, 3, 2), (0, -1, 2**64 - 1)],
)
def test_seeds_count_round(seed, steps, expected):
    assert count_seed(seed, steps) == expected
