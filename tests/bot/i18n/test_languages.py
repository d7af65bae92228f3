from __future__ import annotations

import re
from typing import Any

import discord
import pytest
import pytest_asyncio
from discord import app_commands

from bot import messages as texts_module
from bot.i18n.catalog import CATALOG_FOLDER, DESCRIPTION_WITH_DEFAULT, load_catalog
from bot.i18n.discord_translator import LANGUAGES_BY_LOCALE, CommandTranslator
from inference.api.jobs import JOB_TYPES, list_job_options, names
from tests.bot.i18n.commands import (
    CODES,
    HOLE,
    MENUS,
    MOST,
    NAME,
    TEXT,
    TOTAL,
    Said,
    is_valid_name,
    length,
    published,
    said,
)

PROPER = {
    *names.SAMPLER_NAMES,
    *names.SCHEDULE_NAMES,
    "mk2",
    "poor man's",
    "CPU",
    "NV",
    *texts_module.LANGUAGE_NAMES.values(),
}
"""Choices that are called the same in every language."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def payloads() -> list[dict[str, Any]]:
    return await published()


@pytest.fixture(scope="module")
def texts(payloads) -> list[Said]:
    return [text for payload in payloads for text in said(payload)]


@pytest.mark.parametrize("code", CODES)
def test_nothing_is_missing(texts, code):
    missing = [
        f"{text.kind} of {text.where}: {text.english}"
        for text in texts
        if code not in text.others and not (text.kind == "choice" and text.english in PROPER)
    ]
    assert not missing, "\n" + "\n".join(dict.fromkeys(missing))


@pytest.mark.parametrize("language", LANGUAGES_BY_LOCALE.values())
def test_every_field_of_a_job_has_its_name_and_text(language):
    words = load_catalog(language)
    options = [o for job_type in JOB_TYPES.values() for o in list_job_options(job_type)]
    assert {o.name for o in options} - set(words.options) == set()
    assert {o.spec.text for o in options} - set(words.texts) == set()


#: What A1111 writes beside the field that stands for an option.
LABELS = {
    "prompt": "Prompt",
    "negative_prompt": "Negative prompt",
    "guidance": "CFG scale",
    "strength": "Denoising strength",
    "steps": "Sampling steps",
    "sampler": "Sampling method",
    "schedule": "Schedule type",
    "seed": "Seed",
    "variation_seed": "Variation seed",
    "variation_strength": "Variation strength",
    "clip_skip": "Clip skip",
    "batch": "Batch size",
    "area": "Inpaint area",
    "padding": "Only masked padding",
    "masked_content": "Masked content",
    "mask_mode": "Mask mode",
    "mask_blur": "Mask blur",
    "resize_mode": "Resize mode",
    "append": "Append interrogated prompt",
    "second": "Upscaler 2",
    "visibility": "Upscaler 2 visibility",
    "factor": "Scale by",
    "final_strength": "Final denoising strength",
    "curve": "Denoising strength curve",
    "loops": "Loops",
    "hires_scale": "Upscale by",
}


def test_a_description_begins_with_the_label_of_the_web_ui():
    wrong = [
        (job_type.kind, option.name, option.spec.text)
        for job_type in JOB_TYPES.values()
        for option in list_job_options(job_type)
        if option.name in LABELS
        and job_type.kind != "explain"
        and not option.spec.text.startswith(f"{LABELS[option.name]}: ")
    ]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES_BY_LOCALE.values())
def test_in_every_language_a_label_comes_first(language):
    texts = load_catalog(language).texts
    wrong = [
        texts[option.spec.text]
        for job_type in JOB_TYPES.values()
        for option in list_job_options(job_type)
        if option.name in LABELS
        and job_type.kind != "explain"
        and not re.match(r"[^:：]{1,30}[:：]", texts[option.spec.text])
    ]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES_BY_LOCALE.values())
def test_nothing_is_left_over(texts, language):
    words = load_catalog(language)
    seen: dict[str, set[str]] = {kind: set() for kind in ("name", "text", "choice", "menu")}
    for text in texts:
        seen[text.kind].add(text.english)
        if text.kind == "text" and (match := DESCRIPTION_WITH_DEFAULT.fullmatch(text.english)):
            seen["text"].add(match["text"])
            seen["choice"].add(match["default"])
    for job_type in JOB_TYPES.values():  # all can be named in the option `more`
        for option in list_job_options(job_type):
            seen["name"].add(option.name)
            seen["text"].add(option.spec.text)
    left = {
        "commands": set(words.commands) - seen["name"],
        "options": set(words.options) - seen["name"],
        "menus": set(words.menus) - seen["menu"],
        "choices": set(words.choices) - seen["choice"],
        "texts": set(words.texts) - seen["text"],
    }
    assert {kind: names for kind, names in left.items() if names} == {}


def test_the_files_are_those_of_the_languages():
    assert sorted(path.stem for path in CATALOG_FOLDER.glob("*.json")) == sorted(
        LANGUAGES_BY_LOCALE.values()
    )


def test_names_are_what_discord_takes(texts):
    named = [name for t in texts if t.kind == "name" for name in (t.english, *t.others.values())]
    assert [name for name in named if not is_valid_name(name)] == []


def test_names_are_unlike_within_a_command(payloads):
    def check(part: dict[str, Any]) -> None:
        options = part.get("options") or []
        for code in CODES:
            called = [(o.get("name_localizations") or {}).get(code, o["name"]) for o in options]
            assert len(set(called)) == len(called), (part["name"], code)
        for option in options:
            check(option)

    for payload in payloads:
        check(payload)
    for code in CODES:
        called = [(p.get("name_localizations") or {}).get(code, p["name"]) for p in payloads]
        assert len(set(called)) == len(called), code


def test_choices_are_unlike_within_an_option(payloads):
    def check(part: dict[str, Any]) -> None:
        choices = part.get("choices") or []
        for code in CODES:
            called = [(c.get("name_localizations") or {}).get(code, c["name"]) for c in choices]
            assert len(set(called)) == len(called), (part["name"], code)
        for option in part.get("options") or ():
            check(option)

    for payload in payloads:
        check(payload)


def test_texts_choices_and_menus_are_of_bearable_length(texts):
    limits = {"name": NAME, "menu": NAME, "text": TEXT, "choice": TEXT}
    assert [
        (text.where, words)
        for text in texts
        for words in (text.english, *text.others.values())
        if not 0 < len(words) <= limits[text.kind]
    ] == []


def test_what_is_to_be_filled_in_stays(texts):
    for text in texts:
        for words in text.others.values():
            assert set(HOLE.findall(words)) == set(HOLE.findall(text.english)), text.where


def test_commands_are_within_discords_bounds(payloads):
    def check(part: dict[str, Any]) -> None:
        assert len(part.get("options") or ()) <= MOST, part["name"]
        assert len(part.get("choices") or ()) <= MOST, part["name"]
        required = [option.get("required", False) for option in part.get("options") or ()]
        assert sorted(required, reverse=True) == required, part["name"]
        for option in part.get("options") or ():
            check(option)

    for payload in payloads:
        check(payload)
        assert length(payload) <= TOTAL, payload["name"]
    assert sum(payload["type"] != 1 for payload in payloads) <= MENUS
    assert sum(payload["type"] == 1 for payload in payloads) <= 100


def test_a_default_is_translated_with_its_text():
    assert load_catalog("de").find_description(
        "Crop to fit: cut to exactly the target size (no)"
    ) == ("Zuschneiden: genau auf die Zielgröße (nein)")
    assert (
        load_catalog("ja").find_description("Sampling steps: how many (20)")
        == "サンプリングステップ数：回数 (20)"
    )
    assert load_catalog("de").find_description("Words of no command (5)") is None
    assert load_catalog("de").find_description("Words of no command") is None


async def test_other_languages_see_english():
    context = app_commands.TranslationContext(
        location=app_commands.TranslationContextLocation.parameter_name, data=None
    )
    strength = app_commands.locale_str("strength")
    translate = CommandTranslator().translate
    assert await translate(strength, discord.Locale.french, context) is None
    assert await translate(strength, discord.Locale.german, context) == "denoising-stärke"
