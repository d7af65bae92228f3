from __future__ import annotations

import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.uploads.png_chunks import (
    MAX_CHUNKS,
    MAX_TEXT_BYTES,
    PNG_HEADER_BYTES,
    is_plain_png,
    iter_chunks,
    png_size,
    read_png_texts,
    strip_png_metadata,
)
from tests.bot.uploads.hostile.png_files import IEND, header, of_chunks, rows, with_chunk
from tests.doubles.images import bomb, chunk, encoded, noise, pixels, png, text_bomb

WORDS = "a red apple, 水彩"


def kinds(data: bytes) -> list[bytes]:
    return [part.kind for part in iter_chunks(data)]


def test_a_file_is_listed_to_its_end():
    assert kinds(png() + b"and more") == [b"IHDR", b"IDAT", b"IEND"]


def test_a_file_that_breaks_off_is_listed_to_there():
    assert kinds(png()[:40]) == [b"IHDR"]


def test_chunks_without_end_are_refused():
    with pytest.raises(ValueError, match="chunks"):
        list(iter_chunks(of_chunks(chunk(b"teSt", b"") * (MAX_CHUNKS + 1))))


def test_only_pixels_are_kept_and_all_of_them():
    image = noise((40, 30))
    info = PngInfo()
    info.add_text("parameters", WORDS)
    data = encoded(image, pnginfo=info, exif=Image.Exif(), dpi=(72, 72))

    kept = strip_png_metadata(data)

    assert set(kinds(kept)) <= {b"IHDR", b"eXIf", b"IDAT", b"IEND"}
    assert pixels(kept).tobytes() == image.tobytes()


@pytest.mark.parametrize("packed", [False, True])
def test_texts_are_read_in_every_form(packed):
    info = PngInfo()
    info.add_text("Comment", "plain words", zip=packed)
    info.add_itxt("parameters", WORDS, zip=packed)
    assert read_png_texts(encoded(Image.new("L", (4, 4)), pnginfo=info)) == {
        "Comment": "plain words",
        "parameters": WORDS,
    }


def test_texts_behind_the_pixels_are_found():
    late = of_chunks(header(), rows(), chunk(b"tEXt", b"parameters\0late"), IEND)
    assert read_png_texts(late) == {"parameters": "late"}


def test_a_text_bomb_becomes_its_beginning():
    assert read_png_texts(text_bomb(20)) == {"Comment": "a" * MAX_TEXT_BYTES}


@pytest.mark.parametrize(
    "body",
    [b"", b"a", b"a\0", b"a\0\1", b"a\0\1\0\0", b"a\0\1\0\0\0not zlib", zlib.compress(b"x")],
)
@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
def test_a_text_that_makes_no_sense_does_no_harm(kind, body):
    assert all(isinstance(text, str) for text in read_png_texts(with_chunk(kind, body)).values())


@given(st.binary(max_size=300))
def test_no_bytes_upset_it(data):
    listed = list(iter_chunks(data))
    assert all(one.end_offset == two.start for one, two in itertools.pairwise(listed))
    read_png_texts(data)
    assert not is_plain_png(data, 1, 1)


def test_a_size_is_read_from_the_first_bytes():
    assert png_size(png(size=(70, 40))[:PNG_HEADER_BYTES]) == (70, 40)


@pytest.mark.parametrize("data", [b"", b"\x89PNG", b"GIF89a" * 9, b"\x89PNG\r\n\x1a\n" + bytes(16)])
def test_what_is_no_png_has_no_size(data):
    assert png_size(data) is None


def test_a_plain_picture_is_known():
    assert is_plain_png(png((32, 24)), 32, 24)
    assert is_plain_png(png((32, 24), mode="RGBA"), 32, 24)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        png((32, 25)),
        png((32, 24), colour=1, mode="L"),
        encoded(Image.new("I;16", (32, 24))),
        png((32, 24)) + b"more",
        png((32, 24))[:-1],
        with_chunk(b"tEXt", b"a\0b"),
        bomb(32, 24)[:33] + IEND,
        encoded(Image.new("RGB", (32, 24)), "JPEG"),
        of_chunks(header(32, 24, interlace=1), rows(32, 24), IEND),
    ],
)
def test_anything_else_is_not_plain(data):
    assert not is_plain_png(data, 32, 24)
