from __future__ import annotations

import discord
import pytest

from bot.messages.help import START_TOPIC, help_page_text


async def test_the_beginning(easel):
    result = await easel.ask_plain("help")
    assert result.ephemeral
    assert help_page_text(START_TOPIC) == result.response.content


@pytest.mark.parametrize("topic", ["img2img", "buttons"])
async def test_a_topic(easel, topic):
    result = await easel.ask_plain("help", topic=topic)
    assert help_page_text(topic) == result.response.content


def test_the_first_page_names_every_command(easel):
    for command in easel.bot.tree.get_commands(type=discord.AppCommandType.chat_input):
        assert f"/{command.name}" in help_page_text(START_TOPIC)
