"""The prompt linter: what a pair of prompts will mean, before any picture is made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from inference.api.errors import JobError
from inference.api.jobs.names import count_prompt_calls
from inference.api.prompts.attention import ChunkBreak, WeightedText, parse_attention
from inference.api.prompts.conjunction import PromptTerm, split_and
from inference.api.prompts.extra_networks import (
    ExtraNetworkTag,
    read_lora,
    take_networks,
)
from inference.api.prompts.schedule import expand_schedule
from inference.api.prompts.wildcards import draw_wildcards, find_list_mentions
from inference.prompts.chunks import Tokenizer, chunk_texts
from inference.prompts.linting import lint_rules
from inference.prompts.linting.explanation import (
    LintWarning,
    PromptExplanation,
    ResolvedWildcards,
    ScheduleRow,
    TermTable,
)
from inference.prompts.linting.lint_rules import AvailableNames

MAX_PRINTED_TEXTS = 12  # texts of a part that are printed before the rest is only counted

#: Words whose tokens one explanation remembers: a schedule's texts share most.
TOKEN_CACHE_WORDS = 4096

__all__ = ["AvailableNames", "PromptExplanation", "explain_prompts", "render_explanation"]


def explain_prompts(
    prompt: str,
    negative: str = "",
    steps: int = 20,
    *,
    sampler: str = "",
    base_steps: int | None = None,
    seed: int = 0,
    lists: Mapping[str, Sequence[str]] | None = None,
    tokenizer: Tokenizer | None = None,
    embeddings: Mapping[str, int] | None = None,
    known_loras: Collection[str] | None = None,
    vocabulary: Collection[str] | None = None,
    weighs_words: bool = True,
) -> PromptExplanation:
    """Explain a pair of prompts over `steps` steps; the more is handed in, the more is checked.

    A `sampler` that calls the network twice a step spreads them over its calls.
    `lists` are the wildcards to draw from by `seed` (None leaves them undrawn), `tokenizer` shows
    the chunks, `embeddings` are the learned ones with their numbers of vectors, `vocabulary` the
    words a word-level model knows (its tokenizer's own where left out), and `base_steps` the first
    pass's steps when the second pass of a hires fix is to be explained.
    """
    vocabulary = tokenizer.vocabulary if vocabulary is None and tokenizer else vocabulary
    calls = count_prompt_calls(sampler, steps)
    available_names = AvailableNames(known_loras, vocabulary, lists, embeddings)
    mentioned_lists = find_list_mentions(f"{prompt}\n{negative}")
    prompt, negative, resolved_wildcards = _draw_prompts(prompt, negative, seed, lists)
    text, networks = take_networks(prompt)
    cached = tokenizer and replace(tokenizer, ids=lru_cache(TOKEN_CACHE_WORDS)(tokenizer.ids))
    build_table = partial(
        _build_table, steps=calls, base_steps=base_steps, tokenizer=cached, embeddings=embeddings
    )
    unchecked_explanation = PromptExplanation(
        calls,
        tuple(build_table(part) for part in split_and(text)),
        build_table(PromptTerm(negative)),
        networks,
        (),
        None if tokenizer is None else tokenizer.chunk_size,
        resolved_wildcards,
        "step" if calls == steps else "call",
    )
    remarks = [
        *_check_prompts(text, negative, unchecked_explanation, base_steps, weighs_words),
        *lint_rules.check_networks(networks, available_names),
        *lint_rules.check_lists(mentioned_lists, available_names),
        *lint_rules.check_tables(unchecked_explanation, available_names),
    ]
    return replace(unchecked_explanation, remarks=lint_rules.limit_warnings(remarks))


def _check_prompts(
    text: str,
    negative: str,
    explanation: PromptExplanation,
    base_steps: int | None,
    weighs_words: bool,
) -> Iterator[LintWarning]:
    if not weighs_words:  # a language model reads them
        yield from lint_rules.check_weights(text, negative)
    yield from lint_rules.check_terms(text)
    for prompt in (text, negative):
        yield from lint_rules.check_text(prompt, explanation.steps, base_steps, explanation.unit)
    yield from lint_rules.check_negative(negative, take_networks(negative)[1])


def _draw_prompts(
    prompt: str, negative: str, seed: int, lists: Mapping[str, Sequence[str]] | None
) -> tuple[str, str, ResolvedWildcards | None]:
    """Give both prompts as drawn, and the note of it where that is something else."""
    if lists is None:
        return prompt, negative, None
    resolved_wildcards = ResolvedWildcards(
        seed, draw_wildcards(prompt, seed, lists), draw_wildcards(negative, seed, lists)
    )
    is_unchanged = (resolved_wildcards.prompt, resolved_wildcards.negative) == (prompt, negative)
    return (
        resolved_wildcards.prompt,
        resolved_wildcards.negative,
        None if is_unchanged else resolved_wildcards,
    )


def _build_table(
    term: PromptTerm,
    steps: int,
    base_steps: int | None,
    tokenizer: Tokenizer | None,
    embeddings: Mapping[str, int] | None,
) -> TermTable:
    steps_by_text: dict[str, list[int]] = {}
    first = 1
    for entry in expand_schedule(term.text, steps, base_steps=base_steps):
        last = min(entry.step + 1, steps)  # entries count from 0
        if first <= last:
            steps_by_text.setdefault(entry.text, []).extend(range(first, last + 1))
        first = last + 1
    rows = []
    for text, text_steps in steps_by_text.items():
        pieces = parse_attention(text)
        chunks = () if tokenizer is None else chunk_texts(pieces, tokenizer, embeddings=embeddings)
        rows.append(ScheduleRow(text, tuple(text_steps), pieces, chunks))
    return TermTable(term.weight, tuple(rows))


def render_explanation(explanation: PromptExplanation) -> str:
    """Write an explanation as a plain-text table for people."""
    lines = list(_wildcard_lines(explanation.resolved_wildcards))
    for number, part in enumerate(explanation.prompt, 1):
        has_several_terms = len(explanation.prompt) > 1
        title = f"Prompt, part {number}" if has_several_terms else "Prompt"
        weight = f" (weight {part.weight:g})" if has_several_terms or part.weight != 1 else ""
        lines += [title + weight, *_term_lines(part, explanation)]
    if any(row.text.strip() for row in explanation.negative.rows):
        lines += ["Negative prompt", *_term_lines(explanation.negative, explanation)]
    if explanation.networks:
        lines += ["Networks", *(f"  {_network_line(item)}" for item in explanation.networks)]
    if explanation.remarks:
        lines += ["Remarks", *(f"  - {remark.words}" for remark in explanation.remarks)]
    return "\n".join(lines)


def _wildcard_lines(resolved_wildcards: ResolvedWildcards | None) -> Iterator[str]:
    if resolved_wildcards is None:
        return
    yield f"Drawn with seed {resolved_wildcards.seed}"
    yield f"  {_one_line(resolved_wildcards.prompt) or '(nothing)'}"
    if resolved_wildcards.negative.strip():
        yield f"  negative: {_one_line(resolved_wildcards.negative)}"


def _term_lines(part: TermTable, explanation: PromptExplanation) -> Iterator[str]:
    room = explanation.chunk_size
    for row in part.rows[:MAX_PRINTED_TEXTS]:
        steps = _format_steps(row.steps, explanation.unit)
        yield f"  {steps}: {_one_line(row.text) or '(nothing)'}"
        if any(isinstance(piece, ChunkBreak) or piece.weight != 1 for piece in row.pieces):
            yield from (f"    {_piece_line(piece)}" for piece in row.pieces)
        for number, chunk in enumerate(row.chunks, 1):
            chunk_words = _one_line(chunk.text) or "(nothing)"
            yield f"    chunk {number}, {chunk.tokens} of {room} tokens: {chunk_words}"
    if len(part.rows) > MAX_PRINTED_TEXTS:
        yield f"  … and {len(part.rows) - MAX_PRINTED_TEXTS} more texts"


def _piece_line(piece: WeightedText | ChunkBreak) -> str:
    return (
        "BREAK"
        if isinstance(piece, ChunkBreak)
        else f"{piece.weight:>5.2f}  {_one_line(piece.text)}"
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _network_line(network: ExtraNetworkTag) -> str:
    try:
        lora = read_lora(network)
    except JobError:
        return str(network)
    if not network.is_lora:
        return str(network)
    rank_note = "" if lora.dyn is None else f", cut to rank {lora.dyn}"
    return f"LoRA {lora.name}: text encoder {lora.te:g}, network {lora.unet:g}{rank_note}"


def _format_steps(steps: Sequence[int], unit: str) -> str:
    """Write step numbers shortly: 1–5, or 3, 5, 7 … 19 where all but the first are even."""
    first, last = steps[0], steps[-1]
    if len(steps) == 1:
        return f"{unit} {first}"
    if len(steps) == last - first + 1:
        return f"{unit}s {first}–{last}"
    gap = steps[-1] - steps[-2]
    if len(steps) > 5 and list(steps[1:]) == list(range(steps[1], last + 1, gap)):
        return f"{unit}s {first}, {steps[1]}, {steps[2]} … {last}"
    return f"{unit}s " + ", ".join(map(str, steps))
