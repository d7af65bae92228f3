"""Everything that can be asked can be asked in Discord, and as the docs write it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.i18n import use_language
from bot.i18n.discord_translator import LANGUAGES_BY_LOCALE
from bot.messages.help import HELP_PAGES
from bot.requests.more_options import format_more_options, parse_more_options
from inference.api.jobs import (
    JOB_TYPES,
    BooleanSpec,
    ChoiceSpec,
    JobOption,
    NumberSpec,
    UpscaleJob,
    list_job_options,
)
from inference.api.messages import ModelInfo
from tests.bot.i18n.commands import GROUP, SUBCOMMAND, published
from tests.doubles.images import png

ROOT = Path(__file__).parents[3]
DOCS = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
INTEGER, BOOLEAN, NUMBER, ATTACHMENT = 4, 5, 10, 11  # Discord's types of options
NO_COMMANDS = {"sharpen"}
"""Made up, to show how one is added."""
COMMAND_SPAN = re.compile(r"`(/[a-z][a-z0-9]*(?:\s[^`]*)?)`|^(/[a-z][a-z0-9]*(?: .*)?)$", re.M)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def registered() -> dict[str, dict[str, Any]]:
    """Options by name, by the full name of each command that can be called."""
    return {
        name: {option["name"]: option for option in part.get("options") or ()}
        for payload in await published()
        if payload["type"] == 1
        for name, part in leaves(payload)
    }


def leaves(part: dict[str, Any], within: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    name = f"{within} {part['name']}".strip()
    inner = [o for o in part.get("options") or () if o["type"] in (SUBCOMMAND, GROUP)]
    if not inner:
        yield name, part
    for option in inner:
        yield from leaves(option, name)


def command_lines(text: str) -> list[str]:
    """Every command line of a page: in backticks, or a line of its own in a block."""
    found = (inline or block for inline, block in COMMAND_SPAN.findall(text))
    return [" ".join(line.split()) for line in found if "/" not in line[1:].split()[0]]


def problems_of(line: str, registered: dict[str, dict[str, Any]]) -> list[str]:
    """Say what Discord, or the job, would not take of a command line."""
    names = sorted((name for name in registered if is_call_of(line, name)), key=len)
    if not names:
        is_group = any(name.startswith(line[1:] + " ") for name in registered)
        return [] if is_group or line[1:] in NO_COMMANDS else [f"{line}: there is no such command"]
    options = registered[names[-1]]
    rest = line[1 + len(names[-1]) :]
    pieces = re.split(r" ([a-z_0-9]+):(?! )", rest)
    lost = [f"{line}: what is “{pieces[0].strip()}”?"] if pieces[0].strip(" …") else []
    pairs = zip(pieces[1::2], pieces[2::2], strict=True)
    return lost + [
        p for name, value in pairs for p in option_problems(names[-1], options, name, value)
    ]


def is_call_of(line: str, name: str) -> bool:
    return line[1:] == name or line[1:].startswith(f"{name} ")


def option_problems(command: str, options: dict[str, Any], name: str, value: str) -> Iterator[str]:
    if name not in options:
        yield f"/{command} has no option {name}"
        return
    option = options[name]
    if value in ("…", "") or option["type"] == ATTACHMENT:
        return
    choices = [choice["value"] for choice in option.get("choices") or ()]
    if choices and value not in choices:
        yield f"/{command} {name}:{value} is none of {choices}"
    if option["type"] in (INTEGER, NUMBER):
        number = float(value)
        if not option.get("min_value", number) <= number <= option.get("max_value", number):
            yield f"/{command} {name}:{value} is out of range"
    if option["type"] == BOOLEAN and value not in ("True", "False", "yes", "no"):
        yield f"/{command} {name}:{value} is neither yes nor no"
    if len(value) > option.get("max_length", 6000):
        yield f"/{command} {name}: is too long"
    if name == "more":
        parse_more_options(JOB_TYPES[command], value)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_command_line_of_the_docs_is_taken(registered, page):
    lines = command_lines(page.read_text("utf-8"))
    assert [problem for line in lines for problem in problems_of(line, registered)] == []


def test_every_command_line_of_the_help_is_taken(registered):
    lines = [line for page in HELP_PAGES.values() for line in command_lines("\n".join(page))]
    assert [problem for line in lines for problem in problems_of(line, registered)] == []


def test_the_docs_hold_command_lines_with_options():
    lines = [line for page in DOCS for line in command_lines(page.read_text("utf-8"))]
    assert sum(":" in line for line in lines) > 30


def other_value(option: JobOption) -> Any:
    """A possible value that is not the default."""
    window = {"control_begin": 0.25, "control_end": 0.75}
    if option.name in window:
        return window[option.name]
    match option.spec:
        case NumberSpec(low=low, high=high):
            near = option.type(low) + option.type(1)
            values = [near if near <= high else option.type(high), option.type(low)]
            return next(value for value in values if value != option.default)
        case ChoiceSpec(choices=choices):
            return next(choice for choice in reversed(choices) if choice != option.default)
        case BooleanSpec():
            return not option.default
    own = {"model": "starter", "refiner": "starter", "mask_shape": "left 30%"}
    own |= {"restore_faces": "gfpgan-1.4", "colourise": "ddcolor", "control_model": "edges"}
    return own.get(option.name, "animevideov3" if option.name in UPSCALERS else "ink")


NETWORKS = (
    ModelInfo(name="gfpgan-1.4", kind="face_restorer", size=0),
    ModelInfo(name="ddcolor", kind="colouriser", size=0),
    ModelInfo(name="edges", kind="control", size=0, about="canny"),
)
UPSCALERS = ("upscaler", "second", "hires_upscaler")
COMMANDS = [
    *((kind, kind) for kind in JOB_TYPES if kind != "preview"),
    ("redraw", "upscale"),
    ("mask preview", "preview"),
]
#: What the command itself decides.
DECIDED = {"upscale": {"mode"}, "redraw": {"mode"}, "mask preview": {"show"}}
TEXT_NUMBERS = ("seed", "variation_seed", "seed_delta")


def reachable(command: str, kind: str, registered: dict[str, dict[str, Any]]) -> set[str]:
    options = set(registered[command])
    every = {option.name for option in list_job_options(JOB_TYPES[kind])}
    return every if "more" in options else every & options


def test_no_field_of_a_job_is_out_of_members_reach(registered):
    missing = [
        f"{kind}.{option.name}"
        for kind, job_type in JOB_TYPES.items()
        for option in list_job_options(job_type)
        if not any(
            option.name in reachable(command, of, registered) | DECIDED.get(command, set())
            for command, of in COMMANDS
            if of == kind and command in registered
        )
    ]
    assert missing == []


@pytest.mark.parametrize(("command", "kind"), COMMANDS)
async def test_every_field_arrives_as_it_was_asked_for(easel, registered, command, kind):
    easel.service.models = (*easel.service.models, *NETWORKS)
    options = {option.name: option for option in list_job_options(JOB_TYPES[kind])}
    asked = {name: other_value(option) for name, option in options.items()}
    asked |= {"model": "", "min_length": 2, "max_length": 3} if kind == "interrogate" else {}
    asked |= {"method": "caption"} if kind == "interrogate" else {}
    shown = {n: v for n, v in asked.items() if n in registered[command]}
    hidden = {n: v for n, v in asked.items() if n not in {**shown, "mode": 0, "show": 0}}
    written = {n: str(v) if n in TEXT_NUMBERS else v for n, v in shown.items() if v != ""}
    if "more" in registered[command]:
        written["more"] = ", ".join(f"{name}: {value}" for name, value in hidden.items())
    if JOB_TYPES[kind].required_images:
        written["image"] = ("photo.png", png())
    if kind == "imagine":
        written["control"] = ("map.png", png())
    result = await easel.alice.slash(easel.channel, command, **written)
    assert not result.ephemeral, result.response.content
    params = easel.service.job.params
    expected = {**shown, **(hidden if "more" in written else {})}
    assert {name: params[name] for name in expected} == expected
    if JOB_TYPES[kind] is UpscaleJob:
        assert params["mode"] == {"upscale": "enlarge", "redraw": "redraw"}[command]


@pytest.mark.parametrize("language", ["en", *LANGUAGES_BY_LOCALE.values()])
@pytest.mark.parametrize("kind", JOB_TYPES)
def test_what_a_form_lists_is_read_back_in_every_language(kind, language):
    job_type = JOB_TYPES[kind]
    values = {option.name: other_value(option) for option in list_job_options(job_type)}
    with use_language(language):
        text = format_more_options(job_type, values, ())
        assert parse_more_options(job_type, text) == values
