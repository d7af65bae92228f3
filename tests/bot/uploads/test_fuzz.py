"""Files of the corpus, changed at random: whatever becomes of them, it is a picture or words."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.errors import ImageRejected
from bot.uploads.metadata import read_image_generation_text
from bot.uploads.validation import ImageLimits, check_image
from tests.bot.uploads.hostile import CORPUS
from tests.doubles.images import pixels

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of odd EXIF

LIMITS = ImageLimits(max_bytes=100_000, max_pixels=100_000)
SMALL = 5_000  # bytes: what shrinks fast, and holds every structure
SEEDS = [data for build, _ in CORPUS.values() if 0 < len(data := build()) <= SMALL]

NO_SUCH_AVIF = base64.b64decode(
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAA"
    "AAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAALQAAAChpaW5mAAAA"
    "AAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAQAAAAEAA"
    "AAAQcGl4aQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMICAgAAAAMYXYxQ4EADAAAAAATY29scm5jbHgAAQANAAaA"
    "AAAA"
)
"""An AVIF without its pixels, whose header asks for what its decoder has not implemented."""


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A small file of the corpus with bytes set, parts cut, doubled, or taken from another."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 64)))
        match draw(st.sampled_from(["set", "cut", "double", "splice"])):
            case "set":
                data[start : start + 1] = draw(st.binary(min_size=1, max_size=4))
            case "cut":
                del data[start:stop]
            case "double":
                data[start:start] = data[start:stop] * draw(st.integers(1, 20))
            case "splice":
                other = draw(st.sampled_from(SEEDS))
                data[start:stop] = other[start:stop]
    return bytes(data)


@settings(max_examples=400, deadline=None)
@given(mutated())
@example(NO_SUCH_AVIF)
def test_a_mutated_file_is_a_picture_or_refused_with_words(data):
    try:
        image = check_image(data, "a.png", LIMITS)
    except ImageRejected as refusal:
        assert str(refusal).endswith(".")
    else:
        assert pixels(image.data).size == (image.width, image.height)


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_parameters_of_a_mutated_file_are_words(data):
    assert isinstance(read_image_generation_text(data), str)
