"""How much: ceilings of a job, jobs under way, GPU time a day."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.settings.base import SETTINGS_GROUP, SettingsCogBase, admin_of
from bot.errors import BadSetting
from bot.guilds.settings import MAX_GPU_SHARE, MIN_GPU_SHARE

MAX_QUOTA_SECONDS = 86_400
LIMIT_TEXTS = {
    "max_steps": "Most denoising steps; 0 lifts the limit",
    "max_megapixels": "Largest picture that may be made; 0 lifts the limit",
    "max_batch": "Most pictures of one job; 0 lifts the limit",
    "max_loops": "Most loops; 0 lifts the limit",
    "max_jobs": "Jobs one member may have under way; 0 lifts the limit",
    "max_server_jobs": "Jobs all members together may have under way; 0 lifts the limit",
}


class LimitCommands(SettingsCogBase):
    """/settings limits: numeric caps of a server."""

    @SETTINGS_GROUP.command(description="Set ceilings; what you leave out stays as it is.")
    @app_commands.describe(**LIMIT_TEXTS)
    async def limits(
        self,
        interaction: discord.Interaction[Any],
        max_steps: app_commands.Range[int, 0, 150] | None = None,
        max_megapixels: app_commands.Range[float, 0, 256] | None = None,
        max_batch: app_commands.Range[int, 0, 8] | None = None,
        max_loops: app_commands.Range[int, 0, 32] | None = None,
        max_jobs: app_commands.Range[int, 0, 100] | None = None,
        max_server_jobs: app_commands.Range[int, 0, 1000] | None = None,
    ) -> None:
        """Change the ceilings given."""
        limit_values = (max_steps, max_megapixels, max_batch, max_loops, max_jobs, max_server_jobs)
        changes = {
            name: value or None
            for name, value in zip(LIMIT_TEXTS, limit_values, strict=True)
            if value is not None
        }
        await self.change_settings(interaction, changes)

    @SETTINGS_GROUP.command(description="Set what jobs take here that name none; 0 takes it back.")
    @app_commands.describe(
        steps="Denoising steps, within the ceiling",
        batch="Pictures of one job, within the ceiling",
        loops="Loops, within the ceiling",
    )
    async def defaults(
        self,
        interaction: discord.Interaction[Any],
        steps: app_commands.Range[int, 0, 150] | None = None,
        batch: app_commands.Range[int, 0, 8] | None = None,
        loops: app_commands.Range[int, 0, 32] | None = None,
    ) -> None:
        """Change the server's own defaults."""
        default_values = {"default_steps": steps, "default_batch": batch, "default_loops": loops}
        changes = {
            name: value or None for name, value in default_values.items() if value is not None
        }
        await self.change_settings(interaction, changes)

    @SETTINGS_GROUP.command(
        description="GPU-seconds a member may use in 24 hours, in general or by role."
    )
    @app_commands.describe(
        seconds="As the GPU's own time; left out, the limit is lifted",
        role="For who has this role instead of everyone; of several roles the largest counts",
    )
    async def quota(
        self,
        interaction: discord.Interaction[Any],
        seconds: app_commands.Range[float, 0, MAX_QUOTA_SECONDS] | None = None,
        role: discord.Role | None = None,
    ) -> None:
        """Change everyone's quota, or a role's."""
        if role is None:
            if seconds == 0:
                raise BadSetting(
                    "quota",
                    "{name} is 0 for everyone: leave seconds out to lift it, or limit the roles",
                )
            await self.change_settings(interaction, {"quota": seconds})
            return
        await self._change_role(interaction, "role_quotas", role, seconds)

    @SETTINGS_GROUP.command(
        description="Give a role a larger or smaller share of the GPU than others."
    )
    @app_commands.describe(
        role="Of several roles the largest share counts; members without one have 1",
        times="Times an ordinary member's, while others wait, too; left out, as everyone",
    )
    async def share(
        self,
        interaction: discord.Interaction[Any],
        role: discord.Role,
        times: app_commands.Range[float, MIN_GPU_SHARE, MAX_GPU_SHARE] | None = None,
    ) -> None:
        """Change a role's share of the queue."""
        await self._change_role(interaction, "role_shares", role, times)

    async def _change_role(
        self,
        interaction: discord.Interaction[Any],
        name: str,
        role: discord.Role,
        amount: float | None,
    ) -> None:
        """Change what one role has of a setting by role; None takes it back."""
        guild, _ = admin_of(interaction)
        amounts = dict((await self.services.settings_editor.stored_settings(guild)).get(name, {}))
        amounts.pop(str(role.id), None)
        if amount is not None:
            amounts[str(role.id)] = amount
        await self.change_settings(interaction, {name: amounts})

    @SETTINGS_GROUP.command(description="How long results of this server are kept, at most.")
    @app_commands.describe(days="Left out, as long as the host keeps them; never longer than that")
    async def keep(
        self,
        interaction: discord.Interaction[Any],
        days: app_commands.Range[float, 0.5, 3650.0] | None = None,
    ) -> None:
        """Change how long ended jobs and their pictures are kept."""
        await self.change_settings(interaction, {"keep_days": days})
