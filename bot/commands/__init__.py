"""The slash commands, one cog a file."""

from __future__ import annotations

from bot.commands.cancel import CancelCog
from bot.commands.help import HelpCog
from bot.commands.img2img import Img2ImgCog
from bot.commands.queue import QueueCog
from bot.commands.upscale import UpscaleCog

COGS = (Img2ImgCog, UpscaleCog, QueueCog, CancelCog, HelpCog)
"""Every cog, in the order in which `/help` lists them."""
