from __future__ import annotations

import pytest

from bot.filters.patterns import PatternError, compile_pattern, find_match


@pytest.mark.parametrize(
    ("pattern", "text", "part"),
    [
        (r"\bgun(s|fire)?\b", "two Guns", "Guns"),
        (r"\d{4}-\d{4}", "call 0123-4567 now", "0123-4567"),
        (r"x", "y", None),
        (r"血.*海", "血の海", "血の海"),
    ],
)
def test_what_fits(pattern, text, part):
    assert find_match(pattern, text) == part


@pytest.mark.parametrize("pattern", ["(", "[a", "(?=a)b", r"(a)\1", "a{2000}", "*"])
def test_what_is_no_pattern_for_re2(pattern):
    with pytest.raises(PatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(a*)*b", r"(.*a){12}"])
def test_patterns_that_explode_elsewhere_end_here(pattern):
    """Each would take a backtracking engine longer than the universe is old."""
    find_match(pattern, "a" * 6000 + "!")
