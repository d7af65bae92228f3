from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.filters.normalised_text import NormalisedText, confusable_letters, normalise_text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Straße", "strasse"),
        ("CAFÉ", "cafe"),
        ("ﬁne", "fine"),
        ("раура1", "paypa1"),  # Cyrillic
        ("ΑΒΓ", "ab"),  # Greek capitals that look like ours; Γ looks like none
        ("１２歳", "12歳"),
        ("か\u3099", "が"),  # a mark that makes another letter stays
        ("a\u200db\ufe0f", "ab"),
    ],
)
def test_letters_of_one_alphabet(text, meant):
    assert normalise_text(text).startswith(meant)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a red dress", "red dress"),
        ("a red-dress", "red dress"),
        ("RED, DRESS", "red dress"),
        ("blood everywhere", "blood*"),
        ("bloody", "blood*"),
        ("bl00d", "blood"),
        ("血まみれ", "血"),
    ],
)
def test_a_word_is_found(text, word):
    assert NormalisedText(text).contains_word(word)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("bloody", "blood"),
        ("lifeblood", "blood"),
        ("reddress", "red"),
        ("anything", "!*"),
        ("anything", "..."),
        ("", "a"),
    ],
)
def test_a_word_is_not_found_within_another(text, word):
    assert not NormalisedText(text).contains_word(word)


@given(st.text(max_size=200))
def test_any_text_can_be_read_and_is_read_the_same_twice(text):
    once = normalise_text(text)
    assert normalise_text(once) == once or "\u3099" in text or "\u309a" in text
    NormalisedText(text)


def test_only_letters_look_like_letters():
    assert set("".join(confusable_letters().values())) <= set("abcdefghijklmnopqrstuvwxyz")
    assert confusable_letters()["а"] == "a"  # Cyrillic
