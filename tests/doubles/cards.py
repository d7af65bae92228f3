"""Cards as members see them: the words on them, what can be pressed, and what is in the select."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

BUTTON, STRING_SELECT, TEXT = 2, 3, 10


def walk_parts(components: Any) -> Iterator[dict[str, Any]]:
    """List the components of a message as Discord keeps them, those within others after them."""
    for component in components:
        part = component if isinstance(component, Mapping) else component.to_dict()
        yield dict(part)
        yield from walk_parts(part.get("components") or ())


def words_of(content: str, components: Any) -> str:
    """Write what a message says: its content, or the text on its card."""
    texts = [part["content"] for part in walk_parts(components) if part.get("type") == TEXT]
    return "\n".join([content, *texts] if content else texts)


def control_rows(message: Any) -> list[list[dict[str, Any]]]:
    """List what can be pressed, row by row."""
    return [part["components"] for part in walk_parts(message.components) if part.get("type") == 1]


def labels(message: Any) -> list[str]:
    """List what can be pressed by its name, a select by what it says while nothing is chosen."""
    items = [item for row in control_rows(message) for item in row]
    return [item["label"] if item["type"] == BUTTON else item["placeholder"] for item in items]


def more_of(message: Any) -> dict[str, str]:
    """List what the select *More* offers: the values by their names."""
    for part in walk_parts(message.components):
        if str(part.get("custom_id", "")).startswith("easel:more"):
            return {option["label"]: option["value"] for option in part["options"]}
    return {}


async def press(member: Any, message: Any, *, label: str) -> Any:
    """Press the button of this name, or choose it from *More* where it is there."""
    options = more_of(message)
    if label not in options:
        return await member.click(message, label=label)
    (custom_id,) = [
        part["custom_id"]
        for part in walk_parts(message.components)
        if str(part.get("custom_id", "")).startswith("easel:more")
    ]
    return await member.select(message, [options[label]], custom_id=custom_id)
