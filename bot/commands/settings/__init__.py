"""`/settings`: what a server's admins allow, with its history, a dry run and a way back."""

from bot.commands.settings.access import AccessCommands
from bot.commands.settings.base import SETTINGS_GROUP
from bot.commands.settings.content import ContentCommands
from bot.commands.settings.files import SettingsFileCommands
from bot.commands.settings.history import SettingsHistoryCommands
from bot.commands.settings.limits import LimitCommands
from bot.commands.settings.pictures import ImageCheckCommands


class SettingsCog(
    SettingsHistoryCommands,
    AccessCommands,
    LimitCommands,
    ContentCommands,
    ImageCheckCommands,
    SettingsFileCommands,
):
    """/settings: what a server's admins set."""

    settings = SETTINGS_GROUP


__all__ = ["SettingsCog"]
