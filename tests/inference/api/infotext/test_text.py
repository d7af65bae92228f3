from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.api.infotext.text import (
    Infotext,
    format_infotext,
    parse_infotext,
    quote_value,
    unquote_value,
)

EXAMPLE = (
    "misty harbour at dawn, <lora:ink:0.7>\n"
    "Steps: 28, Sampler: Euler a, Schedule type: Automatic, CFG scale: 6.5, Seed: 77, "
    "Size: 768x512, Model hash: 1a2b3c4d5e, Model: base15, Denoising strength: 0.45, "
    'Mask blur: 8, Inpaint area: Only masked, Masked area padding: 32, Lora hashes: "ink: '
    '9f8e7d6c", Version: 1.10.1'
)


def test_write_the_example():
    # Given in disorder, so that the order is the writer's.
    values = {
        "Version": "1.10.1",
        "Lora hashes": "ink: 9f8e7d6c",
        "Inpaint area": "Only masked",
        "Masked area padding": 32,
        "Mask blur": 8,
        "Masked content": "original",
        "Seed": 77,
        "Steps": 28,
        "Sampler": "Euler a",
        "Schedule type": "Automatic",
        "CFG scale": 6.5,
        "Size": "768x512",
        "Denoising strength": 0.45,
        "Model": "base15",
        "Model hash": "1a2b3c4d5e",
        "VAE": None,
        "Clip skip": 1,
        "Tiling": False,
    }
    assert format_infotext("misty harbour at dawn, <lora:ink:0.7>", "", values) == EXAMPLE


def test_read_the_example():
    info = parse_infotext(EXAMPLE)
    assert info.prompt == "misty harbour at dawn, <lora:ink:0.7>"
    assert info.negative == ""
    assert info.image_size == (768, 512)
    assert info.values["Lora hashes"] == "ink: 9f8e7d6c"
    assert (info.values["Size-1"], info.values["Size-2"]) == ("768", "512")
    restored = {key: info.values[key] for key in ("Clip skip", "Masked content", "RNG")}
    assert restored == {"Clip skip": "1", "Masked content": "original", "RNG": "GPU"}
    assert format_infotext(info.prompt, info.negative, info.values) == EXAMPLE


def test_missing_values_are_restored():
    info = parse_infotext("cat\nSteps: 20, Sampler: Euler, Seed: 5")
    expected = {
        "Steps": "20",
        "Sampler": "Euler",
        "Seed": "5",
        "Clip skip": "1",
        "Inpaint area": "Whole picture",
        "Masked area padding": "32",
        "Masked content": "original",
        "RNG": "GPU",
        "Schedule type": "Automatic",
    }
    assert info.values == expected
    assert info.image_size is None


def test_prompts_of_many_lines():
    text = "a\nb\nNegative prompt: c\nd\nSteps: 1, Seed: 2, Size: 8x16"
    info = parse_infotext(text)
    assert (info.prompt, info.negative) == ("a\nb", "c\nd")


def test_fewer_than_three_pairs_are_prompt():
    text = "a photo\nSteps: 20, Seed: 4"
    assert Infotext(text, "", {}) == parse_infotext(text)
    assert parse_infotext("x\nNegative prompt: Steps: 1") == Infotext("x", "Steps: 1", {})


def test_settings_alone():
    assert parse_infotext("Steps: 1, Seed: 2, Model: x").prompt == ""
    assert parse_infotext("") == Infotext()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain words", "plain words"),
        ("a, b", '"a, b"'),
        ("a: b", '"a: b"'),
        ("two\nlines", '"two\\nlines"'),
        ('say "x"', 'say "x"'),
        ('"x"', '"\\"x\\""'),
        ("é, ü", '"é, ü"'),
        (" padded ", '" padded "'),
        ("", ""),
    ],
)
def test_quoting(value, written):
    assert quote_value(value) == written
    assert unquote_value(written) == value


@pytest.mark.parametrize("text", ['"', '"open', '"bad \\x"', 'plain "x"'])
def test_unquote_leaves_other_text(text):
    assert unquote_value(text) == text


def test_words_alone():
    assert format_infotext(" a cat ") == "a cat"
    assert format_infotext("", "dog", {}) == "Negative prompt: dog"


def test_numbers():
    line = format_infotext("", "", {"CFG scale": 7.0, "ENSD": 0, "Tiling": True, "Steps": 3})
    assert line == "Steps: 3, CFG scale: 7, Tiling: True"


def test_silent_values_and_padding():
    values = {"Inpaint area": "Whole picture", "Masked area padding": 32, "Seed": 1}
    assert format_infotext("", "", values) == "Seed: 1"
    values["Inpaint area"] = "Only masked"
    expected = "Seed: 1, Inpaint area: Only masked, Masked area padding: 32"
    assert format_infotext("", "", values) == expected


WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=40
).map(str.strip)
KEYS = st.from_regex(r"[A-Z][a-z]{2,8}( [a-z]{1,6})?", fullmatch=True)


@settings(deadline=None)
@given(st.dictionaries(KEYS, WORDS, min_size=3, max_size=6))
def test_any_values_survive(values):
    info = parse_infotext(format_infotext("a cat", "dog", values))
    assert (info.prompt, info.negative) == ("a cat", "dog")
    assert {key: info.values[key] for key in values} == values


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read(text):
    info = parse_infotext(text)
    assert isinstance(info.prompt, str)


@pytest.mark.parametrize("filler", ["a", "a ", " ", '"', ': "', 'ab: "', "a:", "ab: \\"])
def test_long_nonsense_is_read_in_linear_time(filler):
    # Quadratic reading would take minutes here and hours for a megabyte.
    assert parse_infotext("x\n" + filler * 100_000 + "y").prompt.startswith("x")
