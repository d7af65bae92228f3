"""`/defaults`: what my commands take where I leave an option out."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot import messages
from bot.commands.base import OPTION_AUTOCOMPLETES, EaselCog
from bot.errors import UserError
from bot.guilds.member_preferences import DM_PREFERENCE_KEY, MEMBER_STYLES_KEY
from bot.guilds.policy import MEMBER_DEFAULT_OPTIONS, check_defaults
from bot.requests.options import with_job_options
from inference.api.jobs import EditingJob


class DefaultsCog(EaselCog):
    """/defaults."""

    defaults = app_commands.Group(name="defaults", description="What you take unless you say so.")

    @defaults.command(description="Show your defaults.")
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Show them to the member alone."""
        member_defaults = await self.services.guild_store.member_defaults(str(interaction.user.id))
        await interaction.response.send_message(
            messages.defaults_list(member_defaults), ephemeral=True
        )

    @defaults.command(name="set", description="Set defaults; what you leave out stays as it is.")
    @with_job_options(EditingJob, MEMBER_DEFAULT_OPTIONS, OPTION_AUTOCOMPLETES)
    async def set_defaults(
        self, interaction: discord.Interaction[Any], /, **option_values: Any
    ) -> None:
        """Add to the defaults."""
        values = {name: value for name, value in option_values.items() if value is not None}
        if not values:
            raise UserError("Say which: `/defaults set steps:30 strength:0.5`.")
        store, owner = self.services.guild_store, str(interaction.user.id)
        merged_values = {**await store.member_defaults(owner), **values}
        check_defaults(values)
        await store.put_member_defaults(owner, merged_values)
        await interaction.response.send_message(
            messages.defaults_list(merged_values), ephemeral=True
        )

    @defaults.command(description="Say whether buttons show you a form before they run.")
    @app_commands.describe(first="Whether Again, Vary and the arrows of Outpaint ask you first")
    async def ask(self, interaction: discord.Interaction[Any], first: Literal["yes", "no"]) -> None:
        """Note it, and show the defaults."""
        owner = str(interaction.user.id)
        await self.services.member_switches.set_asks_first(owner, is_on=first == "yes")
        member_defaults = await self.services.guild_store.member_defaults(owner)
        await interaction.response.send_message(
            messages.defaults_list(member_defaults), ephemeral=True
        )

    @defaults.command(description="Forget your defaults.")
    async def clear(self, interaction: discord.Interaction[Any]) -> None:
        """Go back to Easel's own."""
        store, owner = self.services.guild_store, str(interaction.user.id)
        stored_values = await store.member_defaults(owner)
        preserved_values = {
            name: stored_values[name]
            for name in (DM_PREFERENCE_KEY, MEMBER_STYLES_KEY)
            if name in stored_values
        }
        await store.put_member_defaults(owner, preserved_values)
        await interaction.response.send_message(messages.defaults_list({}), ephemeral=True)
