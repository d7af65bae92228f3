"""The dearest patterns that a search over RE2's grammar finds.

A pattern is grown from pieces by random changes; one that RE2 gives a larger program is kept. The
search is the same at every run.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import re2

MAX_PATTERN_CHARACTERS = 100
ATOMS = (
    *("a", "ß", "漢", ".", r"\w", r"\S", r"\b", r"\pL", r"\PN", r"\p{Han}", "[^a]", "[a-ſ]"),
    *("^", "$", "(?s:.)", r"\d", "[^\\x00-\\x{10FFFF}]", "(?i)K", "^*", "!"),
)
GROWTHS: tuple[Callable[[str, Random], str], ...] = (
    lambda pattern, rng: f"({pattern}){{{rng.choice((2, 9, 30, 100, 900, 1000))}}}",
    lambda pattern, rng: f"(?:{pattern}){rng.choice('?*+')}",
    lambda pattern, rng: f"{pattern}{{0,{rng.randint(1, 1000)}}}",
    lambda pattern, rng: f"{pattern}|{rng.choice(ATOMS)}",
    lambda pattern, rng: pattern + rng.choice(ATOMS),
    lambda pattern, rng: rng.choice(ATOMS) + pattern,
    lambda pattern, rng: pattern[: len(pattern) // 2],
    lambda pattern, rng: pattern + pattern,
)


def measure_program(pattern: str, max_memory: int = 1 << 20) -> int:
    """How many instructions RE2 makes of a pattern; 0 where it is none, or too much for anybody."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = max_memory
    try:
        compiled = re2.compile(pattern, options)
    except re2.error:
        return 0
    return max(compiled.programsize, compiled.reverseprogramsize)


def search_worst_patterns(count: int, rounds: int, limit: int) -> list[str]:
    """Find that many different patterns whose programs are as large as they get below a limit."""
    rng = Random(5)
    sizes = {atom: size for atom in ATOMS if 0 < (size := measure_program(atom)) <= limit}
    for _ in range(rounds):
        best = sorted(sizes, key=sizes.__getitem__)[-count:]
        grown = rng.choice(GROWTHS)(rng.choice(best), rng)
        if 0 < len(grown) <= MAX_PATTERN_CHARACTERS and grown not in sizes:
            size = measure_program(grown)
            if 0 < size <= limit:
                sizes[grown] = size
    return sorted(sizes, key=sizes.__getitem__)[-count:]
