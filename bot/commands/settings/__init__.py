"""`/settings`: what a server's admins allow, with its history, a dry run and a way back."""

from bot.commands.settings.access import Access
from bot.commands.settings.base import SETTINGS
from bot.commands.settings.content import Content
from bot.commands.settings.files import Files
from bot.commands.settings.history import History
from bot.commands.settings.limits import Limits
from bot.commands.settings.pictures import Pictures


class SettingsCog(History, Access, Limits, Content, Pictures, Files):
    """A server's own rules."""

    settings = SETTINGS


__all__ = ["SettingsCog"]
