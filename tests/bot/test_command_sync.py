import asyncio
from types import SimpleNamespace

import aiohttp
import discord
import pytest

from bot.client import CommandSync
from tests.patience import PATIENCE


class Tree:
    """Answers each publishing with the next outcome, and with success after the last."""

    def __init__(self, *outcomes: Exception):
        self.outcomes = list(outcomes)
        self.synced = []
        self.copied = []
        self.done = asyncio.Event()

    def copy_global_to(self, *, guild):
        self.copied.append(guild.id)

    async def sync(self, *, guild):
        self.synced.append(guild and guild.id)
        if self.outcomes:
            raise self.outcomes.pop(0)
        self.done.set()
        return []


def refusal(status):
    kind = discord.DiscordServerError if status >= 500 else discord.HTTPException
    return kind(SimpleNamespace(status=status, reason=""), {"code": 50035, "message": "no"})


async def test_commands_are_published_once_for_all():
    tree = Tree()
    await CommandSync(tree, None).sync_commands()
    assert tree.synced == [None]
    assert not tree.copied


async def test_commands_of_one_server_are_copied_there():
    tree = Tree()
    await CommandSync(tree, 7).sync_commands()
    assert [7] == tree.synced == tree.copied


@pytest.mark.parametrize("trouble", [aiohttp.ServerDisconnectedError(), OSError(), refusal(503)])
async def test_without_an_answer_it_is_tried_again(trouble):
    tree = Tree(trouble, trouble)
    publisher = CommandSync(tree, None, 0.001)
    await publisher.sync_commands()
    await asyncio.wait_for(tree.done.wait(), PATIENCE)
    assert len(tree.synced) == 3
    publisher.stop_retrying()


async def test_a_refusal_is_told_at_once():
    with pytest.raises(discord.HTTPException):
        await CommandSync(Tree(refusal(400)), None).sync_commands()


async def test_after_the_end_nothing_is_tried():
    tree = Tree(OSError())
    publisher = CommandSync(tree, None, 0.001)
    await publisher.sync_commands()
    publisher.stop_retrying()
    await asyncio.sleep(0.02)
    assert len(tree.synced) == 1
