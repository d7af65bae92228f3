from __future__ import annotations

import logging
from types import SimpleNamespace
from unittest.mock import create_autospec

import discord
import pytest
from discord import app_commands

from bot.errors import NotAnImage, NothingToCancel
from bot.messages.error_replies import answer_error, user_message
from inference.api.errors import UnknownChoice
from storage.errors import DatabaseFailed, QueueFull

SAMPLERS = ("Euler", "DDIM")


@app_commands.command(description="nothing")
async def nothing(interaction: discord.Interaction) -> None: ...


def wrapped(error: Exception) -> app_commands.CommandInvokeError:
    return app_commands.CommandInvokeError(nothing, error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotAnImage("a.txt"), "a.txt is not a picture. Attach a PNG, JPEG, WebP, AVIF or GIF."),
        (UnknownChoice("sampler", "Euller", SAMPLERS), "Did you mean Euler?"),
        (QueueFull("owner", 3, 3), "You already have 3 waiting jobs"),
        (NothingToCancel(), "Nothing of yours is waiting or running."),
    ],
)
def test_errors_made_for_members_are_shown_as_they_are(error, words):
    assert words in user_message(error)
    assert words in user_message(wrapped(error))


def test_anything_else_becomes_an_incident_with_its_number(caplog):
    with caplog.at_level(logging.ERROR):
        shown = user_message(wrapped(ZeroDivisionError("secret detail")))
    number = caplog.records[0].__dict__["incident"]
    assert f"`{number}`" in shown
    assert "secret" not in shown
    assert "secret detail" in caplog.text


def test_paths_of_the_host_are_not_shown():
    assert "/srv" not in user_message(DatabaseFailed("The database /srv/easel.db refused."))


def test_a_changed_command():
    error = app_commands.CommandNotFound("gone", [])
    assert "changed" in user_message(error)


def test_a_check_says_its_own_words():
    assert user_message(app_commands.CheckFailure("Not here.")) == "Not here."


async def test_a_refusal_that_cannot_be_shown_is_only_logged(caplog):
    interaction = create_autospec(discord.Interaction, instance=True, spec_set=False)
    interaction.response = create_autospec(discord.InteractionResponse, instance=True)
    interaction.response.is_done.return_value = False
    gone = SimpleNamespace(status=404, reason="Not Found")
    interaction.response.send_message.side_effect = discord.NotFound(gone, "gone")
    await answer_error(interaction, NothingToCancel())
    assert "could not be shown" in caplog.text
