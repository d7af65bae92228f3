from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.api.prompts.wildcards import (
    MAX_PROMPT_CHARACTERS,
    draw_wildcards,
    expand_prompt_arrays,
    find_list_mentions,
)

LISTS = {
    "animal": ["fox", "cat", "dog"],
    "coat": ["{red|white}"],
    "pair": ["__coat__ __animal__"],
    "loop": ["x __loop__"],
    "twins": ["__twins__ __twins__ and more"],
    "my_list/part-2": ["found"],
    "empty": [],
    "tagged": ["<lora:x__animal__:1>"],
}


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("a {fox|cat} sits", {"a fox sits", "a cat sits"}),
        ("{a|}", {"a", ""}),
        ("{{a|b}|c}", {"a", "b", "c"}),
        ("{2$$a|b}", {"a, b", "b, a"}),
        ("{5$$a|b}", {"a, b", "b, a"}),
        ("{1-2$$a|b}", {"a", "b", "a, b", "b, a"}),
        ("{0-1$$a}", {"", "a"}),
        ("{-1$$a|b}", {"", "a", "b"}),
        ("{2-$$a|b|c}", {", ".join(some) for n in (2, 3) for some in permutations("abc", n)}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{2$$__animal__}", {", ".join(pair) for pair in permutations(("fox", "cat", "dog"), 2)}),
        ("{3::blue|red}", {"blue", "red"}),
        ("{0::blue|red}", {"red"}),
        ("{0::blue|0::red}", {"blue", "red"}),
        ("{2$$0::a|b|2.5::c}", {"b, c", "c, b"}),
        ("{a::b|x:y}", {"a::b", "x:y"}),
        ("{<lora:a:1>|<lora:b:1>}", {"<lora:a:1>", "<lora:b:1>"}),
        ("<lora:my__animal__style:1> a cat", {"<lora:my__animal__style:1> a cat"}),
        ("<lora:{a|b}:1>", {"<lora:{a|b}:1>"}),
        ("{<lora:a|b:1>|c}", {"<lora:a|b:1>", "c"}),
        ("__tagged__", {"<lora:x__animal__:1>"}),
        ("{[a|b]|c}", {"[a|b]", "c"}),
        ("{x {a|b} y}", {"{x a y}", "{x b y}"}),
        ("{ {a|b}", {"{ a", "{ b"}),
        ("{a|b} }", {"a }", "b }"}),
        (r"\{a|b\}", {r"\{a|b\}"}),
        ("{prompt}", {"{prompt}"}),
        ("__animal__", {"fox", "cat", "dog"}),
        ("__pair__", {f"{c} {a}" for c in ("red", "white") for a in ("fox", "cat", "dog")}),
        ("{__coat__|b}", {"red", "white", "b"}),
        ("__my_list/part-2__", {"found"}),
        ("__nothing__ here", {"nothing here"}),
        ("__empty__", {"empty"}),
        ("plain __ text_", {"plain __ text_"}),
    ],
)
def test_every_choice_is_drawn(text: str, choices: set[str]) -> None:
    assert {draw_wildcards(text, seed, LISTS) for seed in range(200)} == choices


def test_weights_say_how_often() -> None:
    counts = Counter(draw_wildcards("{3::a|b}", seed, {}) for seed in range(4000))

    assert 2850 < counts["a"] < 3150


class NamedLists(dict[str, list[str]]):
    """Lists beside embeddings with the marks of choices in their names."""

    reserved_names = frozenset({"bad__animal__v5", "odd{a|b}"})


def test_names_of_embeddings_are_no_choices() -> None:
    prompt = "bad__animal__v5, Odd{a|b}, __animal__"
    drawn = {draw_wildcards(prompt, seed, NamedLists(LISTS)) for seed in range(50)}

    assert drawn == {f"bad__animal__v5, Odd{{a|b}}, {word}" for word in LISTS["animal"]}
    assert find_list_mentions(prompt, NamedLists(LISTS)) == ("animal",)
    assert find_list_mentions("<lora:my__cool__style:1>") == ()


def test_choices_are_about_even() -> None:
    counts = Counter(draw_wildcards("{a|b|c|d}", seed, {}) for seed in range(4000))

    assert all(900 < count < 1100 for count in counts.values())


def test_the_index_walks_through_a_list() -> None:
    drawn = [draw_wildcards("__animal__ {a|b}", 7, LISTS, index=index) for index in range(4)]

    assert [text.split()[0] for text in drawn] == ["fox", "cat", "dog", "fox"]
    assert len({text.split()[1] for text in drawn}) == 1


def test_lists_that_name_themselves_end() -> None:
    assert draw_wildcards("__loop__", 1, LISTS) == "x " * 64 + "loop"
    assert MAX_PROMPT_CHARACTERS >= len(draw_wildcards("__twins__", 1, LISTS)) > 0


@settings(deadline=None)
@given(st.text(alphabet="ab{}|$2_[]-\\ ", max_size=60), st.integers(0, 2**32 - 1))
def test_a_seed_always_draws_the_same(text: str, seed: int) -> None:
    assert draw_wildcards(text, seed, {"a": ["b"]}) == draw_wildcards(text, seed, {"a": ["b"]})


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="{_"), max_size=60), st.integers(0, 99))
def test_text_without_choices_is_kept(text: str, seed: int) -> None:
    assert draw_wildcards(text, seed, LISTS) == text


def test_names_are_listed_once() -> None:
    assert find_list_mentions("__animal__ and __nothing__ and __animal__") == ("animal", "nothing")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a fox", ("a fox",)),
        ("a [[red, white]] fox", ("a red fox", "a white fox")),
        ("[[a, b]] [[c, d]]", ("a c", "a d", "b c", "b d")),
        ("[[<lora:x:1>, b]]", ("<lora:x:1>", "b")),
        ("[[a]]", ("[[a]]",)),
    ],
)
def test_arrays_spread(text: str, expected: tuple[str, ...]) -> None:
    assert expand_prompt_arrays(text) == expected


def test_arrays_stop_at_the_limit() -> None:
    assert len(expand_prompt_arrays("[[a, b, c, d]]" * 40)) == 64


@pytest.mark.parametrize("unit", ["{", "{a|", "{a|b}", "__a__", "__", "{a|b", "[[,", "[[a,"])
def test_six_thousand_characters_are_drawn(unit: str) -> None:
    text = (unit * 6000)[:6000]

    assert len(draw_wildcards(text, 3, {"a": ["b __a__"]})) <= MAX_PROMPT_CHARACTERS
    assert len(expand_prompt_arrays(text)) <= 64
