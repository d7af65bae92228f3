from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiohttp
import discord
import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import async_playwright

from bot.app import Core, build_services, image_limits
from bot.cli import demo, demo_server
from bot.client import EaselBot
from bot.settings import Settings
from bot.support.metrics import MetricsSink
from bot.uploads.pool import DecoderPool
from inference.api.commands import SubmitJob
from inference.api.notices import Notice
from storage.blobs import BlobStore
from storage.database import Database
from storage.jobs import JobStore
from tests.bot.page.visitors import CHROMIUM, link_of, mask_text, visiting
from tests.doubles.detector import ScriptedDetector
from tests.doubles.service import ScriptedService
from tests.patience import PATIENCE


class Eager(ScriptedService):
    """A worker that is done at once, or that refuses everything."""

    refuses = False

    async def submit_job(self, worker: str, submission: SubmitJob) -> None:
        await super().submit_job(worker, submission)
        if self.refuses:
            self.fail("The paint is dry.")
        else:
            self.finish()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_server, "POLL_INTERVAL_SECONDS", 0.01)


@pytest_asyncio.fixture
async def easel(tmp_path: Path) -> AsyncIterator[EaselBot]:
    async with Database(tmp_path / "easel.db") as database:
        address = {"page_url": "http://127.0.0.1", "page_port": 0}
        settings = Settings(_env_file=None, data_dir=tmp_path).model_copy(update=address)
        jobs, blobs = JobStore(database), BlobStore(tmp_path / "blobs")
        workers = Eager(tmp_path / "outbox")
        core = Core(settings, database, jobs, blobs, workers, MetricsSink())
        decoders = DecoderPool(image_limits(settings))
        options = {"detector": ScriptedDetector(), "decoders": decoders}
        bot = EaselBot(partial(build_services, core, **options))
        await bot.services.page.start()
        yield bot
        await bot.services.page.stop()


async def test_it_saves_what_a_member_would_see(easel, tmp_path, capsys):
    assert await demo_server.show_demo(easel, out=tmp_path / "out", port=None, once=True) == 0
    saved = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert saved == ["img2img-1.png", "upscale-1.png"]
    for name in saved:  # the card shows 384 pixels of it
        with Image.open(tmp_path / "out" / name) as picture:
            assert picture.size == (16, 16)
    told = capsys.readouterr().out
    assert "http://127.0.0.1:" in told
    assert "/img2img image:red-apple.png" in told
    assert str(tmp_path / "out" / "upscale-1.png") in told


async def test_a_job_that_fails_ends_it(easel, tmp_path, capsys):
    easel.services.workers.refuses = True
    assert await demo_server.show_demo(easel, out=tmp_path / "out", port=None, once=True) == 1
    assert "The demo failed: img2img is failed: The paint is dry." in capsys.readouterr().out


async def test_a_worker_that_cannot_start_ends_it(easel, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo_server, "PATIENCE_SECONDS", 0.05)
    easel.services.workers.ready = False
    easel.services.workers.trouble = Notice("worker.failed", error="no room")
    assert await demo_server.show_demo(easel, out=tmp_path / "out", port=None, once=True) == 1
    assert "no room" in capsys.readouterr().out


