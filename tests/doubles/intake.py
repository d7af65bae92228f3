"""Decoders that outlive the bots that use them: to start one takes longer than most tests."""

from __future__ import annotations

from bot.uploads.pool import DecoderPool


class LentIntake(DecoderPool):
    """An intake that a bot may start and close as it likes."""

    def start(self) -> None:
        """Leave the decoders as they are: they start with the first picture."""

    def close(self) -> None:
        """Leave the decoders running."""

    def really_close(self) -> None:
        """End the decoders."""
        super().close()
