"""What came of what: a member's results as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bot.i18n import translate
from bot.messages.escaping import join_limited
from bot.messages.job_status import STATE_LABELS, job_title, prompt_suffix, summary_line
from storage.records import JobRecord, JobState

MAX_TREE_CHARACTERS = 1800  # characters
MAX_INDENT_LEVELS = 6  # levels that are indented
MAX_TREE_PROMPT_CHARACTERS = 40  # characters


def lineage_tree(records: Sequence[JobRecord], marked_id: str) -> str:
    """Draw jobs under what each was made from, oldest first; `shown` is the id of the one marked.

    Empty where there is nothing but that one.
    """
    if len(records) < 2:
        return ""
    children: dict[str | None, list[JobRecord]] = {}
    known_ids = {record.id for record in records}
    for record in records:
        parent = record.parent if record.parent in known_ids else None
        children.setdefault(parent, []).append(record)
    head = translate("**Where it comes from, and what came of it**")
    return join_limited(MAX_TREE_CHARACTERS, [head, *_tree_lines(children, marked_id)])


def _tree_lines(children: dict[str | None, list[JobRecord]], marked_id: str) -> Iterator[str]:
    pending_records = [(record, 0) for record in reversed(children.get(None, ()))]
    while pending_records:
        record, depth = pending_records.pop()
        yield _tree_line(record, min(depth, MAX_INDENT_LEVELS), is_marked=record.id == marked_id)
        pending_records += [(child, depth + 1) for child in reversed(children.get(record.id, ()))]


def _tree_line(record: JobRecord, depth: int, *, is_marked: bool) -> str:
    indent = "\u2003" * max(0, depth - 1) + "└ " * bool(depth)
    what = (
        summary_line(record)
        if record.state is JobState.DONE
        else translate(STATE_LABELS[record.state])
    )
    mark = " ◀ " + translate("this one") if is_marked else ""
    line = f"{indent}…{record.id[-4:]} **{job_title(record)}** · {what}"
    return line + prompt_suffix(record, MAX_TREE_PROMPT_CHARACTERS) + mark


def job_choices(records: Iterable[JobRecord]) -> dict[str, str]:
    """Name jobs for a list to choose from: id to words."""
    return {record.id: job_label(record) for record in records}


def job_label(record: JobRecord) -> str:
    """Name a job in a list to choose from."""
    prompt = record.params.get("prompt") or ""
    return f"{job_title(record)} …{record.id[-4:]} {prompt}".strip()
