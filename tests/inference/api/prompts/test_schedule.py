from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.api.prompts.schedule import (
    ScheduleEntry,
    ScheduleSummary,
    describe_schedule,
    expand_schedule,
    text_at,
)


def entries(text: str, steps: int = 10, base: int | None = None) -> list[tuple[int, str]]:
    return [(entry.step, entry.text) for entry in expand_schedule(text, steps, base_steps=base)]


def turns(*texts: str, steps: int = 10) -> list[tuple[int, str]]:
    return [(step, texts[(step - 1) % len(texts)]) for step in range(1, steps + 1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test", [(10, "test")]),
        ("", [(10, "")]),
        ("[cat:dog:0.5]", [(5, "cat"), (10, "dog")]),
        ("[cat:0.25] sits", [(2, " sits"), (10, "cat sits")]),
        ("[cat::6] sits", [(6, "cat sits"), (10, " sits")]),
        ("[a:b:1]", [(1, "a"), (10, "b")]),
        ("[a:b:1.0]", [(10, "a")]),
        ("[a:b:1.]", [(10, "a")]),
        ("[a:b:25]", [(10, "a")]),
        ("[a:b:0]", [(10, "b")]),
        ("[a:b:-3]", [(10, "b")]),
        ("[a:b:1e1]", [(10, "a")]),
        ("[a:b:1e999]", [(10, "a")]),
        ("[a:[b:c:6]:3]", [(3, "a"), (6, "b"), (10, "c")]),
        ("[[a:b:3]:c:6]", [(3, "a"), (6, "b"), (10, "c")]),
        ("(x [a:b:4]:1.2)", [(4, "(x a:1.2)"), (10, "(x b:1.2)")]),
        ("a [b] c", [(10, "a [b] c")]),
        ("a [unbalanced", [(10, "a [unbalanced")]),
        ("a [b:3]", [(3, "a "), (10, "a b")]),
        ("a [b: 3 ]", [(3, "a "), (10, "a b")]),
        ("a [[[b]]:2]", [(2, "a "), (10, "a [[b]]")]),
        ("[(a:2):3]", [(3, ""), (10, "(a:2)")]),
        ("a [b : c : 1] d", [(1, "a b  d"), (10, "a  c  d")]),
        ("a[b:[c:d:2]:1]e", [(1, "abe"), (2, "ace"), (10, "ade")]),
        ("a [b:.5] c", [(5, "a  c"), (10, "a b c")]),
        ("((a][:b:c [d:3]", [(3, "((a][:b:c "), (10, "((a][:b:c d")]),
        ("[a:b] [c:d:3]", [(3, "[a:b] c"), (10, "[a:b] d")]),
        ("[[a:b]:c:3]", [(10, "[[a:b]:c:3]")]),
        ("[[a:b:2]:c:d:3]", [(2, "[a:c:d:3]"), (10, "[b:c:d:3]")]),
        ("[a:b:c]", [(10, "[a:b:c]")]),
        ("[a:b:[1|2]]", [(step, text) for step, text in turns("[a:b:1]", "[a:b:2]")]),
        (r"\[a:b:3\]", [(10, r"\[a:b:3\]")]),
        (r"[a\:x:b:3]", [(3, r"a\:x"), (10, "b")]),
        ("a | b [c:d:3]", [(10, "a | b [c:d:3]")]),
        ("(a|b) [c:d:3]", [(10, "(a|b) [c:d:3]")]),
        ("[a|b [c:d:3]", [(10, "[a|b [c:d:3]")]),
        ("[a|b:3]", [(10, "[a|b:3]")]),
        ("a [{b|d{:.5] c", [(10, "a [{b|d{:.5] c")]),
        ("backslash\\", [(10, "backslash\\")]),
        ("<lora:ink:0.5> [a:b:3]", [(3, "<lora:ink:0.5> a"), (10, "<lora:ink:0.5> b")]),
    ],
)
def test_worked_schedules(text: str, expected: list[tuple[int, str]]) -> None:
    assert entries(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[fe|]male", turns("female", "male")),
        ("[|fe]male", turns("male", "female")),
        ("[fe|||]male", turns("female", "male", "male", "male")),
        ("[a|b|c] x", turns("a x", "b x", "c x")),
        ("[a|(b:1.1)]", turns("a", "(b:1.1)")),
        ("[a|[b|c]]", turns("a", "c")),
        ("([a|b]:1.2)", turns("(a:1.2)", "(b:1.2)")),
        (
            "[[a|b]:c:2]",
            [(1, "a"), (2, "b"), *((step, "c") for step in range(3, 11))],
        ),
    ],
)
def test_worked_turns(text: str, expected: list[tuple[int, str]]) -> None:
    assert entries(text) == expected


