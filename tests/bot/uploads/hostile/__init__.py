"""Files that strangers might send to harm a bot, each with what must come of it."""

from tests.bot.uploads.hostile import (  # noqa: F401 - each enters its files in the corpus
    avif_files,
    exif_blocks,
    gif_files,
    jpeg_files,
    other_files,
    png_files,
    webp_files,
)
from tests.bot.uploads.hostile.broken_off import cut_off
from tests.bot.uploads.hostile.corpus import CORPUS, LIMITS

__all__ = ["CORPUS", "LIMITS", "cut_off"]
