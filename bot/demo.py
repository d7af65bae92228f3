"""The demo: the real bot and real workers on a simulated Discord, with a page in the browser.

Nothing here leaves this machine. simcord, which simulates Discord, is imported only when the demo
runs: a bot on Discord never needs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.client import Easel
from storage.records import DeliveryState, JobRecord, JobState

SAMPLES = Path(__file__).parent / "samples"
START_TIMEOUT = 120.0  # seconds until the first worker must be ready
JOB_TIMEOUT = 300.0  # seconds for one job on a slow machine
LOOK_INTERVAL = 0.3  # seconds between two looks at a running job
REFRESH_INTERVAL = 0.7  # seconds between two refreshes of the page
SETTLE_TIMEOUT = 30.0  # seconds that the simulated Discord waits for the bot


class DemoFailed(Exception):
    """The demo could not show what it should."""


@dataclass(frozen=True)
class Scene:
    """One command of the demo."""

    command: str
    picture: str
    options: dict[str, Any]

    def typed(self) -> str:
        """Write the command as a member would type it."""
        given = " ".join(f"{name}:{value}" for name, value in self.options.items())
        return f"/{self.command} image:{self.picture} {given}"


SCENES = (
    Scene(
        "img2img",
        "red-apple.png",
        {
            "prompt": "tangerine noto style on blue background",
            "strength": 0.8,
            "steps": 25,
            "guidance": 4.0,
            "seed": 7,
        },
    ),
    Scene("upscale", "chelsea.jpg", {"factor": 2.0}),
)


@dataclass(frozen=True)
class Stage:
    """The simulated server."""

    bot: Easel
    env: Any
    channel: Any
    members: tuple[Any, ...]

    @classmethod
    def build(cls, bot: Easel, env: Any) -> Stage:
        """Make a server with a channel and two members."""
        guild = env.create_guild("Easel")
        channel = guild.create_text_channel("pictures")
        members = tuple(guild.add_member(env.create_user(name)) for name in ("ada", "ben"))
        return cls(bot, env, channel, members)


async def run(bot: Easel, *, out: Path, port: int | None, once: bool) -> int:
    """Show the demo; return 0 when every command ended with a picture.

    Args:
        bot: not started yet.
        out: folder for the answers' pictures.
        port: of the local page; None for any free one.
        once: end after the commands instead of keeping the page up.
    """
    try:
        import simcord
    except ImportError:
        say('The demo needs its extra: pip install -e ".[demo]"')
        return 1
    env = simcord.Env(bot, shard_count=1, check_errors=False, settle_timeout=SETTLE_TIMEOUT)
    env.backend.bot_user.name = "Easel"
    bot.idle_wait = env.external_wait  # type: ignore[method-assign]
    await env.start()
    try:
        with env.time_context():
            return await _show(Stage.build(bot, env), out, port, once)
    except (DemoFailed, simcord.SetupError) as error:
        say(f"The demo failed: {error}")
        return 1
    finally:
        await env.shutdown()
        bot.reader.close()


async def _show(stage: Stage, out: Path, port: int | None, once: bool) -> int:
    page = stage.env.preview(stage.channel, viewers=stage.members, layout="channel", port=port)
    async with page:
        say(f"The channel, in your browser: {page.url}")
        await _worker(stage.bot)
        for scene in SCENES:
            await _play(stage, scene, out, page)
        errors = [str(error) for error in stage.env.errors]
        for error in errors:
            say(f"The bot stumbled: {error}")
        if not once:
            say("Type commands with files of your own there. Ctrl-C ends.")
            await _stay(stage, page)
        return 1 if errors else 0


async def _worker(bot: Easel) -> None:
    """Wait until a worker takes jobs."""
    say("Starting a worker …")
    for _ in range(int(START_TIMEOUT / LOOK_INTERVAL)):
        if any(worker.ready for worker in bot.service.workers):
            return
        await asyncio.sleep(LOOK_INTERVAL)
    troubles = "; ".join(worker.trouble for worker in bot.service.workers if worker.trouble)
    raise DemoFailed(troubles or f"no worker was ready within {START_TIMEOUT:g} seconds")


async def _play(stage: Stage, scene: Scene, out: Path, page: Any) -> None:
    """Send one command as a member would and save its answer."""
    ada = stage.members[0]
    say(f"\n{ada.name}: {scene.typed()}")
    data = await asyncio.to_thread((SAMPLES / scene.picture).read_bytes)
    result = await ada.slash(
        stage.channel, scene.command, image=(scene.picture, data), **scene.options
    )
    (record,) = await stage.bot.jobs.list_for(str(ada.id), limit=1)
    ended = await _follow(stage, record.id, result, page)
    if ended.state is not JobState.DONE:
        raise DemoFailed(f"{scene.command} is {ended.state}: {ended.error}")
    for number, attachment in enumerate(result.response.attachments, start=1):
        path = await asyncio.to_thread(
            _save, out, scene.command, number, attachment.filename, await attachment.read()
        )
        say(f"  saved {path}")
    if not result.response.attachments:
        raise DemoFailed(f"the answer to {scene.command} carries no picture")


async def _follow(stage: Stage, job_id: str, result: Any, page: Any) -> JobRecord:
    """Print every change of an answer until its job is over and delivered."""
    shown = ""
    for _ in range(int(JOB_TIMEOUT / LOOK_INTERVAL)):
        await stage.env.advance_time(LOOK_INTERVAL)
        await page.refresh()
        content = result.response.content if result.response is not None else ""
        if content != shown:
            shown = content
            say("  Easel: " + content.replace("\n", "\n         "))
        record = await stage.bot.jobs.get(job_id)
        if record.delivery in (DeliveryState.SENT, DeliveryState.UNDELIVERED):
            return record
        await asyncio.sleep(LOOK_INTERVAL)
    raise DemoFailed(f"job {job_id} did not end within {JOB_TIMEOUT:g} seconds")


async def _stay(stage: Stage, page: Any) -> None:
    """Keep the page fresh while jobs run, until the person has seen enough."""
    import simcord

    closed = asyncio.create_task(page.wait_closed(), name="page closed")
    busy = False
    try:
        while not closed.done():
            # Only while there is news: each refresh makes what a page is about to do outdated.
            was_busy, busy = busy, await _busy(stage.bot)
            if busy or was_busy:
                # Refused while an action of the page is under way: it refreshes by itself.
                with contextlib.suppress(simcord.SetupError):
                    await stage.env.advance_time(REFRESH_INTERVAL)
                    await page.refresh()
            await asyncio.wait({closed}, timeout=REFRESH_INTERVAL)
    finally:
        closed.cancel()


async def _busy(bot: Easel) -> bool:
    """Whether a job is under way, or its result still to be shown."""
    jobs = bot.jobs
    return bool(
        await jobs.outstanding()
        or await jobs.pending_deliveries()
        or await jobs.interrupted_deliveries()
    )


def _save(out: Path, command: str, number: int, filename: str, data: bytes) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{command}-{number}{Path(filename).suffix}"
    path.write_bytes(data)
    return path


def say(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
