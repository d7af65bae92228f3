"""Discord's own description of its API, and what a request of the bot's has against it.

The document is fetched with npm once and kept in pytest's cache; without npm, or without the
network that it needs, nothing is checked and the reason is told.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT202012

PACKAGES = ("discord-api-spec@10.0.266135", "zod@4.6.7")
SCRIPT = Path(__file__).parent / "generate.mjs"
PATIENCE = 120  # seconds for npm
NAME = re.compile(r"\w+(\[\])?")
HOLE = re.compile(r"^\{.*\}$")
EXTRA = {
    "ApplicationCommandUpdateRequest": ("nsfw",),
    "IncomingWebhookUpdateForInteractionCallbackRequestPartial": ("tts",),
    "IncomingWebhookUpdateRequestPartial": ("tts",),
    "MessageEditRequestPartial": ("tts",),
    "RichEmbed": ("flags",),
}
"""Fields that discord.py always sends and Discord ignores where it does not know them."""

MEDIA = 16
"""A type of channel that Discord's documentation has (GUILD_MEDIA) and the document lacks."""

SNOWFLAKE = {"type": ["string", "integer"], "pattern": "^(0|[1-9][0-9]*)$"}
"""Ids are strings; of new files discord.py sends their place in the message, as Discord asks."""


class Unavailable(Exception):
    """The document cannot be had here."""


def fetched(cache: Path) -> DiscordSchema:
    """Read the document from the cache, fetched first where it is not there.

    Raises:
        Unavailable: there is no npm, or it could not fetch it.
    """
    kept = cache / f"{'-'.join(PACKAGES).replace('/', '-')}.json"
    with FileLock(cache / "lock"):  # several test processes share the cache
        if not kept.exists():
            kept.write_text(_generated(cache), encoding="utf-8")
    document = json.loads(kept.read_text(encoding="utf-8"))
    return DiscordSchema(document["schemas"], document["bodies"])


def _generated(folder: Path) -> str:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise Unavailable("npm or node is not installed")
    script = folder / SCRIPT.name
    shutil.copyfile(SCRIPT, script)
    install = [npm, "install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix", "."]
    install += ["--fetch-retries=0"]
    try:
        subprocess.run([*install, *PACKAGES], cwd=folder, check=True, timeout=PATIENCE)
        made = subprocess.run(
            [node, str(script)], cwd=folder, check=True, timeout=PATIENCE, capture_output=True
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise Unavailable(f"npm could not fetch {PACKAGES[0]}: {error}") from error
    return made.stdout.decode("utf-8")


IDS = re.compile(r"\b(?:[0-9]{15,20}|[0-9a-z]{20})\b")
"""Discord's ids and ours: to the schema one is as good as another of its length."""


class DiscordSchema:
    """What bodies of requests may hold."""

    def __init__(self, schemas: dict[str, Any], bodies: dict[str, str]) -> None:
        self._schemas = {name: _closed(schema) for name, schema in schemas.items()}
        self._schemas["SnowflakeType"] = SNOWFLAKE
        self._schemas["ChannelTypes"]["enum"].append(MEDIA)
        for name, fields in EXTRA.items():
            self._schemas[name]["properties"] |= {field: {} for field in fields}
        self._bodies = bodies
        self._validators: dict[str, Draft202012Validator] = {}
        self._seen: dict[str, list[str]] = {}

    def findings(self, method: str, path: str, body: Any) -> list[str]:
        """List what a request has against it; empty where it is as Discord wants it."""
        operation = self._operation(method, path)
        if operation is None:
            return [f"{method} {path}: no such operation"]
        expected = self._bodies[operation]
        if body is None or expected == "any":
            return []
        shape = json.dumps(body, sort_keys=True, default=str)
        key = operation + IDS.sub(lambda match: "1" * len(match[0]), shape)
        if key not in self._seen:
            self._seen[key] = [
                f"{operation}: {problem}" for problem in self._problems(expected, body)
            ]
        return self._seen[key]

    def _problems(self, expected: str, body: Any) -> Iterator[str]:
        if expected == "undefined":
            yield f"takes no body, but got {json.dumps(body)[:200]}"
            return
        for error in self._validator(expected).iter_errors(body):
            told = _told(error)
            yield f"{'.'.join(map(str, told.absolute_path)) or 'body'}: {told.message[:300]}"

    def _operation(self, method: str, path: str) -> str | None:
        """Find the operation of a path; literal segments go before parameters."""
        segments = path.strip("/").split("/")
        found = [
            (sum(not HOLE.match(part) for part in template), name)
            for name, template in self._templates
            if name.startswith(f"{method} ")
            and len(template) == len(segments)
            and all(
                HOLE.match(part) or part == segment
                for part, segment in zip(template, segments, strict=True)
            )
        ]
        return max(found)[1] if found else None

    @cached_property
    def _templates(self) -> list[tuple[str, list[str]]]:
        return [(name, name.partition(" ")[2].strip("/").split("/")) for name in self._bodies]

    def _validator(self, expected: str) -> Draft202012Validator:
        if expected not in self._validators:
            ways = [_way(part.strip()) for part in expected.split("|") if part.strip()]
            registry: Registry[Any] = Registry().with_resources(
                (name, DRAFT202012.create_resource(schema))
                for name, schema in self._schemas.items()
            )
            self._validators[expected] = Draft202012Validator({"anyOf": ways}, registry=registry)
        return self._validators[expected]


def _way(name: str) -> dict[str, Any]:
    if name == "null":
        return {"type": "null"}
    if not NAME.fullmatch(name):
        raise ValueError(f"a body of {name}")
    reference = {"$ref": name.removesuffix("[]")}
    return {"type": "array", "items": reference} if name.endswith("[]") else reference


def _closed(schema: Any) -> Any:
    """Forbid fields that a schema does not name: a misspelled one would do nothing, in silence."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: value if key == "enum" else _closed(value) for key, value in schema.items()}
    if "properties" in closed and "type" in closed and "additionalProperties" not in closed:
        closed["additionalProperties"] = False
    return closed


def _told(error: ValidationError) -> ValidationError:
    """Of the ways in which a union can fail, tell the one that came furthest into the body."""
    ways = [_told(way) for way in error.context or ()]
    return max(ways, key=lambda way: len(way.absolute_path), default=error)
