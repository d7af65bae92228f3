from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.api.frames import LENGTHS_HEADER, FrameError, read_frame, write_frame


def framed(head: dict[str, object], body: bytes = b"") -> bytes:
    out = io.BytesIO()
    write_frame(out, head, body)
    return out.getvalue()


@given(
    st.dictionaries(st.text(), st.integers(-(2**63) + 1, 2**63 - 1) | st.text()),
    st.binary(max_size=50),
)
def test_what_is_written_is_read(head, body):
    stream = io.BytesIO(framed(head, body) * 2)
    assert [read_frame(stream, 50), read_frame(stream, 50), read_frame(stream, 50)] == [
        (head, body)
    ] * 2 + [None]


@given(st.binary(max_size=60))
def test_noise_is_no_frame(data):
    try:
        found = read_frame(io.BytesIO(data), 100)
    except FrameError:
        return
    assert found is None or isinstance(found[0], dict)


@pytest.mark.parametrize(
    "data",
    [
        framed({"a": 1}, b"body")[:-1],
        framed({"a": 1})[:3],
        framed({"a": 1}, b"x" * 101),
        LENGTHS_HEADER.pack(2, 0) + b"[]",
        LENGTHS_HEADER.pack(2, 0) + b"{,",
        LENGTHS_HEADER.pack(1 << 30, 0),
        LENGTHS_HEADER.pack(100_000, 0) + b"[" * 100_000,
        framed({"a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}),
        framed({"a": float("nan")}),
        framed({"a": 2**64}),
    ],
)
def test_a_frame_that_breaks_off_or_is_none(data):
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(data), 100)
