"""Telling members how their jobs go: progress now and then, and each result once.

`ResultDelivery` is the dispatcher's announcer. `progress` shows steps, `outgoing` packs a result,
`routes` sends it, `delivery` remembers what was sent.
"""

from bot.delivery.delivery import ResultDelivery
from bot.delivery.progress import ProgressUpdater
from bot.delivery.sender import MessageSender

__all__ = ["MessageSender", "ProgressUpdater", "ResultDelivery"]
