"""The slash commands, one cog a file."""

from __future__ import annotations

from bot.commands.access import AccessCog
from bot.commands.again import AgainCog
from bot.commands.cancel import CancelCog
from bot.commands.defaults import DefaultsCog
from bot.commands.edit import EditCog
from bot.commands.explain import ExplainCog
from bot.commands.help import HelpCog
from bot.commands.history import HistoryCog
from bot.commands.imagine import ImagineCog
from bot.commands.img2img import Img2ImgCog
from bot.commands.inpaint import InpaintCog
from bot.commands.interrogate import InterrogateCog
from bot.commands.loopback import LoopbackCog
from bot.commands.mask import MaskCog
from bot.commands.models import ModelsCog
from bot.commands.moderation import ModerationCog
from bot.commands.outpaint import OutpaintCog
from bot.commands.privacy import PrivacyCog
from bot.commands.queue import QueueCog
from bot.commands.redraw import RedrawCog
from bot.commands.settings import SettingsCog
from bot.commands.style import StyleCog
from bot.commands.upscale import UpscaleCog

COG_CLASSES = (
    Img2ImgCog,
    EditCog,
    InpaintCog,
    OutpaintCog,
    LoopbackCog,
    UpscaleCog,
    RedrawCog,
    InterrogateCog,
    ImagineCog,
    ExplainCog,
    MaskCog,
    QueueCog,
    CancelCog,
    HistoryCog,
    AgainCog,
    StyleCog,
    DefaultsCog,
    ModelsCog,
    PrivacyCog,
    SettingsCog,
    ModerationCog,
    AccessCog,
    HelpCog,
)
"""Every cog."""
