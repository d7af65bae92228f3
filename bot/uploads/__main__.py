"""The decoder's process: `python -m bot.uploads` reads files and answers, frame by frame.

A request's head names the work (`check`, `parameters`, `making` or `protections`), its body is a
stranger's file. An answer's head holds what was found, as codes and numbers; after a `check` that
succeeded the body is a plain picture. Of words there are none but the file's own, where they were
asked for.

It gives up its rights before the first stranger's byte comes, so whatever it needs of the disk
(plugins, codecs, profiles) is loaded before, by reading a small picture of each format.
"""

from __future__ import annotations

import base64
import io
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, BinaryIO

from PIL import AvifImagePlugin, ExifTags, Image, ImageCms, MpoImagePlugin

from bot.errors import ImageRejected, TooManyPixels
from bot.uploads.metadata import (
    read_image_generation_info,
    read_image_generation_text,
)
from bot.uploads.sandbox import allow_cpu_seconds, confine_process
from bot.uploads.validation import (
    ALLOWED_FORMATS,
    FIRST_FRAME_NOTE,
    ImageLimits,
    check_image,
)
from inference.api import frames

EXTRA_MEMORY_BYTES = 16 << 20  # bytes of memory beyond pixels and files
DEFAULT_IMAGE_NAME = "the picture"
MAX_FAULT_CHARS = 2000  # characters of a traceback, from its end

LAZY_PLUGINS = (AvifImagePlugin, MpoImagePlugin)  # Pillow imports them at a file that needs them
SMALL_AVIF = (
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAA"
    "AAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAIAAAAChpaW5mAAAAAAABAAAA"
    "GmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAACAAAAAgAAAAQcGl4aQAA"
    "AAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAKG1kYXQS"
    "AAoIGAi/aICGg0IyEh/3h4UV3///4s/AAJA1jjx+3A=="
)
"""8 × 8 pixels: to make one would load an encoder that is never needed."""

TEXT_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1")


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
    preload_codecs()
    # Two copies of the pixels, and the file twice: as it came, and as a library keeps it.
    protections = confine_process(8 * max_pixels + 2 * max_bytes + EXTRA_MEMORY_BYTES)
    WORK_HANDLERS["protections"] = lambda *_: ({"protections": protections}, b"")
    try:
        serve_frames(source, sink, ImageLimits(max_bytes=max_bytes, max_pixels=max_pixels), seconds)
    except Exception:  # for the log: the error stream is no longer the bot's
        frames.write_frame(sink, {"fault": traceback.format_exc()[-MAX_FAULT_CHARS:]})
        raise


def serve_frames(source: BinaryIO, sink: BinaryIO, limits: ImageLimits, seconds: int) -> None:
    """Answer every frame with one."""
    while (frame := frames.read_frame(source, limits.max_bytes)) is not None:
        head, body = frame
        del frame
        allow_cpu_seconds(seconds)
        work = WORK_HANDLERS.get(str(head["work"]), _answer_check)
        frames.write_frame(sink, *work(body, str(head["name"]), limits))


def _answer_check(body: bytes, name: str, limits: ImageLimits) -> tuple[dict[str, Any], bytes]:
    try:
        image = check_image(body, name, limits)
    except TooManyPixels as refusal:
        return {**_code_of(refusal), "size": refusal.size, "format": refusal.image_format}, b""
    except ImageRejected as refusal:
        return _code_of(refusal), b""
    size = {"width": image.width, "height": image.height}
    traits = sorted(image.traits)
    return {**size, "animated": FIRST_FRAME_NOTE in image.notes, "traits": traits}, image.data


def _code_of(refusal: ImageRejected) -> dict[str, Any]:
    return {"refused": type(refusal).__name__}


def _answer_parameters(body: bytes, name: str, limits: ImageLimits) -> tuple[dict[str, Any], bytes]:
    return {"text": read_image_generation_text(body)}, b""


def _answer_generation_info(
    body: bytes, name: str, limits: ImageLimits
) -> tuple[dict[str, Any], bytes]:
    generation_info = read_image_generation_info(body)
    return {"told": None if generation_info is None else generation_info.to_dict()}, b""


Work = Callable[[bytes, str, ImageLimits], tuple[dict[str, Any], bytes]]
WORK_HANDLERS: dict[str, Work] = {
    "parameters": _answer_parameters,
    "making": _answer_generation_info,
}


def preload_codecs() -> None:
    """Read a small picture of each format, so that nothing is left to load from the disk."""
    limits = ImageLimits(max_bytes=1 << 20, max_pixels=1 << 20)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    comment = b"UNICODE\0" + "steps".encode("utf-16-be")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files = [base64.b64decode(SMALL_AVIF)]
    for form in ALLOWED_FORMATS[: ALLOWED_FORMATS.index("AVIF")]:
        out = io.BytesIO()
        Image.new("RGB", (8, 8)).save(out, form, exif=exif, icc_profile=profile)
        files.append(out.getvalue())
    for file in files:
        check_image(file, DEFAULT_IMAGE_NAME, limits)
        read_image_generation_text(file)
        read_image_generation_info(file)
    for encoding in TEXT_ENCODINGS:
        b"".decode(encoding)
    _answer_check(b"no picture", DEFAULT_IMAGE_NAME, limits)


if __name__ == "__main__":
    main(sys.argv[1:])
