"""`/access`: whom the host serves, for its owners alone."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot import messages
from bot.commands.base import EaselCog
from bot.errors import NotAllowed, UserError
from bot.guilds.host_access import ALLOW_RULE, BLOCK_RULE, MEMBER_KIND, SERVER_KIND
from bot.guilds.setting_types import SNOWFLAKE_PATTERN

MEMBER_HELP = "A member, wherever they ask"
SERVER_HELP = "A server's id: right click on its icon, Copy Server ID"
ServerId = app_commands.Range[str, 0, 20]


class AccessCog(EaselCog):
    """/access."""

    access = app_commands.Group(
        name="access",
        description="Whom this Easel serves; for its keeper.",
        default_permissions=discord.Permissions(administrator=True),
    )

    @access.command(description="Show who is blocked and who is allowed.")
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """List them for the owner alone."""
        await self._require_owner(interaction)
        await self._send_lists(interaction)

    @access.command(description="Serve a member or a server no longer.")
    @app_commands.describe(member=MEMBER_HELP, server=SERVER_HELP)
    async def block(
        self,
        interaction: discord.Interaction[Any],
        member: discord.User | None = None,
        server: ServerId = "",
    ) -> None:
        """Block them."""
        await self._set_rule(interaction, member, server, BLOCK_RULE)

    @access.command(description="Serve only the members or servers that are allowed, and this one.")
    @app_commands.describe(member=MEMBER_HELP, server=SERVER_HELP)
    async def allow(
        self,
        interaction: discord.Interaction[Any],
        member: discord.User | None = None,
        server: ServerId = "",
    ) -> None:
        """Put them on the list of those who are served."""
        await self._set_rule(interaction, member, server, ALLOW_RULE)

    @access.command(description="Take a member or a server off both lists.")
    @app_commands.describe(member=MEMBER_HELP, server=SERVER_HELP)
    async def remove(
        self,
        interaction: discord.Interaction[Any],
        member: discord.User | None = None,
        server: ServerId = "",
    ) -> None:
        """Forget what was said of them."""
        await self._require_owner(interaction)
        for kind, id in _chosen_ids(member, server):
            if not await self.services.policy.access.remove_rule(kind, id):
                raise UserError(
                    "{id} is on no list that a command can change. What the host's environment "
                    "lists is changed there.",
                    id=id,
                )
        await self._send_lists(interaction)

    async def _set_rule(
        self,
        interaction: discord.Interaction[Any],
        member: discord.User | None,
        server: str,
        rule: str,
    ) -> None:
        await self._require_owner(interaction)
        for kind, id in _chosen_ids(member, server):
            await self.services.policy.access.set_rule(kind, id, rule, str(interaction.user.id))
        await self._send_lists(interaction)

    async def _require_owner(self, interaction: discord.Interaction[Any]) -> None:
        if not await interaction.client.is_owner(interaction.user):
            raise NotAllowed("Only the keeper of this Easel decides whom it serves.")

    async def _send_lists(self, interaction: discord.Interaction[Any]) -> None:
        access = self.services.policy.access
        listed_ids = {
            (kind, rule): await access.listed_ids(kind, rule)
            for kind in (MEMBER_KIND, SERVER_KIND)
            for rule in (ALLOW_RULE, BLOCK_RULE)
        }
        await interaction.response.send_message(messages.access_lists(listed_ids), ephemeral=True)


def _chosen_ids(member: discord.User | None, server: str) -> list[tuple[str, str]]:
    """Return the kinds and ids that a command names.

    Raises:
        UserError: it names none, or something that is no id.
    """
    chosen_ids = [] if member is None else [(MEMBER_KIND, str(member.id))]
    if server.strip():
        if not SNOWFLAKE_PATTERN.fullmatch(server.strip()):
            raise UserError("{id} is no server's id, which is a long number.", id=server.strip())
        chosen_ids.append((SERVER_KIND, server.strip()))
    if not chosen_ids:
        raise UserError("Name a member or a server.")
    return chosen_ids
