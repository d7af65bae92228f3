"""Telling members how their jobs go: progress now and then, and each result once.

`Delivery` is the dispatcher's announcer. `progress` shows steps, `outgoing` packs a result,
`routes` sends it, `delivery` remembers what was sent.
"""

from bot.delivery.delivery import Delivery
from bot.delivery.progress import ProgressBoard
from bot.delivery.routes import Routes

__all__ = ["Delivery", "ProgressBoard", "Routes"]
