from __future__ import annotations

from types import SimpleNamespace

import aiohttp

from bot.support.owner_alerts import MAX_DM_LENGTH, OwnerNotifier


class Client:
    """The part of a client that a keeper needs."""

    def __init__(self, owner=1, team=()):
        self.said = []
        self.closed = set()
        self.nobody = False
        members = [SimpleNamespace(id=id) for id in team]
        self.application = SimpleNamespace(
            owner=SimpleNamespace(id=owner), team=SimpleNamespace(members=members) if team else None
        )

    async def application_info(self):
        if self.nobody:
            raise aiohttp.ClientError("no way through")
        return self.application

    async def create_dm(self, user):
        async def send(words):
            if user.id in self.closed:
                raise aiohttp.ClientError("closed")
            self.said.append((user.id, words))

        return SimpleNamespace(send=send)


async def told(client, words="a worker rests"):
    await OwnerNotifier(client).notify_owners(words)
    return client.said


async def test_the_owner_is_told(caplog):
    assert await told(Client()) == [(1, "⚠️ a worker rests")]
    assert "a worker rests" in caplog.text


async def test_everyone_of_a_team_is_told_though_one_cannot_be():
    client = Client(team=(2, 3, 4))
    client.closed.add(3)

    assert [id for id, _ in await told(client)] == [2, 4]


async def test_without_a_way_through_the_log_has_it(caplog):
    client = Client()
    client.nobody = True

    assert await told(client) == []
    assert "a worker rests" in caplog.text


async def test_a_long_story_is_cut():
    ((_, words),) = await told(Client(), "x" * 5000)

    assert len(words) == MAX_DM_LENGTH
