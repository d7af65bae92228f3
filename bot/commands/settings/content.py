"""What may be asked for: models, LoRAs, words."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import completion
from bot.commands.settings.base import SETTINGS, Part
from bot.views import client_of

MAX_TEXT = 100  # characters of a word or a pattern
MAX_CHOICES = 25


def kept(name: str) -> Any:
    """Complete what stands on one of the server's lists, so that it can be taken off."""

    async def complete(
        interaction: discord.Interaction[Any], current: str
    ) -> list[app_commands.Choice[str]]:
        settings = await client_of(interaction).rulebook.settings(str(interaction.guild_id))
        hits = [one for one in settings.get(name, ()) if current.casefold() in one.casefold()]
        return [app_commands.Choice(name=one, value=one) for one in hits[:MAX_CHOICES]]

    return complete


async def loras(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the LoRAs that workers have and those on the list, which may be gone."""
    found = await completion("lora", everything=True)(interaction, current)
    here = {choice.value for choice in found}
    listed = await kept("loras")(interaction, current)
    return [*(one for one in listed if one.value not in here), *found][:MAX_CHOICES]


class Content(Part):
    """Lists of what may be used and said."""

    @SETTINGS.command(description="Allow or no longer allow a model; with none listed, all are.")
    @app_commands.describe(
        model="The first one listed stands in for a host's own that is not",
        allow="No takes it off the list",
    )
    @app_commands.autocomplete(model=completion("diffusion", everything=True))
    async def model(
        self,
        interaction: discord.Interaction[Any],
        model: app_commands.Range[str, 1, MAX_TEXT],
        allow: bool = True,
    ) -> None:
        """Change the list of checkpoints."""
        await self.change_list(interaction, "models", model.strip(), allow)

    @SETTINGS.command(description="Allow or no longer allow a LoRA; with none listed, all are.")
    @app_commands.describe(lora="As it stands in <lora:name:0.8>", allow="No takes it off the list")
    @app_commands.autocomplete(lora=loras)
    async def lora(
        self,
        interaction: discord.Interaction[Any],
        lora: app_commands.Range[str, 1, MAX_TEXT],
        allow: bool = True,
    ) -> None:
        """Change the list of LoRAs."""
        await self.change_list(interaction, "loras", lora.strip(), allow)

    @SETTINGS.command(description="Forbid a word or phrase in prompts, however it is written.")
    @app_commands.describe(
        word="An asterisk at its end stands for any ending", forbid="No takes it off the list"
    )
    @app_commands.autocomplete(word=kept("banned_words"))
    async def word(
        self,
        interaction: discord.Interaction[Any],
        word: app_commands.Range[str, 1, MAX_TEXT],
        forbid: bool = True,
    ) -> None:
        """Change the list of words."""
        await self.change_list(interaction, "banned_words", word.strip(), forbid)

    @SETTINGS.command(description="Forbid what fits a pattern (RE2) in prompts.")
    @app_commands.describe(
        pattern="Meets small letters of one alphabet", forbid="No takes it off the list"
    )
    @app_commands.autocomplete(pattern=kept("banned_patterns"))
    async def pattern(
        self,
        interaction: discord.Interaction[Any],
        pattern: app_commands.Range[str, 1, MAX_TEXT],
        forbid: bool = True,
    ) -> None:
        """Change the list of patterns."""
        await self.change_list(interaction, "banned_patterns", pattern.strip(), forbid)
