"""The routes of Discord's HTTP interface that Easel uses."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

from aiohttp import web

from tests.doubles.discord_faults import RETRY_AFTER, WORDS, Faults
from tests.doubles.discord_state import (
    APPLICATION,
    BOT_USER,
    CHANNEL,
    EPHEMERAL,
    UPLOAD_LIMIT,
    DiscordState,
    Interaction,
    Message,
    StoredFile,
)

ANSWER, DEFER, DEFER_EDIT, EDIT = 4, 5, 6, 7
"""Types of an interaction's first answer."""


class Refusal(Exception):
    """An answer of Discord's that says no."""

    def __init__(self, status: int, code: int) -> None:
        super().__init__(WORDS.get(code, ""))
        self.status, self.code = status, code


class Rest:
    """Answers requests and changes the state."""

    def __init__(self, state: DiscordState, faults: Faults, token: str) -> None:
        self.state = state
        self.faults = faults
        self.origin = ""
        self._token = token

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._answered], client_max_size=64 * 2**20)
        api = "/api/v10"
        app.add_routes(
            [
                web.get(f"{api}/users/@me", self._me),
                web.get(f"{api}/applications/@me", self._application),
                web.get(f"{api}/oauth2/applications/@me", self._application),
                web.get(f"{api}/gateway/bot", self._gateway),
                web.put(f"{api}/applications/{{app}}/commands", self._publish),
                web.put(f"{api}/applications/{{app}}/guilds/{{guild}}/commands", self._publish),
                web.post(f"{api}/interactions/{{id}}/{{token}}/callback", self._callback),
                web.post(f"{api}/webhooks/{{app}}/{{token}}", self._follow_up),
                web.get(f"{api}/webhooks/{{app}}/{{token}}/messages/{{id}}", self._answer),
                web.patch(f"{api}/webhooks/{{app}}/{{token}}/messages/{{id}}", self._edit_answer),
                web.delete(f"{api}/webhooks/{{app}}/{{token}}/messages/{{id}}", self._drop_answer),
                web.get(f"{api}/channels/{{channel}}/messages", self._history),
                web.post(f"{api}/channels/{{channel}}/messages", self._send),
                web.get(f"{api}/channels/{{channel}}/messages/{{id}}", self._message),
                web.patch(f"{api}/channels/{{channel}}/messages/{{id}}", self._edit),
                web.delete(f"{api}/channels/{{channel}}/messages/{{id}}", self._delete),
                web.get(f"{api}/guilds/{{guild}}/members/{{id}}", self._member),
                web.get("/cdn/{id}/{name}", self._file),
            ]
        )
        return app

    @web.middleware
    async def _answered(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Let go wrong what should, and note how each request ended."""
        if request.path.startswith("/gateway"):
            return await handler(request)
        files = request.content_type.startswith("multipart/")
        fault = self.faults.take(request.method, request.path, files=files)
        if fault is not None and fault.status is not None:
            response = self._refused(fault.status, fault.body())
        else:
            response = await self._handled(request, handler)
        lost = fault is not None and fault.status is None
        self.state.requests.append((request.method, request.path, 0 if lost else response.status))
        await self.state.notify()
        if lost and request.transport is not None:
            self.faults.dropped += 1
            request.transport.close()
        return response

    async def _handled(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            if "/webhooks/" not in request.path and "/interactions/" not in request.path:
                self._authorise(request)
            return await handler(request)
        except Refusal as refusal:
            body = {"message": str(refusal), "code": refusal.code}
            return self._refused(refusal.status, body)
        except web.HTTPException as error:
            return self._refused(error.status, {"message": error.reason, "code": 0})

    def _authorise(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "")
        if request.path.startswith("/api/") and given != f"Bot {self._token}":
            raise Refusal(401, 0)

    def _refused(self, status: int, body: dict[str, Any]) -> web.Response:
        # discord.py waits only where the answer came through Discord's own front.
        headers = {"Via": "1.1 stand-in", "Retry-After": str(RETRY_AFTER)} if status == 429 else {}
        return _json(body, status, headers)

    # Who the bot is.

    async def _me(self, request: web.Request) -> web.Response:
        return _json(BOT_USER)

    async def _application(self, request: web.Request) -> web.Response:
        return _json(
            {
                "id": APPLICATION,
                "name": "Easel",
                "icon": None,
                "description": "",
                "summary": "",
                "verify_key": "",
                "flags": 0,
                "bot_public": True,
                "bot_require_code_grant": False,
                "owner": BOT_USER,
            }
        )

    async def _gateway(self, request: web.Request) -> web.Response:
        limit = {"total": 1000, "remaining": 999, "reset_after": 1000, "max_concurrency": 1}
        url = self.origin.replace("http", "ws") + "/gateway"
        return _json({"url": url, "shards": 1, "session_start_limit": limit})

    async def _publish(self, request: web.Request) -> web.Response:
        return _json(self.state.publish(await request.json()))

    # Answers to interactions.

    def _interaction(self, request: web.Request) -> Interaction:
        found = self.state.interactions.get(request.match_info["token"])
        if found is None:
            raise Refusal(404, 10015)
        if found.expired:
            raise Refusal(401, 50027)
        return found

    async def _callback(self, request: web.Request) -> web.Response:
        interaction = self._interaction(request)
        body, files = await self._body(request)
        if interaction.acknowledged:
            raise Refusal(400, 40060)
        interaction.acknowledged, interaction.answered = True, time.monotonic()
        kind, data = body["type"], body.get("data") or {}
        if kind in (ANSWER, DEFER):
            interaction.original = self.state.add_message(data, files)
        elif kind == EDIT and interaction.original is not None:
            self.state.edit(interaction.original, data, files)
        told: dict[str, Any] = {"id": interaction.id, "type": 2}
        answer: dict[str, Any] = {"interaction": told, "resource": {"type": kind}}
        if interaction.original is not None and kind != DEFER_EDIT:
            message = interaction.original
            told["response_message_id"] = message.id
            told["response_message_loading"] = kind == DEFER
            told["response_message_ephemeral"] = bool(message.flags & EPHEMERAL)
            answer["resource"]["message"] = message.payload(self.origin)
        return _json(answer)

    async def _follow_up(self, request: web.Request) -> web.Response:
        interaction = self._interaction(request)
        message = self.state.add_message(*await self._body(request))
        interaction.follow_ups.append(message)
        return self._shown(message)

    async def _answer(self, request: web.Request) -> web.Response:
        return self._shown(self._of_interaction(request))

    async def _edit_answer(self, request: web.Request) -> web.Response:
        message = self._of_interaction(request)
        self.state.edit(message, *await self._body(request))
        return self._shown(message)

    async def _drop_answer(self, request: web.Request) -> web.Response:
        self._of_interaction(request).deleted = True
        return web.Response(status=204)

    def _of_interaction(self, request: web.Request) -> Message:
        interaction, id = self._interaction(request), request.match_info["id"]
        message = interaction.original if id == "@original" else self.state.messages.get(id)
        if message is None or message.deleted:
            raise Refusal(404, 10008)
        return message

    # Messages of a channel.

    def _channel_message(self, request: web.Request) -> Message:
        message = self.state.messages.get(request.match_info["id"])
        if message is None or message.deleted:
            raise Refusal(404, 10008)
        return message

    async def _history(self, request: web.Request) -> web.Response:
        before = int(request.query.get("before", 2**63))
        older = (
            message
            for message in reversed(self.state.messages.values())
            if message.visible and int(message.id) < before
        )
        page = itertools.islice(older, int(request.query.get("limit", 50)))
        return _json([message.payload(self.origin) for message in page])

    async def _send(self, request: web.Request) -> web.Response:
        if request.match_info["channel"] != CHANNEL:
            raise Refusal(403, 50001)
        body, files = await self._body(request)
        nonce = str(body.get("nonce") or "")
        if len(nonce) > 25:
            raise Refusal(400, 50035)
        earlier = self.state.repeated(nonce) if nonce and body.get("enforce_nonce") else None
        if earlier is not None:
            return self._shown(earlier)
        message = self.state.add_message(body, files)
        if nonce:
            self.state.remember(nonce, message)
        return self._shown(message)

    async def _message(self, request: web.Request) -> web.Response:
        return self._shown(self._channel_message(request))

    async def _edit(self, request: web.Request) -> web.Response:
        message = self._channel_message(request)
        self.state.edit(message, *await self._body(request))
        return self._shown(message)

    async def _delete(self, request: web.Request) -> web.Response:
        self._channel_message(request).deleted = True
        return web.Response(status=204)

    async def _member(self, request: web.Request) -> web.Response:
        member = self.state.members.get(request.match_info["id"])
        if member is None:
            raise Refusal(404, 10007)
        return _json(member)

    async def _file(self, request: web.Request) -> web.Response:
        file = self.state.files.get(request.match_info["id"])
        if file is None:
            raise Refusal(404, 10008)
        return web.Response(body=file.data, content_type=file.media_type)

    def _shown(self, message: Message) -> web.Response:
        return _json(message.payload(self.origin))

    async def _body(self, request: web.Request) -> tuple[dict[str, Any], list[StoredFile]]:
        """Read a request's JSON and its files, sent plainly or in parts."""
        if not request.content_type.startswith("multipart/"):
            return await request.json(), []
        body: dict[str, Any] = {}
        files: list[StoredFile] = []
        form = await request.post()
        for name, value in form.items():
            if isinstance(value, web.FileField):
                data = value.file.read()
                if len(data) > UPLOAD_LIMIT:
                    raise Refusal(413, 40005)
                files.append(self.state.add_file(value.filename, data, value.content_type))
            elif name == "payload_json":
                body = json.loads(str(value))
        return body, files


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Answer with the bare type: discord.py does not parse JSON that names its character set."""
    data = json.dumps(body).encode()
    return web.Response(
        body=data, status=status, headers={"Content-Type": "application/json", **(headers or {})}
    )
