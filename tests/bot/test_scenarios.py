"""Runs after all others: does everything that a member can use have its scenario?"""

from __future__ import annotations

from typing import Any

import discord
import pytest
import pytest_asyncio

from bot.commands.mentions.intent_parser import AGAIN_KIND, HELP_KIND, ORDER_KIND
from bot.views import PERSISTENT_BUTTONS
from tests.bot.i18n.commands import GROUP, SUBCOMMAND, published
from tests.doubles.scenarios import Recorder, are_all_here

FORMS = {"Repaint this picture", "Repaint a part of it", "What should be there?"}
"""Titles of forms that share one class."""

WISHES = {
    AGAIN_KIND,
    HELP_KIND,
    ORDER_KIND,
    "upscale",
    "interrogate",
    "outpaint",
    "inpaint",
    "loopback",
    "img2img",
}
ENOUGH = 120


@pytest.fixture(autouse=True)
def whole(request: pytest.FixtureRequest) -> None:
    """Skip where only some of the tests ran."""
    if not are_all_here(request.session):
        pytest.skip("only a run of all tests of the bot can tell")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def payloads() -> list[dict[str, Any]]:
    return await published()


def kinds_of(parent: type) -> list[type]:
    """The bot's own classes of a kind that have none below them."""
    below = [kind for child in parent.__subclasses__() for kind in kinds_of(child)]
    own = [parent] if parent.__module__.startswith("bot.") else []
    return below or own


def names(part: dict[str, Any], within: str = "") -> list[str]:
    """The full names of a command, or of all commands in a group."""
    own = f"{within} {part['name']}".strip()
    inner = [o for o in part.get("options") or () if o["type"] in (SUBCOMMAND, GROUP)]
    return [name for option in inner for name in names(option, own)] if inner else [own]


def test_every_command_and_menu_has_a_scenario(recorder: Recorder, payloads):
    known = {name for payload in payloads for name in names(payload)}
    assert known - recorder.commands == set()


def test_every_button_and_select_has_a_scenario(recorder: Recorder):
    assert {button.__name__ for button in PERSISTENT_BUTTONS} - recorder.buttons == set()


def test_every_form_has_a_scenario(recorder: Recorder):
    kinds = {kind.__name__ for kind in kinds_of(discord.ui.Modal)}
    assert (kinds | FORMS) - recorder.forms == set()


def test_every_verb_of_a_reply_has_a_scenario(recorder: Recorder):
    assert WISHES - recorder.wishes == set()


def test_there_are_enough(recorder: Recorder):
    assert recorder.scenarios >= ENOUGH
