"""A server's settings and who changed them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.guilds import GuildSettings, remaining_quota
from bot.guilds.settings import AUTOMATIC_LANGUAGE
from bot.i18n import choice_name, translate
from bot.i18n.message import gettext_noop
from bot.messages.escaping import MAX_MESSAGE_CHARACTERS, inline_code, join_limited
from storage.guilds import GpuUse, SettingsChange
from storage.jobs.guild_load import QUOTA_WINDOW

LANGUAGE_NAMES = {"en": "English", "de": "Deutsch", "ja": "日本語", "zh-CN": "简体中文"}
"""Languages by their own names, the same in every language."""
HOST_LIMIT_LABEL = gettext_noop("as the host allows")
CEILING_LABELS = {
    "max_steps": gettext_noop("Steps"),
    "max_megapixels": gettext_noop("Megapixels"),
    "max_batch": gettext_noop("Batch"),
    "max_loops": gettext_noop("Loops"),
    "max_jobs": gettext_noop("Jobs of a member"),
    "max_server_jobs": gettext_noop("Jobs of the server"),
    "quota": gettext_noop("GPU-seconds of a member in 24 hours"),
    "keep_days": gettext_noop("Days that results are kept"),
}
DEFAULT_LABELS = {
    "default_steps": gettext_noop("Steps unless asked for others"),
    "default_batch": gettext_noop("Batch unless asked for another"),
    "default_loops": gettext_noop("Loops unless asked for others"),
}
LIST_LABELS = {
    "models": gettext_noop("Models"),
    "loras": gettext_noop("LoRAs"),
    "banned_words": gettext_noop("Forbidden words"),
    "banned_patterns": gettext_noop("Forbidden patterns"),
}
#: What a setting is called where its change is told; the rest by the labels above.
CHANGE_LABELS = {
    **CEILING_LABELS,
    **DEFAULT_LABELS,
    **LIST_LABELS,
    "channels": gettext_noop("Allowed channels"),
    "roles": gettext_noop("Allowed roles"),
    "visibility": gettext_noop("Who sees results"),
    "language": gettext_noop("Language in channels"),
    "role_quotas": gettext_noop("GPU-seconds of roles"),
    "role_shares": gettext_noop("Shares of roles"),
    "nsfw_ordinary": gettext_noop("Picture check in ordinary channels"),
    "nsfw_restricted": gettext_noop("Picture check in age-restricted channels"),
    "nsfw_threshold": gettext_noop("How sure the picture check must be"),
    "log_channel": gettext_noop("Channel for moderators"),
}
MENTION_FORMS = {
    "channels": "<#{}>",
    "log_channel": "<#{}>",
    "roles": "<@&{}>",
    "role_quotas": "<@&{}>",
    "role_shares": "<@&{}>",
}
"""Settings whose values are places or roles."""
CHOICE_SETTINGS = ("visibility", "nsfw_ordinary", "nsfw_restricted")
MAX_VALUE_CHARACTERS = 80  # characters of a value that changed
MAX_LIST_CHARACTERS = 300  # characters of one list


def settings_overview(
    rules: GuildSettings,
    changes: Iterable[SettingsChange],
    page: str | None = None,
    *,
    host_limits: Mapping[str, float],
) -> str:
    """Show what a server has set, on one page of the panel or in all, and who changed it last.

    `host_limits` is what holds of a ceiling that the server has not set.
    """
    pages = SETTING_LINES if page is None else {page: SETTING_LINES[page]}
    return join_limited(
        MAX_MESSAGE_CHARACTERS,
        [
            translate("**Easel on this server**"),
            *(line for list_lines in pages.values() for line in list_lines(rules, host_limits)),
            *map(_change_line, changes),
        ],
    )


def _access_lines(rules: GuildSettings, _: Mapping[str, float]) -> Iterator[str]:
    yield translate(
        "Channels: {channels}", channels=_mention_list("<#{}>", rules.channels) or translate("all")
    )
    yield translate(
        "Roles: {roles}", roles=_mention_list("<@&{}>", rules.roles) or translate("everyone")
    )


def _answer_lines(rules: GuildSettings, _: Mapping[str, float]) -> Iterator[str]:
    if rules.visibility == "private":
        yield translate("Results: for their member alone")
    if rules.language != AUTOMATIC_LANGUAGE:
        yield translate("Language: {language}", language=LANGUAGE_NAMES[rules.language])


def _amount_lines(rules: GuildSettings, host_limits: Mapping[str, float]) -> Iterator[str]:
    for name, label in CEILING_LABELS.items():
        value = getattr(rules, name)
        limit_text = (
            _host_limit_text(host_limits.get(name))
            if value is None
            else translate("at most {value}", value=f"{value:g}")
        )
        yield _label_line(label, limit_text)
    for name, label in DEFAULT_LABELS.items():
        if (value := getattr(rules, name)) is not None:
            yield _label_line(label, str(value))
    if rules.role_quotas:
        shares = [f"<@&{id}> {seconds:g}" for id, seconds in rules.role_quotas.items()]
        yield translate("GPU-seconds by role: {shares}", shares=" · ".join(shares))
    if rules.role_shares:
        shares = [f"<@&{id}> × {times:g}" for id, times in rules.role_shares.items()]
        yield translate("Share of the GPU by role: {shares}", shares=" · ".join(shares))


def _host_limit_text(limit: float | None) -> str:
    limit_text = translate(HOST_LIMIT_LABEL)
    return limit_text if limit is None else f"{limit_text} ({limit:g})"


def _content_lines(rules: GuildSettings, _: Mapping[str, float]) -> Iterator[str]:
    for name, label in LIST_LABELS.items():
        if entries := getattr(rules, name):
            yield _label_line(
                label, _cut_list(" ".join(inline_code(entry, 100) for entry in entries))
            )


def _label_line(label: str, value: str) -> str:
    return translate("{label}: {value}", label=translate(label), value=value)


def _image_lines(rules: GuildSettings, _: Mapping[str, float]) -> Iterator[str]:
    if (rules.nsfw_ordinary, rules.nsfw_restricted) != ("unchecked", "unchecked"):
        yield translate(
            "Pictures not for everybody (from {threshold}): {ordinary}; "
            "{restricted} in age-restricted channels",
            threshold=f"{rules.nsfw_threshold:g}",
            ordinary=choice_name(rules.nsfw_ordinary),
            restricted=choice_name(rules.nsfw_restricted),
        )
    if rules.log_channel is not None:
        yield translate("Log channel: <#{channel}>", channel=rules.log_channel)


#: What each page of the panel shows.
SETTING_LINES: Mapping[str, Callable[[GuildSettings, Mapping[str, float]], Iterator[str]]] = {
    "access": _access_lines,
    "answers": _answer_lines,
    "amounts": _amount_lines,
    "pictures": _image_lines,
    "content": _content_lines,
}


def _change_line(change: SettingsChange) -> str:
    moment = f"<t:{int(change.at.timestamp())}:R>"
    return f"-# {moment} <@{change.actor}> " + _difference_line(
        change.subject, change.before, change.after
    )


def _difference_line(name: str, old_value: Any, new_value: Any) -> str:
    """Say what a setting was and is, by the name and the values that members read."""
    label = translate(CHANGE_LABELS.get(name, name))
    old_text, new_text = (_format_value(name, value) for value in (old_value, new_value))
    return f"{label}: {old_text} → {new_text}"


def settings_changes(
    old_settings: Mapping[str, Any], changed_settings: Mapping[str, Any], *, only_check: bool
) -> str:
    """Say what a file changed, or would change."""
    if not changed_settings:
        return translate("The file says what is set already. Nothing was changed.")
    head = (
        translate("This would change; nothing was changed:")
        if only_check
        else translate("Changed:")
    )
    lines = [
        _difference_line(name, old_settings.get(name), new_value)
        for name, new_value in changed_settings.items()
    ]
    return join_limited(MAX_MESSAGE_CHARACTERS, [f"**{head}**", *lines])


ACCESS_LABELS = {
    ("member", "allow"): gettext_noop("Members served (none listed: all)"),
    ("member", "block"): gettext_noop("Members blocked"),
    ("server", "allow"): gettext_noop("Servers served (none listed: all)"),
    ("server", "block"): gettext_noop("Servers blocked"),
}


def access_lists(listed_ids: Mapping[tuple[str, str], Iterable[str]]) -> str:
    """Show the host's owner who is blocked and who is allowed."""
    lines = [
        _label_line(
            label,
            _cut_list(_mention_list("<@{}>" if key[0] == "member" else "`{}`", listed_ids[key]))
            or translate("nobody listed"),
        )
        for key, label in ACCESS_LABELS.items()
    ]
    return join_limited(MAX_MESSAGE_CHARACTERS, [translate("**Whom this Easel serves**"), *lines])


