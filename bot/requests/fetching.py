"""Fetch a picture that Discord keeps or mirrors, and no more of it than may be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp
import discord
from discord.http import HTTPClient

FETCH_TIMEOUT = aiohttp.ClientTimeout(total=60)
CHUNK_BYTES = 2**16

#: Fetches an address, up to so many bytes.
Fetch = Callable[[str, int], Awaitable[bytes]]


class FetchedTooMuch(Exception):
    """The file has more bytes than may be read; `size` is what is known of it."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def fetcher_of(client: discord.Client) -> Fetch:
    """Return what fetches pictures for a client."""
    return partial(fetch_bounded, client.http)


async def fetch_bounded(http: Any, url: str, max_bytes: int) -> bytes:
    """Fetch a file in pieces, and give up as soon as it has more than `max_bytes`.

    Redirects are not followed: the address was looked at, where it leads to was not.

    Raises:
        FetchedTooMuch: it is larger.
        HTTPException: Discord does not have it.
        ClientError: nobody answers.
    """
    if type(http).get_from_cdn is not HTTPClient.get_from_cdn:  # a simulated Discord keeps its own
        data = bytes(await http.get_from_cdn(url))
        if len(data) > max_bytes:
            raise FetchedTooMuch(len(data))
        return data
    async with (
        aiohttp.ClientSession(timeout=FETCH_TIMEOUT) as session,
        session.get(
            url, proxy=http.proxy, proxy_auth=http.proxy_auth, allow_redirects=False
        ) as response,
    ):
        if response.status != 200:
            raise discord.HTTPException(response, "the picture cannot be had")
        if (response.content_length or 0) > max_bytes:
            raise FetchedTooMuch(response.content_length or 0)
        received = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            received += chunk
            if len(received) > max_bytes:
                raise FetchedTooMuch(len(received))
        return bytes(received)
