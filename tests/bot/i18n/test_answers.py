"""What is answered in other languages: whole, with the same holes, and nothing beside it."""

from __future__ import annotations

import inspect

import discord
import pytest

from bot import errors
from bot.guilds.yaml_file import FILE_HEADER
from bot.i18n import translate, translate_notice, use_language
from bot.i18n.catalog import LanguageCatalog, load_catalog
from bot.i18n.command_names import (
    BOLD_PATTERN,
    COMMAND_GROUPS,
    COMMAND_PATTERN,
    ITALIC_PATTERN,
    localise_command_names,
)
from bot.i18n.discord_translator import LANGUAGES_BY_LOCALE
from bot.i18n.message import PLACEHOLDER_PATTERN
from bot.messages import LANGUAGE_NAMES, MAX_MESSAGE_CHARACTERS
from bot.messages.help import HELP_PAGES, help_page_text
from bot.views import PERSISTENT_BUTTONS
from bot.views.outpaint import OUTPAINT_DIRECTIONS
from bot.views.settings import CHOICE_LABELS
from bot.views.settings import PANEL_PAGES as PANEL_PAGES
from bot.views.settings_forms import SETTINGS_FORMS
from inference.api.jobs import InterrogateJob
from inference.api.notices import NOTICES, Notice
from storage import errors as storage_errors
from tests.bot.i18n.sentences import ERRORS, sentences, unmarked

ALLOWED = {
    "Easel",  # its name
    FILE_HEADER,  # a comment in a file that is the same in every language
    *LANGUAGE_NAMES.values(),
    "Callback",  # names of types
    "JobT",
    "Version",  # a key of parameters
    "FormValues",
    "WebP",
    "asked for",  # kept as a delivery's note and never shown
    "between delivery sweeps",
    "publish commands",
    "zoom out ",  # the name of a preset
    "How sure the check must be, 0.05 to 0.99 (0.8)",  # the default is taken off and put back
}
NUMBERED = {"U1", "V1"}
"""Labels that are the same in every language."""
BUTTON_LABEL, FORM_TITLE, INPUT_LABEL, CHOICE = 80, 45, 45, 100  # characters, by Discord's limits

STORAGE_REFUSALS = (
    storage_errors.BlobMissing,
    storage_errors.BlobDamaged,
    storage_errors.DiskFull,
    storage_errors.DiskReadOnly,
)
PURPOSES = ("the host's own", "photo", "anime", "video", "restore", "captions", "rankings", "tags")
"""What a model is for, as a worker lists it."""

languages = pytest.mark.parametrize("language", LANGUAGES_BY_LOCALE.values())


def everything(words: LanguageCatalog) -> dict[str, str]:
    return {**words.answers, **words.heard}


@languages
def test_no_sentence_is_missing_or_left_over(language):
    known, needed = set(load_catalog(language).answers), sentences()
    assert (needed - known, known - needed) == (set(), set())


def test_the_sentences_of_others_are_the_same_in_all_languages():
    assert (
        len({frozenset(load_catalog(language).heard) for language in LANGUAGES_BY_LOCALE.values()})
        == 1
    )


@languages
def test_holes_are_the_same(language):
    assert [
        english
        for english, other in everything(load_catalog(language)).items()
        if set(PLACEHOLDER_PATTERN.findall(english)) != set(PLACEHOLDER_PATTERN.findall(other))
    ] == []


@languages
def test_names_within_sentences_are_known(language):
    """One that is not found would be shown in English, where Discord shows something else."""
    words = load_catalog(language)
    labels = {*words.menus, *words.answers}
    unknown = []
    for other in everything(words).values():
        unknown += [
            m["name"] for m in COMMAND_PATTERN.finditer(other) if m["name"] not in words.commands
        ]
        unknown += [
            m["name"] for m in BOLD_PATTERN.finditer(other) if m["name"] not in words.options
        ]
        unknown += [m["name"] for m in ITALIC_PATTERN.finditer(other) if m["name"] not in labels]
    assert set(unknown) <= NUMBERED


def test_nothing_is_said_past_the_files():
    words = load_catalog("de")
    known = {*words.commands, *words.menus, *words.choices, *words.texts, *words.options}
    found = unmarked({*known, *everything(words), *ALLOWED})
    assert "\n".join(found) == ""


def test_every_error_for_members_says_something_of_its_own():
    speaking_ones = [
        kind
        for name in ERRORS
        if issubclass(kind := getattr(errors, name), errors.UserError)
        and kind.__init__ is errors.BotError.__init__
    ]
    assert all(inspect.getdoc(kind) for kind in speaking_ones)


