"""A server's settings and who changed them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.locales import choice_name, say
from bot.policy import Rules, Use, left_of
from bot.policy.quota import WINDOW
from bot.policy.rules import AUTOMATIC
from bot.sentences import english
from bot.texts.signs import MAX_CONTENT, quote, within
from storage.guilds import Change

NATIVE = {"en": "English", "de": "Deutsch", "ja": "日本語", "zh-CN": "简体中文"}
"""Languages by their own names, the same in every language."""
HOST = english("as the host allows")
CEILINGS = {
    "max_steps": english("Steps"),
    "max_megapixels": english("Megapixels"),
    "max_batch": english("Batch"),
    "max_loops": english("Loops"),
    "max_jobs": english("Jobs of a member"),
    "max_server_jobs": english("Jobs of the server"),
    "quota": english("GPU-seconds of a member in 24 hours"),
    "keep_days": english("Days that results are kept"),
}
DEFAULTS = {
    "default_steps": english("Steps unless asked for others"),
    "default_batch": english("Batch unless asked for another"),
    "default_loops": english("Loops unless asked for others"),
}
LISTS = {
    "models": english("Models"),
    "loras": english("LoRAs"),
    "banned_words": english("Forbidden words"),
    "banned_patterns": english("Forbidden patterns"),
}
MAX_LIST = 300  # characters of one list


def settings(rules: Rules, changes: Iterable[Change]) -> str:
    """Show what a server has set, and who changed it last."""
    return within(
        MAX_CONTENT, [say("**Easel on this server**"), *_set(rules), *map(_change, changes)]
    )


def _set(rules: Rules) -> Iterator[str]:
    yield say("Channels: {channels}", channels=_ids("<#{}>", rules.channels) or say("all"))
    yield say("Roles: {roles}", roles=_ids("<@&{}>", rules.roles) or say("everyone"))
    if rules.visibility == "private":
        yield say("Results: for their member alone")
    if rules.language != AUTOMATIC:
        yield say("Language: {language}", language=NATIVE[rules.language])
    for name, label in CEILINGS.items():
        value = getattr(rules, name)
        most = say(HOST) if value is None else say("at most {value}", value=f"{value:g}")
        yield _line(label, most)
    for name, label in DEFAULTS.items():
        if (value := getattr(rules, name)) is not None:
            yield _line(label, str(value))
    if rules.role_quotas:
        shares = [f"<@&{id}> {seconds:g}" for id, seconds in rules.role_quotas.items()]
        yield say("GPU-seconds by role: {shares}", shares=" · ".join(shares))
    if rules.role_shares:
        shares = [f"<@&{id}> × {times:g}" for id, times in rules.role_shares.items()]
        yield say("Share of the GPU by role: {shares}", shares=" · ".join(shares))
    yield from _pictures(rules)
    for name, label in LISTS.items():
        if entries := getattr(rules, name):
            yield _line(label, _cut(" ".join(quote(entry, 100) for entry in entries)))


def _line(label: str, value: str) -> str:
    return say("{label}: {value}", label=say(label), value=value)


def _pictures(rules: Rules) -> Iterator[str]:
    if (rules.nsfw_ordinary, rules.nsfw_restricted) != ("unchecked", "unchecked"):
        yield say(
            "Pictures not for everybody (from {threshold}): {ordinary}; "
            "{restricted} in age-restricted channels",
            threshold=f"{rules.nsfw_threshold:g}",
            ordinary=choice_name(rules.nsfw_ordinary),
            restricted=choice_name(rules.nsfw_restricted),
        )
    if rules.log_channel is not None:
        yield say("Log channel: <#{channel}>", channel=rules.log_channel)


def _change(change: Change) -> str:
    moment = f"<t:{int(change.at.timestamp())}:R>"
    before, after = (quote(_value(value), 80) for value in (change.before, change.after))
    return f"-# {moment} <@{change.actor}> {change.subject}: {before} → {after}"


def settings_changes(
    before: Mapping[str, Any], differing: Mapping[str, Any], *, only_check: bool
) -> str:
    """Say what a file changed, or would change."""
    if not differing:
        return say("The file says what is set already. Nothing was changed.")
    head = say("This would change; nothing was changed:") if only_check else say("Changed:")
    lines = [
        f"{name}: {quote(_value(before.get(name)), 80)} → {quote(_value(after), 80)}"
        for name, after in differing.items()
    ]
    return within(MAX_CONTENT, [f"**{head}**", *lines])


def quota(seconds: float | None, uses: Sequence[Use]) -> str:
    """Say how much of a member's GPU time is left, and when the first of the rest comes back."""
    if seconds is None:
        return ""
    amounts = {"left": f"{left_of(seconds, uses):.0f}", "of": f"{seconds:.0f}"}
    if not uses:
        return say("{left} of {of} GPU-seconds are left.", **amounts)
    return say(
        "{left} of {of} GPU-seconds are left; the next come back <t:{back}:R>.",
        back=int((uses[0].at + WINDOW).timestamp()),
        **amounts,
    )


def _ids(form: str, ids: Iterable[str]) -> str:
    return " ".join(form.format(id) for id in sorted(ids))


def _cut(text: str) -> str:
    """Leave off what does not fit, between two entries."""
    return text if len(text) <= MAX_LIST else text[:MAX_LIST].rpartition(" ")[0] + " …"


def _value(value: Any) -> str:
    if value is None:
        return say("not set")
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
