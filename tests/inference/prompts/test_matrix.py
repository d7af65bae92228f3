from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.prompts.matrix import matrix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a fox", ("a fox",)),
        ("a fox | red, |snow", ("a fox", "a fox, red", "a fox, snow", "a fox, red, snow")),
        ("a [b|c] {d|e}|x", ("a [b|c] {d|e}", "a [b|c] {d|e}, x")),
        (r"a \[b|c", (r"a \[b", r"a \[b, c")),
    ],
)
def test_worked_selections(text: str, expected: tuple[str, ...]) -> None:
    assert expected == matrix(text)


@settings(deadline=None)
@given(st.lists(st.text(alphabet="ab c", min_size=1, max_size=5), min_size=1, max_size=6))
def test_options_double_the_prompts(parts: list[str]) -> None:
    assert 2 ** (len(parts) - 1) == len(matrix("|".join(parts)))


def test_too_many_options_are_refused() -> None:
    with pytest.raises(ValueError, match="7 options; 6 are the most"):
        matrix("base" + "|x" * 7)
