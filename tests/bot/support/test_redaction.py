"""A corpus of what secrets look like, and of what looks like them and is none."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.support.redaction import (
    ESCAPE_PATTERN,
    REDACTED_TEXT,
    _unescape_character,
    redact_secrets,
    redact_values,
)

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
    "a password in an address": ("postgres://easel:hunter2@db.local/x", "hunter2"),
    "a token in an address": (f"https://x-access-token:ghs_{'aB3' * 12}@github.com/x", "aB3aB3"),
    "a token without a name": (f"https://:{WEBHOOK}@example.org/x", WEBHOOK),
    "an address of GitHub": (f"cloning with ghp_{'aB3d' * 9} failed", "aB3daB3d"),
    "a fine-grained one of GitHub": (f"github_pat_11ABC_{'aB3d' * 9}", "aB3daB3d"),
    "a key of a language model": (f"sk-proj-{'aB3d' * 9}", "aB3daB3d"),
    "a key of a payment": (f"sk_live_{'aB3d' * 6}", "aB3daB3d"),
    "a token of Slack": (f"xoxb-1234567890-{'aB3d' * 6}", "aB3daB3d"),
    "a key of Amazon": ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7EXAMPLE"),
    "a key of Google": (f"AIza{'aB3d_' * 7}", "aB3d_aB3d"),
    "a token of GitLab": (f"glpat-{'aB3d' * 5}", "aB3daB3d"),
    "a token of npm": (f"npm_{'aB3d' * 9}", "aB3daB3d"),
    "a token of PyPI": (f"pypi-AgEIcHlwaS5vcmc{'aB3d' * 9}", "aB3daB3d"),
    "a web token": (f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{'aB3d' * 9}", "aB3daB3d"),
    "a bearer": (f"sent Bearer {'aB3d' * 9}", "aB3daB3d"),
    "a private key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n", "MIIEow"),
    "a secret of a cloud": (f"aws_secret_access_key = {'aB3d/' * 8}", "aB3d/aB3d"),
    "a session": (f"Cookie: {'aB3d' * 9}", "aB3daB3d"),
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
    "a task-force-of-cartoon-animals-marching, 35mm, sk-8 board",
    "http://127.0.0.1:8080/a:b/@me",
    "ada@example.org: a basic drawing of a robot and a bearer of good news",
    "50%25 grey, C:\\x41\\u0041, 100% done",
]


@pytest.mark.parametrize("name", SECRETS)
def test_what_looks_like_a_secret_goes(name):
    text, secret = SECRETS[name]

    clean = redact_secrets(text)

    assert secret not in clean
    assert REDACTED_TEXT in clean


ESCAPES = (
    lambda character: f"%{ord(character):02x}",
    lambda character: f"%{ord(character):02X}",
    lambda character: f"\\u{ord(character):04x}",
    lambda character: f"\\x{ord(character):02x}",
    lambda character: character,
)


@given(name=st.sampled_from(sorted(SECRETS)), draw=st.data(), rounds=st.integers(1, 3))
def test_no_way_of_writing_its_characters_hides_a_secret(name, draw, rounds):
    text, secret = SECRETS[name]
    for number in range(rounds):
        ways = draw.draw(st.lists(st.sampled_from(ESCAPES), min_size=len(text), max_size=len(text)))
        if number:  # what was escaped is escaped once more, as an address within an address is
            ways = [ESCAPES[0] if character in "%\\" else ESCAPES[-1] for character in text]
        text = "".join(way(character) for way, character in zip(ways, text, strict=True))

    clean = redact_secrets(text)

    for _ in range(rounds):
        clean = ESCAPE_PATTERN.sub(_unescape_character, clean)
    assert secret not in clean
    assert REDACTED_TEXT in clean


@pytest.mark.parametrize("quote", [urllib.parse.quote, urllib.parse.quote_plus, json.dumps, repr])
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_was_quoted_goes(name, quote):
    text, secret = SECRETS[name]

    assert secret not in redact_secrets(quote(quote(text)))
    assert REDACTED_TEXT in redact_secrets(quote(quote(text)))


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
    assert redact_values({"password": "hunter2", "tokens": 7, "db_token": b"x", "trace": "1"}) == {
        "password": REDACTED_TEXT,
        "tokens": 7,
        "db_token": REDACTED_TEXT,
        "trace": "1",
    }
    assert (clean["tried"][0][0], clean["ok"]) == (1, True)
