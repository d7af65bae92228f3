"""Fuzz the intake: whatever a file holds, it must become a plain picture or a refusal in words.

    pip install atheris
    python tools/fuzz_intake.py corpus/ -max_total_time=3600 -rss_limit_mb=1024

The folder is filled with the small files of the tests' hostile corpus when it is empty; what finds
new paths is added to it, and what fails is left as `crash-…` beside it. All other arguments are
libFuzzer's own (https://llvm.org/docs/LibFuzzer.html#options).
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent))

with atheris.instrument_imports(include=["bot", "PIL"]):
    from bot.errors import ImageRejected
    from bot.uploads.metadata import read_image_generation_text
    from bot.uploads.plain_images import is_plain_image
    from bot.uploads.validation import ImageLimits, check_image

from tests.bot.uploads.hostile import CORPUS

LIMITS = ImageLimits(max_bytes=1 << 20, max_pixels=1 << 20)
SMALL = 20_000  # bytes


def test_one(data: bytes) -> None:
    """Read one file as the decoder would."""
    try:
        image = check_image(data, "fuzzed", LIMITS)
    except ImageRejected as refusal:
        if not str(refusal):
            raise RuntimeError("a refusal without words") from refusal
    else:
        if not is_plain_image(image.data, image.width, image.height):
            raise RuntimeError("a picture that is not plain")
    read_image_generation_text(data)


def fill(folder: Path) -> None:
    """Put the small files of the hostile corpus into an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        files = [build() for build, _ in CORPUS.values()]
        for number, data in enumerate(data for data in files if len(data) <= SMALL):
            (folder / f"{number:03}").write_bytes(data)


if __name__ == "__main__":
    folders = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    if folders:
        fill(Path(folders[0]))
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
