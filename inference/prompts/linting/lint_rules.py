"""Checks: what in a prompt a member may not have meant, in words that say what to change."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from inference.api.did_you_mean import did_you_mean
from inference.api.errors import JobError
from inference.api.prompts.attention import (
    ATTENTION_TOKEN,
    ROUND_WEIGHT,
    ChunkBreak,
    WeightedText,
    has_weights,
    parse_weight,
)
from inference.api.prompts.conjunction import split_and
from inference.api.prompts.extra_networks import ExtraNetworkTag, read_lora
from inference.api.prompts.schedule import describe_schedule
from inference.prompts.linting.explanation import (
    LintWarning,
    PromptExplanation,
    ScheduleRow,
    TermTable,
)

STRONG_WEIGHT = 2.0  # above it words usually burn into the picture
MAX_UNKNOWN_WORDS = 8  # unknown words named one by one
MAX_WARNINGS = 20  # remarks in one explanation
EXCERPT_CHARACTERS = 24  # characters
MIN_NAME_SIMILARITY = 0.85  # how like an embedding's name a word is that is asked about

_UNCLOSED_WEIGHT = re.compile(r":\s*([+-]?[.\d]+)\s*(?:[,\]]|$)")
_FAILED_SCHEDULE = re.compile(r"\[[^\[\]|]*:([^\[\]|:]*)\]")
_BREAK_WORD = re.compile(r"\bBREAK\b")
_WORD_PATTERN = re.compile(r"[^\W_]+")
_EMBEDDING_MENTION = re.compile(r"(embedding:)?\b([\w.-]{5,60})\b")


@dataclass(frozen=True)
class AvailableNames:
    """The names that exist on this host; None where that is not known."""

    loras: Collection[str] | None = None
    vocabulary: Collection[str] | None = None
    lists: Collection[str] | None = None
    embeddings: Collection[str] | None = None


def check_text(
    text: str, steps: int, base_steps: int | None = None, unit: str = "step"
) -> Iterator[LintWarning]:
    """Check one prompt as it was written, tags taken out; `unit` is what its schedules count."""
    yield from _check_brackets(text)
    yield from _check_numbers(text)
    yield from _check_breaks(text)
    yield from _check_changes(text, steps, base_steps, unit)


def check_weights(*prompts: str) -> Iterator[LintWarning]:
    """Check prompts that a language model is to read for what only weights words."""
    if any(has_weights(prompt) for prompt in prompts):
        yield LintWarning(
            "weights-left-out",
            "This checkpoint reads prompts with a language model, which weighs no words: brackets "
            "with weights and BREAK are left out.",
        )


def check_terms(text: str) -> Iterator[LintWarning]:
    """Check how AND divides a positive prompt."""
    terms = split_and(text)
    if (
        len(terms) > 1
        and any(_unmatched_brackets(term.text) for term in terms)
        and not _unmatched_brackets(text)
    ):
        yield LintWarning(
            "and-in-brackets", "AND splits the prompt inside brackets, too: close them first."
        )
    if len(terms) == 1 and terms[0].weight != 1:
        yield LintWarning(
            "prompt-weight",
            f"The prompt ends in :{terms[0].weight:g}, which multiplies the guidance of all of it. "
            f"For words alone write (words:{terms[0].weight:g}).",
        )
    for term in terms:
        if len(terms) > 1 and not term.text.strip():
            yield LintWarning("empty-part", "AND has nothing on one of its sides.")


def check_negative(text: str, networks: Collection[ExtraNetworkTag]) -> Iterator[LintWarning]:
    """Check what works on the positive side only."""
    if len(split_and(text)) > 1:
        yield LintWarning("and-in-negative", "AND splits positive prompts only; here it is a word.")
    for network in networks:
        message = f"{network} stands in the negative prompt, where it is plain text."
        yield LintWarning("network-in-negative", message)


def check_networks(
    networks: Iterable[ExtraNetworkTag], available: AvailableNames
) -> Iterator[LintWarning]:
    """Check that each tag names something that exists, with numbers that are some."""
    for network in networks:
        if not network.is_lora:
            yield LintWarning("unknown-tag", f"{network} is left out: only <lora:…> is understood.")
            continue
        try:
            lora = read_lora(network)
        except JobError as error:
            yield LintWarning("bad-tag", str(error))
            continue
        for argument in network.unknown_arguments:
            message = f"“{argument}” in {network} means nothing here."
            yield LintWarning("unknown-argument", message)
        if available.loras is not None and lora.name not in available.loras:
            message = (
                f"There is no LoRA “{lora.name}”.{_suggestion_for(lora.name, available.loras)}"
            )
            yield LintWarning("unknown-lora", message)


def check_lists(names: Iterable[str], available: AvailableNames) -> Iterator[LintWarning]:
    """Check that each wildcard names a list."""
    for name in names:
        if available.lists is not None and name not in available.lists:
            message = f"There is no list “{name}”; the word stands for itself."
            yield LintWarning("unknown-list", message + _suggestion_for(name, available.lists))


def check_tables(
    explanation: PromptExplanation, available: AvailableNames
) -> Iterator[LintWarning]:
    """Check the texts that are left when everything else is read."""
    rows = [row for table in (*explanation.prompt, explanation.negative) for row in table.rows]
    yield from (remark for row in rows for remark in _check_row(row))
    yield from _check_vocabulary(rows, available.vocabulary)
    yield from _check_embeddings(rows, available.embeddings)
    yield from (remark for table in explanation.prompt for remark in _check_length(table))


def limit_warnings(remarks: Iterable[LintWarning]) -> tuple[LintWarning, ...]:
    """Keep each remark once, and no more of them than anybody reads."""
    unique = list(dict.fromkeys(remarks))
    if len(unique) <= MAX_WARNINGS:
        return tuple(unique)
    return (
        *unique[:MAX_WARNINGS],
        LintWarning("more", f"… and {len(unique) - MAX_WARNINGS} more remarks."),
    )


def _check_brackets(text: str) -> Iterator[LintWarning]:
    for sign, position in _unmatched_brackets(text)[:MAX_WARNINGS]:
        tail = text[position + 1 :]
        weight_match = _UNCLOSED_WEIGHT.search(tail) if sign == "(" else None
        if weight_match is not None:
            yield LintWarning(
                "unclosed-weight",
                f"“({_excerpt_start(tail)}” is never closed: {weight_match[1]} is plain text and "
                "all that follows "
                f"weighs {ROUND_WEIGHT:g}. Put a ) behind {weight_match[1]}.",
            )
        elif sign in "([":
            message = (
                f"“{sign}{_excerpt_start(tail)}” is never closed and acts to the end of the prompt."
            )
            yield LintWarning("unclosed", message)
        else:
            message = f"The “{sign}” after “{_excerpt_end(text[:position])}” closes nothing."
            yield LintWarning("unopened", message)


def _unmatched_brackets(text: str) -> list[tuple[str, int]]:
    """Find brackets that open or close nothing: sign and position."""
    open_: dict[str, list[int]] = {"(": [], "[": []}
    strays: list[tuple[str, int]] = []
    for match in ATTENTION_TOKEN.finditer(text):
        sign, position = match[0][-1], match.end() - 1
        if match[0][0] == "\\" or sign not in "()[]":
            continue
        if sign in "([":
            open_[sign].append(position)
        elif open_positions := open_["(" if sign == ")" else "["]:
            open_positions.pop()
        else:
            strays.append((sign, position))
    unclosed_brackets = [
        (sign, position) for sign, positions in open_.items() for position in positions
    ]
    return sorted(strays + unclosed_brackets, key=lambda stray: stray[1])


def _check_numbers(text: str) -> Iterator[LintWarning]:
    for match in ATTENTION_TOKEN.finditer(text):
        if match["weight"] is not None and parse_weight(match["weight"]) is None:
            message = f"“{_excerpt_start(match['weight'])}” is no number, so it is plain text."
            yield LintWarning("bad-number", message)


def _check_breaks(text: str) -> Iterator[LintWarning]:
    depth = 0
    for match in ATTENTION_TOKEN.finditer(text):
        if match[0] in ("(", "["):
            depth += 1
        elif match[0][-1] in ")]" and match[0][0] != "\\":
            depth = max(0, depth - 1)
        elif depth and _BREAK_WORD.search(match[0]):
            yield LintWarning(
                "break-in-brackets",
                "BREAK inside brackets begins a new chunk; the words around it keep their weight.",
            )
            return


def _check_changes(
    text: str, steps: int, base_steps: int | None, unit: str
) -> Iterator[LintWarning]:
    summary = describe_schedule(text, steps, base_steps=base_steps)
    if not summary.readable:
        yield LintWarning(
            "unreadable",
            "“|” stands outside of [a|b], so nothing in this prompt changes from step to step.",
        )
    for when, step in summary.changes:
        if base_steps is None and step >= max(1, steps - 1):
            yield LintWarning("never-changes", _never_message(when, steps, unit))
        elif base_steps is None and step <= 0:
            yield LintWarning("changes-at-once", f"A change at {when} has happened before step 1.")


def _never_message(when: str, steps: int, unit: str) -> str:
    number = float(when)
    if "." in when and number > 1:
        return f"A change at {when} waits for the second pass of a hires fix."
    if "." not in when or number < 1:
        reason = f"{unit}s count from 0, and the job has {steps} {unit}s"
        return f"A change at {when} never comes: {reason}."
    return f"A change at {when} never comes: with a point it is a share of all steps, not a step."


def _check_row(row: ScheduleRow) -> Iterator[LintWarning]:
    for match in _FAILED_SCHEDULE.finditer(row.text):
        yield LintWarning(
            "no-schedule",
            f"“{_excerpt_start(match[0])}” is plain text: “{_excerpt_start(match[1])}” is no step. "
            "Write [from:to:5], or [from:to:0.5] for half-way.",
        )
    for piece in row.pieces:
        if isinstance(piece, WeightedText) and abs(piece.weight) > STRONG_WEIGHT:
            message = f"“{_excerpt_start(piece.text)}” weighs {piece.weight:.4g}; "
            yield LintWarning("strong", message + f"pictures break above {STRONG_WEIGHT:g}.")


def _check_length(table: TermTable) -> Iterator[LintWarning]:
    chunks = max(len(row.chunks) for row in table.rows)
    breaks = max(sum(isinstance(p, ChunkBreak) for p in row.pieces) for row in table.rows)
    if chunks > 1 + breaks:
        message = f"The prompt takes {chunks} chunks; words in later ones pull less."
        yield LintWarning("long", message)


def _check_vocabulary(
    rows: Iterable[ScheduleRow], vocabulary: Collection[str] | None
) -> Iterator[LintWarning]:
    if vocabulary is None:
        return
    texts = (p.text.lower() for row in rows for p in row.pieces if isinstance(p, WeightedText))
    prompt_words = (
        part for text in texts for word in text.split() for part in _word_parts(word, vocabulary)
    )
    unknown = list(dict.fromkeys(word for word in prompt_words if word not in vocabulary))
    for word in unknown[:MAX_UNKNOWN_WORDS]:
        yield LintWarning(
            "unknown-word", f"The model does not know “{word}”.{_suggestion_for(word, vocabulary)}"
        )
    if len(unknown) > MAX_UNKNOWN_WORDS:
        yield LintWarning("unknown-word", f"… nor {len(unknown) - MAX_UNKNOWN_WORDS} more words.")


def _check_embeddings(
    rows: Iterable[ScheduleRow], names: Collection[str] | None
) -> Iterator[LintWarning]:
    """Find words that are almost an embedding's name, and names in another program's spelling."""
    if not names:
        return
    names_by_lower = {name.lower(): name for name in names}
    texts = (p.text for row in rows for p in row.pieces if isinstance(p, WeightedText))
    for mark, word in dict.fromkeys(
        pair for text in texts for pair in _EMBEDDING_MENTION.findall(text)
    ):
        close = get_close_matches(word.lower(), names_by_lower, n=1, cutoff=MIN_NAME_SIMILARITY)
        if mark and word.lower() not in names_by_lower:
            message = f"There is no embedding “{word}”.{_suggestion_for(word, names)}"
            yield LintWarning("unknown-embedding", message)
        elif mark:
            yield LintWarning("embedding-mark", f"Write {word} alone: “{mark}” is plain text here.")
        elif close and word.lower() not in names_by_lower:
            message = (
                f"“{word}” is a plain word. Did you mean the embedding {names_by_lower[close[0]]}?"
            )
            yield LintWarning("unknown-embedding", message)


def _word_parts(word: str, vocabulary: Collection[str]) -> list[str]:
    return [word] if word in vocabulary else _WORD_PATTERN.findall(word)


def _suggestion_for(name: str, names: Collection[str]) -> str:
    return f" {did_you_mean(name, names, cutoff=0.6) or ''}".rstrip()


def _excerpt_start(text: str) -> str:
    return text if len(text) <= EXCERPT_CHARACTERS else text[:EXCERPT_CHARACTERS].rstrip() + "…"


def _excerpt_end(text: str) -> str:
    return text if len(text) <= EXCERPT_CHARACTERS else "…" + text[-EXCERPT_CHARACTERS:].lstrip()
