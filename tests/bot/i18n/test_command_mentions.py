"""Every command that a sentence names can be tapped, in every language."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import pytest_asyncio

from bot.i18n import translate, use_language
from bot.i18n.catalog import load_catalog
from bot.i18n.command_mentions import mention_commands, plain_commands, set_command_ids
from bot.i18n.discord_translator import LANGUAGES_BY_LOCALE
from bot.messages.help import HELP_PAGES, help_page_text
from tests.bot.commands.test_reach import leaves
from tests.bot.i18n.commands import published
from tests.bot.i18n.sentences import sentences

LANGUAGES = ["en", *LANGUAGES_BY_LOCALE.values()]
MENTION_OR_EXAMPLE = re.compile(r"</[^>]+>|`[^`]*`")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def names() -> list[str]:
    payloads = [payload for payload in await published() if payload["type"] == 1]
    return [name for payload in payloads for name, _ in leaves(payload)]


@pytest.fixture(autouse=True)
def published_commands(names) -> Iterator[None]:
    set_command_ids({name: 10**18 + number for number, name in enumerate(names)})
    yield
    set_command_ids({})


def plain_names(text: str, names: list[str], language: str) -> list[str]:
    """Commands of a text that could be tapped, and cannot."""
    words = {} if language == "en" else load_catalog(language).commands
    rest = MENTION_OR_EXAMPLE.sub("", text)
    localised = {" ".join(words.get(part, part) for part in name.split()) for name in names}
    pattern = (
        r"(?<![\\w/<.])/(" + "|".join(map(re.escape, sorted({*names, *localised}))) + r")(?![\\w/])"
    )
    return re.findall(pattern, rest)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_names_a_command_that_cannot_be_tapped(names, language):
    with use_language(language):
        left = {
            s: found for s in sentences() if (found := plain_names(translate(s), names, language))
        }
    assert left == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_help_holds_mentions(language):
    with use_language(language):
        assert "</img2img:" in help_page_text("start")
        assert all(len(help_page_text(topic)) <= 2000 for topic in HELP_PAGES)


def test_examples_and_what_is_no_command_stay():
    set_command_ids({"queue": 5, "settings panel": 6})
    assert mention_commands("`/queue` and /queue, not `/queue a:b`, a/queue or /queuer") == (
        "</queue:5> and </queue:5>, not `/queue a:b`, a/queue or /queuer"
    )
    assert mention_commands("/settings panel, /settings") == "</settings panel:6>, /settings"
    assert plain_commands("</settings panel:6> shows it") == "/settings panel shows it"


async def test_discords_numbers_are_known_once_it_was_told_of_the_commands(easel):
    assert {"queue", "settings panel", "mask grid"} <= set(easel.command_ids)
    assert all(easel.command_ids.values())
    assert "Describe" not in easel.command_ids
