"""`/defaults`: what my commands take where I leave an option out."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import direct, styles, texts
from bot.choices import OPTIONS, check_defaults
from bot.commands.base import MODELS, EaselCog
from bot.errors import NoSettings, UserError
from bot.options import shows
from inference.jobs import Editing
from storage.guilds import GuildStore


class DefaultsCog(EaselCog):
    """A member's own defaults."""

    defaults = app_commands.Group(name="defaults", description="What you take unless you say so.")

    @defaults.command(description="Show your defaults.")
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Show them to the member alone."""
        found = await self._store().member_defaults(str(interaction.user.id))
        await interaction.response.send_message(texts.defaults(found), ephemeral=True)

    @defaults.command(name="set", description="Set defaults; what you leave out stays as it is.")
    @shows(Editing, OPTIONS, MODELS)
    async def choose(self, interaction: discord.Interaction[Any], /, **given: Any) -> None:
        """Add to the defaults."""
        values = {name: value for name, value in given.items() if value is not None}
        if not values:
            raise UserError("Say which: `/defaults set steps:30 strength:0.5`.")
        store, owner = self._store(), str(interaction.user.id)
        merged = {**await store.member_defaults(owner), **values}
        check_defaults(values)
        await store.put_member_defaults(owner, merged)
        await interaction.response.send_message(texts.defaults(merged), ephemeral=True)

    @defaults.command(description="Forget your defaults.")
    async def clear(self, interaction: discord.Interaction[Any]) -> None:
        """Go back to Easel's own."""
        store, owner = self._store(), str(interaction.user.id)
        chosen = await store.member_defaults(owner)
        kept = {name: chosen[name] for name in (styles.KEY, direct.KEY) if name in chosen}
        await store.put_member_defaults(owner, kept)
        await interaction.response.send_message(texts.defaults({}), ephemeral=True)

    def _store(self) -> GuildStore:
        if self.bot.guild_store is None:
            raise NoSettings
        return self.bot.guild_store
