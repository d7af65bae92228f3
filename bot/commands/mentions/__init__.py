"""Replies to pictures: `grammar` reads the words, `listener` finds the pictures and asks."""

from bot.commands.mentions.listener import MentionHandler

__all__ = ["MentionHandler"]
