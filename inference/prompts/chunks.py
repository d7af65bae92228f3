"""Chunks: weighted text becomes the fixed-length rows of tokens that a text encoder takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from inference.api.errors import JobError
from inference.api.prompts.attention import ChunkBreak, WeightedText

COMMA_REACH_TOKENS = 20  # tokens: how far back a full chunk looks for a comma to end at
#: Stands where vectors will lie; never an end token, which pooling looks for.
_EMBEDDING_PLACEHOLDER = 0


@dataclass(frozen=True)
class Tokenizer:
    """What the grammar needs to know of a tokenizer; `ids` adds no start, end or padding."""

    ids: Callable[[str], list[int]]
    bos: int
    eos: int
    pad: int
    length: int  # tokens a row, start and end included
    comma: int | None = None
    vocabulary: frozenset[str] | None = None  # a word-level tokenizer's whole vocabulary

    @property
    def chunk_size(self) -> int:
        """Tokens a row leaves for content."""
        return self.length - 2


@dataclass(frozen=True)
class EmbeddingPlacement:
    """A learned embedding that takes the positions from `offset` on; row positions, start = 0."""

    name: str
    offset: int
    vectors: int


@dataclass(frozen=True)
class TokenChunk:
    """One row: start, content, end, padding; one weight a position, 1.0 outside the content."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]
    placements: tuple[EmbeddingPlacement, ...] = ()
    content: int = 0  # positions used between start and end


@dataclass(frozen=True)
class _TokenUnit:
    """What is never split: one token, or all vectors of one embedding."""

    token: int
    weight: float
    name: str = ""
    vectors: int = 1


@dataclass
class _ChunkDraft:
    units: list[_TokenUnit] = field(default_factory=list)
    token_count: int = 0
    comma: int | None = None  # units up to and including the last comma

    def add_unit(self, unit: _TokenUnit, is_comma: bool) -> None:
        self.units.append(unit)
        self.token_count += unit.vectors
        if is_comma:
            self.comma = len(self.units)

    def pop_tail(self, reach: int) -> list[_TokenUnit]:
        """Take off what follows the last comma, if that comma is at most `reach` tokens back."""
        if self.comma is None or self.comma == len(self.units):
            return []
        tail = self.units[self.comma :]
        if 1 + sum(unit.vectors for unit in tail) > reach:
            return []
        del self.units[self.comma :]
        return tail


def chunk_pieces(
    pieces: Sequence[WeightedText | ChunkBreak],
    tokenizer: Tokenizer,
    *,
    size: int | None = None,
    embeddings: Mapping[str, int] | None = None,
    reach: int = COMMA_REACH_TOKENS,
) -> tuple[TokenChunk, ...]:
    """Lay weighted pieces out in rows of `size` content tokens; no text is one empty row.

    A break ends the row. A full row whose last comma lies at most `reach` tokens back ends
    there, and what followed the comma opens the next row. `embeddings` maps the names of learned
    embeddings to their number of vectors; one is never split over two rows.

    Raises: JobError for an embedding longer than a row.
    """
    room = tokenizer.chunk_size if size is None else size
    rows = [_ChunkDraft()]
    for unit in _split_units(pieces, tokenizer, embeddings or {}):
        if unit is None:
            rows.append(_ChunkDraft())
            continue
        is_comma = not unit.name and unit.token == tokenizer.comma
        if rows[-1].token_count + unit.vectors > room:
            _start_row(rows, unit, 0 if is_comma else reach, room)
        rows[-1].add_unit(unit, is_comma)
    if len(rows) > 1 and not rows[-1].units:
        rows.pop()
    return tuple(_build_chunk(row.units, tokenizer, room) for row in rows)


def _start_row(rows: list[_ChunkDraft], unit: _TokenUnit, reach: int, room: int) -> None:
    """Begin a row that has room for `unit`, carrying over what follows a near comma."""
    if unit.vectors > room:
        values = {"name": unit.name, "vectors": unit.vectors, "room": room}
        raise JobError("prompt", "prompt.long_embedding", **values)
    tail = rows[-1].pop_tail(reach) if rows[-1].token_count == room else []
    rows.append(_ChunkDraft(tail, sum(tail_unit.vectors for tail_unit in tail)))
    if rows[-1].token_count + unit.vectors > room:
        rows.append(_ChunkDraft())


def _split_units(
    pieces: Sequence[WeightedText | ChunkBreak], tokenizer: Tokenizer, embeddings: Mapping[str, int]
) -> Iterator[_TokenUnit | None]:
    names = {name.lower(): name for name in embeddings}
    pattern = _names_pattern(names)
    for piece in pieces:
        if isinstance(piece, ChunkBreak):
            yield None
            continue
        for number, text in enumerate(pattern.split(piece.text) if pattern else [piece.text]):
            if number % 2:
                name = names[text.lower()]
                yield _TokenUnit(_EMBEDDING_PLACEHOLDER, piece.weight, name, embeddings[name])
            else:
                yield from (_TokenUnit(token, piece.weight) for token in tokenizer.ids(text))


def _names_pattern(names: Mapping[str, str]) -> re.Pattern[str] | None:
    """Match any name as a whole word in any case, the longest first."""
    if not names:
        return None
    choices = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<!\w)({choices})(?!\w)", re.IGNORECASE)


def _build_chunk(units: Sequence[_TokenUnit], tokenizer: Tokenizer, room: int) -> TokenChunk:
    tokens, weights, placements = [tokenizer.bos], [1.0], []
    for unit in units:
        if unit.name:
            placements.append(EmbeddingPlacement(unit.name, len(tokens), unit.vectors))
        tokens += [unit.token] * unit.vectors
        weights += [unit.weight] * unit.vectors
    content = len(tokens) - 1
    tokens += [tokenizer.eos] + [tokenizer.pad] * (room - content)
    weights += [1.0] * (room + 2 - len(weights))
    return TokenChunk(tuple(tokens), tuple(weights), tuple(placements), content)


@dataclass(frozen=True)
class ChunkText:
    """The words of one chunk, and how many of its tokens they take."""

    text: str
    tokens: int


def chunk_texts(
    pieces: Sequence[WeightedText | ChunkBreak],
    tokenizer: Tokenizer,
    *,
    embeddings: Mapping[str, int] | None = None,
) -> tuple[ChunkText, ...]:
    """Say which words lie in which chunk; a word that two chunks share stands in both."""
    owners: list[tuple[int, str]] = []  # for each token, its word and that word's number

    def tokenize_words(text: str) -> list[int]:
        # No tokenizer joins words over a space, so word by word the tokens are the same.
        tokens: list[int] = []
        for word in text.split():
            token_ids = tokenizer.ids(word)
            owners.extend([(len(owners), word)] * len(token_ids))
            tokens += token_ids
        return tokens

    chunks = chunk_pieces(pieces, replace(tokenizer, ids=tokenize_words), embeddings=embeddings)
    token_owners = iter(owners)
    return tuple(ChunkText(_spell_chunk(chunk, token_owners), chunk.content) for chunk in chunks)


def _spell_chunk(chunk: TokenChunk, owners: Iterator[tuple[int, str]]) -> str:
    placements = {item.offset: item for item in chunk.placements}
    words: dict[int, str] = {}
    position = 1
    while position <= chunk.content:
        if position in placements:
            words[-position] = placements[position].name
            position += placements[position].vectors
        else:
            number, word = next(owners)
            words[number] = word
            position += 1
    return " ".join(words.values())
