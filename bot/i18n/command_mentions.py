"""Commands within a sentence as Discord's own mentions: one tap opens them, in every language.

Which number a command has is known once Discord was told of it; until then, and for examples with
options, commands stay words. What Discord shows without mentions, as completions and labels, takes
them back by `plain_commands`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_COMMAND_PATTERN = re.compile(
    r"`/(?P<quoted>[a-z][a-z0-9]*(?: [a-z]+)?)`|`[^`]*`"
    r"|(?<![A-Za-z0-9_/<:.])/(?P<name>[a-z][a-z0-9]*)(?P<sub> [a-z]+)?(?![A-Za-z0-9_/])"
)
_MENTION_PATTERN = re.compile(r"</([^:>]+):\d+>")
#: The numbers of commands by their full names; empty until Discord was told of them.
command_ids: dict[str, int] = {}


def set_command_ids(ids_by_name: Mapping[str, int]) -> None:
    """Note the numbers of commands, by their full names: `queue`, `settings panel`."""
    command_ids.clear()
    command_ids.update(ids_by_name)


def mention_commands(words: str) -> str:
    """Put mentions in the place of the commands of a sentence whose holes are still open."""
    return _COMMAND_PATTERN.sub(_mention_match, words) if command_ids else words


def plain_commands(words: str) -> str:
    """Take mentions back, for where Discord does not show them."""
    return _MENTION_PATTERN.sub(r"/\1", words)


def _mention_match(match: re.Match[str]) -> str:
    if match["quoted"]:
        return _mention_name(match["quoted"]) or match[0]
    if not match["name"]:
        return match[0]
    name, sub = match["name"], match["sub"] or ""
    if mention := _mention_name(f"{name}{sub}"):
        return mention
    return (_mention_name(name) or f"/{name}") + sub


def _mention_name(name: str) -> str:
    return f"</{name}:{command_ids[name]}>" if name in command_ids else ""