async def test_it_waits_for_a_worker_as_long_as_the_machine_needs(
    easel, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(demo_server, "REMINDER_SECONDS", 0.05)
    workers, said = easel.services.workers, []
    workers.ready = False

    def hear(line):
        said.append(line)
        workers.ready = workers.ready or line.startswith("… still starting")

    monkeypatch.setattr(demo_server, "print_line", hear)
    assert await demo_server.show_demo(easel, out=tmp_path / "out", port=None, once=True) == 0
    assert any(line.startswith("… still starting") for line in said)


async def test_a_moderator_and_an_admin_are_there(easel, tmp_path, monkeypatch):
    servers = []
    run_steps = demo_server._run_steps

    async def look(server, *others):
        servers.append(server)
        return await run_steps(server, *others)

    monkeypatch.setattr(demo_server, "_run_steps", look)
    await demo_server.show_demo(easel, out=tmp_path / "out", port=None, once=True)
    (server,) = servers
    guild = server.env.backend.guilds[server.channel.guild.id]
    rights = [
        [
            discord.Permissions(int(guild.roles[role].permissions))
            for role in guild.members[member.id].role_ids
            if role != guild.id
        ]
        for member in server.members
    ]
    assert [len(own) for own in rights] == [0, 0, 1, 1]
    ((moderator,), (admin,)) = rights[2:]
    assert moderator.manage_messages and not moderator.manage_guild
    assert admin.administrator


async def test_the_page_stays_until_it_is_ended(easel, tmp_path, monkeypatch):
    ticks = []

    async def twice(stage, page):
        ticks.append(page.url)
        await page.close()
        await demo_stay(stage, page)

    demo_stay = demo_server._keep_page_fresh
    monkeypatch.setattr(demo_server, "_keep_page_fresh", twice)
    assert await demo_server.show_demo(easel, out=tmp_path / "out", port=None, once=False) == 0
    assert len(ticks) == 1


async def test_what_is_drawn_in_the_demo_is_repainted(easel, tmp_path, monkeypatch):
    sent = []

    async def draw(server, page):
        ada = server.members[0]
        result = server.channel.history()[0]
        answer = await ada.click(result, label="Draw")
        async with visiting(link_of(answer.response)) as visitor:
            _, state = await visitor.ask("draw")
            size = (state["mask"]["width"], state["mask"]["height"])
            message = {"mask": mask_text(size, (2, 2, 9, 9)), "options": {"prompt": "a leaf"}}
            sent.append(await visitor.ask("draw/send", message))
        await server.env.settle()
        newest_message = server.channel.history()[-1]
        sent.append(len(newest_message.attachments))  # what was drawn on, and what came of it
        await page.close()

    monkeypatch.setattr(demo_server, "_keep_page_fresh", draw)
    assert await demo_server.show_demo(easel, out=tmp_path / "out", port=None, once=False) == 0
    assert (sent[0][0], sent[1]) == (200, 2)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize("width", [1280, 390])
async def test_a_message_has_an_apps_menu_and_the_page_follows_the_newest(
    easel, tmp_path, monkeypatch, width
):
    async def look(server, page):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox"]
            )
            tab = await browser.new_page(viewport={"width": width, "height": 700})
            tab.set_default_timeout(PATIENCE * 1000)
            await tab.goto(page.url)
            await tab.locator("[data-apps]").last.wait_for()
            messages = tab.locator("[data-message-id]")
            before = await messages.count()
            await messages.last.click(button="right")
            items = tab.locator("[data-apps-menu] button")
            await items.first.wait_for()
            offered.extend(await items.all_inner_texts())
            await tab.keyboard.press("Escape")
            await tab.locator("[data-apps]").last.click()
            await items.get_by_text("Describe").click()
            await messages.nth(before).wait_for()
            at_end = "({scrollTop, scrollHeight, clientHeight}) => scrollHeight - scrollTop - 2 < "
            await tab.wait_for_function(
                f"() => ({at_end} clientHeight)(document.querySelector('.channel-timeline'))"
            )
            await tab.locator("[data-apps]").last.click()
            await items.get_by_text("Inpaint…").click()
            await tab.get_by_text("Repaint a part of it").wait_for()
            await browser.close()
        await page.close()

    offered = []
    monkeypatch.setattr(demo_server, "_keep_page_fresh", look)
    assert await demo_server.show_demo(easel, out=tmp_path / "out", port=None, once=False) == 0
    assert offered == ["Describe", "Edit…", "Inpaint…", "Parameters", "Upscale 2×"]


async def test_the_apps_menu_is_for_the_page_alone(easel, tmp_path, monkeypatch):
    async def look(server, page):
        address = page.url.partition("#")[0]
        headers = {"X-Simcord-Context": "guessed", "X-Simcord-Capability": "guessed"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.get(f"{address}api/commands?apps") as answer:
                statuses.append(answer.status)
            message = {"message": "1", "name": "Describe"}
            async with session.post(f"{address}api/action?apps", json=message) as answer:
                statuses.append(answer.status)
        await page.close()

    statuses = []
    monkeypatch.setattr(demo_server, "_keep_page_fresh", look)
    assert await demo_server.show_demo(easel, out=tmp_path / "out", port=None, once=False) == 0
    assert statuses == [401, 401]


async def test_a_job_without_news_is_told_and_given_up(easel, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(demo_server, "print_line", said.append)
    monkeypatch.setattr(demo_server, "REMINDER_SECONDS", 0.05)
    monkeypatch.setattr(demo_server, "MIN_SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(demo_server, "START_TIMES_SILENCE", 0.0)
    monkeypatch.setattr(Eager, "finish", lambda self: None)
    assert await demo_server.show_demo(easel, out=tmp_path / "out", port=None, once=True) == 1
    assert any(line.startswith("  … waiting for the worker's next step: ") for line in said)
    assert said[-1].startswith("The demo failed: waiting for the worker's next step, ")


async def test_the_demo_has_a_page_of_its_own(tmp_path, monkeypatch):
    chosen = []

    class Opened(Exception):
        pass

    def open_app(settings):
        chosen.append(settings)
        raise Opened

    monkeypatch.setattr(demo, "open_app", open_app)
    settings = Settings(_env_file=None, page_url="https://easel.example", page_address="0.0.0.0")
    with pytest.raises(Opened):
        await demo.run_demo(settings, out=tmp_path, port=None, once=True)
    (demo_settings,) = chosen
    address = (demo_settings.page_url, demo_settings.page_address, demo_settings.page_port)
    assert address == ("http://127.0.0.1", "127.0.0.1", 0)


def test_every_sample_is_there_and_listed():
    listed = (demo_server.SAMPLES_DIR / "README.md").read_text(encoding="utf-8")
    for name in (scene.image for scene in demo_server.DEMO_STEPS if scene.image is not None):
        assert (demo_server.SAMPLES_DIR / name).is_file()
        assert f"| {name} |" in listed
    size = sum(path.stat().st_size for path in demo_server.SAMPLES_DIR.iterdir())
    assert size <= 200 * 1024
