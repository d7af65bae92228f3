"""The panel of `/settings panel`: every setting of a server by selects and forms.

The panel keeps no state: each item names the setting or the form it stands for, what is set is read
afresh, and the panel is drawn anew after every change, by this process or a later one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import discord

from bot import policy, texts
from bot.answers import answering
from bot.errors import NotAllowed
from bot.locales import choice_name, say
from bot.policy import Rules
from bot.policy.fields import OneOf
from bot.sentences import english
from bot.views.base import client_of
from bot.views.settings_forms import BY_ROLE, FORMS, SettingsForm

PAGES = {
    "access": english("Who and where"),
    "answers": english("How it answers"),
    "amounts": english("How much"),
    "content": english("Models and words"),
    "pictures": english("Pictures not for everybody"),
}
MOST = 25  # entries of a select
LABELS = {
    "visibility": english("Results are {choice}"),
    "language": english("Language in channels: {choice}"),
    "nsfw_ordinary": english("In ordinary channels: {choice}"),
    "nsfw_restricted": english("In age-restricted channels: {choice}"),
}
TEXT_CHANNELS = (
    discord.ChannelType.text,
    discord.ChannelType.voice,
    discord.ChannelType.forum,
    discord.ChannelType.news,
)


class PickPage(discord.ui.DynamicItem[discord.ui.Select[Any]], template="easel:panel"):
    """Which part of the settings the panel shows."""

    def __init__(self, page: str = "") -> None:
        options = [
            discord.SelectOption(label=say(label), value=name, default=name == page)
            for name, label in PAGES.items()
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
        async with answering(interaction):
            refuse_members(interaction)
            rules = await client_of(interaction).rulebook.rules(str(interaction.guild_id))
            await show(interaction, rules, self.item.values[0])


class Choose(
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
        async with answering(interaction):
            refuse_members(interaction)
            chosen = [str(getattr(value, "id", value)) for value in self.item.values]  # type: ignore[attr-defined]
            if self.name in BY_ROLE:
                await open_form(interaction, BY_ROLE[self.name], chosen[0])
                return
            single = not isinstance(getattr(Rules(), self.name), frozenset | tuple)
            value = (chosen[0] if chosen else None) if single else chosen
            guild, actor = str(interaction.guild_id), str(interaction.user.id)
            book = client_of(interaction).rulebook
            await show(interaction, await book.change(guild, actor, {self.name: value}), self.page)


class OpenForm(
    discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"easel:form:(?P<form>[a-z]+)"
):
    """A button that opens a form over some settings."""

    def __init__(self, form: str) -> None:
        label, custom_id = f"{say(FORMS[form].title)} …", f"easel:form:{form}"
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
        async with answering(interaction):
            refuse_members(interaction)
            await open_form(interaction, self.form)


def refuse_members(interaction: discord.Interaction[Any]) -> None:
    """Let only those go on who manage the server now, whoever the panel was sent to.

    Raises:
        NotAllowed: the member does not.
    """
    if not interaction.permissions.manage_guild:
        raise NotAllowed("Only who may manage this server changes its settings.")


async def open_form(interaction: discord.Interaction[Any], name: str, role: str = "") -> None:
    """Open a form with what is set filled in; sent, it draws the panel anew."""
    guild = str(interaction.guild_id)
    settings = await client_of(interaction).rulebook.settings(guild)

    async def submit(answer: discord.Interaction[Any], values: Mapping[str, Any]) -> None:
        refuse_members(answer)
        book = client_of(answer).rulebook
        rules = await book.change(guild, str(answer.user.id), values)
        await show(answer, rules, FORMS[name].page)

    await interaction.response.send_modal(SettingsForm(FORMS[name], settings, submit, role))


async def show(interaction: discord.Interaction[Any], rules: Rules, page: str) -> None:
    """Draw the panel anew in its own message."""
    words, view = texts.settings(rules, ()), panel(interaction, rules, page)
    await interaction.response.edit_message(content=words, view=view)


def panel(interaction: discord.Interaction[Any], rules: Rules, page: str) -> discord.ui.View:
    """Lay a page of the panel out."""
    view = discord.ui.View(timeout=None)
    view.add_item(PickPage(page))
    models = [
        model.name
        for worker in client_of(interaction).service.workers
        for model in worker.models
        if model.kind == "diffusion"
    ]
    for select, name in _selects(rules, page, models):
        view.add_item(Choose(select, page, name))
    for form, spec in FORMS.items():
        if spec.page == page and spec.has_button:
            view.add_item(OpenForm(form))
    return view


def _selects(rules: Rules, page: str, models: Sequence[str]) -> Iterator[tuple[Any, str]]:
    """Yield the selects of a page; a list too long for one is left to the commands."""
    if page == "access":
        if len(rules.channels) <= MOST:
            words = say("Channels in which Easel may be used")
            yield _channels(words, rules.channels, MOST), "channels"
        if len(rules.roles) <= MOST:
            yield _roles(say("Roles that may use Easel"), rules.roles, 0, MOST), "roles"
        told = [rules.log_channel] if rules.log_channel else []
        words = say("Channel that is told what moderators should know")
        yield _channels(words, told, 1), "log_channel"
    elif page == "answers":
        for name in ("language", "visibility"):
            yield _choices(name, rules), name
    elif page == "amounts":
        yield _roles(say("A role with a quota of its own"), (), 1, 1), "role_quotas"
        yield _roles(say("A role with a share of its own"), (), 1, 1), "role_shares"
    elif page == "content":
        names = list(dict.fromkeys([*rules.models, *models]))
        if 0 < len(names) <= MOST:
            yield _names(say("Models that may be used"), names, rules.models), "models"
    else:
        for name in ("nsfw_ordinary", "nsfw_restricted"):
            yield _choices(name, rules), name


def _choices(name: str, rules: Rules) -> discord.ui.Select[Any]:
    kind = policy.settable()[name]
    options = [
        discord.SelectOption(
            label=say(LABELS[name], choice=texts.NATIVE.get(one) or choice_name(one)),
            value=one,
            default=one == getattr(rules, name),
        )
        for one in (kind.choices if isinstance(kind, OneOf) else ())
    ]
    return discord.ui.Select(options=options)


def _channels(words: str, chosen: Any, most: int) -> discord.ui.ChannelSelect[Any]:
    defaults = [
        discord.SelectDefaultValue(id=int(id), type=discord.SelectDefaultValueType.channel)
        for id in sorted(chosen)
    ]
    return discord.ui.ChannelSelect(
        channel_types=list(TEXT_CHANNELS),
        placeholder=words,
        min_values=0,
        max_values=most,
        default_values=defaults,
    )


def _roles(words: str, chosen: Any, least: int, most: int) -> discord.ui.RoleSelect[Any]:
    defaults = [
        discord.SelectDefaultValue(id=int(id), type=discord.SelectDefaultValueType.role)
        for id in sorted(chosen)
    ]
    return discord.ui.RoleSelect(
        placeholder=words, min_values=least, max_values=most, default_values=defaults
    )


def _names(words: str, names: Sequence[str], chosen: Any) -> discord.ui.Select[Any]:
    options = [
        discord.SelectOption(label=name, value=name, default=name in chosen) for name in names
    ]
    return discord.ui.Select(
        placeholder=words, min_values=0, max_values=len(names), options=options
    )
