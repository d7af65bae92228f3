"""The prompt linter: what a pair of prompts will mean, before any picture is made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from inference.errors import JobError
from inference.jobs.wordlists import mentions
from inference.prompts import checks
from inference.prompts.attention import Break, Piece, parse_attention
from inference.prompts.checks import Known
from inference.prompts.chunks import Tokenizer, chunk_texts
from inference.prompts.conjunction import Part, split_and
from inference.prompts.explanation import Drawn, Explanation, PartTable, Row
from inference.prompts.networks import LORA_KINDS, Network, read_lora, take_networks
from inference.prompts.schedule import expand
from inference.prompts.wildcards import draw

SHOWN = 12  # texts of a part that are printed before the rest is only counted

WORDS = 4096  # words whose tokens one explanation remembers: a schedule's texts share most

__all__ = ["Explanation", "Known", "explain", "render"]


def explain(
    prompt: str,
    negative: str = "",
    steps: int = 20,
    *,
    base_steps: int | None = None,
    seed: int = 0,
    lists: Mapping[str, Sequence[str]] | None = None,
    tokenizer: Tokenizer | None = None,
    embeddings: Mapping[str, int] | None = None,
    known_loras: Collection[str] | None = None,
    vocabulary: Collection[str] | None = None,
) -> Explanation:
    """Explain a pair of prompts over `steps` steps; the more is handed in, the more is checked.

    `lists` are the wildcards to draw from by `seed` (None leaves them undrawn), `tokenizer` shows
    the chunks, `embeddings` are the learned ones with their numbers of vectors, `vocabulary` the
    words a word-level model knows (its tokenizer's own where left out), and `base_steps` the first
    pass's steps when the second pass of a hires fix is to be explained.
    """
    if vocabulary is None and tokenizer is not None:
        vocabulary = tokenizer.words
    known = Known(known_loras, vocabulary, lists, embeddings)
    named = mentions(f"{prompt}\n{negative}")
    prompt, negative, drawn = _drawn(prompt, negative, seed, lists)
    text, networks = take_networks(prompt)
    quick = tokenizer and replace(tokenizer, ids=lru_cache(WORDS)(tokenizer.ids))

    def table(part: Part) -> PartTable:
        return _table(part, steps, base_steps, quick, embeddings)

    bare = Explanation(
        steps,
        tuple(table(part) for part in split_and(text)),
        table(Part(negative)),
        networks,
        (),
        None if tokenizer is None else tokenizer.chunk,
        drawn,
    )
    remarks = [
        *checks.check_parts(text),
        *checks.check_text(text, steps, base_steps),
        *checks.check_text(negative, steps, base_steps),
        *checks.check_negative(negative, take_networks(negative)[1]),
        *checks.check_networks(networks, known),
        *checks.check_lists(named, known),
        *checks.check_tables(bare, known),
    ]
    return replace(bare, remarks=checks.shortened(remarks))


def _drawn(
    prompt: str, negative: str, seed: int, lists: Mapping[str, Sequence[str]] | None
) -> tuple[str, str, Drawn | None]:
    """Give both prompts as drawn, and the note of it where that is something else."""
    if lists is None:
        return prompt, negative, None
    found = Drawn(seed, draw(prompt, seed, lists), draw(negative, seed, lists))
    same = (found.prompt, found.negative) == (prompt, negative)
    return found.prompt, found.negative, None if same else found


def _table(
    part: Part,
    steps: int,
    base_steps: int | None,
    tokenizer: Tokenizer | None,
    embeddings: Mapping[str, int] | None,
) -> PartTable:
    held: dict[str, list[int]] = {}
    first = 1
    for entry in expand(part.text, steps, base_steps=base_steps):
        held.setdefault(entry.text, []).extend(range(first, entry.step + 1))
        first = entry.step + 1
    rows = []
    for text, at in held.items():
        pieces = parse_attention(text)
        chunks = () if tokenizer is None else chunk_texts(pieces, tokenizer, embeddings=embeddings)
        rows.append(Row(text, tuple(at), pieces, chunks))
    return PartTable(part.weight, tuple(rows))


def render(explanation: Explanation) -> str:
    """Write an explanation as a plain-text table for people."""
    lines = list(_drawn_lines(explanation.drawn))
    for number, part in enumerate(explanation.prompt, 1):
        several = len(explanation.prompt) > 1
        title = f"Prompt, part {number}" if several else "Prompt"
        weight = f" (weight {part.weight:g})" if several or part.weight != 1 else ""
        lines += [title + weight, *_part_lines(part, explanation.room)]
    if any(row.text.strip() for row in explanation.negative.rows):
        lines += ["Negative prompt", *_part_lines(explanation.negative, explanation.room)]
    if explanation.networks:
        lines += ["Networks", *(f"  {_network_line(item)}" for item in explanation.networks)]
    if explanation.remarks:
        lines += ["Remarks", *(f"  - {remark.words}" for remark in explanation.remarks)]
    return "\n".join(lines)


def _drawn_lines(drawn: Drawn | None) -> Iterator[str]:
    if drawn is None:
        return
    yield f"Drawn with seed {drawn.seed}"
    yield f"  {_one_line(drawn.prompt) or '(nothing)'}"
    if drawn.negative.strip():
        yield f"  negative: {_one_line(drawn.negative)}"


def _part_lines(part: PartTable, room: int | None) -> Iterator[str]:
    for row in part.rows[:SHOWN]:
        yield f"  {_steps(row.steps)}: {_one_line(row.text) or '(nothing)'}"
        if any(isinstance(piece, Break) or piece.weight != 1 for piece in row.pieces):
            yield from (f"    {_piece_line(piece)}" for piece in row.pieces)
        for number, chunk in enumerate(row.chunks, 1):
            words = _one_line(chunk.text) or "(nothing)"
            yield f"    chunk {number}, {chunk.tokens} of {room} tokens: {words}"
    if len(part.rows) > SHOWN:
        yield f"  … and {len(part.rows) - SHOWN} more texts"


def _piece_line(piece: Piece | Break) -> str:
    return "BREAK" if isinstance(piece, Break) else f"{piece.weight:>5.2f}  {_one_line(piece.text)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _network_line(network: Network) -> str:
    try:
        lora = read_lora(network)
    except JobError:
        return str(network)
    if network.kind not in LORA_KINDS:
        return str(network)
    cut = "" if lora.dyn is None else f", cut to rank {lora.dyn}"
    return f"LoRA {lora.name}: text encoder {lora.te:g}, network {lora.unet:g}{cut}"


def _steps(steps: Sequence[int]) -> str:
    """Write step numbers shortly: 1–5, or 1, 3, 5 … 19 where they are evenly spaced."""
    first, last = steps[0], steps[-1]
    if len(steps) == 1:
        return f"step {first}"
    if len(steps) == last - first + 1:
        return f"steps {first}–{last}"
    gap = steps[1] - first
    if len(steps) > 4 and list(steps) == list(range(first, last + 1, gap)):
        return f"steps {first}, {steps[1]}, {steps[2]} … {last}"
    return "steps " + ", ".join(map(str, steps))
