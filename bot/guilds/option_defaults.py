"""Defaults of members and servers: what commands take where an option is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.guilds.settings import GuildSettings
from inference.api.errors import JobError
from inference.api.jobs import DenoisingJob, EditingJob, Job, list_job_options

MEMBER_DEFAULT_OPTIONS = (
    "negative_prompt",
    "strength",
    "steps",
    "guidance",
    "sampler",
    "schedule",
    "width",
    "height",
    "batch",
    "model",
)
"""Options of an editing job that may have a default of one's own."""

GUILD_DEFAULT_SETTINGS = {
    "steps": ("default_steps", "max_steps"),
    "batch": ("default_batch", "max_batch"),
    "loops": ("default_loops", "max_loops"),
}
"""Options that a server may have a default for, and a ceiling."""


def check_defaults(values: Mapping[str, Any]) -> None:
    """Refuse defaults that no job could take.

    Raises:
        JobError: names the option and says what would be possible.
    """
    EditingJob(**values)


def apply_member_defaults(
    job_type: type[Job], values: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Fill in what was left out; what this kind of job cannot take is left to the kind.

    A default may have become impossible since it was set, as when a sampler was renamed: the job
    then runs as if it had none. An enlargement has its own sense of strength, steps and size, and
    an explanation paints nothing: defaults are for what paints.
    """
    if not issubclass(job_type, DenoisingJob):
        return dict(values)
    defaultable_names = {option.name for option in list_job_options(job_type)} & {
        *MEMBER_DEFAULT_OPTIONS
    }
    filled_values = dict(values)
    for name in sorted(defaultable_names - values.keys()):
        if name in defaults and _is_possible_default(name, defaults[name]):
            filled_values[name] = defaults[name]
    return filled_values


def _is_possible_default(name: str, value: Any) -> bool:
    try:
        check_defaults({name: value})
    except JobError:
        return False
    return True


def apply_guild_defaults(
    job_type: type[Job], values: Mapping[str, Any], settings: GuildSettings
) -> dict[str, Any]:
    """Fill in what a server takes where nothing is said, never above its own ceilings.

    So a ceiling below a kind's own default refuses nobody who did not ask for more.
    """
    filled_values = dict(values)
    if not issubclass(job_type, DenoisingJob):
        return filled_values
    for option in list_job_options(job_type):
        if option.name in GUILD_DEFAULT_SETTINGS and option.name not in filled_values:
            guild_default, guild_maximum = (
                getattr(settings, name) for name in GUILD_DEFAULT_SETTINGS[option.name]
            )
            value = option.default if guild_default is None else guild_default
            value = value if guild_maximum is None else min(value, guild_maximum)
            if value != option.default:
                filled_values[option.name] = value
    return filled_values
