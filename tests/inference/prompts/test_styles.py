from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.prompts.styles import Style, apply_styles, extract_styles

INK = Style("ink", "ink drawing, monochrome", "colour")
FRAME = Style("frame", "a painting of {prompt}, framed", "")
CLEAN = Style("clean", "", "blurry")
STYLES = [INK, FRAME, CLEAN]


@pytest.mark.parametrize(
    ("prompt", "negative", "styles", "expected"),
    [
        ("fox", "", [], ("fox", "")),
        ("fox", "", [INK], ("fox, ink drawing, monochrome", "colour")),
        ("fox", "dog", [INK], ("fox, ink drawing, monochrome", "dog, colour")),
        ("", "", [INK], ("ink drawing, monochrome", "colour")),
        ("fox", "", [FRAME], ("a painting of fox, framed", "")),
        ("fox", "", [INK, FRAME], ("a painting of fox, ink drawing, monochrome, framed", "colour")),
        ("fox", "", [FRAME, INK], ("a painting of fox, framed, ink drawing, monochrome", "colour")),
        (" fox ", "", [CLEAN], ("fox", "blurry")),
        ("fox", "", [Style("twice", "{prompt} and {prompt}")], ("fox and fox", "")),
    ],
)
def test_styles_apply_in_order(
    prompt: str, negative: str, styles: list[Style], expected: tuple[str, str]
) -> None:
    assert expected == apply_styles(prompt, negative, styles)


@pytest.mark.parametrize(
    ("prompt", "negative", "expected"),
    [
        ("fox", "dog", ("fox", "dog", ())),
        ("fox, ink drawing, monochrome", "colour", ("fox", "", (INK,))),
        ("fox, ink drawing, monochrome", "dog", ("fox, ink drawing, monochrome", "dog", ())),
        ("a painting of fox, framed", "blurry", ("fox", "", (CLEAN, FRAME))),
        ("ink drawing, monochrome", "colour", ("", "", (INK,))),
        ("a painting of ,", "", ("a painting of ,", "", ())),
    ],
)
def test_styles_are_found_again(
    prompt: str, negative: str, expected: tuple[str, str, tuple[Style, ...]]
) -> None:
    assert expected == extract_styles(prompt, negative, STYLES)


@settings(deadline=None)
@given(
    st.sampled_from(["", "fox", "red fox, snow"]),
    st.sampled_from(["", "dog"]),
    st.permutations(STYLES).flatmap(lambda styles: st.integers(0, 3).map(lambda n: styles[:n])),
)
def test_what_was_applied_comes_off(prompt: str, negative: str, styles: list[Style]) -> None:
    applied = apply_styles(prompt, negative, styles)

    inner, inner_negative, found = extract_styles(*applied, STYLES)

    assert (prompt, negative) == (inner, inner_negative)
    assert set(styles) == set(found)
    assert applied == apply_styles(inner, inner_negative, found)
