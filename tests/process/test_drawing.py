"""A mask that is drawn on the page of a real bot, and repainted by its real worker."""

from __future__ import annotations

import socket

import pytest
import pytest_asyncio

from tests.bot.page.visitors import mask_text, visiting
from tests.doubles.discord_server import DiscordServer
from tests.process.easel import EaselProcess

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(loop_scope="module")
async def easel_with_page(tmp_path, models):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = {"EASEL_PAGE_URL": f"http://127.0.0.1:{port}", "EASEL_PAGE_PORT": str(port)}
    async with DiscordServer() as discord:
        easel = EaselProcess(discord, tmp_path, models, address)
        try:
            yield easel
        finally:
            await easel.bot.close()


async def test_what_is_drawn_is_repainted_and_the_page_ends_with_the_bot(easel_with_page):
    easel = easel_with_page
    await easel.up()
    asked = await easel.img2img()
    await easel.until_shown(asked)

    pressed = await easel.discord.click("ada", asked.answer, "Draw")
    await easel.discord.until(lambda: pressed.acknowledged)
    (link,) = [item["url"] for row in pressed.answer.components for item in row["components"]]
    async with visiting(link) as visitor:
        status, state = await visitor.ask("draw")
        assert status == 200
        size = (state["mask"]["width"], state["mask"]["height"])
        options = {"prompt": "a green leaf"}
        message = {"mask": mask_text(size, (8, 8, 39, 39)), "options": options, "more": "steps: 3"}
        status, answer = await visitor.ask("draw/send", message)
        assert (status, list(answer)) == (200, ["url"]), answer
        await easel.discord.until(lambda: easel.jobs()[-1]["delivery"] == "sent")
        job = easel.jobs()[-1]
        assert (job["kind"], job["owner"]) == ("inpaint", easel.jobs()[0]["owner"])
        (shown,) = easel.discord.results(job["id"])
        assert len(shown.files) == 2  # what was drawn on, and what came of it
        assert answer["url"].endswith(f"/{shown.id}")

        assert visitor.token not in easel.bot.log
        assert await easel.bot.terminate() == 0  # though the browser's connection is still open
