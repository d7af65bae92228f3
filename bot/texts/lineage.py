"""What came of what: a member's results as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bot.locales import say
from bot.texts.made import STATES, facts, prompt_of, title
from bot.texts.signs import within
from storage.records import JobRecord, JobState

MAX_TREE = 1800  # characters
DEEPEST = 6  # levels that are indented
LONGEST_PROMPT = 40  # characters


def lineage(records: Sequence[JobRecord], shown: str) -> str:
    """Draw jobs under what each was made from, oldest first; `shown` is the id of the one marked.

    Empty where there is nothing but that one.
    """
    if len(records) < 2:
        return ""
    children: dict[str | None, list[JobRecord]] = {}
    known = {record.id for record in records}
    for record in records:
        parent = record.parent if record.parent in known else None
        children.setdefault(parent, []).append(record)
    head = say("**Where it comes from, and what came of it**")
    return within(MAX_TREE, [head, *_lines(children, shown)])


def _lines(children: dict[str | None, list[JobRecord]], shown: str) -> Iterator[str]:
    left = [(record, 0) for record in reversed(children.get(None, ()))]
    while left:
        record, depth = left.pop()
        yield _line(record, min(depth, DEEPEST), is_shown=record.id == shown)
        left += [(child, depth + 1) for child in reversed(children.get(record.id, ()))]


def _line(record: JobRecord, depth: int, *, is_shown: bool) -> str:
    indent = "\u2003" * max(0, depth - 1) + "└ " * bool(depth)
    what = facts(record) if record.state is JobState.DONE else say(STATES[record.state])
    mark = " ◀ " + say("this one") if is_shown else ""
    line = f"{indent}…{record.id[-4:]} **{title(record.kind)}** · {what}"
    return line + prompt_of(record, LONGEST_PROMPT) + mark


def offered(records: Iterable[JobRecord]) -> dict[str, str]:
    """Name jobs for a list to choose from: id to words."""
    return {record.id: name_of(record) for record in records}


def name_of(record: JobRecord) -> str:
    """Name a job in a list to choose from."""
    prompt = record.params.get("prompt") or ""
    return f"{title(record.kind)} …{record.id[-4:]} {prompt}".strip()
