"""Members who come to the page: by hand over HTTP, or in a real browser."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from PIL import Image, ImageDraw
from playwright.async_api import Page, async_playwright

from tests.patience import PATIENCE

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}


def link_of(message: Any) -> str:
    """Return the address that an answer's button leads to."""
    (url,) = [item["url"] for row in message.components for item in row["components"]]
    return str(url)


def mask_text(size: tuple[int, int], box: tuple[int, int, int, int] | None) -> str:
    """A mask as the page sends it: white in a box, clear elsewhere, a PNG in base64."""
    mask = Image.new("RGBA", size, (255, 255, 255, 0))
    if box is not None:
        ImageDraw.Draw(mask).rectangle(box, fill=(255, 255, 255, 255))
    file = io.BytesIO()
    mask.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


class Visitor:
    """Somebody with a link, and no browser."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        address, _, self.token = url.partition("#")
        self.origin = address.rpartition("/")[0]
        self.session = session

    async def ask(
        self, path: str, message: object = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Send a request as the page does; return its status and answer."""
        sent = {"Authorization": f"Bearer {self.token}", "Origin": self.origin} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        async with self.session.post(
            f"{self.origin}/api/{path}", json=message or {}, headers=sent
        ) as response:
            if response.content_type != "application/json":
                return response.status, {"bytes": await response.read()}
            return response.status, await response.json()


@asynccontextmanager
async def visiting(url: str) -> AsyncIterator[Visitor]:
    async with aiohttp.ClientSession() as session:
        yield Visitor(session, url)


@asynccontextmanager
async def browsing(*, complaints_expected: bool = False, **context: Any) -> AsyncIterator[Page]:
    """A tab of a real browser; what it complains of, or fetches from elsewhere, fails the test."""
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            options = {"viewport": DESKTOP, "locale": "en-US"} | context
            page = await (await browser.new_context(**options)).new_page()
            page.set_default_timeout(1000 * PATIENCE)
            page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "request",
                lambda request: (
                    None
                    if request.url.startswith(("http://127.0.0.1:", "blob:"))
                    else complaints.append(f"a request to {request.url}")
                ),
            )
            yield page
        finally:
            await browser.close()
    assert complaints_expected or complaints == []
