"""`/settings`: what a server's admins allow, with its history, a dry run and a way back."""

from __future__ import annotations

from typing import Any, Literal

import discord
from discord import app_commands

from bot import policy, texts
from bot.commands.base import EaselCog
from bot.errors import NoSettings, NotAllowed
from bot.policy import Rules
from bot.requests import asker_of
from storage.guilds import GuildStore

Where = discord.TextChannel | discord.VoiceChannel | discord.ForumChannel
LIMITS = ("max_steps", "max_megapixels", "max_batch", "max_loops", "max_jobs")
LISTED = 10  # changes shown
LIMIT_TEXTS = {
    "max_steps": "Most denoising steps; 0 lifts the limit",
    "max_megapixels": "Largest picture that may be made; 0 lifts the limit",
    "max_batch": "Most pictures of one job; 0 lifts the limit",
    "max_loops": "Most loops; 0 lifts the limit",
    "max_jobs": "Jobs one member may have under way; 0 lifts the limit",
}


class SettingsCog(EaselCog):
    """A server's own rules."""

    settings = app_commands.Group(
        name="settings",
        description="What this server allows.",
        default_permissions=discord.Permissions(manage_guild=True),
        guild_only=True,
    )

    @settings.command(description="Show what this server has set, and the last changes.")
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Show the rules and their history."""
        store, guild = self._store(), str(interaction.guild_id)
        rules = Rules.decode(await store.settings(guild))
        words = texts.settings(rules, await store.audit(guild, LISTED))
        await interaction.response.send_message(words, ephemeral=True)

    @settings.command(description="Set ceilings; what you leave out stays as it is.")
    @app_commands.describe(**LIMIT_TEXTS)
    async def limits(
        self,
        interaction: discord.Interaction[Any],
        max_steps: app_commands.Range[int, 0, 150] | None = None,
        max_megapixels: app_commands.Range[float, 0, 256] | None = None,
        max_batch: app_commands.Range[int, 0, 8] | None = None,
        max_loops: app_commands.Range[int, 0, 32] | None = None,
        max_jobs: app_commands.Range[int, 0, 100] | None = None,
    ) -> None:
        """Change the ceilings given."""
        given = zip(
            LIMITS, (max_steps, max_megapixels, max_batch, max_loops, max_jobs), strict=True
        )
        changes = {name: value or None for name, value in given if value is not None}
        await self._change(interaction, changes)

    @settings.command(description="Allow or no longer allow a channel; with none listed, all are.")
    @app_commands.describe(
        channel="Its threads are meant as well", allow="No takes it off the list"
    )
    async def channel(
        self, interaction: discord.Interaction[Any], channel: Where, allow: bool = True
    ) -> None:
        """Change the list of channels."""
        await self._listed(interaction, "channels", channel.id, allow)

    @settings.command(description="Allow or no longer allow a role; with none listed, everyone is.")
    @app_commands.describe(role="Who has it may use Easel", allow="No takes it off the list")
    async def role(
        self, interaction: discord.Interaction[Any], role: discord.Role, allow: bool = True
    ) -> None:
        """Change the list of roles."""
        await self._listed(interaction, "roles", role.id, allow)

    @settings.command(name="try", description="Would this member be allowed to use Easel there?")
    @app_commands.describe(member="Who", channel="Where; left out, here")
    async def dry_run(
        self,
        interaction: discord.Interaction[Any],
        member: discord.Member,
        channel: discord.TextChannel | None = None,
    ) -> None:
        """Say yes, or why not; nothing is queued."""
        rules = await self.bot.gate.rules(str(interaction.guild_id))
        try:
            policy.check_place(rules, asker_of(member, channel or interaction.channel))
            words = f"Yes: {member.mention} may use Easel there."
        except NotAllowed as error:
            words = f"No. {member.mention} would read: {error}"
        await interaction.response.send_message(words, ephemeral=True)

    @settings.command(description="Take the last change back, or forget all that was set.")
    @app_commands.describe(what="Which")
    async def undo(
        self, interaction: discord.Interaction[Any], what: Literal["last change", "everything"]
    ) -> None:
        """Go back; this is a change, too, and can be taken back."""
        store, guild = self._store(), str(interaction.guild_id)
        if what == "everything":
            changes: dict[str, Any] = dict.fromkeys(await store.settings(guild))
        else:
            changes = {last.subject: last.before for last in await store.audit(guild, 1)}
        await self._change(interaction, changes)

    async def _listed(
        self, interaction: discord.Interaction[Any], name: str, id: int, allow: bool
    ) -> None:
        settings = await self._store().settings(str(interaction.guild_id))
        ids = set(settings.get(name, ())) - {str(id)} | ({str(id)} if allow else set())
        await self._change(interaction, {name: sorted(ids) or None})

    async def _change(self, interaction: discord.Interaction[Any], changes: dict[str, Any]) -> None:
        store, guild = self._store(), str(interaction.guild_id)
        after = await store.change_settings(guild, str(interaction.user.id), changes)
        words = texts.settings(Rules.decode(after), ())
        await interaction.response.send_message(words, ephemeral=True)

    def _store(self) -> GuildStore:
        if self.bot.guild_store is None:
            raise NoSettings
        return self.bot.guild_store
