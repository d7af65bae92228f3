"""Explanations: what a prompt was understood to mean, as data."""

from __future__ import annotations

from dataclasses import dataclass

from inference.api.prompts.attention import ChunkBreak, WeightedText
from inference.api.prompts.extra_networks import ExtraNetworkTag
from inference.prompts.chunks import ChunkText


@dataclass(frozen=True)
class ScheduleRow:
    """One text of a schedule: the steps it holds at, its weighted pieces and its chunks."""

    text: str
    steps: tuple[int, ...]
    pieces: tuple[WeightedText | ChunkBreak, ...]
    chunks: tuple[ChunkText, ...] = ()  # empty where no tokenizer was given


@dataclass(frozen=True)
class TermTable:
    """One AND part: its weight, and its texts in the order in which they first hold."""

    weight: float
    rows: tuple[ScheduleRow, ...]


@dataclass(frozen=True)
class LintWarning:
    """Something a member may not have meant: a stable kind for programs, words for people."""

    kind: str
    words: str


@dataclass(frozen=True)
class ResolvedWildcards:
    """What was drawn of a pair of prompts that offer choices or name lists, and by which seed."""

    seed: int
    prompt: str
    negative: str


@dataclass(frozen=True)
class PromptExplanation:
    """A pair of prompts as understood."""

    steps: int  # network calls, where the sampler calls twice a step
    prompt: tuple[TermTable, ...]
    negative: TermTable
    networks: tuple[ExtraNetworkTag, ...]
    remarks: tuple[LintWarning, ...]
    chunk_size: int | None = None  # tokens a chunk holds, where a tokenizer was given
    resolved_wildcards: ResolvedWildcards | None = (
        None  # where it is something else than what was written
    )
    unit: str = "step"  # what schedules count: `step` or `call`
