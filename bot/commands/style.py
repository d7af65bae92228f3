"""`/style`: words under a name, a member's own or the server's, put around prompts."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import messages
from bot.commands.base import EaselCog, style_names
from bot.errors import NotAllowed, UserError
from bot.guilds.member_preferences import MAX_STYLES, StylesByName
from bot.guilds.yaml_file import MAX_GUILD_STYLES
from bot.i18n import translate
from storage.guilds import PromptStyle

Name = app_commands.Range[str, 1, 50]
STYLE_PROMPT_HELP = (
    "What it adds; {prompt} stands for the member's own words, else it comes after them"
)


class StyleCog(EaselCog):
    """/style."""

    style = app_commands.Group(name="style", description="Words under a name, to add to prompts.")

    @style.command(name="list", description="List your styles and the server's.")
    async def list_styles(self, interaction: discord.Interaction[Any]) -> None:
        """List them to the member alone."""
        style_store = self.services.styles
        member_styles = await style_store.member_styles(str(interaction.user.id))
        guild_styles = await style_store.guild_styles(_guild_id_of(interaction))
        await interaction.response.send_message(
            messages.style_list(member_styles, guild_styles), ephemeral=True
        )

    @style.command(description="Save a style, or replace the one of that name.")
    @app_commands.describe(
        name="What to call it",
        prompt=STYLE_PROMPT_HELP,
        negative_prompt="What it adds to the negative prompt",
        server="For everyone on this server; needs Manage Server",
    )
    async def save(
        self,
        interaction: discord.Interaction[Any],
        name: Name,
        prompt: app_commands.Range[str, 0, 2000] = "",
        negative_prompt: app_commands.Range[str, 0, 2000] = "",
        server: bool = False,
    ) -> None:
        """Save it where it belongs."""
        if not (prompt.strip() or negative_prompt.strip()):
            raise UserError("A style needs words: fill in prompt or negative_prompt.")
        style = PromptStyle(name=name.strip(), prompt=prompt, negative_prompt=negative_prompt)
        owner, style_store = str(interaction.user.id), self.services.styles
        if server:
            guild = _managed_guild_id(interaction)
            guild_style_names = {
                guild_style.name.casefold() for guild_style in await style_store.guild_styles(guild)
            }
            if len(guild_style_names | {style.name.casefold()}) > MAX_GUILD_STYLES:
                raise UserError(
                    "This server has {count} styles. Delete one with /style delete.",
                    count=MAX_GUILD_STYLES,
                )
            await style_store.save_guild_style(guild, owner, style)
        else:
            member_styles: StylesByName = await style_store.member_styles(owner)
            if len(member_styles | {style.name: style}) > MAX_STYLES:
                raise UserError(
                    "You have {count} styles. Delete one with /style delete.", count=MAX_STYLES
                )
            await style_store.save_member_styles(owner, member_styles | {style.name: style})
        await interaction.response.send_message(
            translate(
                "Saved. Use it with the option **style**: {name}",
                name=messages.inline_code(style.name, 50),
            ),
            ephemeral=True,
        )

    @style.command(description="Delete a style.")
    @app_commands.describe(name="Which", server="The server's; needs Manage Server")
    @app_commands.autocomplete(name=style_names)
    async def delete(
        self, interaction: discord.Interaction[Any], name: Name, server: bool = False
    ) -> None:
        """Delete it."""
        owner, style_store = str(interaction.user.id), self.services.styles
        if server:
            was_deleted = await style_store.delete_guild_style(
                _managed_guild_id(interaction), owner, name
            )
        else:
            member_styles = await style_store.member_styles(owner)
            was_deleted = member_styles.pop(name, None) is not None
            await style_store.save_member_styles(owner, member_styles)
        if not was_deleted:
            raise UserError("There is no style of that name. /style list shows them.")
        await interaction.response.send_message(translate("Deleted."), ephemeral=True)


def _guild_id_of(interaction: discord.Interaction[Any]) -> str | None:
    return None if interaction.guild_id is None else str(interaction.guild_id)


def _managed_guild_id(interaction: discord.Interaction[Any]) -> str:
    """Return the server, of a member who may manage it.

    Raises:
        NotAllowed: they may not.
    """
    guild = _guild_id_of(interaction)
    if guild is None or not interaction.permissions.manage_guild:
        raise NotAllowed("The server's styles are for those who may manage the server.")
    return guild
