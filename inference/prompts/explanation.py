"""Explanations: what a prompt was understood to mean, as data."""

from __future__ import annotations

from dataclasses import dataclass

from inference.prompts.attention import Break, Piece
from inference.prompts.chunks import ChunkText
from inference.prompts.networks import Network


@dataclass(frozen=True)
class Row:
    """One text of a schedule: the steps it holds at, its weighted pieces and its chunks."""

    text: str
    steps: tuple[int, ...]
    pieces: tuple[Piece | Break, ...]
    chunks: tuple[ChunkText, ...] = ()  # empty where no tokenizer was given


@dataclass(frozen=True)
class PartTable:
    """One AND part: its weight, and its texts in the order in which they first hold."""

    weight: float
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Remark:
    """Something a member may not have meant: a stable kind for programs, words for people."""

    kind: str
    words: str


@dataclass(frozen=True)
class Drawn:
    """What was drawn of a pair of prompts that offer choices or name lists, and by which seed."""

    seed: int
    prompt: str
    negative: str


@dataclass(frozen=True)
class Explanation:
    """A pair of prompts as understood."""

    steps: int
    prompt: tuple[PartTable, ...]
    negative: PartTable
    networks: tuple[Network, ...]
    remarks: tuple[Remark, ...]
    room: int | None = None  # tokens a chunk holds, where a tokenizer was given
    drawn: Drawn | None = None  # where it is something else than what was written
