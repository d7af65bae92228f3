"""A picture check whose answers the tests decide."""

from __future__ import annotations

from bot.moderation.nsfw_process import DetectorUnavailable


class ScriptedDetector:
    """Implements `bot.moderation.nsfw_process.Detector`."""

    def __init__(self) -> None:
        #: The next answers in order; after the last one, every picture is harmless.
        self.scores: list[float] = []
        #: Whether the host has a detector at all.
        self.present = True
        #: How many pictures it was asked about.
        self.asked = 0

    async def score_image(self, data: bytes) -> float:
        self.asked += 1
        if not self.present:
            raise DetectorUnavailable
        return self.scores.pop(0) if self.scores else 0.0

    async def is_available(self) -> bool:
        return self.present

    def stop_detector(self) -> None:
        pass
