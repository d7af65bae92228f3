"""Telling members how their jobs go: progress now and then, and each result once.

`ResultDelivery` listens to the dispatcher. `progress` shows steps, `message_builder` packs a
result, `sender` sends it, `delivery` remembers what was sent.
"""

from bot.delivery.delivery import ResultDelivery
from bot.delivery.message_builder import MessageBuilder
from bot.delivery.progress import ProgressUpdater
from bot.delivery.sender import MessageSender

__all__ = ["MessageBuilder", "MessageSender", "ProgressUpdater", "ResultDelivery"]
