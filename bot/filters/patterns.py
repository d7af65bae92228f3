"""Patterns that admins write, run by RE2 in linear time and held to what they may cost.

RE2 takes at most a step for each instruction of a pattern's program and each byte of a text. So a
pattern's cost is the size of its program: known when it is saved, and bounded there; how many bytes
there are to read is known when a prompt comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar

import re2

MAX_PATTERN_MEMORY_BYTES = 1 << 18  # of one pattern's program and what a search keeps of it
MAX_PATTERN_INSTRUCTIONS = 1_500  # of one pattern's program; “any letter” takes 1,200
MAX_PATTERNS_INSTRUCTIONS = 10_000  # of all of a server's; 50 patterns of 100 letters take 5,200
MAX_MATCH_STEPS = 300_000_000  # instructions × bytes for one prompt; the worst take 2 s
MAX_CACHED_PATTERNS = 1024  # compiled patterns kept
FILTER_THREADS = 2  # prompts read at once

P = ParamSpec("P")
T = TypeVar("T")


class PatternError(ValueError):
    """A pattern cannot be read; the words say where."""


class PatternsTooCostly(ValueError):
    """A pattern, or several together, have a larger program than is run."""

    def __init__(self, instructions: int, limit: int) -> None:
        super().__init__(f"{instructions} instructions, at most {limit}")
        self.instructions, self.limit = instructions, limit


@lru_cache(maxsize=MAX_CACHED_PATTERNS)
def compile_pattern(pattern: str) -> Any:
    """Compile a pattern, which upper and lower case do not matter to.

    Raises:
        PatternError: it is no pattern, or needs what RE2 leaves out to stay fast.
        PatternsTooCostly: its program is too large.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = MAX_PATTERN_MEMORY_BYTES
    try:
        compiled_pattern = re2.compile(pattern, options)
    except UnicodeEncodeError as error:
        raise PatternError("half a sign") from error
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(words) from error
    _check_cost(count_instructions(compiled_pattern), MAX_PATTERN_INSTRUCTIONS)
    return compiled_pattern


def count_instructions(compiled_pattern: Any) -> int:
    """Return the size of a pattern's program, of the larger one where it runs both ways."""
    return int(max(compiled_pattern.programsize, compiled_pattern.reverseprogramsize))


def compile_patterns(patterns: Collection[str]) -> list[Any]:
    """Compile patterns that are to be run one after the other.

    Raises:
        PatternError: one of them is no pattern.
        PatternsTooCostly: one of them is too costly, or all together are.
    """
    compiled_patterns = [compile_pattern(pattern) for pattern in patterns]
    _check_cost(sum(map(count_instructions, compiled_patterns)), MAX_PATTERNS_INSTRUCTIONS)
    return compiled_patterns


def _check_cost(instructions: int, limit: int) -> None:
    if instructions > limit:
        raise PatternsTooCostly(instructions, limit)


def find_match(patterns: Collection[str], texts: Sequence[str]) -> str | None:
    """Return the first part of a text that a pattern fits, or None.

    Raises:
        PatternError: one of the patterns is none.
        PatternsTooCostly: they would take more than `MAX_MATCH_STEPS`; nothing was looked at.
    """
    compiled_patterns = compile_patterns(patterns)
    instructions = sum(map(count_instructions, compiled_patterns))
    encoded_texts = dict.fromkeys(text.encode(errors="replace") for text in texts)
    _check_cost(instructions, MAX_MATCH_STEPS // max(1, sum(map(len, encoded_texts))))
    for compiled_pattern in compiled_patterns:
        for text in encoded_texts:
            match = compiled_pattern.search(text)
            if match is not None:
                return bytes(match[0]).decode(errors="replace")
    return None


_threads = ThreadPoolExecutor(FILTER_THREADS, thread_name_prefix="filter")


async def run_beside_loop(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what reads a stranger's words in one of the filters' own threads.

    They are few and their own, so that words that take long to read delay neither the event loop
    nor the threads of the disk; RE2 lets go of the interpreter while it searches.
    """
    work = _threads.submit(read, *args, **kwargs)
    return await asyncio.wrap_future(work)
