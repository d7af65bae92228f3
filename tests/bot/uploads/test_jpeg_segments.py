from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bot.uploads.jpeg_segments import MAX_SCANS, MAX_SEGMENTS, count_scans, strip_jpeg_metadata
from tests.bot.uploads.hostile.jpeg_files import scans as painted
from tests.bot.uploads.hostile.jpeg_files import segment
from tests.doubles.images import encoded, noise

PHOTO = encoded(noise((40, 30)), "JPEG", exif=b"Exif\0\0II*\0", icc_profile=b"x" * 500)


def with_segments(*parts: bytes) -> bytes:
    return PHOTO[:2] + b"".join(parts) + PHOTO[2:]


def test_what_pixels_need_stays():
    assert strip_jpeg_metadata(PHOTO) == PHOTO


@pytest.mark.parametrize(
    "more",
    [
        segment(0xFE, b"words"),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        segment(0xE2, b"MPF\0"),
        segment(0xED, b"Photoshop 3.0"),
        b"\xff\xff\xff" + segment(0xFE, b"words")[1:],
    ],
)
def test_what_they_do_not_need_goes(more):
    assert strip_jpeg_metadata(with_segments(more)) == PHOTO


def test_of_several_exifs_the_first_stays():
    first = segment(0xE1, b"Exif\0\0first")
    kept = strip_jpeg_metadata(with_segments(first, segment(0xE1, b"Exif\0\0second")))
    assert first in kept
    assert b"second" not in kept
    assert b"II*" not in kept


def test_segments_without_end_are_refused():
    with pytest.raises(ValueError, match="segments"):
        strip_jpeg_metadata(with_segments(*[segment(0xFE, b"")] * (MAX_SEGMENTS + 1)))


@pytest.mark.parametrize(("data", "count"), [(PHOTO, 1), (b"", 0), (PHOTO[:20], 0)])
def test_a_plain_photograph_is_painted_once(data, count):
    assert count_scans(data) == count


def test_a_progressive_one_a_few_times():
    assert count_scans(encoded(Image.new("RGB", (40, 30)), "JPEG", progressive=True)) == 10


def test_scans_in_a_thumbnail_and_behind_the_end_do_not_count():
    thumbnail = segment(0xE1, b"Exif\0\0" + PHOTO)
    assert count_scans(with_segments(thumbnail) + b"\xff\xda" * 50) == 1


def test_counting_stops_at_what_is_unbearable():
    assert count_scans(painted(3000, (8, 8))) == MAX_SCANS + 1


@given(st.binary(max_size=300))
def test_no_bytes_upset_it(data):
    assert len(strip_jpeg_metadata(b"\xff\xd8" + data)) <= len(data) + 2
    assert count_scans(b"\xff\xd8" + data) <= len(data)
