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
from storage.database import Database, Queries
from storage.records import Json, encode

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

RECORD = "INSERT INTO guild_audit (guild, actor, subject, before, after, at) VALUES (?,?,?,?,?,?)"

AUDIT = "SELECT * FROM guild_audit WHERE guild = ? ORDER BY number DESC LIMIT ?"

STYLES = "SELECT name, prompt, negative_prompt FROM style WHERE guild = ? ORDER BY name"

STYLE = "SELECT name, prompt, negative_prompt FROM style WHERE guild = ? AND name = ?"

OF_STYLE = "style "
"""How the subject of a style's change begins; no setting has a space in its name."""

NO_STYLES: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Style:
    """Words that a server adds to prompts under a name."""

    #: What it is called; upper and lower case are one.
    name: str
    #: What it adds to the prompt.
    prompt: str
    #: What it adds to the negative prompt.
    negative_prompt: str = ""


@dataclass(frozen=True, kw_only=True)
class Change:
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
    def style(self) -> str | None:
        """The name of the style that was changed; None where it was a setting."""
        return self.subject.removeprefix(OF_STYLE) if self.subject.startswith(OF_STYLE) else None


class GuildStore:
    """What servers and members have chosen; the values are opaque here."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    async def settings(self, guild: str) -> dict[str, Any]:
        """Return the server's settings; those never chosen are absent."""
        return await _settings(self._database, guild)

    async def change_settings(
        self,
        guild: str,
        actor: str,
        changes: Json,
        styles: Mapping[str, Style | None] = NO_STYLES,
    ) -> dict[str, Any]:
        """Set each setting in `changes`, or remove it where the value is None; return them all.

        So each of `styles` by its name. Each one that differs from before leaves a row in the
        server's record of changes, all at one time.
        """
        now = self._now()
        async with self._database.transaction() as transaction:
            before = await _settings(transaction, guild)
            merged = {**before, **changes}
            after = {name: value for name, value in merged.items() if value is not None}
            await transaction.execute(SAVE_SETTINGS, (guild, encode(after), now))
            for name in changes:
                old, new = before.get(name), after.get(name)
                if old != new:
                    await _record(transaction, guild, actor, name, old, new, now)
            for name, style in styles.items():
                await _change_style(transaction, guild, actor, name, style, now)
        return after

    async def audit(self, guild: str, limit: int = 25) -> list[Change]:
        """Return the server's changes, newest first."""
        rows = await self._database.fetch_all(AUDIT, (guild, limit))
        return [Change.from_row(row) for row in rows]

    async def member_defaults(self, owner: str) -> dict[str, Any]:
        """Return what the member has chosen as defaults; empty when nothing."""
        text = await self._database.fetch_value(
            "SELECT defaults FROM member_defaults WHERE owner = ?", (owner,)
        )
        return {} if text is None else dict(json.loads(text))

    async def put_member_defaults(self, owner: str, defaults: Json) -> None:
        """Replace the member's defaults."""
        await self._database.execute(SAVE_DEFAULTS, (owner, encode(defaults), self._now()))

    async def forget_member(self, owner: str) -> bool:
        """Delete the member's defaults and return whether there were any."""
        sql = "DELETE FROM member_defaults WHERE owner = ? RETURNING owner"
        return await self._database.fetch_one(sql, (owner,)) is not None

    async def styles(self, guild: str) -> list[Style]:
        """Return the server's styles by name."""
        return [Style(**dict(row)) for row in await self._database.fetch_all(STYLES, (guild,))]

    async def style(self, guild: str, name: str) -> Style | None:
        """Return the style of that name, or None."""
        return await _style(self._database, guild, name)

    async def put_style(self, guild: str, actor: str, style: Style) -> None:
        """Add the style, or replace the one of its name."""
        async with self._database.transaction() as transaction:
            await _change_style(transaction, guild, actor, style.name, style, self._now())

    async def delete_style(self, guild: str, actor: str, name: str) -> bool:
        """Delete the style and return whether there was one."""
        async with self._database.transaction() as transaction:
            return await _change_style(transaction, guild, actor, name, None, self._now())

    def _now(self) -> int:
        return to_microseconds(self._clock.now())


async def _settings(queries: Queries, guild: str) -> dict[str, Any]:
    row = await queries.fetch_one("SELECT settings FROM guild WHERE guild = ?", (guild,))
    return {} if row is None else dict(json.loads(row["settings"]))


async def _style(queries: Queries, guild: str, name: str) -> Style | None:
    row = await queries.fetch_one(STYLE, (guild, name))
    return None if row is None else Style(**dict(row))


async def _record(
    queries: Queries, guild: str, actor: str, subject: str, before: Any, after: Any, now: int
) -> None:
    values = (guild, actor, subject, json.dumps(before), json.dumps(after), now)
    await queries.execute(RECORD, values)


async def _change_style(
    queries: Queries, guild: str, actor: str, name: str, style: Style | None, now: int
) -> bool:
    """Put a style under a name, or none; record it and return whether there was one."""
    before = await _style(queries, guild, name)
    if style is not None:
        words = (guild, style.name, style.prompt, style.negative_prompt)
        await queries.execute(SAVE_STYLE, words)
    elif before is not None:
        await queries.execute("DELETE FROM style WHERE guild = ? AND name = ?", (guild, name))
    old, new = (None if one is None else asdict(one) for one in (before, style))
    if old != new:
        called = (style or before or Style(name=name, prompt="")).name
        await _record(queries, guild, actor, OF_STYLE + called, old, new, now)
    return before is not None
