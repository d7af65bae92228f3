"""A corpus of what secrets look like, and of what looks like them and is none."""

from __future__ import annotations

import base64

import pytest

from bot.support.logging import REDACTED_TEXT, redact_secrets, redact_values

ID = base64.b64encode(b"123456789012345678").decode().rstrip("=")
BOT = f"{ID}.GaBcDe.{'x7_K-9' * 6}ab"
OLD_BOT = f"{ID}.XabCdE.{'q' * 27}"
INTERACTION = base64.urlsafe_b64encode(b"interaction:1234567890:" + b"secret" * 20).decode()
WEBHOOK = "a-webhook_token" * 4

SECRETS = {
    "a bot's token": (f"login with {BOT} failed", BOT),
    "an older bot's token": (f"token={OLD_BOT}", OLD_BOT),
    "a user's token": (f"mfa.{'a1-_' * 10}", "a1-_a1"),
    "an interaction's token": (f"PATCH {INTERACTION}/messages", INTERACTION),
    "an interaction's address": (
        f"https://discord.com/api/v10/interactions/42/{WEBHOOK}/callback",
        WEBHOOK,
    ),
    "a webhook's address": (f"https://discord.com/api/webhooks/42/{WEBHOOK}", WEBHOOK),
    "a webhook's message": (
        f"404 for https://discord.com/api/v10/webhooks/4/{WEBHOOK}/messages/@original?wait=1",
        WEBHOOK,
    ),
    "a webhook of a test server": (f"http://127.0.0.1/api/webhooks/4/{WEBHOOK}", WEBHOOK),
    "a header": (f"Authorization: Bot {BOT}", BOT),
    "a header of another kind": ("authorization: Bearer abcdefghijkl", "abcdefghijkl"),
    "a header in a dictionary": ("{'Authorization': 'Bot somethingsecret'}", "somethingsecret"),
    "a header in a list": ("('Authorization', 'Bot somethingsecret')", "somethingsecret"),
    "an address of a job": ('{"application_id": 1, "token": "aW5zZWNyZXQ"}', "aW5zZWNyZXQ"),
    "a setting": ("DISCORD_TOKEN=notashapeatall", "notashapeatall"),
    "a password": ("password: hunter2222", "hunter2222"),
    "a key in a query": ("GET /x?api_key=abcdef123456&y=1", "abcdef123456"),
    "a hub's token": (f"hf_{'aB3' * 10}", "aB3aB3"),
    "a signed attachment": (f"https://cdn.discordapp.com/a.png?ex=1&hm={'ab12' * 16}", "ab12ab12"),
}

HARMLESS = [
    "Job 0f1m3x9k2p8s7q5r4t6v is shown as message 1234567890123456789.",
    "20 tokens of 77 were used: a (red:1.2) apple",
    "inference.operations.loopback.operation.module.py",
    "sha256 " + "5e" * 32,
    "https://discord.com/channels/1/2/3",
    "worker0-12345-abcdef takes no jobs for 10 min",
    'File "/opt/easel/bot/delivery/delivery.py", line 12, in settle',
    "2026-03-01T12:00:00.000000Z",
]


@pytest.mark.parametrize("name", SECRETS)
def test_what_looks_like_a_secret_goes(name):
    text, secret = SECRETS[name]

    clean = redact_secrets(text)

    assert secret not in clean
    assert REDACTED_TEXT in clean


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text):
    assert redact_secrets(text) == text


def test_twice_is_as_good_as_once():
    for text, _ in SECRETS.values():
        assert redact_secrets(text) == redact_secrets(redact_secrets(text))


def test_structures_are_cleaned_to_their_leaves():
    error = ValueError(f"401 for {BOT}")

    clean = redact_values({"error": error, "tried": [(1, BOT), {BOT: None}], "ok": True})

    assert BOT not in str(clean)
    assert (clean["tried"][0][0], clean["ok"]) == (1, True)
