"""What servers and members have chosen: settings with their history, defaults, styles."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

from storage.clock import Clock, SystemClock, from_microseconds, to_microseconds
from storage.database import Database, SqlExecutor
from storage.records import Json, encode_json

SAVE_SETTINGS = """
    INSERT INTO guild (guild, settings, changed_at) VALUES (?, ?, ?)
    ON CONFLICT (guild) DO UPDATE
       SET settings = excluded.settings, changed_at = excluded.changed_at
"""

SAVE_DEFAULTS = """
    INSERT INTO member_defaults (owner, defaults, changed_at) VALUES (?, ?, ?)
    ON CONFLICT (owner) DO UPDATE
       SET defaults = excluded.defaults, changed_at = excluded.changed_at
"""

SAVE_STYLE = """
    INSERT INTO style (guild, name, prompt, negative_prompt) VALUES (?, ?, ?, ?)
    ON CONFLICT (guild, name) DO UPDATE
       SET name = excluded.name, prompt = excluded.prompt,
           negative_prompt = excluded.negative_prompt
"""

INSERT_AUDIT_ENTRY = (
    "INSERT INTO guild_audit (guild, actor, subject, before, after, at) VALUES (?,?,?,?,?,?)"
)

SELECT_AUDIT_ENTRIES = "SELECT * FROM guild_audit WHERE guild = ? ORDER BY number DESC LIMIT ?"

SELECT_STYLES = "SELECT name, prompt, negative_prompt FROM style WHERE guild = ? ORDER BY name"

SELECT_STYLE = "SELECT name, prompt, negative_prompt FROM style WHERE guild = ? AND name = ?"

STYLE_SUBJECT_PREFIX = "style "
"""How the subject of a style's change begins; no setting has a space in its name."""

SELECT_CHOICES = """
    SELECT (SELECT settings FROM guild WHERE guild = :guild) AS settings,
           (SELECT defaults FROM member_defaults WHERE owner = :owner) AS defaults
"""

NO_STYLES: Mapping[str, Any] = MappingProxyType({})

SELECT_GPU_USE = """
    SELECT at, seconds FROM gpu_use
     WHERE guild = ? AND owner = ? AND at > ? ORDER BY at
"""


SAVE_ACCESS = """
    INSERT INTO host_access (kind, id, rule, actor, changed_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (kind, id) DO UPDATE
       SET rule = excluded.rule, actor = excluded.actor, changed_at = excluded.changed_at
"""


@dataclass(frozen=True, kw_only=True)
class PromptStyle:
    """Words that a server adds to prompts under a name."""

    #: What it is called; upper and lower case are one.
    name: str
    #: What it adds to the prompt.
    prompt: str
    #: What it adds to the negative prompt.
    negative_prompt: str = ""


@dataclass(frozen=True, kw_only=True)
class SettingsChange:
    """One change of what a server has chosen."""

    #: Who made it.
    actor: str
    #: What was changed: a setting's name, or `style` and the style's name.
    subject: str
    #: What it was; None where there was nothing.
    before: Any
    #: What it became; None where it was removed.
    after: Any
    #: When.
    at: datetime

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        """Return the change that a row of the table `guild_audit` holds."""
        return cls(
            actor=row["actor"],
            subject=row["subject"],
            before=json.loads(row["before"]),
            after=json.loads(row["after"]),
            at=from_microseconds(row["at"]),
        )

    @property
    def style_name(self) -> str | None:
        """The name of the style that was changed; None where it was a setting."""
        return (
            self.subject.removeprefix(STYLE_SUBJECT_PREFIX)
            if self.subject.startswith(STYLE_SUBJECT_PREFIX)
            else None
        )


