"""The bot's process against a stand-in for Discord: its start, and its first answers under load.

`python -m benchmarks discord [--starts N] [--commands N]`. The bot is started as a user starts it,
with a real worker on the starter model. A start lasts from the process's birth to Discord's READY;
an answer from the command's sending to the arrival of the bot's first word about it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.table import show, spread
from tests.doubles.bot_process import BotProcess
from tests.doubles.discord_server import DiscordServer
from tests.doubles.discord_state import Interaction

MEMBERS = 20
WAITING = 50  # jobs in the queue while commands are measured
IN_HAND = 16  # jobs that the worker takes out of the queue
PAUSE = 0.1  # seconds between two commands
SAMPLE = Path(__file__).parent.parent / "bot" / "samples" / "chelsea.jpg"
LIMITS = {"EASEL_MAX_QUEUED_PER_MEMBER": "1000", "EASEL_MAX_QUEUED_PER_SERVER": "1000"}


def has_torch(pid: int) -> bool:
    """Whether a process has torch's library in its memory."""
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()


def processor_time(pid: int) -> float:
    """Return the seconds of a processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def time_starts(
    discord: DiscordServer, bot: BotProcess, starts: int
) -> tuple[list[float], list[float]]:
    """Start the bot so often, killing it in between; return the seconds to READY.

    The second list holds the processor's seconds up to then, which a busy machine changes less.
    """
    seconds, used = [], []
    for _ in range(starts):
        begin = time.monotonic()
        await bot.start()
        await discord.until(lambda: discord.connected or not bot.alive)
        used.append(processor_time(bot.pid))
        seconds.append(discord.gateway.identified_at - begin)
        if has_torch(bot.pid):
            raise RuntimeError("the bot's process has imported torch")
        await bot.close()
        await discord.until(lambda: not discord.connected)
    return seconds, used


async def ask(discord: DiscordServer, number: int, **options: object) -> Interaction:
    """Send one member's command."""
    photo = (SAMPLE.name, SAMPLE.read_bytes())
    return await discord.slash(
        f"member-{number % MEMBERS}", "img2img", image=photo, prompt="a fox", **options
    )


async def fill(discord: DiscordServer) -> None:
    """Queue long jobs until the worker is full and so many wait besides."""
    asked = [await ask(discord, number, steps=150, batch=8) for number in range(WAITING + IN_HAND)]
    await discord.until(lambda: all(" in the queue" in one.shown for one in asked[-5:]))
    await discord.until(lambda: any(" step " in one.shown for one in asked))


async def time_answers(discord: DiscordServer, commands: int) -> list[float]:
    """Send commands at a steady pace and return the seconds to each first answer."""
    asked = []
    for number in range(commands):
        asked.append(await ask(discord, number))
        await asyncio.sleep(PAUSE)
    await discord.until(lambda: all(one.answered for one in asked))
    return [one.answered - one.born for one in asked if one.answered is not None]


def late(values: Sequence[float], share: float) -> float:
    """Return the value below which so many of the values lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def measure(starts: int, commands: int) -> None:
    """Measure and print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        async with DiscordServer() as discord:
            own = {"EASEL_DATA_DIR": f"{folder}/data"} | LIMITS | discord.environment
            bot = BotProcess(own, Path(folder) / "bot.log")
            try:
                ready, used = await time_starts(discord, bot, starts)
                await bot.start()
                await discord.until(lambda: discord.connected)
                await fill(discord)
                answers = await time_answers(discord, commands)
            finally:
                await bot.close()
    show(
        f"Start of the bot's process, {starts} starts",
        ("what", "median (least to most)"),
        [
            ("process start to READY, torch not imported", spread(ready)),
            ("of a processor's time", spread(used)),
        ],
    )
    show(
        f"Slash command to first answer, {commands} commands of {MEMBERS} members, "
        f"{WAITING} or more jobs queued, worker busy",
        ("p50", "p99", "most"),
        [[f"{1000 * late(answers, share):.0f} ms" for share in (0.5, 0.99, 1.0)]],
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="benchmarks discord", description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--commands", type=int, default=200)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.starts, arguments.commands))
