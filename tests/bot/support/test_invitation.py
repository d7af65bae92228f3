"""The permissions that Easel asks for are those that its code uses, and no others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import discord

from bot.support.invitation import (
    NEEDED_PERMISSIONS,
    PERMISSION_TITLES,
    list_missing,
    needed_permissions,
)

BOT = Path(__file__).parents[3] / "bot"
#: Calls of discord.py that take a right in a channel, and which (Discord's documentation of each
#: route). A call of an interaction or its webhook takes none.
CALL_PERMISSIONS = {
    "send": {"view_channel", "send_messages", "send_messages_in_threads"},
    "reply": {"view_channel", "send_messages", "send_messages_in_threads", "read_message_history"},
    "history": {"view_channel", "read_message_history"},
    "fetch_message": {"view_channel", "read_message_history"},
    "add_reaction": {"add_reactions"},
    "clear_reactions": {"manage_messages"},
    "create_thread": {"create_public_threads"},
    "create_webhook": {"manage_webhooks"},
    "pin": {"manage_messages"},
    "purge": {"manage_messages"},
    "delete_messages": {"manage_messages"},
    "publish": {"manage_messages"},
    "ban": {"ban_members"},
    "kick": {"kick_members"},
    "timeout": {"moderate_members"},
    "add_roles": {"manage_roles"},
    "create_invite": {"create_instant_invite"},
    "create_text_channel": {"manage_channels"},
    "create_custom_emoji": {"create_expressions"},
}
#: What a sent message may hold, and which right that takes.
FIELD_PERMISSIONS = {
    "file": "attach_files",
    "files": "attach_files",
    "embed": "embed_links",
    "embeds": "embed_links",
    "tts": "send_tts_messages",
    "stickers": "use_external_stickers",
    "poll": "send_polls",
}
WITHOUT_RIGHTS = ("followup", "response", "interaction", "_interaction", "reply_webhook")


def calls_of_discord() -> Iterator[tuple[str, ast.Call]]:
    for path in BOT.rglob("*.py"):
        if "cli" in path.relative_to(BOT).parts or "discord" not in path.read_text("utf-8"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                receiver = ast.unparse(node.func.value)
                if not any(name in receiver for name in WITHOUT_RIGHTS):
                    yield node.func.attr, node


def permissions_used() -> set[str]:
    used: set[str] = set()
    for name, call in calls_of_discord():
        used |= CALL_PERMISSIONS.get(name, set())
        if name in ("send", "reply"):
            fields = {keyword.arg for keyword in call.keywords}
            used |= {FIELD_PERMISSIONS[field] for field in fields & FIELD_PERMISSIONS.keys()}
    return used


def test_what_the_code_uses_is_what_is_asked_for():
    assert permissions_used() == set(NEEDED_PERMISSIONS)


def test_each_has_a_title_and_is_one_of_discords():
    assert PERMISSION_TITLES.keys() == NEEDED_PERMISSIONS.keys()
    assert set(NEEDED_PERMISSIONS) <= set(discord.Permissions.VALID_FLAGS)


def test_what_is_missing_is_listed():
    assert list_missing(needed_permissions()) == []
    assert list_missing(discord.Permissions.none()) == list(NEEDED_PERMISSIONS)
