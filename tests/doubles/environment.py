"""A simulated Discord that looks often whether the bot is done."""

from __future__ import annotations

from typing import Any

import simcord

#: Seconds between two looks. Simcord's own 0.05 is half of a scenario's time.
IDLE = 0.002


class Environment(simcord.Env):
    """Simcord's environment, without its long naps between a step and the next."""

    async def _settle_internal(self, *, idle: float = IDLE, **more: Any) -> None:
        await super()._settle_internal(idle=idle, **more)
