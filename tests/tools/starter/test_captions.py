import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.starter import captions


@pytest.mark.parametrize(
    ("icon", "name"),
    [
        ("red-apple", "red apple"),
        ("waving-hand-light-skin-tone", None),
        ("boy-medium-dark", None),
        ("flag-for-france", None),
        ("black-flag", "black flag"),
    ],
)
def test_icon_keys_become_names(icon, name):
    assert captions.name_of_icon(icon) == name


@pytest.mark.parametrize(
    ("name", "drawable"),
    [
        ("red apple", True),
        ("woman dancing", False),
        ("1st place medal", False),
        ("one o clock", False),
        ("a name of five words", False),
    ],
)
def test_people_letters_and_long_names_are_left_out(name, drawable):
    assert captions.is_drawable(name) == drawable


def test_concepts_stand_in_four_trained_styles():
    names = ["apple"] * 5 + ["pear"] * 4
    styles = ["noto", "blob", "flat", "fluent", "emojione", "noto", "noto", "blob", "emojione"]
    assert captions.concepts(names, styles) == ["apple"]


@given(st.sets(st.text(min_size=1), max_size=300))
def test_one_name_in_forty_is_held_back(names):
    assert -(-len(names) // 40) == len(captions.held_back(names))
    assert captions.held_back(names) <= names


def test_captions_leave_out_what_is_not_given():
    assert captions.caption("cat") == "cat"
    assert captions.caption("cat", "blob", "red") == "cat blob style on red background"


@given(st.integers(0, 10_000))
def test_spoken_captions_keep_every_word_of_the_name(seed):
    choice = np.random.default_rng(seed)
    text = captions.spoken(choice, "evergreen tree", "noto", "blue")
    assert "evergreen tree" in text
    assert "blue background" in text


def test_white_grounds_are_mostly_unsaid():
    choice = np.random.default_rng(0)
    said = ["white" in captions.spoken(choice, "cat", None, "white") for _ in range(400)]
    assert 0.2 < np.mean(said) < 0.4