def quota_message(seconds: float | None, uses: Sequence[GpuUse]) -> str:
    """Say how much of a member's GPU time is left, and when the first of the rest comes back."""
    if seconds is None:
        return ""
    amounts = {"left": f"{remaining_quota(seconds, uses):.0f}", "of": f"{seconds:.0f}"}
    if not uses:
        return translate("{left} of {of} GPU-seconds are left.", **amounts)
    return translate(
        "{left} of {of} GPU-seconds are left; the next come back <t:{back}:R>.",
        back=int((uses[0].at + QUOTA_WINDOW).timestamp()),
        **amounts,
    )


def _mention_list(form: str, ids: Iterable[str]) -> str:
    return " ".join(form.format(id) for id in sorted(ids))


def _cut_list(text: str) -> str:
    """Leave off what does not fit, between two entries."""
    return (
        text
        if len(text) <= MAX_LIST_CHARACTERS
        else text[:MAX_LIST_CHARACTERS].rpartition(" ")[0] + " …"
    )


def _format_value(name: str, value: Any) -> str:
    """Write a setting's value: places and roles as Discord shows them, choices by their names."""
    if value is None:
        return inline_code(translate("not set"), MAX_VALUE_CHARACTERS)
    if name in MENTION_FORMS and value:
        return _cut_list(_format_mentions(MENTION_FORMS[name], value))
    if name == "language":
        value = LANGUAGE_NAMES.get(value, choice_name(value))
    elif name in CHOICE_SETTINGS:
        value = choice_name(value)
    elif isinstance(value, Mapping):
        value = ", ".join(f"{key}: {entry}" for key, entry in value.items())
    elif isinstance(value, list):
        value = ", ".join(map(str, value))
    return inline_code(str(value), MAX_VALUE_CHARACTERS)


def _format_mentions(form: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{form.format(id)}: {entry}" for id, entry in value.items())
    return _mention_list(form, map(str, value) if isinstance(value, list) else (str(value),))
