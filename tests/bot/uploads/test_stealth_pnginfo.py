from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bot.uploads.metadata import read_image_generation_info
from bot.uploads.stealth_pnginfo import (
    ALPHA_SIGNATURES,
    COLOUR_SIGNATURES,
    MAX_HIDDEN_TEXT_BYTES,
    read_hidden_text,
)

WORDS = "a fox, 水彩\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 7"


def hide(text: str, signature: bytes, size: tuple[int, int] = (40, 61), count: int = 0) -> bytes:
    """Write a picture with a text in its lowest bits, value by value, column by column."""
    body = gzip.compress(text.encode()) if b"comp" in signature else text.encode()
    data = signature + (count or len(body) * 8).to_bytes(4, "big") + body
    bits = [byte >> (7 - bit) & 1 for byte in data for bit in range(8)]
    alpha = signature in ALPHA_SIGNATURES
    image = Image.new(
        "RGBA" if alpha else "RGB", size, (10, 20, 30, 254) if alpha else (10, 20, 30)
    )
    bands = [3] if alpha else [0, 1, 2]
    places = [(x, y, band) for x in range(size[0]) for y in range(size[1]) for band in bands]
    pixels = image.load()
    for bit, (x, y, band) in zip(bits, places, strict=False):
        value = list(pixels[x, y])
        value[band] = value[band] & ~1 | bit
        pixels[x, y] = tuple(value)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("signature", [*ALPHA_SIGNATURES, *COLOUR_SIGNATURES])
def test_hidden_text_is_found(signature):
    assert read_hidden_text(hide(WORDS, signature)) == WORDS


def test_a_job_can_be_made_of_it():
    told = read_image_generation_info(hide(WORDS, b"stealth_pngcomp"))
    assert told is not None
    assert (told.prompt, told.values["Seed"]) == ("a fox, 水彩", "7")


@pytest.mark.parametrize("count", [0x7FFFFFFF, 8 * MAX_HIDDEN_TEXT_BYTES + 8])
def test_a_length_beyond_all_bounds_is_none(count):
    assert read_hidden_text(hide(WORDS, b"stealth_pnginfo", count=count)) == ""


def test_a_text_that_unpacks_without_end_is_cut():
    packed = read_hidden_text(
        hide("a" * (2 * MAX_HIDDEN_TEXT_BYTES), b"stealth_pngcomp", (200, 200))
    )
    assert len(packed) == MAX_HIDDEN_TEXT_BYTES


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 16)])
def test_small_pictures_have_no_room(size):
    out = io.BytesIO()
    Image.new("RGBA", size).save(out, "PNG")
    assert read_hidden_text(out.getvalue()) == ""


@given(st.binary(max_size=200))
def test_broken_packing_is_nobodys_trouble(body):
    signature = b"stealth_pngcomp"
    head = signature + (len(body) * 8).to_bytes(4, "big")
    values = bytes(254 | byte >> (7 - bit) & 1 for byte in head + body for bit in range(8))
    side = 64
    plane = Image.frombytes("L", (side, side), values.ljust(side * side, b"\xfe"))
    image = Image.new("RGBA", (side, side))
    image.putalpha(plane.transpose(Image.Transpose.TRANSPOSE))
    out = io.BytesIO()
    image.save(out, "PNG")
    read_image_generation_info(out.getvalue())
