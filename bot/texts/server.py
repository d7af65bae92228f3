"""A server's settings and who changed them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.policy import Rules, Use, left_of
from bot.policy.quota import WINDOW
from bot.texts.signs import MAX_CONTENT, quote, within
from storage.guilds import Change

HOST = "as the host allows"
CEILINGS = {
    "max_steps": "Steps",
    "max_megapixels": "Megapixels",
    "max_batch": "Batch",
    "max_loops": "Loops",
    "max_jobs": "Jobs of a member",
    "max_server_jobs": "Jobs of the server",
    "quota": "GPU-seconds of a member in 24 hours",
    "keep_days": "Days that results are kept",
}
LISTS = {
    "models": "Models",
    "loras": "LoRAs",
    "banned_words": "Forbidden words",
    "banned_patterns": "Forbidden patterns",
}
MAX_LIST = 300  # characters of one list


def settings(rules: Rules, changes: Iterable[Change]) -> str:
    """Show what a server has set, and who changed it last."""
    return within(MAX_CONTENT, ["**Easel on this server**", *_set(rules), *map(_change, changes)])


def _set(rules: Rules) -> Iterator[str]:
    yield "Channels: " + (_ids("<#{}>", rules.channels) or "all")
    yield "Roles: " + (_ids("<@&{}>", rules.roles) or "everyone")
    if rules.visibility == "private":
        yield "Results: for their member alone"
    for name, label in CEILINGS.items():
        value = getattr(rules, name)
        yield f"{label}: " + (HOST if value is None else f"at most {value:g}")
    if rules.role_quotas:
        shares = [f"<@&{id}> {seconds:g}" for id, seconds in rules.role_quotas.items()]
        yield "GPU-seconds by role: " + " · ".join(shares)
    if rules.role_shares:
        shares = [f"<@&{id}> × {times:g}" for id, times in rules.role_shares.items()]
        yield "Share of the GPU by role: " + " · ".join(shares)
    yield from _pictures(rules)
    for name, label in LISTS.items():
        if entries := getattr(rules, name):
            yield f"{label}: " + _cut(" ".join(quote(entry, 100) for entry in entries))


def _pictures(rules: Rules) -> Iterator[str]:
    if (rules.nsfw_ordinary, rules.nsfw_restricted) != ("unchecked", "unchecked"):
        yield (
            f"Pictures not for everybody (from {rules.nsfw_threshold:g}): {rules.nsfw_ordinary}; "
            f"{rules.nsfw_restricted} in age-restricted channels"
        )
    if rules.log_channel is not None:
        yield f"Log channel: <#{rules.log_channel}>"


def _change(change: Change) -> str:
    moment = f"<t:{int(change.at.timestamp())}:R>"
    before, after = (quote(_value(value), 80) for value in (change.before, change.after))
    return f"-# {moment} <@{change.actor}> {change.subject}: {before} → {after}"


def settings_changes(
    before: Mapping[str, Any], differing: Mapping[str, Any], *, only_check: bool
) -> str:
    """Say what a file changed, or would change."""
    if not differing:
        return "The file says what is set already. Nothing was changed."
    head = "This would change; nothing was changed:" if only_check else "Changed:"
    lines = [
        f"{name}: {quote(_value(before.get(name)), 80)} → {quote(_value(after), 80)}"
        for name, after in differing.items()
    ]
    return within(MAX_CONTENT, [f"**{head}**", *lines])


def quota(seconds: float | None, uses: Sequence[Use]) -> str:
    """Say how much of a member's GPU time is left, and when the first of the rest comes back."""
    if seconds is None:
        return ""
    left = f"{left_of(seconds, uses):.0f} of {seconds:.0f} GPU-seconds are left"
    if not uses:
        return f"{left}."
    back = int((uses[0].at + WINDOW).timestamp())
    return f"{left}; the next come back <t:{back}:R>."


def _ids(form: str, ids: Iterable[str]) -> str:
    return " ".join(form.format(id) for id in sorted(ids))


def _cut(text: str) -> str:
    """Leave off what does not fit, between two entries."""
    return text if len(text) <= MAX_LIST else text[:MAX_LIST].rpartition(" ")[0] + " …"


def _value(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
