from __future__ import annotations

import io

import pytest
from PIL import Image

from bot.uploads.gif_blocks import MAX_BLOCKS, MAX_COMMENT_BYTES, shorten_gif_comments


def gif(comment: bytes, frames: int = 1) -> bytes:
    stream = io.BytesIO()
    images = [Image.effect_noise((40, 30), 50 + number).convert("P") for number in range(frames)]
    images[0].save(stream, "GIF", save_all=frames > 1, append_images=images[1:], comment=comment)
    return stream.getvalue()


@pytest.mark.parametrize("frames", [1, 3])
def test_common_comments_stay_as_they_are(frames):
    data = gif(b"Steps: 20, Sampler: Euler a, Seed: 5" * 100, frames)
    assert shorten_gif_comments(data) is data


@pytest.mark.parametrize("frames", [1, 3])
def test_of_a_long_comment_the_beginning_is_kept_and_every_pixel(frames):
    comment = bytes(range(1, 200)) * 1_000
    data = gif(comment, frames)
    shortened = shorten_gif_comments(data)
    assert len(shortened) < len(data) - len(comment) + MAX_COMMENT_BYTES + 1024
    with Image.open(io.BytesIO(data)) as whole, Image.open(io.BytesIO(shortened)) as short:
        kept = short.info["comment"]
        assert comment.startswith(kept)
        assert len(kept) > MAX_COMMENT_BYTES - 1024
        for frame in range(frames):
            whole.seek(frame)
            short.seek(frame)
            assert whole.convert("RGB").tobytes() == short.convert("RGB").tobytes()


@pytest.mark.parametrize("length", range(0, 400, 7))
def test_what_is_cut_off_is_left_to_the_decoder(length):
    data = gif(b"x" * 300)[:length]
    assert shorten_gif_comments(data) == data


def test_of_many_comments_the_first_are_kept():
    data = gif(b"x")
    comment = b"\x21\xfe\x01x\0"
    begin = data.index(b"\x21\xfe")
    crowded = data[:begin] + comment * 50_000 + data[begin:]
    shortened = shorten_gif_comments(crowded)
    assert len(shortened) <= len(data) + MAX_COMMENT_BYTES
    assert shortened[begin:].startswith(comment * 10_000)
    with Image.open(io.BytesIO(data)) as whole, Image.open(io.BytesIO(shortened)) as short:
        assert whole.convert("RGB").tobytes() == short.convert("RGB").tobytes()


@pytest.mark.parametrize("block", [b"\x21\xfe\x01x\0", b"\x21\xf9\x04\0\0\0\0\0"])
def test_beyond_so_many_blocks_nothing_is_read(block):
    data = gif(b"x")
    frame_end = len(data) - 1
    crowded = data[:frame_end] + block * (2 * MAX_BLOCKS) + data[frame_end:]
    shortened = shorten_gif_comments(crowded)
    assert len(shortened) <= len(data) + len(block) * MAX_BLOCKS
    assert shortened.endswith(b";")
    with Image.open(io.BytesIO(data)) as whole, Image.open(io.BytesIO(shortened)) as short:
        assert whole.convert("RGB").tobytes() == short.convert("RGB").tobytes()
