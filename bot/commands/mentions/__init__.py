"""Replies to pictures: `intent_parser` reads the text, `listener` finds the images and submits."""

from bot.commands.mentions.listener import MentionHandler

__all__ = ["MentionHandler"]
