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
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.app import open_app
from bot.client import EaselBot
from bot.errors import MissingExtra, SettingsError
from bot.hosting.systemd import ServiceNotifier
from bot.hosting.token_files import find_token
from bot.hosting.updates import note_version
from bot.settings import Settings
from bot.support.redaction import redact_secrets
from bot.support.version import find_version
from storage.disk.network_share import find_network_share, warn_of_share
from storage.errors import MigrationError, StorageError

log = logging.getLogger(__name__)

EXIT_FAILED, EXIT_REFUSED = 1, 2


async def run_bot(settings: Settings) -> int:
    """Run the bot; return 0 after a stop that was asked for, 1 failed, 2 refused."""
    try:
        token = find_token(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    if token is None:
        sys.stderr.write(
            f"There is no token: put DISCORD_TOKEN=… into {settings.paths.env_file} (see README), "
            "or try `make demo`, which needs none.\n"
        )
        return EXIT_REFUSED
    if warning := token.warn_of_readers():
        log.warning("%s", warning)
    if share := find_network_share(settings.data_dir):
        log.warning("The data directory %s: %s", settings.data_dir, warn_of_share(share))
    override_endpoints(settings.discord_api_base, settings.discord_gateway_url)
    notifier = ServiceNotifier(settings.notify_socket, settings.watchdog_seconds)
    try:
        async with open_app(settings, notifier) as bot:
            note_version(settings.data_dir, find_version())
            return await _serve_until_signal(bot, token.secret.get_secret_value(), notifier)
    except (MigrationError, MissingExtra) as error:  # trying again mends neither
        sys.stderr.write(redact_secrets(f"{error}\n"))
        return EXIT_REFUSED
    except (StorageError, SettingsError) as error:
        sys.stderr.write(redact_secrets(f"{error}\n"))
        return EXIT_FAILED


def override_endpoints(api_base: str | None, gateway_url: str | None) -> None:
    """Send requests to `api_base` (with its version, `…/api/v10`) and connect to `gateway_url`.

    None leaves Discord's own. It holds for the whole process, as discord.py keeps both addresses
    on its classes; call it before the client logs in.
    """
    if api_base is not None:
        Route.BASE = api_base.rstrip("/")
    if gateway_url is not None:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)


async def _serve_until_signal(bot: EaselBot, token: str, notifier: ServiceNotifier) -> int:
    """Be on Discord until a signal comes; a second signal ends everything at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(EXIT_FAILED)
        log.info("Stopping: jobs under way may end. Once more ends everything at once.")
        notifier.notify_stopping()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, on_signal)
    serving = asyncio.create_task(bot.start(token), name="discord")
    stopping = asyncio.create_task(stop.wait(), name="wait for a signal")
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    await bot.close()
    try:
        await serving
    except discord.LoginFailure:
        sys.stderr.write("Discord refused the token: copy it again from the developer portal.\n")
        return EXIT_REFUSED
    except discord.PrivilegedIntentsRequired as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    except (OSError, aiohttp.ClientError) as error:
        sys.stderr.write(
            redact_secrets(f"Discord cannot be reached; check the network: {error!r}\n")
        )
        return EXIT_FAILED
    return 0
