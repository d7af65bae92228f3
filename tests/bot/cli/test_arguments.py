from __future__ import annotations

import argparse

import pytest

from bot.cli.arguments import add_kinds, build_job, image_paths
from inference.api.errors import JobError
from inference.api.jobs import (
    JOB_TYPES,
    BooleanSpec,
    ChoiceSpec,
    ExplainJob,
    Img2ImgJob,
    NumberSpec,
    TextSpec,
    list_job_options,
)

BASE = {"outpaint": ["--up", "8"], "interrogate": ["--max-length", "200"]}


def parse(*words: str) -> dict:
    parser = argparse.ArgumentParser()
    add_kinds(parser, argparse.ArgumentParser(add_help=False))
    return vars(parser.parse_args(words))


def spoken(option) -> tuple[list[str], object]:
    """Say an option as a person would type it, and what the job should then have."""
    flag = "--" + option.name.replace("_", "-")
    match option.spec:
        case NumberSpec(high=high):
            value = option.type(high)
            return [flag, str(value)], value
        case ChoiceSpec(choices=choices):
            return [flag, choices[-1]], choices[-1]
        case TextSpec():
            return [flag, "a fox, 50% grey"], "a fox, 50% grey"
        case BooleanSpec():
            return ["--no-" + flag.removeprefix("--")], False


EVERY = [
    pytest.param(kind, option, id=f"{kind}-{option.name}")
    for kind, job_type in JOB_TYPES.items()
    for option in list_job_options(job_type)
]


@pytest.mark.parametrize(("kind", "option"), EVERY)
def test_every_option_of_a_job_can_be_typed(kind, option):
    words, value = spoken(option)

    job = build_job(parse(kind, *BASE.get(kind, []), *words))

    assert getattr(job, option.name) == value


@pytest.mark.parametrize("kind", JOB_TYPES)
def test_what_is_left_out_keeps_its_default(kind):
    words = BASE.get(kind, [])
    given = {words[0].lstrip("-").replace("-", "_"): int(words[1])} if words else {}

    assert JOB_TYPES[kind](**given) == build_job(parse(kind, *words))


@pytest.mark.parametrize("kind", JOB_TYPES)
def test_help_names_every_option_with_its_bounds(kind, capsys):
    with pytest.raises(SystemExit) as end:
        parse(kind, "--help")

    shown = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0
    for option in list_job_options(JOB_TYPES[kind]):
        assert "--" + option.name.replace("_", "-") in shown
    assert kind == "explain" or "default" in shown


def test_an_impossible_value_is_refused_in_the_jobs_own_words():
    with pytest.raises(JobError, match="steps is 0, but must lie between 1 and 150"):
        build_job(parse("img2img", "--steps", "0"))


def test_what_is_no_number_is_refused_by_the_parser(capsys):
    with pytest.raises(SystemExit) as end:
        parse("img2img", "--steps", "many")

    assert end.value.code == 2
    assert "invalid int value: 'many'" in capsys.readouterr().err


def test_an_unknown_kind_is_refused_by_the_parser(capsys):
    with pytest.raises(SystemExit) as end:
        parse("img2vid")

    assert end.value.code == 2
    assert "img2img" in capsys.readouterr().err


def test_pictures_are_named_by_path():
    arguments = parse("inpaint", "--image", "a.png", "--mask", "b.png")

    assert image_paths(arguments) == {"image": "a.png", "mask": "b.png"}
    assert image_paths(parse("imagine")) == {}


def test_a_prompt_can_be_explained_instead_of_painted():
    arguments = parse("img2img", "--prompt", "a (fox:1.2)", "--steps", "9", "--explain")

    assert build_job(arguments) == ExplainJob(prompt="a (fox:1.2)", steps=9)
    assert image_paths(arguments | {"image": "a.png"}) == {}
    assert isinstance(build_job(parse("img2img")), Img2ImgJob)
