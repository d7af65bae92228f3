"""Everything that a button does is a command too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest_asyncio

from bot.views import BUTTONS
from tests.bot.locales.commands import GROUP, SUBCOMMAND, published

COMMANDS = {
    "Again": ("again", "job"),
    "VarySubtle": ("again", "job", "vary"),
    "VaryStrong": ("again", "job", "vary"),
    "Edit": ("again", "prompt", "negative_prompt", "strength", "steps", "guidance"),
    "Single": ("history", "job", "picture"),
    "PickJob": ("history", "job"),
    "Show": ("history", "job"),
    "Parameters": ("history", "job", "parameters"),
    "Delete": ("delete", "job"),
    "Cancel": ("cancel", "job"),
    "Enlarge": ("upscale", "image", "factor"),
    "Describe": ("interrogate", "image"),
    "UseAsPrompt": ("imagine", "prompt"),
    "Arrows": ("outpaint", "image"),
    "Extend": ("outpaint", "left", "right", "up", "down", "preset"),
    "Grid": ("mask grid", "image"),
    "PickCells": ("mask preview", "mask_shape"),
    "Invert": ("mask preview", "mask_mode"),
    "MarkSubject": ("mask preview", "mask_shape"),
    "MarkBackground": ("mask preview", "mask_shape"),
    "MarkFace": ("mask preview", "mask_shape"),
    "Go": ("inpaint", "mask", "mask_shape", "mask_mode", "prompt"),
    "MendSeam": ("inpaint", "mask", "area", "strength"),
    "Release": ("moderation release", "case"),
    "Remove": ("moderation delete", "case"),
    "PickPage": ("settings show",),
    "Choose": ("settings show",),
    "OpenForm": ("settings show",),
}
"""Each button, the command that does the same, and the options that this takes."""
BUTTONS_ALONE = {"Report"}
"""What points at the message that it stands under, so that a command could not know which."""


@pytest_asyncio.fixture
async def commands() -> dict[str, set[str]]:
    return {name: options for part in await published() for name, options in _typed(part)}


def _typed(part: dict[str, Any], before: str = "") -> Iterator[tuple[str, set[str]]]:
    name = f"{before} {part['name']}".strip()
    within = [o for o in part.get("options") or () if o["type"] in (SUBCOMMAND, GROUP)]
    for one in within:
        yield from _typed(one, name)
    if not within:
        yield name, {option["name"] for option in part.get("options") or ()}


async def test_every_button_has_a_command(commands):
    buttons = {button.__name__ for button in BUTTONS}
    assert buttons <= set(COMMANDS) | BUTTONS_ALONE
    for command, *options in COMMANDS.values():
        assert set(options) <= commands[command], command
