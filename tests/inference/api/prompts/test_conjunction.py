from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.api.prompts.conjunction import PromptTerm, split_and


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", [("a cat", 1.0)]),
        ("", [("", 1.0)]),
        (
            "a cat :1.2 AND a dog AND a fish :-0.3",
            [("a cat", 1.2), (" a dog", 1.0), (" a fish", -0.3)],
        ),
        ("ANDROID AND BRAND", [("ANDROID", 1.0), (" BRAND", 1.0)]),
        ("a and b", [("a and b", 1.0)]),
        ("a:1:2", [("a:1", 2.0)]),
        ("a : +.5 \n", [("a", 0.5)]),
        ("a:1.", [("a", 1.0)]),
        ("(a:1.2)", [("(a:1.2)", 1.0)]),
        ("a:b", [("a:b", 1.0)]),
        ("a:1.2.3", [("a:1.2.3", 1.0)]),
        ("a:" + "9" * 400, [("a:" + "9" * 400, 1.0)]),
        ("AND", [("", 1.0), ("", 1.0)]),
    ],
)
def test_worked_parts(text: str, expected: list[tuple[str, float]]) -> None:
    assert tuple(PromptTerm(*part) for part in expected) == split_and(text)


@settings(deadline=None)
@given(st.text(alphabet="AND :.-+0123x\n", max_size=60))
def test_anything_splits_to_finite_weights(text: str) -> None:
    parts = split_and(text)

    assert all(math.isfinite(part.weight) for part in parts)
    assert all(part.text in text for part in parts)
