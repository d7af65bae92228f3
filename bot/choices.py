"""Defaults of members and servers: what commands take where an option is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.policy import Rules
from inference.errors import JobError
from inference.jobs import Denoising, Editing, Job, options

OPTIONS = (
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

SERVERS = {
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
    Editing(**values)


def with_defaults(
    job_type: type[Job], given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Fill in what was left out; what this kind of job cannot take is left to the kind.

    A default may have become impossible since it was set, as when a sampler was renamed: the job
    then runs as if it had none. An enlargement has its own sense of strength, steps and size, and
    an explanation paints nothing: defaults are for what paints.
    """
    if not issubclass(job_type, Denoising):
        return dict(given)
    known = {option.name for option in options(job_type)} & {*OPTIONS}
    filled = dict(given)
    for name in sorted(known - given.keys()):
        if name in defaults and _possible(name, defaults[name]):
            filled[name] = defaults[name]
    return filled


def _possible(name: str, value: Any) -> bool:
    try:
        check_defaults({name: value})
    except JobError:
        return False
    return True


def with_servers(job_type: type[Job], values: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """Fill in what a server takes where nothing is said, never above its own ceilings.

    So a ceiling below a kind's own default refuses nobody who did not ask for more.
    """
    filled = dict(values)
    if not issubclass(job_type, Denoising):
        return filled
    for option in options(job_type):
        if option.name in SERVERS and option.name not in filled:
            own, most = (getattr(rules, name) for name in SERVERS[option.name])
            value = option.default if own is None else own
            value = value if most is None else min(value, most)
            if value != option.default:
                filled[option.name] = value
    return filled
