"""The decoder's process: `python -m bot.intake` reads files on its input and answers on its output.

It gives up its rights before the first stranger's byte comes, so whatever it needs of the disk
(plugins, codecs, profiles) is loaded before, by reading a small picture of each format.
"""

from __future__ import annotations

import base64
import io
import sys
import warnings
from typing import Any, BinaryIO

from PIL import AvifImagePlugin, Image, ImageCms, MpoImagePlugin

from bot.errors import PictureRefused
from bot.intake import frames
from bot.intake.confinement import allow_time, confine
from bot.metadata import EXIF_IFD, USER_COMMENT, read_making, read_parameters
from bot.pictures import FORMATS, ORIENTATION, PictureLimits, check_picture

SLACK = 16 << 20  # bytes of memory beyond pixels and files
NAME = "the picture"

LAZY = (AvifImagePlugin, MpoImagePlugin)  # Pillow imports them at a file that needs them
SMALL_AVIF = (
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAA"
    "AAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAIAAAAChpaW5mAAAAAAABAAAA"
    "GmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAACAAAAAgAAAAQcGl4aQAA"
    "AAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAKG1kYXQS"
    "AAoIGAi/aICGg0IyEh/3h4UV3///4s/AAJA1jjx+3A=="
)
"""8 × 8 pixels: to make one would load an encoder that is never needed."""

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1")


def main(arguments: list[str]) -> None:
    """Serve until the input ends.

    Args:
        arguments: bytes of the largest file, pixels of the largest picture, seconds of processor
            time for one.
    """
    max_bytes, max_pixels, seconds = (int(argument) for argument in arguments)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing but frames may go out on the pipe
    warnings.simplefilter("ignore")  # what is odd about a stranger's file is nobody's concern
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each thread would take address space
    load_everything()
    # Two copies of the pixels, and the file twice: as it came, and as a library keeps it.
    confine(8 * max_pixels + 2 * max_bytes + SLACK)
    serve(source, sink, PictureLimits(max_bytes=max_bytes, max_pixels=max_pixels), seconds)


def serve(source: BinaryIO, sink: BinaryIO, limits: PictureLimits, seconds: int) -> None:
    """Answer every frame with one."""
    while (frame := frames.read(source, limits.max_bytes)) is not None:
        head, body = frame
        del frame
        allow_time(seconds)
        work = WORKS.get(str(head["work"]), _check)
        frames.write(sink, *work(body, str(head["name"]), limits))


def _check(body: bytes, name: str, limits: PictureLimits) -> tuple[dict[str, Any], bytes]:
    try:
        picture = check_picture(body, name, limits)
    except PictureRefused as refusal:
        return {"refused": type(refusal).__name__, "words": str(refusal)}, b""
    size = {"width": picture.width, "height": picture.height}
    return {**size, "notes": picture.notes}, picture.data


def _parameters(body: bytes, name: str, limits: PictureLimits) -> tuple[dict[str, Any], bytes]:
    return {"text": read_parameters(body)}, b""


def _making(body: bytes, name: str, limits: PictureLimits) -> tuple[dict[str, Any], bytes]:
    told = read_making(body)
    return {"told": None if told is None else told.encode()}, b""


WORKS = {"parameters": _parameters, "making": _making}


def load_everything() -> None:
    """Read a small picture of each format, so that nothing is left to load from the disk."""
    limits = PictureLimits(max_bytes=1 << 20, max_pixels=1 << 20)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = b"UNICODE\0" + "steps".encode("utf-16-be")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files = [base64.b64decode(SMALL_AVIF)]
    for form in FORMATS[: FORMATS.index("AVIF")]:
        out = io.BytesIO()
        Image.new("RGB", (8, 8)).save(out, form, exif=exif, icc_profile=profile)
        files.append(out.getvalue())
    for file in files:
        check_picture(file, NAME, limits)
        read_parameters(file)
        read_making(file)
    for encoding in ENCODINGS:
        b"".decode(encoding)
    _check(b"no picture", NAME, limits)


if __name__ == "__main__":
    main(sys.argv[1:])
