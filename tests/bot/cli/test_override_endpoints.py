from __future__ import annotations

import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.cli.run import override_endpoints


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Route, "BASE", Route.BASE)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", DiscordWebSocket.DEFAULT_GATEWAY)


def test_requests_and_the_gateway_go_elsewhere():
    override_endpoints("http://127.0.0.1:1/api/v10/", "ws://127.0.0.1:2/gateway/")
    assert Route("GET", "/users/@me").url == "http://127.0.0.1:1/api/v10/users/@me"
    assert str(DiscordWebSocket.DEFAULT_GATEWAY) == "ws://127.0.0.1:2/gateway/"


def test_nothing_set_leaves_discords_own():
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    override_endpoints(None, None)
    assert before == (Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY)
