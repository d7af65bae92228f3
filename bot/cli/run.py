"""`run`: the bot on Discord, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys

import aiohttp
import discord

from bot.client import Easel
from bot.endpoints import point_at
from bot.errors import SettingsError
from bot.house import House, opened
from bot.redaction import redacted
from bot.settings import Settings
from storage.errors import StorageError
from storage.guilds import GuildStore
from storage.moderation import ModerationStore
from storage.usage import UsageStore

log = logging.getLogger(__name__)

FAILED, REFUSED = 1, 2


async def run(settings: Settings) -> int:
    """Run the bot; return 0 after a stop that was asked for."""
    if settings.discord_token is None:
        sys.stderr.write(
            "There is no token: put DISCORD_TOKEN=… into .env (see README), or try `make demo`, "
            "which needs none.\n"
        )
        return REFUSED
    point_at(settings.discord_api_base, settings.discord_gateway_url)
    try:
        async with opened(settings) as house:
            return await _serve(
                make_bot(house, settings), settings.discord_token.get_secret_value()
            )
    except (StorageError, SettingsError) as error:
        sys.stderr.write(redacted(f"{error}\n"))
        return FAILED


def make_bot(house: House, settings: Settings) -> Easel:
    """Put the bot together."""
    return Easel(
        settings=settings,
        dispatcher=house.dispatcher,
        jobs=house.jobs,
        blobs=house.blobs,
        service=house.service,
        guilds=GuildStore(house.database),
        usage=UsageStore(house.database),
        moderation=ModerationStore(house.database),
    )


async def _serve(bot: Easel, token: str) -> int:
    """Be on Discord until a signal comes; a second signal ends everything at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():
            os._exit(FAILED)
        log.info("Stopping: jobs under way may end. Once more ends everything at once.")
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, asked)
    serving = asyncio.create_task(bot.start(token), name="discord")
    stopping = asyncio.create_task(stop.wait(), name="wait for a signal")
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    await bot.close()
    try:
        await serving
    except discord.LoginFailure:
        sys.stderr.write("Discord refused the token: copy it again from the developer portal.\n")
        return REFUSED
    except discord.PrivilegedIntentsRequired as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    except (OSError, aiohttp.ClientError) as error:
        sys.stderr.write(redacted(f"Discord cannot be reached; check the network: {error!r}\n"))
        return FAILED
    return 0
