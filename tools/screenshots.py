"""Take the guide's screenshots: the real bot and a real worker on the demo's simulated Discord.

    python tools/screenshots.py docs/screens
    python tools/screenshots.py --phone build/screens card

Needs the extras `demo` and `masks`, and a Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import discord
import simcord
from PIL import Image, ImageChops, ImageDraw

from bot.app import open_app
from bot.cli.demo_server import (
    POLL_INTERVAL_SECONDS,
    SAMPLES_DIR,
    SETTLE_TIMEOUT_SECONDS,
    _wait_for_worker,
)
from bot.settings import Settings

WIDTH, PHONE_WIDTH, HEIGHT = 760, 390, 1600  # pixels of the browser's window
TOP, BOTTOM = 116, 84  # pixels of the page's own bars
MARGIN = 12  # pixels kept below what is shown
HEADER = 40  # pixels within which the channel's name stands once the page has settled
VISITS = 12  # of a page, at most
LONGEST = 1000  # pixels of a screenshot: of more, the end is kept
JOB_PATIENCE = 300.0  # seconds
QUALITY = 82  # of the WebP files
PAINTED = {"steps": 20, "guidance": 4.0, "seed": "7"}
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--virtual-time-budget=8000",
)


@dataclass
class Stage:
    """A simulated server with an admin in it, and one channel for each scene."""

    bot: Any
    env: Any
    guild: Any
    ada: Any
    channel: Any = None

    async def done(self) -> None:
        """Wait until no job is under way and every result is shown."""
        jobs = self.bot.services.jobs
        for _ in range(int(JOB_PATIENCE / POLL_INTERVAL_SECONDS)):
            await self.env.advance_time(POLL_INTERVAL_SECONDS)
            waiting = (
                await jobs.reader.list_outstanding() or await jobs.deliveries.pending_deliveries()
            )
            if not waiting and not await jobs.deliveries.interrupted_deliveries():
                return
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
        raise TimeoutError("a job did not end")

    async def slash(self, command: str, **options: Any) -> Any:
        """Send a command and wait for its result; `image` is a sample's name."""
        if "image" in options:
            options["image"] = (options["image"], (SAMPLES_DIR / options["image"]).read_bytes())
        result = await self.ada.slash(self.channel, command, **options)
        await self.done()
        return result


async def sheet(stage: Stage) -> None:
    """Show a batch."""
    prompt = "tangerine noto style on blue background"
    await stage.slash(
        "img2img", image="red-apple.png", prompt=prompt, strength=0.8, batch=4, **PAINTED
    )


async def card(stage: Stage) -> None:
    """Show one picture of a batch."""
    prompt = "tangerine noto style on blue background"
    result = await stage.slash(
        "img2img", image="red-apple.png", prompt=prompt, strength=0.8, batch=2, **PAINTED
    )
    await stage.ada.click(result.response, label="U2")
    stage.env.backend.delete_message(stage.channel.id, result.response.id)


async def compare(stage: Stage) -> None:
    """Show a result beside the result that it was made from."""
    prompt = "tangerine noto style on blue background"
    result = await stage.slash(
        "img2img", image="red-apple.png", prompt=prompt, strength=0.8, **PAINTED
    )
    mention = f"<@{stage.bot.user.id}>"
    words = f"{mention} make it a pear noto style on green background, guidance 4, seed 7"
    await stage.ada.send(stage.channel, words, reply_to=result.response.message)
    await stage.done()
    stage.env.backend.delete_message(stage.channel.id, result.response.id)


async def grid(stage: Stage) -> None:
    """Show the lettered grid."""
    await stage.slash("mask grid", image="chelsea.jpg")


async def mask(stage: Stage) -> None:
    """Show a subject that was found, less its face."""
    await stage.slash("mask preview", image="astronaut.jpg", mask_shape="subject - face")


