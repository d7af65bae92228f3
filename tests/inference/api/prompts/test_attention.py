from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.api.prompts.attention import ChunkBreak, WeightedText, parse_attention

SYNTAX = "()[]\\:"
BRACKETED = st.text(alphabet="ab ():[]\\.-+123BREAK|", max_size=60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("normal text", [("normal text", 1.0)]),
        ("red (fox)", [("red ", 1.0), ("fox", 1.1)]),
        ("((x))", [("x", 1.21)]),
        ("[[a]]", [("a", 0.826446)]),
        ("(a (b:2) c:0.5)", [("a ", 0.5), ("b", 1.0), (" c", 0.5)]),
        ("(x:1.3", [("x:1.3", 1.1)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("x:1.5", [("x:1.5", 1.0)]),
        ("x:1.5)", [("x:1.5)", 1.0)]),
        ("[a:1.2]", [("a:1.2", 1 / 1.1)]),
        ("(x:-0.5)", [("x", -0.5)]),
        ("(x:+.5)", [("x", 0.5)]),
        ("(x : 1.5 )", [("x ", 1.5)]),
        (r"a\(b\)", [("a(b)", 1.0)]),
        (r"\(literal\]", [("(literal]", 1.0)]),
        (r"a\\b", [("a\\b", 1.0)]),
        (r"\o/", [("o/", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        ("unbalanced)", [("unbalanced)", 1.0)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("(a:.)", [("a:.", 1.1)]),
        ("(a:" + "9" * 400 + ")", [("a:" + "9" * 400, 1.1)]),
        ("(a [b) c]", [("a ", 1.1), ("b", 1.0), (" c", 1 / 1.1)]),
        (
            "a (((easel:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1.0),
                ("easel", 1.573),
                (" ", 1.1),
                ("on", 1.0),
                (" a ", 1.1),
                ("hill", 0.55),
                (", sun, ", 1.1),
                ("sky", 1.4641),
                (".", 1.1),
            ],
        ),
    ],
)
def test_worked_pieces(text: str, expected: list[tuple[str, float]]) -> None:
    pieces = parse_attention(text)

    assert [text for text, _ in expected] == [piece.text for piece in pieces]
    assert [weight for _, weight in expected] == pytest.approx(
        [piece.weight for piece in pieces], rel=1e-5
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat BREAK dog", (WeightedText("cat"), ChunkBreak(), WeightedText("dog"))),
        ("cat\nBREAK\n\ndog", (WeightedText("cat"), ChunkBreak(), WeightedText("dog"))),
        ("(cat BREAK dog:1.2)", (WeightedText("cat", 1.2), ChunkBreak(), WeightedText("dog", 1.2))),
        ("((cat BREAK dog:2):0.5)", (WeightedText("cat"), ChunkBreak(), WeightedText("dog"))),
        ("BREAK cat BREAK BREAK", (ChunkBreak(), WeightedText("cat"), ChunkBreak(), ChunkBreak())),
        ("BREAKFAST", (WeightedText("BREAKFAST"),)),
        ("break", (WeightedText("break"),)),
    ],
)
def test_break_keeps_its_place_and_the_weights_around_it(
    text: str, expected: tuple[WeightedText | ChunkBreak, ...]
) -> None:
    assert parse_attention(text) == expected


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters=SYNTAX), max_size=80))
def test_text_without_syntax_is_kept_whole(text: str) -> None:
    pieces = parse_attention(text.replace("BREAK", ""))

    assert text.replace("BREAK", "") == "".join(
        p.text for p in pieces if isinstance(p, WeightedText)
    )
    assert all(WeightedText(text.replace("BREAK", "")) == piece for piece in pieces)


@settings(deadline=None)
@given(st.lists(st.floats(-4, 4).map(lambda x: round(x, 3)), max_size=8))
def test_nested_weights_multiply(weights: list[float]) -> None:
    text = "x"
    for weight in weights:
        text = f"({text}:{weight:.3f})"

    (piece,) = parse_attention(text)

    assert pytest.approx(math.prod(weights)) == piece.weight


@settings(deadline=None)
@given(BRACKETED)
def test_anything_parses_to_finite_merged_pieces(text: str) -> None:
    pieces = parse_attention(text)

    assert all(math.isfinite(p.weight) for p in pieces if isinstance(p, WeightedText))
    for left, right in pairwise(pieces):
        if isinstance(left, WeightedText) and isinstance(right, WeightedText):
            assert left.weight != right.weight or left.weight == 1.0


@settings(deadline=None)
@given(st.text(max_size=40))
def test_escaped_text_comes_back(text: str) -> None:
    plain = text.replace("BREAK", "").replace(":", "")
    escaped = "".join("\\" + c if c in "()[]\\" else c for c in plain)

    assert "".join(p.text for p in parse_attention(escaped) if isinstance(p, WeightedText)) == plain


@pytest.mark.parametrize("unit", ["(", "[", "(a", "(a:1.1)", "a)", ":1)", "(a[b)c]", "BREAK "])
def test_a_prompt_of_six_thousand_characters_parses(unit: str) -> None:
    pieces = parse_attention((unit * 6000)[:6000])

    assert all(math.isfinite(p.weight) for p in pieces if isinstance(p, WeightedText))


@given(st.lists(st.sampled_from(["BREAK", " ", "\n", "\u3000", "a", "_", "break"]), max_size=12))
def test_a_break_takes_the_space_around_it_along(parts):
    first, *others = re.split(r"\s*\bBREAK\b\s*", "".join(parts))
    pieces = [WeightedText(first)]
    for text in others:
        pieces += [ChunkBreak(), WeightedText(text)]
    assert parse_attention("".join(parts)) == tuple(
        piece for piece in pieces if piece != WeightedText("")
    )
