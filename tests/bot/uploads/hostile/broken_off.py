"""Every format broken off in and around each of its parts."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from tests.bot.uploads.hostile.png_files import IEND, header, of_chunks, rows
from tests.doubles.images import encoded, noise


def cut_off() -> Iterator[tuple[str, bytes]]:
    """List such files with what they are."""
    whole = {
        "png": encoded(noise((24, 24))),
        "interlaced png": of_chunks(header(24, 24, interlace=1), rows(24, 24), IEND),
        "jpeg": encoded(noise((24, 24)), "JPEG", exif=Image.Exif().tobytes()),
        "progressive jpeg": encoded(noise((24, 24)), "JPEG", progressive=True),
        "gif": encoded(noise((24, 24)).quantize(16), "GIF"),
        "webp": encoded(noise((24, 24)), "WEBP"),
        "lossless webp": encoded(noise((24, 24)), "WEBP", lossless=True),
        "avif": encoded(noise((24, 24)), "AVIF", speed=10),
    }
    for form, data in whole.items():
        parts = {1, 2, 3, 4, 7, 8, 9, 12, 16, 20, 24, 29, 33, 37, 41, 64, 128, 256}
        parts |= {len(data) - back for back in (1, 2, 4, 8, 12, 13, 16, 64)}
        parts |= {len(data) * share // 10 for share in range(1, 10)}
        for length in sorted(part for part in parts if 0 < part < len(data)):
            yield f"{form} after {length} bytes", data[:length]
