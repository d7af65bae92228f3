"""A simulated Discord that looks often whether the bot is done."""

from __future__ import annotations

from typing import Any

import simcord
from simcord import results

from tests.doubles.cards import words_of

#: Seconds between two looks. Simcord's own 0.05 is half of a scenario's time.
IDLE = 0.002


class Environment(simcord.Env):
    """Simcord's environment, without its long naps between a step and the next."""

    async def _settle_internal(self, *, idle: float = IDLE, **more: Any) -> None:
        await super()._settle_internal(idle=idle, **more)


class ReadResponse(results.ResponseMessage):
    """A message of the bot's, whose content is what a member reads of it: a card's text, too."""

    @property
    def content(self) -> str:
        return words_of(self._message.content, self._message.components)


results.ResponseMessage = ReadResponse  # type: ignore[misc]
