"""Buttons that outlive the bot's process, and the rows they stand in."""

from bot.views.buttons import BUTTONS, Again, Cancel, Delete, Show, client_of
from bot.views.rows import for_ended, for_outbox, for_waiting

__all__ = [
    "BUTTONS",
    "Again",
    "Cancel",
    "Delete",
    "Show",
    "client_of",
    "for_ended",
    "for_outbox",
    "for_waiting",
]
