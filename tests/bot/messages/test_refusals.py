"""What a stranger chose is harmless wherever a refusal quotes it."""

from __future__ import annotations

import re

import pytest
from discord import AppCommandOptionType, app_commands

from bot import errors
from bot.guilds.checks import check_models
from bot.guilds.setting_types import ChoiceSetting
from bot.guilds.settings import GuildSettings
from bot.i18n import use_language
from bot.i18n.message import TranslatableMessage
from bot.messages.error_replies import user_message
from inference.api.errors import JobError, UnknownChoice
from inference.api.jobs import ImagineJob
from inference.api.notices import Notice
from storage.errors import UnknownJob

NAUGHTY = "[free](https://evil.example) **a** __b__ `c` ||d|| ~~e~~ # f > g"
UNESCAPED_MARK = re.compile(r"(?<!\\)[`*|~\[\]]")


def raised(call, *arguments):
    with pytest.raises(Exception) as caught:
        call(*arguments)
    return caught.value


REFUSALS = {
    "empty file": errors.EmptyFile(NAUGHTY),
    "large file": errors.FileTooLarge(NAUGHTY, 2, 1),
    "no picture": errors.NotAnImage(NAUGHTY, file_type="text/html"),
    "format": errors.UnsupportedFormat(NAUGHTY, "TIFF"),
    "broken": errors.BrokenImage(NAUGHTY),
    "pixels": errors.TooManyPixels(NAUGHTY, "2", "1"),
    "too much": errors.DecodeLimitExceeded(NAUGHTY),
    "deleted": errors.AttachmentDeleted(NAUGHTY),
    "number": errors.NotANumber("steps", NAUGHTY, whole=True),
    "nested": errors.UserError("{why}", why=TranslatableMessage("It is {it}.", it=NAUGHTY)),
    "setting": raised(ChoiceSetting(("a", "b")).parse_value, "visibility", NAUGHTY),
    "settings file": errors.BadSettingsFile([TranslatableMessage("{it} is odd", it=NAUGHTY)]),
    "model": raised(
        check_models, GuildSettings(models=("a",)), ImagineJob(prompt="", model=NAUGHTY), "b"
    ),
    "choice": UnknownChoice("sampler", NAUGHTY, ["Euler"]),
    "notice": JobError("prompt", Notice("names.use", names=NAUGHTY)),
    "job": UnknownJob(NAUGHTY),
    "option": app_commands.TransformerError(
        NAUGHTY, AppCommandOptionType.string, app_commands.Transformer()
    ),
}


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_quotes_and_formats_nothing_of_it(name, language):
    with use_language(language):
        message = user_message(REFUSALS[name])
    assert "free" in message
    assert UNESCAPED_MARK.findall(message) == []


def test_our_own_marks_stay():
    words = user_message(errors.NotAllowed("See `/queue`, <#1> and {where}.", where="<#12345>"))
    assert words == "See `/queue`, <#1> and <#12345>."
