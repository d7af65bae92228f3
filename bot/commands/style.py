"""`/style`: words under a name, a member's own or the server's, put around prompts."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import texts
from bot.commands.base import EaselCog
from bot.errors import NotAllowed, UserError
from bot.locales import say
from bot.policy.files import MOST_STYLES
from bot.styles import MAX_STYLES, OfMember, style_names
from storage.guilds import Style

Name = app_commands.Range[str, 1, 50]
WORDS = "What it adds; {prompt} stands for the member's own words, else it comes after them"


class StyleCog(EaselCog):
    """Styles."""

    style = app_commands.Group(name="style", description="Words under a name, to add to prompts.")

    @style.command(name="list", description="List your styles and the server's.")
    async def overview(self, interaction: discord.Interaction[Any]) -> None:
        """List them to the member alone."""
        shelf = self.bot.styles
        mine = await shelf.of_member(str(interaction.user.id))
        servers = await shelf.of_guild(_guild(interaction))
        await interaction.response.send_message(texts.styles(mine, servers), ephemeral=True)

    @style.command(description="Save a style, or replace the one of that name.")
    @app_commands.describe(
        name="What to call it",
        prompt=WORDS,
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
        style = Style(name=name.strip(), prompt=prompt, negative_prompt=negative_prompt)
        owner, shelf = str(interaction.user.id), self.bot.styles
        if server:
            guild = _managed(interaction)
            known = {one.name.casefold() for one in await shelf.of_guild(guild)}
            if len(known | {style.name.casefold()}) > MOST_STYLES:
                raise UserError(
                    "This server has {count} styles. Delete one with /style delete.",
                    count=MOST_STYLES,
                )
            await shelf.put_of_guild(guild, owner, style)
        else:
            mine: OfMember = await shelf.of_member(owner)
            if len(mine | {style.name: style}) > MAX_STYLES:
                raise UserError(
                    "You have {count} styles. Delete one with /style delete.", count=MAX_STYLES
                )
            await shelf.put_of_member(owner, mine | {style.name: style})
        await interaction.response.send_message(
            say(
                "Saved. Use it with the option **style**: {name}", name=texts.quote(style.name, 50)
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
        owner, shelf = str(interaction.user.id), self.bot.styles
        if server:
            gone = await shelf.delete_of_guild(_managed(interaction), owner, name)
        else:
            mine = await shelf.of_member(owner)
            gone = mine.pop(name, None) is not None
            await shelf.put_of_member(owner, mine)
        if not gone:
            raise UserError("There is no style of that name. /style list shows them.")
        await interaction.response.send_message(say("Deleted."), ephemeral=True)


def _guild(interaction: discord.Interaction[Any]) -> str | None:
    return None if interaction.guild_id is None else str(interaction.guild_id)


def _managed(interaction: discord.Interaction[Any]) -> str:
    """Return the server, of a member who may manage it.

    Raises:
        NotAllowed: they may not.
    """
    guild = _guild(interaction)
    if guild is None or not interaction.permissions.manage_guild:
        raise NotAllowed("The server's styles are for those who may manage the server.")
    return guild
