import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inference.api.errors import UnreadableMask
from inference.api.prompts.mask_grammar import named_objects, parse_mask_terms
from inference.images.mask.language import draw_mask

SIZE = (200, 100)


def marked(text, size=SIZE):
    """The marked pixels as rows of booleans."""
    mask = draw_mask(text, size)
    values = np.asarray(mask)
    assert mask.mode == "L"
    assert set(np.unique(values)) <= {0, 255}
    return values == 255


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("left 30%", (0, 0, 60, 100)),
        ("right 30%", (140, 0, 200, 100)),
        ("top 25%", (0, 0, 200, 25)),
        ("upper 25%", (0, 0, 200, 25)),
        ("bottom 10px", (0, 90, 200, 100)),
        ("Left 500px", (0, 0, 200, 100)),
        ("rect 10% 10% 60% 50%", (20, 10, 120, 50)),
        ("rect 5px 6px 7px 8px", (5, 6, 7, 8)),
        ("rect 50% 0% 120px 100%", (100, 0, 120, 100)),
        ("B2", (40, 20, 80, 40)),
        ("B2-D4", (40, 20, 160, 80)),
        ("D4-B2", (40, 20, 160, 80)),
        ("d2-b4", (40, 20, 160, 80)),
        ("A1-E5", (0, 0, 200, 100)),
        ("all", (0, 0, 200, 100)),
    ],
)
def test_boxes(text, box):
    expected = np.zeros((100, 200), bool)
    expected[box[1] : box[3], box[0] : box[2]] = True
    assert np.array_equal(expected, marked(text))


def test_a_circles_radius_is_of_the_shorter_side():
    found = marked("circle 50% 40% r20%")
    rows, columns = np.nonzero(found)
    assert (columns.min(), columns.max()) == (80, 119)
    assert (rows.min(), rows.max()) == (20, 59)
    assert found.sum() == pytest.approx(math.pi * 20**2, rel=0.02)


def test_an_ellipse_has_a_radius_for_each_axis():
    rows, columns = np.nonzero(marked("ellipse 50% 50% 40% 10%"))
    assert (columns.min(), columns.max()) == (20, 179)
    assert (rows.min(), rows.max()) == (40, 59)


def test_shapes_reach_beyond_the_picture():
    assert marked("circle 0% 0% r50px")[0, 49]
    assert not marked("circle 0% 0% r50px")[0, 50]


@pytest.mark.parametrize("plus", [" + ", "+", ", ", ","])
def test_adding(plus):
    expected = marked("left 30%") | marked("B2-D4")
    assert np.array_equal(expected, marked(f"left 30%{plus}B2-D4"))


def test_subtracting():
    expected = marked("left 60%") & ~marked("circle 20% 50% r30%")
    assert np.array_equal(expected, marked("left 60% - circle 20% 50% r30%"))


def test_terms_act_in_their_order():
    expected = (marked("left 60%") & ~marked("A1-C5")) | marked("B2")
    assert np.array_equal(expected, marked("left 60% - A1-C5 + B2"))


def test_a_mask_that_begins_by_subtracting_begins_with_everything():
    assert np.array_equal(~marked("B2"), marked("- B2"))
    assert np.array_equal(~marked("B2"), marked("-B2"))


def test_a_range_of_cells_is_no_subtraction():
    assert len(parse_mask_terms("B2-D4")) == 1
    assert [adds for adds, _ in parse_mask_terms("B2 - D4")] == [True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no words"),
        ("   ", "no words"),
        ("left", "one length"),
        ("left 30", "30 is no length"),
        ("left 30% 40%", "one length"),
        ("left 130%", "more than the whole"),
        ("circle 50% 40%", "3 lengths"),
        ("circle 50% 40% rr%", "no length"),
        ("rect 60% 10% 10% 50%", "ends before it begins"),
        ("B9", "rows 1 to 5"),
        ("Z2", "columns A to E"),
        ("the cat", "no shape “the cat”"),
        ("left 30% +", "no shape"),
        ("all 30%", "stands alone"),
        ("left 0%", "marks no pixel"),
        ("circle 50% 50% r0%", "marks no pixel"),
        ("left 30% - all", "marks no pixel"),
    ],
)
def test_what_cannot_be_read_is_said(text, words):
    with pytest.raises(UnreadableMask, match=words):
        draw_mask(text, SIZE)


@given(st.text(alphabet='abcdelrftop0123456789%px +-,."', max_size=40))
def test_any_words_give_a_mask_or_an_answer(text):
    try:
        everywhere = dict.fromkeys(named_objects(text), Image.new("L", (40, 30), 255))
        mask = draw_mask(text, (40, 30), everywhere)
    except UnreadableMask as error:
        assert len(str(error)) > 20
    else:
        assert mask.getbbox() is not None


@given(st.integers(100, 300), st.integers(8, 300), st.integers(1, 99))
def test_a_side_and_the_rest_make_the_whole(width, height, share):
    left = marked(f"left {share}%", (width, height))
    rest = marked(f"- left {share}%", (width, height))
    assert not (left & rest).any()
    assert (left | rest).all()


def found(*marked: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", (10, 10), 0)
    for place in marked:
        mask.putpixel(place, 255)
    return mask


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("left 30%", ()),
        ("subject", ("subject",)),
        ("background", ("subject",)),
        ("Faces + face", ("face",)),
        ("subject - face + left 10%", ("subject", "face")),
        ('"the red Hat" + subject', ("the red hat", "subject")),
        ("“hat, gloves - and boots”", ("hat, gloves - and boots",)),
        ('all - "a" - "b"', ("a", "b")),
    ],
)
def test_things_are_found_by_name(words, names):
    assert named_objects(words) == names


def test_things_are_added_and_subtracted_like_shapes():
    masks = {"subject": found((2, 2), (8, 8)), "hat": found((8, 8))}
    mask = draw_mask('subject - "hat" + left 10%', (10, 10), masks)
    assert mask.getpixel((2, 2)) == 255
    assert mask.getpixel((8, 8)) == 0
    assert mask.getpixel((0, 9)) == 255
    assert draw_mask("background", (10, 10), masks).getpixel((2, 2)) == 0


@pytest.mark.parametrize("words", ["the hat", '"hat', '"hat" on a head', "\x000"])
def test_what_is_neither_shape_nor_thing_is_said(words):
    with pytest.raises(UnreadableMask):
        draw_mask(words, (10, 10), {})
