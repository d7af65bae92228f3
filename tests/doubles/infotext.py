"""Takes the `parameters` text out of a picture file that Easel wrote, by Pillow alone."""

from __future__ import annotations

import io

from PIL import Image

EXIF_IFD = 0x8769
USER_COMMENT = 0x9286


def read_infotext(data: bytes) -> str | None:
    """Return the text of a PNG, JPEG, WebP or GIF; None where it has none."""
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "PNG":
            return image.info.get("parameters")
        if image.format == "GIF":
            return image.info.get("comment", b"").decode() or None
        comment = image.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT, b"")
        return comment.removeprefix(b"UNICODE\0").decode("utf-16-be") or None
