"""What is set, who set it, what it would mean for a member, and the way back."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot import policy, texts
from bot.commands.settings.base import SETTINGS, Part, answer, who
from bot.errors import NotAllowed
from bot.locales import say
from bot.requests import asker_of
from bot.views.settings import PAGES, panel
from inference.jobs import Imagine

LISTED = 10  # changes shown


class History(Part):
    """Looking, trying and going back."""

    @SETTINGS.command(description="Show what this server has set, and the last changes.")
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Show the rules and their history."""
        book, guild = self.bot.rulebook, str(interaction.guild_id)
        words = texts.settings(await book.rules(guild), await book.changes(guild, LISTED))
        await interaction.response.send_message(words, ephemeral=True)

    @SETTINGS.command(description="Set everything by selects and forms.")
    async def panel(self, interaction: discord.Interaction[Any]) -> None:
        """Show the panel to the admin alone."""
        rules = await self.bot.rulebook.rules(str(interaction.guild_id))
        view = panel(interaction, rules, next(iter(PAGES)))
        await interaction.response.send_message(
            texts.settings(rules, ()), view=view, ephemeral=True
        )

    @SETTINGS.command(name="try", description="Would this member be allowed to use Easel there?")
    @app_commands.describe(
        member="Who", channel="Where; left out, here", prompt="Would these words be allowed?"
    )
    async def dry_run(
        self,
        interaction: discord.Interaction[Any],
        member: discord.Member,
        channel: discord.TextChannel | None = None,
        prompt: app_commands.Range[str, 0, 6000] = "",
    ) -> None:
        """Say yes, or why not; nothing is queued."""
        guild, owner = str(interaction.guild_id), str(member.id)
        rules = await self.bot.gate.rules(guild)
        asker = asker_of(member, channel or interaction.channel)
        uses = await self.bot.gate.uses(guild, owner)
        try:
            await self.bot.gate.check_now(rules, asker, guild, owner, Imagine(prompt=prompt))
            left = texts.quota(policy.quota_of(rules, asker), uses)
            words = say(
                "Yes: {member} may use Easel there. {left}", member=member.mention, left=left
            )
        except NotAllowed as error:
            words = say("No. {member} would read: {why}", member=member.mention, why=error.sentence)
        await interaction.response.send_message(words, ephemeral=True)

    @SETTINGS.command(description="Take the last change back, or forget all that was set.")
    @app_commands.describe(what="Which")
    async def undo(
        self, interaction: discord.Interaction[Any], what: Literal["last change", "everything"]
    ) -> None:
        """Go back; this is a change, too, and can be taken back."""
        book = self.bot.rulebook
        back = book.clear if what == "everything" else book.undo
        await answer(interaction, await back(*who(interaction)))
