"""A stand-in for the part of Discord's REST that says whose a token is and what its bot may do."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

API = "/api/v10"
BOT_ID, OTHER_BOT_ID, GUILD_ID, ROLE_ID = 800_000_000_000_000_001, 800_000_000_000_000_002, 900, 901
ADMINISTRATOR, EVERYTHING = 1 << 3, (1 << 50) - 1 - (1 << 3)


def token_of(bot_id: int) -> str:
    """Make a token of the form that Discord's have."""
    first = base64.urlsafe_b64encode(str(bot_id).encode()).decode().rstrip("=")
    return f"{first}.GabcdE.{'s' * 38}"


@dataclass
class StandInGuild:
    """A server that the bot is on."""

    name: str = "Brushes"
    everyone: int = EVERYTHING
    role: int = 0
    #: Name, kind and overwrites (id, allow, deny) of each channel.
    channels: list[tuple[str, int, list[tuple[int, int, int]]]] = field(default_factory=list)


class StandInAccounts(ThreadingHTTPServer):
    """Knows one bot, its application and its servers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.token = token_of(BOT_ID)
        self.bot_id = BOT_ID
        self.application: dict[str, Any] = {"bot_public": True, "flags": 0}
        self.guilds: dict[int, StandInGuild] = {}
        self.status = 200
        self.requests: list[str] = []

    @property
    def api_base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{API}"

    def answers(self) -> Mapping[str, Any]:
        """List what each route answers."""
        pages: dict[str, Any] = {
            "/users/@me": {"id": str(self.bot_id), "username": "easel-of-ada", "bot": True},
            "/applications/@me": {"id": str(self.bot_id), "name": "Easel"} | self.application,
            "/users/@me/guilds": [
                {"id": str(number), "name": guild.name} for number, guild in self.guilds.items()
            ],
        }
        for number, guild in self.guilds.items():
            pages |= {
                f"/guilds/{number}/roles": [
                    {"id": str(number), "permissions": str(guild.everyone)},
                    {"id": str(ROLE_ID), "permissions": str(guild.role)},
                ],
                f"/guilds/{number}/channels": [
                    {
                        "id": str(1000 + place),
                        "name": name,
                        "type": kind,
                        "permission_overwrites": [
                            {"id": str(owner), "type": 0, "allow": str(allow), "deny": str(deny)}
                            for owner, allow, deny in overwrites
                        ],
                    }
                    for place, (name, kind, overwrites) in enumerate(guild.channels)
                ],
                f"/guilds/{number}/members/{self.bot_id}": {"roles": [str(ROLE_ID)]},
            }
        return pages


class Answers(BaseHTTPRequestHandler):
    server: StandInAccounts

    def do_GET(self) -> None:
        route = self.path.removeprefix(API)
        self.server.requests.append(route)
        pages = self.server.answers()
        if self.headers.get("Authorization") != f"Bot {self.server.token}":
            self.give(401, {"message": "401: Unauthorized", "code": 0})
        elif self.server.status != 200:
            self.give(self.server.status, {"message": "no", "code": 0})
        elif route in pages:
            self.give(200, pages[route])
        else:
            self.give(404, {"message": "404: Not Found", "code": 0})

    def give(self, status: int, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def serve_accounts() -> Iterator[StandInAccounts]:
    """Serve until the block ends."""
    with StandInAccounts() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