class GuildStore:
    """What servers and members have chosen; the values are opaque here."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    async def get_settings(self, guild: str) -> dict[str, Any]:
        """Return the server's settings; those never chosen are absent."""
        return await _read_settings(self._database, guild)

    async def change_settings(
        self,
        guild: str,
        actor: str,
        changes: Json,
        styles: Mapping[str, PromptStyle | None] = NO_STYLES,
    ) -> dict[str, Any]:
        """Set each setting in `changes`, or remove it where the value is None; return them all.

        So each of `styles` by its name. Each one that differs from before leaves a row in the
        server's record of changes, all at one time.
        """
        changed_at = self._now_microseconds()
        async with self._database.transaction() as transaction:
            old_settings = await _read_settings(transaction, guild)
            merged_settings = {**old_settings, **changes}
            new_settings = {
                name: value for name, value in merged_settings.items() if value is not None
            }
            await transaction.execute(SAVE_SETTINGS, (guild, encode_json(new_settings), changed_at))
            for name in changes:
                old, new = old_settings.get(name), new_settings.get(name)
                if old != new:
                    await _record_change(transaction, guild, actor, name, old, new, changed_at)
            for name, style in styles.items():
                await _change_style(transaction, guild, actor, name, style, changed_at)
        return new_settings

    async def list_changes(self, guild: str, limit: int = 25) -> list[SettingsChange]:
        """Return the server's changes, newest first."""
        rows = await self._database.fetch_all(SELECT_AUDIT_ENTRIES, (guild, limit))
        return [SettingsChange.from_row(row) for row in rows]

    async def member_defaults(self, owner: str) -> dict[str, Any]:
        """Return what the member has chosen as defaults; empty when nothing."""
        text = await self._database.fetch_value(
            "SELECT defaults FROM member_defaults WHERE owner = ?", (owner,)
        )
        return {} if text is None else dict(json.loads(text))

    async def get_choices(
        self, guild: str | None, owner: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the server's settings and the member's defaults, read together."""
        values = {"guild": guild, "owner": owner}
        (row,) = await self._database.fetch_all(SELECT_CHOICES, values)
        return json.loads(row["settings"] or "{}"), json.loads(row["defaults"] or "{}")

    async def put_member_defaults(self, owner: str, defaults: Json) -> None:
        """Replace the member's defaults."""
        await self._database.execute(
            SAVE_DEFAULTS, (owner, encode_json(defaults), self._now_microseconds())
        )

    async def forget_member(self, owner: str) -> bool:
        """Delete the member's defaults and return whether there were any."""
        sql = "DELETE FROM member_defaults WHERE owner = ? RETURNING owner"
        return await self._database.fetch_one(sql, (owner,)) is not None

    async def list_styles(self, guild: str) -> list[PromptStyle]:
        """Return the server's styles by name."""
        return [
            PromptStyle(**dict(row))
            for row in await self._database.fetch_all(SELECT_STYLES, (guild,))
        ]

    async def get_style(self, guild: str, name: str) -> PromptStyle | None:
        """Return the style of that name, or None."""
        return await _read_style(self._database, guild, name)

    async def put_style(self, guild: str, actor: str, style: PromptStyle) -> None:
        """Add the style, or replace the one of its name."""
        async with self._database.transaction() as transaction:
            await _change_style(
                transaction, guild, actor, style.name, style, self._now_microseconds()
            )

    async def delete_style(self, guild: str, actor: str, name: str) -> bool:
        """Delete the style and return whether there was one."""
        async with self._database.transaction() as transaction:
            return await _change_style(
                transaction, guild, actor, name, None, self._now_microseconds()
            )

    def _now_microseconds(self) -> int:
        return to_microseconds(self._clock.now())


async def _read_settings(queries: SqlExecutor, guild: str) -> dict[str, Any]:
    row = await queries.fetch_one("SELECT settings FROM guild WHERE guild = ?", (guild,))
    return {} if row is None else dict(json.loads(row["settings"]))


async def _read_style(queries: SqlExecutor, guild: str, name: str) -> PromptStyle | None:
    row = await queries.fetch_one(SELECT_STYLE, (guild, name))
    return None if row is None else PromptStyle(**dict(row))


async def _record_change(
    queries: SqlExecutor,
    guild: str,
    actor: str,
    subject: str,
    old_value: Any,
    new_value: Any,
    changed_at: int,
) -> None:
    values = (guild, actor, subject, json.dumps(old_value), json.dumps(new_value), changed_at)
    await queries.execute(INSERT_AUDIT_ENTRY, values)


async def _change_style(
    queries: SqlExecutor,
    guild: str,
    actor: str,
    name: str,
    style: PromptStyle | None,
    changed_at: int,
) -> bool:
    """Put a style under a name, or none; record it and return whether there was one."""
    old_style = await _read_style(queries, guild, name)
    if style is not None:
        words = (guild, style.name, style.prompt, style.negative_prompt)
        await queries.execute(SAVE_STYLE, words)
    elif old_style is not None:
        await queries.execute("DELETE FROM style WHERE guild = ? AND name = ?", (guild, name))
    old, new = (None if version is None else asdict(version) for version in (old_style, style))
    if old != new:
        style_name = (style or old_style or PromptStyle(name=name, prompt="")).name
        await _record_change(
            queries, guild, actor, STYLE_SUBJECT_PREFIX + style_name, old, new, changed_at
        )
    return old_style is not None


@dataclass(frozen=True)
class GpuUse:
    """What one job used of the GPU."""

    #: When the job ended.
    at: datetime
    #: Seconds of the GPU, as the worker measured them.
    seconds: float


class UsageStore:
    """Read the GPU time that the schema's trigger records for every job of a server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def usage_since(self, moment: datetime, guild: str, owner: str) -> list[GpuUse]:
        """Return what the member's jobs on that server used after `moment`, oldest first.

        No more than a day is kept.
        """
        rows = await self._database.fetch_all(
            SELECT_GPU_USE, (guild, owner, to_microseconds(moment))
        )
        return [GpuUse(from_microseconds(row["at"]), row["seconds"]) for row in rows]


@dataclass(frozen=True)
class AccessEntry:
    """One member or server that the host blocks or allows."""

    #: `member` or `server`.
    kind: str
    id: str
    #: `allow` or `block`.
    rule: str


class AccessStore:
    """Whom the host blocks and allows, as its owners said while the bot ran."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    async def list_entries(self) -> list[AccessEntry]:
        """Return all entries, by kind and id."""
        sql = "SELECT kind, id, rule FROM host_access ORDER BY kind, id"
        return [AccessEntry(**dict(row)) for row in await self._database.fetch_all(sql)]

    async def put_entry(self, entry: AccessEntry, actor: str) -> None:
        """Keep an entry in place of the one of that member or server."""
        values = (entry.kind, entry.id, entry.rule, actor, to_microseconds(self._clock.now()))
        await self._database.execute(SAVE_ACCESS, values)

    async def delete_entry(self, kind: str, id: str) -> bool:
        """Delete the entry of a member or a server and return whether there was one."""
        sql = "DELETE FROM host_access WHERE kind = ? AND id = ? RETURNING id"
        return await self._database.fetch_one(sql, (kind, id)) is not None
