"""Lists of words that prompts draw from, as far as the bot can know them."""

from __future__ import annotations

import pytest


@pytest.fixture
def lists(easel):
    easel.settings.wordlists_path.mkdir()
    (easel.settings.wordlists_path / "colour.txt").write_text("red\nwhite\n")


async def test_an_unknown_list_is_refused_at_once_with_the_nearest(easel, lists):
    result = await easel.ask("imagine", prompt="a __color__ fox")
    assert "There is no list “color” to draw from. Did you mean \\_\\_colour\\_\\_?" in (
        result.response.content
    )
    assert result.ephemeral
    assert await easel.count() == 0


@pytest.mark.parametrize("command", ["imagine", "explain"])
async def test_known_lists_are_queued_as_they_were_written(easel, lists, command):
    prompt = "a __colour__ fox" if command == "imagine" else "a __color__ fox"
    await easel.ask(command, prompt=prompt)
    assert (await easel.only_job()).params["prompt"] == prompt


async def test_once_more_with_the_same_words_is_the_same_seed(easel, lists):
    await easel.ask("imagine", prompt="a __colour__ fox", seed=7)
    record = await easel.only_job()
    assert (record.params["seed"], record.params["prompt"]) == (7, "a __colour__ fox")
