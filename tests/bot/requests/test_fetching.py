"""Pictures of galleries and embeds are bounded while they are fetched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import discord
import pytest
import pytest_asyncio
from aiohttp import web
from discord.http import HTTPClient

from bot.errors import AttachmentDeleted, FileTooLarge
from bot.requests.fetching import FetchedTooMuch, fetch_bounded
from bot.requests.image_sources import LinkSource

LIMIT = 2**20  # that of the decoders of `intake`


@pytest_asyncio.fixture
async def endless() -> AsyncIterator[tuple[str, list[int]]]:
    """An address whose file has no end, and how many bytes were taken of it."""
    sent = [0]

    async def serve(request: web.Request) -> web.StreamResponse:
        match request.path:
            case "/moved":
                raise web.HTTPFound("/small")
            case "/gone":
                raise web.HTTPNotFound
            case "/small":
                return web.Response(body=b"x" * LIMIT)
            case "/large":
                return web.Response(body=b"x" * (LIMIT + 1))
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 2**16)
            sent[0] += 2**16

    app = web.Application()
    app.router.add_get("/{any}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", sent
    await runner.cleanup()


def link(url):
    http = HTTPClient(asyncio.get_running_loop())
    return LinkSource("photo.png", url, lambda url, limit: fetch_bounded(http, url, limit))


async def test_a_file_without_an_end_is_given_up_on_its_way(endless, intake):
    url, sent = endless
    with pytest.raises(FileTooLarge, match=r"photo\.png is"):
        await link(f"{url}/endless").read_bytes(intake)
    assert sent[0] < 64 * LIMIT


async def test_what_says_that_it_is_larger_is_not_fetched(endless, intake):
    with pytest.raises(FileTooLarge, match=r"1\.0 MiB"):
        await link(f"{endless[0]}/large").read_bytes(intake)


async def test_the_largest_is_fetched(endless, intake):
    assert len(await link(f"{endless[0]}/small").read_bytes(intake)) == LIMIT


@pytest.mark.parametrize("path", ["gone", "moved"])
async def test_what_is_gone_or_leads_elsewhere_is_not_there(endless, intake, path):
    with pytest.raises(AttachmentDeleted):
        await link(f"{endless[0]}/{path}").read_bytes(intake)


async def test_where_nobody_answers_it_is_said(intake):
    with pytest.raises(AttachmentDeleted):
        await link("http://127.0.0.1:9/nobody").read_bytes(intake)


async def test_a_simulated_discords_files_are_held_to_the_same(easel):
    post = await easel.posted(("photo.png", b"x" * 5))
    url = post.attachments[0].url
    assert await fetch_bounded(easel.bot.http, url, 5) == b"x" * 5
    with pytest.raises(FetchedTooMuch):
        await fetch_bounded(easel.bot.http, url, 4)
    with pytest.raises(discord.NotFound):
        await fetch_bounded(easel.bot.http, "https://cdn.discordapp.com/y.png", 4)
