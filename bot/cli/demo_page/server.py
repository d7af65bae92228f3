"""The simulator's page with what it lacks: the Apps menu of a message.

Its version is pinned: this stands on parts of it that are its own business. It is imported in the
demo alone.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from aiohttp import web
from simcord import SetupError
from simcord.enums import AppCommandType
from simcord.preview._server import PreviewServer
from simcord.results import ResponseMessage

#: What makes a request of the page one for the Apps menu.
APPS_QUERY = "apps"
SCRIPT_ROUTE = "/app.js"
SCRIPT_FILE = Path(__file__).with_name("apps_menu.js")


class AppsPageServer(PreviewServer):  # type: ignore[misc]
    """Serves the simulator's page, its script with the menu, and what the menu asks."""

    @classmethod
    def install(cls, preview: Any) -> None:
        """Have a page that is not open yet served with the menu."""
        preview._server = cls(preview, preview._server._requested_port)

    async def _static(self, request: web.Request) -> web.Response:
        response: web.Response = await super()._static(request)
        if request.path == SCRIPT_ROUTE:
            response.text = f"{response.text}\n{SCRIPT_FILE.read_text(encoding='utf-8')}"
        return response

    async def _commands(self, request: web.Request) -> web.Response:
        """List the Apps commands that the page's viewer sees, where that is what is asked."""
        if APPS_QUERY not in request.query:
            return await super()._commands(request)  # type: ignore[no-any-return]
        page = self._page_of(request)
        visible = self.preview.env.backend.visible_commands(
            user_id=page.viewer.id, channel_id=page.channel_id, type=AppCommandType.MESSAGE
        )
        names = [command["name"] for command in visible]
        return web.json_response({"names": names}, headers=self._SECURITY_HEADERS)

    async def _action(self, request: web.Request) -> web.Response:
        """Ask one of them of a message, as the viewer; a form that comes of it is shown."""
        if APPS_QUERY not in request.query:
            return await super()._action(request)  # type: ignore[no-any-return]
        page, body = self._page_of(request), await request.json()
        preview = self.preview
        try:
            target_message = preview._target_message(page, int(body["message"]))
            message = ResponseMessage(preview.env, target_message)
            result = await page.viewer.context_menu(preview.channel, str(body["name"]), message)
            if result.modal is not None:
                page.modal, page.modal_handle = result, f"m_{secrets.token_urlsafe(12)}"
            await preview.refresh()
        except SetupError as error:  # something else is under way, or the message is gone
            return web.json_response(
                {"error": str(error)}, status=409, headers=self._SECURITY_HEADERS
            )
        return web.json_response({}, headers=self._SECURITY_HEADERS)

    def _page_of(self, request: web.Request) -> Any:
        """Find the page that asks.

        Raises:
            HTTPUnauthorized: it does not know the page's secret.
        """
        context_id = request.headers.get("X-Simcord-Context")
        if not self._authorized(request, context=context_id):
            raise web.HTTPUnauthorized
        try:
            return self.preview._get_page(context_id)
        except SetupError:
            raise web.HTTPGone from None
