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
