from __future__ import annotations

from functools import partial

import pytest

from bot.errors import NotAllowed, ProhibitedContent
from bot.filters.prompt_filter import check_prompt

check = partial(check_prompt, banned_words=("gore", "red dress"), banned_patterns=(r"\bguns?\b",))


@pytest.mark.parametrize("prompt", ["a RED  dress", "two Guns", "g u n", "ｇｕｎ"])
def test_what_a_server_forbids(prompt):
    with pytest.raises(NotAllowed, match="however it is written"):
        check(prompt)


def test_no_server_can_allow_everything():
    with pytest.raises(ProhibitedContent, match="refused on every server"):
        check_prompt("nude child")


def test_a_pattern_that_fits_anything_refuses_no_empty_prompt():
    check_prompt("", banned_patterns=("x*",))


def test_what_is_given_back_is_short_and_harmless():
    with pytest.raises(NotAllowed) as refused:
        check_prompt("x" * 3000 + "```", banned_patterns=("x+`*",))
    assert len(str(refused.value)) < 200
    assert "`" not in str(refused.value)


@pytest.mark.parametrize("sign", ["ﷺ", "ﷺ㍿", "ﬃﷺ"])
def test_signs_that_stand_for_many_letters_are_bounded(sign):
    with pytest.raises(
        NotAllowed, match="characters when its signs are written out; at most 24000"
    ):
        check_prompt((sign * 6000)[:6000])
    check_prompt(f"{sign} a mosque at dawn")


@pytest.mark.parametrize("sign", ["½", "a", "漢", "각", "ﬃ", "㍿"])
def test_a_prompt_of_ordinary_signs_may_be_as_long_as_any(sign):
    check_prompt(sign * 6000)
