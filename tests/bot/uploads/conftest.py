from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.uploads import pool
from bot.uploads.pool import DecoderPool
from tests.bot.uploads.hostile import LIMITS

SECONDS = 2  # of processor time; a file that takes more is a hang


@pytest.fixture(scope="session")
def strict() -> Iterator[DecoderPool]:
    """One decoder under Easel's own bounds, with little time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "MAX_FILES_PER_DECODER", 1_000_000)  # whoever is replaced has failed
        intake = DecoderPool(LIMITS, decoders=1, cpu_seconds=SECONDS)
        yield intake
        intake.close()
