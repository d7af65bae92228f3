"""What Discord's schema takes and refuses; every request of every scenario is held to it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles.discord_schema import DiscordSchema

CALLBACK = "/interactions/1/token/callback"
EDIT = "/webhooks/1/token/messages/@original"


@pytest.fixture
def schema(discord_schema: DiscordSchema | str) -> DiscordSchema:
    if isinstance(discord_schema, str):
        pytest.skip(discord_schema)
    return discord_schema


def button(**more: Any) -> dict[str, Any]:
    own = {"type": 2, "style": 1, "label": "Again", "custom_id": "easel:again:1"}
    return {"components": [{"type": 1, "components": [own | more]}]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/channels/1/messages", {"content": "hello", "nonce": "a", "enforce_nonce": True}),
        ("POST", "/channels/1/messages", {"attachments": [{"id": 0, "filename": "a.png"}]}),
        ("POST", CALLBACK, {"type": 5, "data": {"flags": 64}}),
        ("PATCH", EDIT, button()),
        ("DELETE", EDIT, None),
        ("GET", "/channels/1/messages/2", None),
        ("PUT", "/applications/1/commands", [{"name": "img2img", "description": "Repaint."}]),
    ],
)
def test_what_discord_takes(schema, method, path, body):
    assert schema.findings(method, path, body) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("POST", "/channels/1/messages", {"content": "a" * 4001}, "content"),
        ("POST", "/channels/1/messages", {"contents": "a"}, "contents"),
        ("POST", "/channels/1/messages", {"attachments": [{}] * 11}, "attachments"),
        ("POST", "/channels/1/messages", {"nonce": "a" * 26}, "nonce"),
        ("POST", "/channels/1/message", {"content": "a"}, "no such operation"),
        ("POST", CALLBACK, {"type": 99}, "callback"),
        ("PATCH", EDIT, {"content": "a" * 2001}, "content"),
        ("PATCH", EDIT, button(style=9), "style"),
        ("PATCH", EDIT, button(label="a" * 81), "label"),
        ("PATCH", EDIT, button(custom_id="a" * 101), "custom_id"),
        ("PATCH", EDIT, {"components": [{"type": 1, "components": []}]}, "components"),
        ("DELETE", EDIT, {"content": "a"}, "takes no body"),
        ("PUT", "/applications/1/commands", [{"name": "a" * 33, "description": "b"}], "name"),
        ("PUT", "/applications/1/commands", [{"description": "b"}], "name"),
    ],
)
def test_what_it_refuses(schema, method, path, body, told):
    findings = schema.findings(method, path, body)
    assert findings
    assert told in findings[0]
