"""Point discord.py at another address than Discord's own: a proxy, or a stand-in for tests."""

from __future__ import annotations

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route


def override_endpoints(api_base: str | None, gateway_url: str | None) -> None:
    """Send requests to `api_base` (with its version, `…/api/v10`) and connect to `gateway_url`.

    None leaves Discord's own. It holds for the whole process, as discord.py keeps both addresses
    on its classes; call it before the client logs in.
    """
    if api_base is not None:
        Route.BASE = api_base.rstrip("/")
    if gateway_url is not None:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)
