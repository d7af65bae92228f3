"""The EXIF user comment, in which JPEG and WebP files keep their text."""

from __future__ import annotations


def decode_comment(comment: bytes) -> str:
    """Decode an EXIF user comment: eight bytes of character code, then the text."""
    code, body = comment[:8], comment[8:]
    if code.rstrip(b"\0") == b"UNICODE" and not _is_utf8(body):
        return body.decode(_utf16_order(body), "replace").strip("\0\ufeff ")
    if code.rstrip(b"\0") in {b"UNICODE", b"ASCII", b""}:
        return body.decode("utf-8", "replace").strip("\0\ufeff ")
    return comment.decode("utf-8", "replace").strip("\0 ")


def _is_utf8(body: bytes) -> bool:
    """Whether text is UTF-8, as Exif 3 has it: UTF-16 with any Latin sign in it has zero bytes."""
    text = body.rstrip(b"\0")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in text


def _utf16_order(body: bytes) -> str:
    """Tell the byte order of UTF-16 text: by its mark, else by where most of its zeros stand."""
    if body.startswith(b"\xff\xfe"):
        return "utf-16-le"
    return "utf-16-le" if body[1::2].count(0) > body[::2].count(0) else "utf-16-be"
