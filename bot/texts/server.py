"""A server's settings and who changed them."""

from __future__ import annotations

from collections.abc import Iterable

from bot.policy import Rules
from bot.texts.signs import MAX_CONTENT, quote, within
from storage.guilds import Change


def settings(rules: Rules, changes: Iterable[Change]) -> str:
    """Show what a server has set, and who changed it last."""
    lines = [
        "**Easel on this server**",
        "Channels: " + (" ".join(f"<#{id}>" for id in sorted(rules.channels)) or "all"),
        "Roles: " + (" ".join(f"<@&{id}>" for id in sorted(rules.roles)) or "everyone"),
    ]
    ceilings = ("max_steps", "max_megapixels", "max_batch", "max_loops", "max_jobs")
    for name in ceilings:
        value = getattr(rules, name)
        label = name.removeprefix("max_").capitalize()
        lines.append(
            f"{label}: " + ("as the host allows" if value is None else f"at most {value:g}")
        )
    for change in changes:
        moment = f"<t:{int(change.at.timestamp())}:R>"
        before, after = (quote(str(value), 80) for value in (change.before, change.after))
        lines.append(f"-# {moment} <@{change.actor}> {change.subject}: {before} → {after}")
    return within(MAX_CONTENT, lines)
