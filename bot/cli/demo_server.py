"""The demo: the real bot and real workers on a simulated Discord, with a page in the browser.

Nothing here leaves this machine. simcord, which simulates Discord, is imported only when the demo
runs: a bot on Discord never needs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import discord

from bot.client import EaselBot
from bot.i18n import translate_notice
from bot.requests.image_sources import result_images
from bot.support.version import install_hint
from storage.records import DeliveryState, JobRecord, JobState

SAMPLES_DIR = Path(__file__).parent.parent / "samples"
PATIENCE_SECONDS = 120.0  # seconds after which a worker with troubles will not start
REMINDER_SECONDS = 30.0  # seconds of silence after which the demo says that it still waits
POLL_INTERVAL_SECONDS = 0.3  # seconds between two looks at a running job
REFRESH_INTERVAL_SECONDS = 0.7  # seconds between two refreshes of the page
SETTLE_TIMEOUT_SECONDS = 30.0  # seconds that the simulated Discord waits for the bot
MIN_SILENCE_SECONDS = 300.0  # seconds without any news after which a job counts as stuck
START_TIMES_SILENCE = 20.0  # the same, in times of what the worker's start took on this machine


class DemoFailed(Exception):
    """The demo could not show what it should."""


@dataclass(frozen=True)
class DemoStep:
    """One command of the demo."""

    command: str
    #: A sample; None for the picture that the step before made.
    image: str | None
    options: dict[str, Any]

    def command_text(self) -> str:
        """Write the command as a member would type it."""
        options_text = " ".join(f"{name}:{value}" for name, value in self.options.items())
        return f"/{self.command} image:{self.image or 'the result'} {options_text}"


DEMO_STEPS = (
    DemoStep(
        "img2img",
        "red-apple.png",
        {
            "prompt": "tangerine noto style on blue background",
            "strength": 0.8,
            "steps": 25,
            "guidance": 4.0,
            "seed": "7",
        },
    ),
    DemoStep("upscale", None, {"factor": 4.0}),
)


@dataclass(frozen=True)
class DemoServer:
    """The simulated server; its members are a member, another, a moderator and an admin."""

    bot: EaselBot
    env: Any
    channel: Any
    members: tuple[Any, ...]

    @classmethod
    def from_env(cls, bot: EaselBot, env: Any) -> DemoServer:
        """Make a server with a channel and members of all ranks."""
        guild = env.create_guild("Easel")
        channel = guild.create_text_channel("pictures")
        moderators = guild.create_role(
            "Moderators", permissions=discord.Permissions(manage_messages=True)
        )
        admins = guild.create_role("Admins", permissions=discord.Permissions(administrator=True))
        ranks = {
            "ada": (),
            "ben": (),
            "mo the moderator": (moderators,),
            "ann the admin": (admins,),
        }
        members = tuple(
            guild.add_member(env.create_user(name), roles=roles) for name, roles in ranks.items()
        )
        return cls(bot, env, channel, members)


async def show_demo(bot: EaselBot, *, out: Path, port: int | None, once: bool) -> int:
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
        print_line(f"The demo needs its extra: {install_hint('demo')}")
        return 1
    env = simcord.Env(bot, shard_count=1, check_errors=False, settle_timeout=SETTLE_TIMEOUT_SECONDS)
    env.backend.bot_user.name = "Easel"
    bot.idle_wait = env.external_wait  # type: ignore[method-assign]
    if bot.services.page is not None:
        bot.services.page.request_scope = env.time_context
    await env.start()
    try:
        with env.time_context():
            return await _run_steps(DemoServer.from_env(bot, env), out, port, once)
    except (DemoFailed, simcord.SetupError) as error:
        print_line(f"The demo failed: {error}")
        return 1
    finally:
        await env.shutdown()
        bot.services.decoders.close()


async def _run_steps(server: DemoServer, out: Path, port: int | None, once: bool) -> int:
    from bot.cli.demo_page.server import AppsPageServer

    page = server.env.preview(server.channel, viewers=server.members, layout="channel", port=port)
    AppsPageServer.install(page)
    async with page:
        print_line(f"The channel, in your browser: {page.url}")
        start_seconds = await _wait_for_worker(server.bot)
        patience = max(MIN_SILENCE_SECONDS, START_TIMES_SILENCE * start_seconds)
        server.env.settle_timeout = max(SETTLE_TIMEOUT_SECONDS, start_seconds)
        last_result: tuple[str, bytes] | None = None
        for demo_step in DEMO_STEPS:
            last_result = await _run_step(server, demo_step, last_result, out, page, patience)
        errors = [str(error) for error in server.env.errors]
        for error in errors:
            print_line(f"The bot stumbled: {error}")
        if not once:
            print_line("Type commands with files of your own there. Ctrl-C ends.")
            print_line("The page's list of members makes you a moderator or an admin.")
            await _keep_page_fresh(server, page)
        return 1 if errors else 0


async def _wait_for_worker(bot: EaselBot) -> float:
    """Wait until a worker takes jobs, however slow the machine is; return how long that took.

    Raises:
        DemoFailed: no worker starts, for a reason that it names.
    """
    print_line("Starting a worker …")
    start_time, last_reminder = time.monotonic(), time.monotonic()
    while not any(worker.ready for worker in bot.services.workers.worker_statuses):
        statuses = bot.services.workers.worker_statuses
        troubles = [str(worker.trouble) for worker in statuses if worker.trouble]
        is_hopeless = all(worker.is_resting for worker in statuses)
        if troubles and (is_hopeless or time.monotonic() - start_time > PATIENCE_SECONDS):
            raise DemoFailed("; ".join(troubles))
        if time.monotonic() - last_reminder > REMINDER_SECONDS:
            last_reminder = time.monotonic()
            print_line(f"… still starting, after {last_reminder - start_time:.0f} seconds")
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
    return time.monotonic() - start_time


async def _run_step(
    server: DemoServer,
    demo_step: DemoStep,
    last_result: tuple[str, bytes] | None,
    out: Path,
    page: Any,
    patience: float,
) -> tuple[str, bytes]:
    """Send one command as a member would and save its answer; return that picture."""
    ada = server.members[0]
    print_line(f"\n{ada.name}: {demo_step.command_text()}")
    image = last_result
    if demo_step.image is not None:
        sample = SAMPLES_DIR / demo_step.image
        image = demo_step.image, await asyncio.to_thread(sample.read_bytes)
    result = await ada.slash(server.channel, demo_step.command, image=image, **demo_step.options)
    (record,) = await server.bot.services.jobs.reader.list_by_owner(str(ada.id), limit=1)
    ended_job = await _follow_job(server, record.id, result, page, patience)
    if ended_job.state is not JobState.DONE:
        reason = translate_notice(ended_job.error or "")
        raise DemoFailed(f"{demo_step.command} is {ended_job.state}: {reason}")
    if not result.response.attachments:
        raise DemoFailed(f"the answer to {demo_step.command} carries no picture")
    # As they were made: a card shows small ones enlarged.
    blobs = server.bot.services.blobs
    pictures = [await blobs.get(image["key"]) for image in result_images(ended_job)]
    for number, picture in enumerate(pictures, start=1):
        path = out / f"{demo_step.command}-{number}.png"
        await asyncio.to_thread(_save_picture, path, picture)
        print_line(f"  saved {path}")
    return "result.png", pictures[0]


async def _follow_job(
    server: DemoServer, job_id: str, result: Any, page: Any, patience: float
) -> JobRecord:
    """Print every change of an answer until its job is over and delivered.

    Raises:
        DemoFailed: there was no news for longer than `patience`, in seconds.
    """
    last_content, last_change, last_reminder = "", time.monotonic(), time.monotonic()
    while True:
        await server.env.advance_time(POLL_INTERVAL_SECONDS)
        await page.refresh()
        content = "" if result.response is None else _card_words(result.response.components)
        if content != last_content:
            last_content, last_change = content, time.monotonic()
            last_reminder = last_change
            print_line("  Easel: " + content.replace("\n", "\n         "))
        record = await server.bot.services.jobs.reader.get_job(job_id)
        if record.delivery in (DeliveryState.SENT, DeliveryState.UNDELIVERED):
            return record
        silence = time.monotonic() - last_change
        if silence > patience:
            raise DemoFailed(f"{_describe_wait(server.bot, record)}, {silence:.0f} seconds")
        if time.monotonic() - last_reminder > REMINDER_SECONDS:
            last_reminder = time.monotonic()
            words = _describe_wait(server.bot, record)
            print_line(f"  … {words}: {silence:.0f} seconds; given up after {patience:.0f}")
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


def _describe_wait(bot: EaselBot, record: JobRecord) -> str:
    """Say what a job waits for."""
    if record.state is JobState.QUEUED:
        is_ready = any(worker.ready for worker in bot.services.workers.worker_statuses)
        return "waiting for its turn" if is_ready else "waiting for a worker to start again"
    if record.state is JobState.RUNNING:
        return "waiting for the worker's next step"
    return "waiting for the answer to be shown"


def _card_words(components: list[dict[str, Any]]) -> str:
    """Read the words off a card."""
    texts = [
        str(part["content"]) if "content" in part else _card_words(part.get("components") or [])
        for part in components
    ]
    return "\n".join(text for text in texts if text)


async def _keep_page_fresh(server: DemoServer, page: Any) -> None:
    """Keep the page fresh while jobs run, until the person has seen enough."""
    import simcord

    page_closed = asyncio.create_task(page.wait_closed(), name="page closed")
    busy = False
    try:
        while not page_closed.done():
            # Only while there is news: each refresh makes what a page is about to do outdated.
            was_busy, busy = busy, await _has_pending_work(server.bot)
            if busy or was_busy:
                # Refused while an action of the page is under way: it refreshes by itself.
                with contextlib.suppress(simcord.SetupError):
                    await server.env.advance_time(REFRESH_INTERVAL_SECONDS)
                    await page.refresh()
            await asyncio.wait({page_closed}, timeout=REFRESH_INTERVAL_SECONDS)
    finally:
        page_closed.cancel()


async def _has_pending_work(bot: EaselBot) -> bool:
    """Whether a job is under way, or its result still to be shown."""
    jobs = bot.services.jobs
    return bool(
        await jobs.reader.list_outstanding()
        or await jobs.deliveries.pending_deliveries()
        or await jobs.deliveries.interrupted_deliveries()
    )


def _save_picture(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def print_line(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
