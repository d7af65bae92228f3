"""The panel of `/settings panel`: every setting of a server by selects and forms.

The panel keeps no state: each item names the setting or the form it stands for, what is set is read
afresh, and the panel is drawn anew after every change, by this process or a later one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import discord

from bot import guilds, messages
from bot.errors import NotAllowed
from bot.guilds import GuildSettings
from bot.guilds.setting_types import ChoiceSetting
from bot.i18n import choice_name, translate
from bot.i18n.message import gettext_noop
from bot.messages.error_replies import handle_errors
from bot.services import services_of
from bot.views.settings_forms import ROLE_FORMS, SETTINGS_FORMS, SettingsModal

PANEL_PAGES = {
    "access": gettext_noop("Who and where"),
    "answers": gettext_noop("How it answers"),
    "amounts": gettext_noop("How much"),
    "content": gettext_noop("Models and words"),
    "pictures": gettext_noop("Pictures not for everybody"),
}
MAX_SELECT_ENTRIES = 25  # entries of a select
CHOICE_LABELS = {
    "visibility": gettext_noop("Results are {choice}"),
    "language": gettext_noop("Language in channels: {choice}"),
    "nsfw_ordinary": gettext_noop("In ordinary channels: {choice}"),
    "nsfw_restricted": gettext_noop("In age-restricted channels: {choice}"),
}
TEXT_CHANNEL_TYPES = (
    discord.ChannelType.text,
    discord.ChannelType.voice,
    discord.ChannelType.forum,
    discord.ChannelType.news,
)


class PageSelect(discord.ui.DynamicItem[discord.ui.Select[Any]], template="easel:panel"):
    """Which part of the settings the panel shows."""

    def __init__(self, page: str = "") -> None:
        options = [
            discord.SelectOption(label=translate(label), value=name, default=name == page)
            for name, label in PANEL_PAGES.items()
        ]
        super().__init__(discord.ui.Select(custom_id="easel:panel", options=options))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Stand in for the select that was sent."""
        return cls()

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Show the page."""
        async with handle_errors(interaction):
            require_manage_guild(interaction)
            settings = await services_of(interaction).settings_editor.guild_settings(
                str(interaction.guild_id)
            )
            await update_panel(interaction, settings, self.item.values[0])


class SettingSelect(
    discord.ui.DynamicItem[discord.ui.Item[Any]],
    template=r"easel:setting:(?P<page>[a-z]+):(?P<name>[a-z_]+)",
):
    """A select that is one setting."""

    def __init__(self, select: Any, page: str, name: str) -> None:
        select.custom_id = f"easel:setting:{page}:{name}"
        super().__init__(select)
        self.page, self.name = page, name

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Take the select as it was sent."""
        return cls(item, match["page"], match["name"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Set what was chosen and draw the panel anew."""
        async with handle_errors(interaction):
            require_manage_guild(interaction)
            chosen_values = [str(getattr(value, "id", value)) for value in self.item.values]  # type: ignore[attr-defined]
            if self.name in ROLE_FORMS:
                await open_settings_modal(interaction, ROLE_FORMS[self.name], chosen_values[0])
                return
            single = not isinstance(getattr(GuildSettings(), self.name), frozenset | tuple)
            value = (chosen_values[0] if chosen_values else None) if single else chosen_values
            guild, actor = str(interaction.guild_id), str(interaction.user.id)
            editor = services_of(interaction).settings_editor
            await update_panel(
                interaction, await editor.apply_changes(guild, actor, {self.name: value}), self.page
            )


class OpenModalButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"easel:form:(?P<form>[a-z]+)"
):
    """A button that opens a form over some settings."""

    def __init__(self, form: str) -> None:
        label, custom_id = f"{translate(SETTINGS_FORMS[form].title)} …", f"easel:form:{form}"
        super().__init__(discord.ui.Button(label=label, custom_id=custom_id))
        self.form = form

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the form's name back."""
        return cls(match["form"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Open it."""
        async with handle_errors(interaction):
            require_manage_guild(interaction)
            await open_settings_modal(interaction, self.form)


def require_manage_guild(interaction: discord.Interaction[Any]) -> None:
    """Let only those go on who manage the server now, whoever the panel was sent to.

    Raises:
        NotAllowed: the member does not.
    """
    if not interaction.permissions.manage_guild:
        raise NotAllowed("Only who may manage this server changes its settings.")


async def open_settings_modal(
    interaction: discord.Interaction[Any], name: str, role: str = ""
) -> None:
    """Open a form with what is set filled in; sent, it draws the panel anew."""
    guild = str(interaction.guild_id)
    settings = await services_of(interaction).settings_editor.stored_settings(guild)

    async def apply_values(answer: discord.Interaction[Any], values: Mapping[str, Any]) -> None:
        require_manage_guild(answer)
        editor = services_of(answer).settings_editor
        settings = await editor.apply_changes(guild, str(answer.user.id), values)
        await update_panel(answer, settings, SETTINGS_FORMS[name].page)

    await interaction.response.send_modal(
        SettingsModal(SETTINGS_FORMS[name], settings, apply_values, role)
    )


async def update_panel(
    interaction: discord.Interaction[Any], settings: GuildSettings, page: str
) -> None:
    """Draw the panel anew in its own message."""
    host_limits = services_of(interaction).settings_editor.host_limits
    words = messages.settings_overview(settings, (), page, host_limits=host_limits)
    view = build_panel(interaction, settings, page)
    await interaction.response.edit_message(content=words, view=view)


def build_panel(
    interaction: discord.Interaction[Any], settings: GuildSettings, page: str
) -> discord.ui.View:
    """Lay a page of the panel out."""
    view = discord.ui.View(timeout=None)
    view.add_item(PageSelect(page))
    models = [
        model.name
        for worker in services_of(interaction).workers.worker_statuses
        for model in worker.models
        if model.kind == "diffusion"
    ]
    for select, name in _page_selects(settings, page, models):
        view.add_item(SettingSelect(select, page, name))
    for form, spec in SETTINGS_FORMS.items():
        if spec.page == page and spec.has_button:
            view.add_item(OpenModalButton(form))
    return view


def _page_selects(
    settings: GuildSettings, page: str, models: Sequence[str]
) -> Iterator[tuple[Any, str]]:
    """Yield the selects of a page; a list too long for one is left to the commands."""
    if page == "access":
        if len(settings.channels) <= MAX_SELECT_ENTRIES:
            words = translate("Channels in which Easel may be used")
            yield _channel_select(words, settings.channels, MAX_SELECT_ENTRIES), "channels"
        if len(settings.roles) <= MAX_SELECT_ENTRIES:
            yield (
                _role_select(
                    translate("Roles that may use Easel"), settings.roles, 0, MAX_SELECT_ENTRIES
                ),
                "roles",
            )
        log_channels = [settings.log_channel] if settings.log_channel else []
        words = translate("Channel that is told what moderators should know")
        yield _channel_select(words, log_channels, 1), "log_channel"
    elif page == "answers":
        for name in ("language", "visibility"):
            yield _choice_select(name, settings), name
    elif page == "amounts":
        yield _role_select(translate("A role with a quota of its own"), (), 1, 1), "role_quotas"
        yield _role_select(translate("A role with a share of its own"), (), 1, 1), "role_shares"
    elif page == "content":
        names = list(dict.fromkeys([*settings.models, *models]))
        if 0 < len(names) <= MAX_SELECT_ENTRIES:
            yield (
                _name_select(translate("Models that may be used"), names, settings.models),
                "models",
            )
    else:
        for name in ("nsfw_ordinary", "nsfw_restricted"):
            yield _choice_select(name, settings), name


def _choice_select(name: str, settings: GuildSettings) -> discord.ui.Select[Any]:
    kind = guilds.list_setting_types()[name]
    options = [
        discord.SelectOption(
            label=translate(
                CHOICE_LABELS[name],
                choice=messages.LANGUAGE_NAMES.get(choice) or choice_name(choice),
            ),
            value=choice,
            default=choice == getattr(settings, name),
        )
        for choice in (kind.choices if isinstance(kind, ChoiceSetting) else ())
    ]
    return discord.ui.Select(options=options)


def _channel_select(words: str, channel_ids: Any, max_values: int) -> discord.ui.ChannelSelect[Any]:
    defaults = [
        discord.SelectDefaultValue(id=int(id), type=discord.SelectDefaultValueType.channel)
        for id in sorted(channel_ids)
    ]
    return discord.ui.ChannelSelect(
        channel_types=list(TEXT_CHANNEL_TYPES),
        placeholder=words,
        min_values=0,
        max_values=max_values,
        default_values=defaults,
    )


def _role_select(
    words: str, role_ids: Any, min_values: int, max_values: int
) -> discord.ui.RoleSelect[Any]:
    defaults = [
        discord.SelectDefaultValue(id=int(id), type=discord.SelectDefaultValueType.role)
        for id in sorted(role_ids)
    ]
    return discord.ui.RoleSelect(
        placeholder=words, min_values=min_values, max_values=max_values, default_values=defaults
    )


def _name_select(words: str, names: Sequence[str], chosen_names: Any) -> discord.ui.Select[Any]:
    options = [
        discord.SelectOption(label=name, value=name, default=name in chosen_names) for name in names
    ]
    return discord.ui.Select(
        placeholder=words, min_values=0, max_values=len(names), options=options
    )