@languages
def test_labels_and_titles_fit_where_discord_puts_them(language):
    say = load_catalog(language).answers.__getitem__
    buttons = [b.label for b in PERSISTENT_BUTTONS if isinstance(getattr(b, "label", None), str)]
    buttons += [way.label for way in OUTPAINT_DIRECTIONS.values()]
    assert [words for words in buttons if len(say(words)) > BUTTON_LABEL] == []
    titles = [spec.title for spec in SETTINGS_FORMS.values()]
    titles += ["Draw what was described", "Repaint this picture", "Repaint a part of it"]
    titles += ["What should be there?", "Report this result"]
    assert [words for words in titles if len(say(words)) > FORM_TITLE - 2] == []
    inputs = [label for spec in SETTINGS_FORMS.values() for label in spec.fields.values()]
    assert [words for words in inputs if len(say(words)) > INPUT_LABEL] == []
    choices = [*CHOICE_LABELS.values(), *PANEL_PAGES.values()]
    assert [words for words in choices if len(say(words)) > CHOICE - 30] == []


@languages
@pytest.mark.parametrize("topic", HELP_PAGES)
def test_every_page_of_help_fits_one_message(language, topic):
    with use_language(language):
        assert len(help_page_text(topic)) <= MAX_MESSAGE_CHARACTERS


HOST_GROUPS = ("weights.", "worker.", "cluster.")
"""Notices of what only a host can mend, in English like the log."""


@languages
def test_every_notice_for_members_is_translated(language):
    needed = {words for code, words in NOTICES.items() if not code.startswith(HOST_GROUPS)}
    assert needed - set(everything(load_catalog(language))) == set()


@languages
def test_what_others_say_is_said_by_somebody(language):
    said = {*NOTICES.values(), *(inspect.getdoc(kind) for kind in STORAGE_REFUSALS), *PURPOSES}
    assert set(load_catalog(language).heard) - said == set()


@languages
def test_a_notice_is_said_in_the_language_of_the_task(language):
    inner = Notice("names.did_you_mean", names="ink")
    with use_language(language):
        words = translate_notice(Notice("prompt.no_lora", name="{why} /queue", why=inner))
        assert "{why} /queue" in words
        assert translate("Did you mean {names}?", names="ink") in words
        assert translate_notice(Notice("mask.black").to_text()) == translate(NOTICES["mask.black"])
        assert translate_notice(Notice("mask.black").to_json()) == translate(NOTICES["mask.black"])
        for kind in STORAGE_REFUSALS:
            assert translate_notice(inspect.getdoc(kind)) != inspect.getdoc(kind)


@languages
def test_what_an_older_version_stored_stays_as_it_is(language):
    with use_language(language):
        for words in ("The moon is full.", "x" * 5000, "{name} steps is 40.", '{"code": 1}'):
            assert translate_notice(words) == words
        assert translate_notice(Notice("moon.full", phase=1)) == "moon.full (phase: 1)"


def test_options_within_notices_are_named_as_discord_does():
    with use_language("ja"):
        assert "「ステップ数」が40" in translate_notice(
            Notice("option.range", option="steps", value=40, low=1, high=30)
        )


def test_names_are_what_discord_shows():
    assert localise_command_names(
        "/style list zeigt `/img2img image:a.png strength:0.5`", "de"
    ) == ("/stil liste zeigt `/img2img bild:a.png denoising-stärke:0.5`")
    assert localise_command_names("**strength** · *Upscale 2×* · *U1* · **Apps**", "de") == (
        "**denoising-stärke** · *2× hochskalieren* · *U1* · **Apps**"
    )
    assert localise_command_names("</queue:5> https://a.b/queue /queue、", "ja") == (
        "</queue:5> https://a.b/queue /キュー、"
    )


def test_groups_are_those_that_there_are():
    from bot.commands import COG_CLASSES

    groups = {
        value.name
        for cog in COG_CLASSES
        for base in inspect.getmro(cog)
        for value in vars(base).values()
        if isinstance(value, discord.app_commands.Group)
    }
    assert groups == COMMAND_GROUPS


def test_a_strangers_braces_and_names_stay():
    with use_language("de"):
        refusal = errors.NotAllowed("There is no style “{name}” here. /style list shows them.")
        assert "{name}" in str(refusal)
        words = translate_notice(Notice("job.unknown", job="/queue **strength** {job}"))
        assert "„/queue **strength** {job}“" in words


def test_the_method_of_a_description_is_named():
    assert InterrogateJob().method in load_catalog("de").choices