@pytest.mark.parametrize(
    ("text", "base", "hires"),
    [
        ("[a:b:12]", [(10, "a")], [(2, "a"), (6, "b")]),
        ("[a:b:1.5]", [(10, "a")], [(3, "a"), (6, "b")]),
        ("[a:b:0.5]", [(5, "a"), (10, "b")], [(6, "b")]),
        ("[a:b:4]", [(4, "a"), (10, "b")], [(6, "b")]),
        ("[a:b:1.0]", [(10, "a")], [(6, "b")]),
        ("[a:b:2.0]", [(10, "a")], [(6, "a")]),
        ("[a|b]", turns("a", "b"), turns("a", "b", steps=6)),
    ],
)
def test_the_second_pass_counts_on(
    text: str, base: list[tuple[int, str]], hires: list[tuple[int, str]]
) -> None:
    assert entries(text, 10) == base
    assert entries(text, 6, base=10) == hires


def test_each_step_finds_its_text() -> None:
    schedule = expand_schedule("[cat:dog:0.5]", 10)

    assert [text_at(schedule, step) for step in range(1, 12)] == ["cat"] * 5 + ["dog"] * 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a] (b:2)", ScheduleSummary()),
        ("[a:[b:c:0.6]:3]", ScheduleSummary((("3", 3), ("0.6", 6)))),
        ("[a:b:1.0] ([c:-2]:1.2)", ScheduleSummary((("1.0", 10), ("-2", 0)))),
        ("[a|[b:4]]", ScheduleSummary((("4", 4),), takes_turns=True)),
        ("a|b", ScheduleSummary(readable=False)),
    ],
)
def test_a_reading_tells_when_things_change(text: str, expected: ScheduleSummary) -> None:
    assert describe_schedule(text, 10) == expected


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="[]|"), max_size=80), st.integers(1, 150))
def test_text_without_square_brackets_is_kept(text: str, steps: int) -> None:
    assert (ScheduleEntry(steps, text),) == expand_schedule(text, steps)


@settings(deadline=None)
@given(
    st.text(alphabet="ab [](:)|.\\0123", max_size=60),
    st.integers(1, 30),
    st.none() | st.integers(1, 30),
)
def test_anything_expands_to_rising_steps_up_to_the_last(
    text: str, steps: int, base: int | None
) -> None:
    schedule = expand_schedule(text, steps, base_steps=base)

    ends = [entry.step for entry in schedule]
    assert sorted(set(ends)) == ends
    assert (steps, True) == (ends[-1], ends[0] >= 1)


@pytest.mark.parametrize("unit", ["[", "(", "[a:", "[a|b]", "[a:b:3]", "([a:b:1]", "a]", "|", ":"])
def test_a_prompt_of_six_thousand_characters_expands(unit: str) -> None:
    assert expand_schedule((unit * 6000)[:6000], 150)[-1].step == 150


@pytest.mark.parametrize(("left", "right"), [("(", ")"), ("[", "]"), ("[a:", ":3]"), ("[|", "]")])
def test_deep_brackets_expand(left: str, right: str) -> None:
    depth = 6000 // len(left + right)

    assert expand_schedule(left * depth + right * depth, 20)[-1].step == 20
