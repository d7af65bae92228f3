"""The page's server: a few files for everyone, and answers for those who bring a link."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import discord
from aiohttp import web

from bot.errors import LinkRefused, SettingsError, UserError
from bot.i18n import set_language, translate
from bot.i18n.discord_translator import LANGUAGES_BY_LOCALE
from bot.i18n.message import gettext_noop
from bot.messages.error_replies import USER_FACING_ERRORS, unwrap_error, user_message
from bot.page.drawing import UNREADABLE_TEXT, DrawingDesk
from bot.page.gallery import GalleryDesk
from bot.page.links import LinkPurpose, PageLink, PageLinks, PageVisit
from bot.page.texts import plain_text
from bot.support.logging import bind_request

log = logging.getLogger(__name__)

VISIT_KEY = web.RequestKey("visit", PageVisit)
STATIC_FOLDER = Path(__file__).parent / "static"
STATIC_MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
MAX_BODY_BYTES = 6 * 2**20  # bytes of one request: a mask in base64 with its options
SHUTDOWN_SECONDS = 3.0  # seconds for requests under way when the bot is closed
TOKEN_SCHEME = "bearer"  # noqa: S105 - the name of a scheme, as RFC 6750 has it

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-robots-tag": "noindex",
}
OTHER_ORIGIN_TEXT = gettext_noop("This request comes from another page, and is not answered.")
TOO_LARGE_TEXT = gettext_noop("That is too much to send at once.")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class PageAddress:
    """Where the page is."""

    #: As members' browsers reach it, without a slash at its end.
    public_url: str
    #: The address of this machine that the server listens on.
    host: str
    #: The port; 0 takes any free one, which then is the public address's, too.
    port: int


class PageServer:
    """Serves the page while it is started, and gives links to it out."""

    def __init__(
        self,
        client: discord.Client,
        address: PageAddress,
        links: PageLinks,
        drawing: DrawingDesk,
        gallery: GalleryDesk,
    ) -> None:
        self._client = client
        self._address = address
        self._links = links
        self._drawing = drawing
        self._gallery = gallery
        self._public_url = address.public_url.rstrip("/")
        self._runner: web.AppRunner | None = None
        #: What each request runs in; whoever simulates Discord's clock sets it.
        self.request_scope: Callable[[], AbstractContextManager[Any]] = nullcontext

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: the address cannot be listened on.
        """
        runner = web.AppRunner(
            self._build_app(),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=SHUTDOWN_SECONDS,
        )
        await runner.setup()
        site = web.TCPSite(runner, self._address.host, self._address.port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise SettingsError(
                f"EASEL_PAGE_PORT: {self._address.host}, port {self._address.port}, cannot be "
                f"used: {error.strerror or error}."
            ) from error
        self._runner = runner
        port = int(runner.addresses[0][1])
        if not self._address.port:
            self._public_url = f"{self._public_url}:{port}"
        log.info("The page to draw on: %s, listening on port %d.", self._public_url, port)

    async def stop(self) -> None:
        """Stop listening; requests under way may end."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def issue_url(self, purpose: LinkPurpose, visit: PageVisit) -> str:
        """Make a link for a member."""
        return f"{self._public_url}/{purpose}#{self._links.issue_token(purpose, visit)}"

    def _build_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._guard_request])
        for path in sorted(STATIC_FOLDER.iterdir()):
            place = path.stem if path.suffix == ".html" else f"static/{path.name}"
            app.router.add_get(f"/{place}", _serve_file(path))
        app.router.add_post("/api/draw", self._answer_drawing)
        app.router.add_post("/api/draw/picture", self._answer_picture)
        app.router.add_post("/api/draw/send", self._answer_sent_drawing)
        app.router.add_post("/api/gallery", self._answer_gallery)
        app.router.add_post("/api/gallery/picture", self._answer_gallery_picture)
        app.on_response_prepare.append(_add_security_headers)
        return app

    @web.middleware
    async def _guard_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what does not come from the page itself, and put what goes wrong into words."""
        if request.method != "POST":
            return await handler(request)
        set_language(_browser_language(request))  # until it is known who it is
        with self.request_scope():
            if request.headers.get("origin") != self._origin():
                return _refuse(403, OTHER_ORIGIN_TEXT)
            if (request.content_length or 0) > MAX_BODY_BYTES:
                return _refuse(413, TOO_LARGE_TEXT)
            try:
                return await handler(request)
            except web.HTTPRequestEntityTooLarge:
                return _refuse(413, TOO_LARGE_TEXT)
            except web.HTTPException:
                raise
            except Exception as error:
                return self._answer_error(request, error)

    async def _answer_drawing(self, request: web.Request) -> web.StreamResponse:
        link = self._find_link(request)
        return web.json_response(await self._drawing.describe_drawing(link))

    async def _answer_picture(self, request: web.Request) -> web.StreamResponse:
        data = await self._drawing.read_picture(self._find_link(request))
        return web.Response(body=data, content_type=image_media_type(data))

    async def _answer_sent_drawing(self, request: web.Request) -> web.StreamResponse:
        self._find_link(request)  # before the body is read
        token, message = _read_token(request), await _read_json(request)
        return web.json_response({"url": await self._drawing.submit_drawing(token, message)})

    async def _answer_gallery(self, request: web.Request) -> web.StreamResponse:
        link, _ = await self._open_gallery(request)
        return web.json_response(await self._gallery.list_pictures(link))

    async def _answer_gallery_picture(self, request: web.Request) -> web.StreamResponse:
        link, message = await self._open_gallery(request)
        job_id, number = str(message.get("job")), message.get("number")
        if not isinstance(number, int):
            raise UserError(UNREADABLE_TEXT)
        as_thumbnail = message.get("small") is True
        data = await self._gallery.read_picture(link, job_id, number, as_thumbnail=as_thumbnail)
        return web.Response(body=data, content_type=image_media_type(data))

    async def _open_gallery(self, request: web.Request) -> tuple[PageLink, dict[str, Any]]:
        """Return a request's link to look at one's pictures, and what it says besides."""
        token = _read_token(request)
        link = _speak_to(self._links.find_link(token, LinkPurpose.GALLERY))
        request[VISIT_KEY] = link.visit
        message = await _read_json(request)
        return self._links.open_session(token, str(message.get("session") or "")), message

    def _find_link(self, request: web.Request) -> PageLink:
        """Return a request's link to draw, and speak its member's language from then on."""
        token = _read_token(request)
        request[VISIT_KEY] = _speak_to(self._links.find_link(token, LinkPurpose.DRAW)).visit
        return self._links.find_unused(token, LinkPurpose.DRAW)

    def _answer_error(self, request: web.Request, error: Exception) -> web.Response:
        """Say what went wrong, with the names of what Discord would show as a mention."""
        cause = unwrap_error(error)
        status = 422 if isinstance(cause, USER_FACING_ERRORS) else 500
        visit: PageVisit | None = request.get(VISIT_KEY)
        guild = None if visit is None else self._client.get_guild(visit.guild_id or 0)
        words = plain_text(user_message(error), guild)
        return web.json_response(
            {"error": words}, status=403 if isinstance(cause, LinkRefused) else status
        )

    def _origin(self) -> str:
        parts = urlsplit(self._public_url)
        return f"{parts.scheme}://{parts.netloc}"


def image_media_type(data: bytes) -> str:
    """Name what a stored picture is: all of them are WebP, PNG or JPEG."""
    if data.startswith(b"RIFF"):
        return "image/webp"
    return "image/jpeg" if data.startswith(b"\xff\xd8") else "image/png"


def _serve_file(path: Path) -> Handler:
    text, media_type = path.read_text(encoding="utf-8"), STATIC_MEDIA_TYPES[path.suffix]

    async def serve_file(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type=media_type, charset="utf-8")

    return serve_file


async def _add_security_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)
    response.headers.popall("server", None)


def _read_token(request: web.Request) -> str:
    """Read a link's token out of a request's head, where no address shows it."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == TOKEN_SCHEME else ""


async def _read_json(request: web.Request) -> dict[str, Any]:
    """Read a request's body.

    Raises:
        UserError: it is no JSON object.
    """
    try:
        message = json.loads(await request.read())
    except ValueError as error:
        raise UserError(UNREADABLE_TEXT) from error
    if request.content_type != "application/json" or not isinstance(message, dict):
        raise UserError(UNREADABLE_TEXT)
    return message


def _speak_to(link: PageLink) -> PageLink:
    """Let the log know by what this task was started, and speak the member's language."""
    bind_request(f"page-{link.id}")
    set_language(link.visit.context.user_language)
    return link


def _browser_language(request: web.Request) -> str:
    """Return the first language that a browser asks for, where Easel speaks it."""
    tag = request.headers.get("accept-language", "").split(",")[0].split(";")[0].strip()
    languages = LANGUAGES_BY_LOCALE.values()
    return next((code for code in languages if code.split("-")[0] == tag.split("-")[0]), "")


def _refuse(status: int, words: str) -> web.Response:
    return web.json_response({"error": translate(words)}, status=status)