async def scribble(stage: Stage) -> None:
    """Show what comes of a copy that was scribbled on."""
    with Image.open(SAMPLES_DIR / "chelsea.jpg") as photo:
        copy = photo.convert("RGB")
    pen = ImageDraw.Draw(copy)
    pen.line([(150, 20), (215, 60), (290, 45), (330, 90)], (255, 0, 255), 22, "curve")
    out = io.BytesIO()
    copy.resize((copy.width * 3 // 4, copy.height * 3 // 4)).save(out, "JPEG", quality=75)
    mention = f"<@{stage.bot.user.id}>"
    files = [
        ("photo.jpg", (SAMPLES_DIR / "chelsea.jpg").read_bytes()),
        ("scribbled.jpg", out.getvalue()),
    ]
    await stage.ada.send(stage.channel, f"{mention} inpaint a red scarf", attachments=files)
    await stage.done()


async def history(stage: Stage) -> None:
    """Show a page of one's pictures."""
    subjects = ("red apple", "rocket", "fox face")
    for number, subject in enumerate(subjects):
        settings = PAINTED | {"seed": str(number)}
        await stage.slash("imagine", prompt=f"{subject} noto style", **settings)
    await stage.slash(
        "img2img", image="red-apple.png", prompt="pear noto style", strength=0.8, batch=4, **PAINTED
    )
    stage.channel = stage.guild.create_text_channel("pictures")
    await stage.slash("history")


async def interrogate(stage: Stage) -> None:
    """Show a description, its picture and what can be made of it."""
    await stage.slash("interrogate", image="red-apple.png")


async def ask(stage: Stage) -> None:
    """Show that buttons ask first."""
    await stage.slash("defaults set", steps=30, strength=0.5)
    await stage.slash("defaults ask", first="yes")


async def settings(stage: Stage) -> None:
    """Show the panel of the server's settings."""
    await stage.slash("settings panel")


SCENES: tuple[Callable[[Stage], Awaitable[None]], ...] = (
    sheet,
    card,
    compare,
    grid,
    mask,
    scribble,
    history,
    interrogate,
    ask,
    settings,
)


async def take(page: str, path: Path, width: int) -> bool:
    """Photograph a page and cut away what is empty; say whether it had settled."""
    chromium = shutil.which("chromium") or "chromium"
    with tempfile.TemporaryDirectory() as profile:
        shot = Path(profile) / "shot.png"
        process = await asyncio.create_subprocess_exec(
            chromium,
            *FLAGS,
            f"--user-data-dir={profile}/profile",
            f"--window-size={width},{HEIGHT}",
            f"--screenshot={shot}",
            page,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await process.wait()
        with Image.open(shot) as image:
            shown = cut(image.convert("RGB"))
        kept = shown.crop((0, max(0, shown.height - LONGEST), shown.width, shown.height))
        kept.save(path, "WEBP", quality=QUALITY, method=6)
        brightest = shown.crop((0, 0, shown.width, HEADER)).convert("L").getextrema()[1]
        return cast("int", brightest) > 200


def cut(shot: Image.Image) -> Image.Image:
    """Cut off the page's bars and what is empty below the messages."""
    middle = shot.crop((0, TOP, shot.width, shot.height - BOTTOM))
    colour = cast("tuple[int, int, int]", middle.getpixel((2, middle.height - 2)))
    ground = Image.new("RGB", middle.size, colour)
    box = ImageChops.difference(middle, ground).point(lambda value: 255 * (value > 12)).getbbox()
    lower = middle.height if box is None else min(middle.height, box[3] + MARGIN)
    return middle.crop((0, 0, middle.width, lower))


async def main(out: Path, names: set[str], width: int) -> None:
    """Play the scenes and photograph each."""
    with tempfile.TemporaryDirectory() as data:
        own = Settings(_env_file=None, data_dir=Path(data))  # type: ignore[call-arg]  # pydantic-settings' own
        async with open_app(own) as bot:
            env = simcord.Env(
                bot, shard_count=1, check_errors=False, settle_timeout=SETTLE_TIMEOUT_SECONDS
            )
            env.backend.bot_user.name = "Easel"
            bot.idle_wait = env.external_wait  # type: ignore[method-assign]
            await env.start()
            try:
                with env.time_context():
                    await play(bot, env, out, names, width)
            finally:
                await env.shutdown()
                bot.services.decoders.close()


async def play(bot: Any, env: Any, out: Path, names: set[str], width: int) -> None:
    """Play each scene in a channel of its own."""
    guild = env.create_guild("Easel")
    admin = guild.create_role("admin", permissions=discord.Permissions(manage_guild=True))
    ada = guild.add_member(env.create_user("ada"), roles=[admin])
    stage = Stage(bot, env, guild, ada)
    await _wait_for_worker(bot)
    for scene in SCENES:
        if names and scene.__name__ not in names:
            continue
        stage.channel = guild.create_text_channel(scene.__name__)
        await scene(stage)
        async with env.preview(stage.channel, viewers=(ada,), layout="channel") as page:
            await page.refresh()
            # Some visits end while the page still tells the server how large its window is.
            for _ in range(VISITS):
                if await take(page.url, out / f"{scene.__name__}.webp", width):
                    break
        print(scene.__name__)


def read_arguments() -> argparse.Namespace:
    """Read where to, how wide, and which scenes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("scenes", nargs="*", help="of the guide's; all unless given")
    parser.add_argument("--phone", action="store_true", help="as wide as a phone")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = read_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    window_width = PHONE_WIDTH if arguments.phone else WIDTH
    asyncio.run(main(arguments.out, set(arguments.scenes), window_width))
