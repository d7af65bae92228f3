"""A whole Easel for tests: the bot's process, its worker, its data, and a stand-in for Discord."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.doubles.bot_process import BotProcess
from tests.doubles.discord_server import DiscordServer
from tests.doubles.discord_state import Interaction, Message
from tests.doubles.images import encoded, noise
from tests.doubles.quick_bot import WORKER

LONG = {"steps": 150, "width": 256, "height": 256, "batch": 2}
"""Options that keep the tiny checkpoint busy for some seconds."""

QUICK = (("-m", "tests.doubles.quick_bot"), WORKER)


def environment(data: Path, models: Path) -> dict[str, str]:
    """What the bot needs besides an address of Discord."""
    return {
        "EASEL_DATA_DIR": str(data),
        "EASEL_MODEL": "tiny",
        "EASEL_MODELS_DIR": str(models),
        "EASEL_DEVICE": "cpu",
        # Workers are killed here more often than a breaker likes.
        "EASEL_WORKER_REST_SECONDS": "3",
    }


class EaselProcess:
    """The bot on its data, against a Discord that outlives it."""

    def __init__(
        self,
        discord: DiscordServer,
        folder: Path,
        models: Path,
        more: Mapping[str, str] | None = None,
        *,
        quick: bool = False,
        launcher: tuple[str, ...] = (),
    ) -> None:
        """With `quick`, the worker is a scripted one that steps and paints nothing."""
        self.discord = discord
        self.database = folder / "data" / "easel.sqlite3"
        own = environment(folder / "data", models) | discord.environment
        if quick:
            own |= {"EASEL_MODEL": "unhurried", "EASEL_WORKER_REST_SECONDS": "1"}
        own |= dict(more or {})
        program = QUICK if quick else ()
        self.bot = BotProcess(own, folder / "bot.log", *program, launcher=launcher)

    async def up(self) -> None:
        """Have the bot on Discord, started anew if it is not running."""
        if not self.bot.alive:
            await self.bot.start()
        await self.discord.until(lambda: self.discord.connected or not self.bot.alive)
        if not self.bot.alive:
            raise RuntimeError(f"The bot ended at once:\n{self.bot.log[-2000:]}")

    async def img2img(self, member: str = "ada", **options: Any) -> Interaction:
        """Ask for a picture."""
        given: dict[str, Any] = {"prompt": "a red apple", "steps": 3} | options
        photo = ("photo.png", encoded(noise((64, 64))))
        return await self.discord.slash(member, "img2img", image=photo, **given)

    async def until_stepping(self, asked: Interaction) -> None:
        """Wait until a job's card shows a step: a worker is in the middle of it."""
        await self.discord.until(lambda: " step " in asked.shown)

    async def until_shown(self, asked: Interaction) -> None:
        """Wait until the card of a job has become its result, not an unfinished picture."""
        await self.discord.until(lambda: asked.acknowledged and _is_result(asked.answer))

    def jobs(self) -> list[dict[str, Any]]:
        """Read all jobs as they stand in the database; a reader does the running bot no harm."""
        with self._opened() as connection:
            return [dict(row) for row in connection.execute("SELECT * FROM job ORDER BY id")]

    def parts(self) -> int:
        """Count the finished parts of jobs that are not over."""
        with self._opened() as connection:
            return int(connection.execute("SELECT count(*) FROM job_part").fetchone()[0])

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)
        connection.row_factory = sqlite3.Row
        try:
            yield connection
        finally:
            connection.close()


def _is_result(message: Message) -> bool:
    ended = any(
        custom.startswith(("easel:delete:", "easel:more")) for custom in message.buttons.values()
    )
    return bool(message.files) and ended


def job_of(asked: Interaction) -> str:
    """Read a job's id off the buttons of its message."""
    return next(iter(asked.answer.buttons.values())).rpartition(":")[2]
