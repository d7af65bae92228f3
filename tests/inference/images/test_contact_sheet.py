from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.images.contact_sheet import (
    SHEET_BACKGROUND_RGB,
    encode_animation,
    make_contact_sheet,
    near_square_columns,
)
from tests.doubles.infotext import read_infotext
from tests.inference.images.samples import cat, noise


@pytest.mark.parametrize(
    ("count", "columns"), [(1, 1), (2, 2), (3, 2), (4, 2), (6, 3), (9, 3), (32, 6)]
)
def test_near_square(count, columns):
    assert near_square_columns(count) == columns


@settings(deadline=None)
@given(st.integers(1, 200))
def test_a_sheet_is_near_square_for_any_count(count):
    columns = near_square_columns(count)
    rows = -(-count // columns)
    assert rows * columns >= count > (rows - 1) * columns
    assert abs(columns - rows) <= 2


def test_one_row():
    images = [Image.new("RGB", (20, 10), colour) for colour in ("red", "lime", "blue")]
    sheet = make_contact_sheet(images, 3, gutter=4)
    assert sheet.size == (3 * 24 + 4, 18)
    centres = [sheet.getpixel((4 + 10 + i * 24, 9)) for i in range(3)]
    assert centres == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    assert sheet.getpixel((25, 9)) == SHEET_BACKGROUND_RGB


def test_smaller_pictures_stand_in_the_middle():
    sheet = make_contact_sheet([noise(30, 30), Image.new("RGBA", (10, 10), "red")], gutter=0)
    assert sheet.size == (60, 30)
    assert sheet.getpixel((45, 15)) == (255, 0, 0)
    assert sheet.getpixel((32, 15)) == SHEET_BACKGROUND_RGB


def test_a_sheet_within_bounds():
    assert max(make_contact_sheet([noise(90, 60)] * 5, largest=100).size) == 100


def frames(count=3):
    return [cat().rotate(angle).resize((160, 120)) for angle in range(count)]


@pytest.mark.parametrize("file_format", ["webp", "gif"])
def test_animation(file_format):
    made = encode_animation(frames(), file_format, 10_000_000, frame_time=250, text="loops: 5")
    back = Image.open(io.BytesIO(made.data))
    assert (back.n_frames, back.size, back.info["loop"]) == (3, (160, 120), 0)
    back.seek(1)
    back.load()
    assert back.info["duration"] == 250
    assert (90 if file_format == "webp" else None) == made.quality
    assert ("loops: 5" if file_format == "gif" else None) == read_infotext(made.data)


@pytest.mark.parametrize("file_format", ["webp", "gif"])
def test_animation_shrinks_to_its_limit(file_format):
    large = encode_animation(frames(), file_format, 10_000_000)
    small = encode_animation(frames(), file_format, len(large.data) // 3)
    assert len(small.data) <= len(large.data) // 3
    assert small.size < large.size or small.quality < large.quality
    assert encode_animation(frames(), file_format, 100) is None


def test_one_frame_is_an_animation_too():
    assert (
        getattr(
            Image.open(io.BytesIO(encode_animation(frames(1), "webp", 10**6).data)), "n_frames", 1
        )
        == 1
    )


def test_nothing_to_show():
    with pytest.raises(ValueError, match="at least one picture"):
        make_contact_sheet([])
    with pytest.raises(ValueError, match="at least one frame"):
        encode_animation([], "gif", 1000)
