from __future__ import annotations

from typing import Any

import discord
import pytest
from discord import AppCommandOptionType as Kind
from discord import app_commands

from bot.commands import COG_CLASSES
from bot.requests.options import (
    MAX_DESCRIPTION_LENGTH,
    describe_option,
    split_attachments,
    with_job_options,
)
from inference.api.jobs import JOB_TYPES, InpaintJob, NumberSpec, UpscaleJob, list_job_options

ROOTS = {command.name: command for cog in COG_CLASSES for command in cog.__cog_app_commands__}
JOB_COMMANDS = [
    *(command for name, command in ROOTS.items() if name in JOB_TYPES),
    ROOTS["mask"].get_command("preview"),
]


def by_name(command: Any) -> dict[str, app_commands.Parameter]:
    return {parameter.name: parameter for parameter in command.parameters}


def test_every_kind_of_job_has_a_command():
    assert {command.name for command in JOB_COMMANDS} == set(JOB_TYPES)


@pytest.mark.parametrize("command", JOB_COMMANDS, ids=lambda command: command.name)
def test_bounds_and_choices_are_the_jobs_own(command):
    specs = {option.name: option.spec for option in list_job_options(JOB_TYPES[command.name])}
    for name, parameter in by_name(command).items():
        if name in ("style", "more"):  # the bot's own, applied before the job is made
            continue
        if parameter.type is Kind.attachment:
            continue
        spec = specs[name]
        if parameter.type in (Kind.integer, Kind.number):
            assert (parameter.min_value, parameter.max_value) == (spec.low, spec.high)
        elif parameter.choices:
            assert tuple(choice.value for choice in parameter.choices) == spec.choices
        elif isinstance(spec, NumberSpec):  # larger than Discord's own integers: written as text
            assert (parameter.type, spec.high > 2**53) == (Kind.string, True)
        elif parameter.type is Kind.string:
            assert parameter.max_value == spec.max_length
        assert str(parameter.description).startswith(spec.text[:40])
        assert not parameter.required


@pytest.mark.parametrize("command", JOB_COMMANDS, ids=lambda command: command.name)
def test_only_pictures_are_required(command):
    job_type = JOB_TYPES[command.name]
    required = [p.name for p in command.parameters if p.required]
    images = [p.name for p in command.parameters if p.type is Kind.attachment]
    assert list(job_type.required_images) == required
    assert images == [*job_type.required_images, *job_type.optional_images]


def test_the_default_is_part_of_the_description():
    texts = {option.name: describe_option(option) for option in list_job_options(InpaintJob)}
    assert texts["steps"] == "Sampling steps: how many (20)"
    assert texts["strength"].endswith("(0.75)")
    assert texts["soft"].endswith("(no)")
    assert texts["seed"] == "Seed: -1 draws one"
    assert texts["prompt"] == "Prompt: what the picture should show"


def test_descriptions_fit():
    for job_type in JOB_TYPES.values():
        assert (
            max(len(describe_option(option)) for option in list_job_options(job_type))
            <= MAX_DESCRIPTION_LENGTH
        )


def test_an_option_the_job_does_not_have_is_a_mistake_of_ours():
    with pytest.raises(KeyError):
        with_job_options(UpscaleJob, ("mask_blur",))


def test_what_was_left_empty_is_left_to_the_job():
    image = object.__new__(discord.Attachment)
    given = {"image": image, "mask": None, "steps": 0, "prompt": "", "width": None}
    assert split_attachments(given) == ({"image": image}, {"steps": 0, "prompt": ""})
