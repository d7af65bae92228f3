"""The language a task speaks."""

from __future__ import annotations

import asyncio

import discord
import pytest

from bot.errors import BadSetting, BadSettingsFile, NotAllowed, NotAnImage
from bot.i18n import (
    SOURCE_LANGUAGE,
    choice_name,
    command_name,
    current_language,
    option_name,
    set_language,
    translate,
    translate_description,
    translate_notice,
    translate_plural,
    use_language,
)
from bot.i18n.discord_translator import language_of
from bot.i18n.message import OptionName, TranslatableMessage, gettext_noop
from bot.messages.error_replies import user_message
from inference.api.errors import ImageMissing, JobError, OutOfRange, UnknownChoice
from storage.errors import QueueFull


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        (discord.Locale.german, "de"),
        (discord.Locale.japanese, "ja"),
        (discord.Locale.chinese, "zh-CN"),
        (discord.Locale.british_english, "en"),
        (discord.Locale.taiwan_chinese, "en"),
        (discord.Locale.french, "en"),
        (None, "en"),
    ],
)
def test_a_locale_has_a_language(locale, language):
    assert language_of(locale) == language


async def test_each_task_speaks_its_own():
    async def answer(language):
        set_language(language)
        await asyncio.sleep(0)
        return translate("Cancelled.")

    assert await asyncio.gather(
        *(asyncio.create_task(answer(one)) for one in ("de", "ja", "zh-CN", "en", ""))
    ) == ["Abgebrochen.", "キャンセルしました。", "已取消。", "Cancelled.", "Cancelled."]
    assert current_language() == SOURCE_LANGUAGE


def test_a_block_ends_as_it_began():
    with use_language("de"):
        with use_language(""):
            assert current_language() == SOURCE_LANGUAGE
        assert current_language() == "de"
    assert current_language() == SOURCE_LANGUAGE


def test_english_is_what_stands_in_the_code():
    assert translate("{count} jobs", count=3) == "3 jobs"
    assert translate_plural(1, "1 job", "{count} jobs") == "1 job"
    assert (translate_notice("photo"), option_name("mask_shape")) == ("photo", "mask shape")
    assert (command_name("queue"), choice_name("block")) == ("queue", "block")
    assert translate_description("Denoising steps") == "Denoising steps"


def test_sentences_and_option_names_in_holes_are_said():
    inner = TranslatableMessage("{some} or {other}", some="a", other="b")
    outer = gettext_noop("{option} is {value}, but this server allows {ceiling}. Ask for less.")
    with use_language("de"):
        words = translate(outer, option=OptionName("steps"), value=9, ceiling=inner)
        assert words == "„schritte“ ist 9, dieser Server erlaubt a oder b. Bitte um weniger."
        assert translate_description("Denoising steps (20)").endswith("(20)")
        assert translate_description("Nobody wrote this") == "Nobody wrote this"
        assert (command_name("nobody"), choice_name("nobody")) == ("nobody", "nobody")


def test_a_sentence_that_no_language_has_stays_english():
    with use_language("ja"):
        assert translate("Nobody translated {thing}.", thing="this") == "Nobody translated this."


NO_TEXT = TranslatableMessage("It is no text in UTF-8")

ERRORS = [
    (OutOfRange("strength", 2, 0, 1), "„denoising-stärke“ ist 2, muss aber zwischen 0 und 1"),
    (UnknownChoice("sampler", "Eulr", ("Euler", "DDIM")), "Meintest du Euler?"),
    (UnknownChoice("resize_mode", "zzz", ("crop and resize",)), "Nimm zuschneiden und skalieren"),
    (ImageMissing("img2img", "image"), "img2img braucht das Bild „bild“"),
    (QueueFull("owner", 3, 3), "Du hast schon 3 wartende Aufträge"),
    (QueueFull("guild", 3, 1), "Auf diesem Server gibt es schon 1 wartenden Auftrag"),
    (QueueFull("total", 3, 3), "Die Warteschlange enthält"),
    (JobError("prompt", "option.too_long", option="prompt", count=9, most=5), "„prompt“ hat 9 Z"),
    (JobError("prompt", "Something rare."), "Something rare."),
    (NotAllowed(), "Der Server erlaubt das nicht."),
    (BadSetting("max_steps", "{name} is no setting"), "max_steps ist keine Einstellung."),
    (BadSettingsFile([NO_TEXT] * 12), "• Sie ist kein Text in UTF-8."),
    (BadSettingsFile([NO_TEXT] * 12), "… und 2 weitere."),
    (
        NotAnImage("a.pdf", "a PDF document"),
        "a.pdf ist kein Bild, sondern ein PDF-Dokument.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("error", "words"), ERRORS, ids=lambda one: type(one).__name__)
def test_errors_are_said_by_their_class_and_data(error, words):
    assert user_message(error).replace("\\", "") == str(error)
    with use_language("de"):
        assert words in user_message(error).replace("\\", "")
