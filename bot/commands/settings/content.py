"""What may be asked for: models, LoRAs, words."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.commands.base import autocomplete_models
from bot.commands.settings.base import SETTINGS_GROUP, SettingsCogBase
from bot.services import services_of

MAX_ENTRY_CHARS = 100  # characters of a word or a pattern
MAX_CHOICES = 25


def current_entries(name: str) -> Any:
    """Complete what stands on one of the server's lists, so that it can be taken off."""

    async def complete_entry(
        interaction: discord.Interaction[Any], current: str
    ) -> list[app_commands.Choice[str]]:
        settings = await services_of(interaction).settings_editor.stored_settings(
            str(interaction.guild_id)
        )
        hits = [entry for entry in settings.get(name, ()) if current.casefold() in entry.casefold()]
        return [app_commands.Choice(name=entry, value=entry) for entry in hits[:MAX_CHOICES]]

    return complete_entry


async def complete_loras(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Complete the LoRAs that workers have and those on the list, which may be gone."""
    worker_choices = await autocomplete_models("lora", everything=True)(interaction, current)
    worker_loras = {choice.value for choice in worker_choices}
    listed_choices = await current_entries("loras")(interaction, current)
    return [
        *(
            listed_choice
            for listed_choice in listed_choices
            if listed_choice.value not in worker_loras
        ),
        *worker_choices,
    ][:MAX_CHOICES]


class ContentCommands(SettingsCogBase):
    """/settings: lists of allowed models and LoRAs, of banned words and patterns."""

    @SETTINGS_GROUP.command(
        description="Allow or no longer allow a model; with none listed, all are."
    )
    @app_commands.describe(
        model="The first one listed stands in for a host's own that is not",
        allow="No takes it off the list",
    )
    @app_commands.autocomplete(model=autocomplete_models("diffusion", everything=True))
    async def model(
        self,
        interaction: discord.Interaction[Any],
        model: app_commands.Range[str, 1, MAX_ENTRY_CHARS],
        allow: bool = True,
    ) -> None:
        """Change the list of checkpoints."""
        await self.change_list(interaction, "models", model.strip(), allow)

    @SETTINGS_GROUP.command(
        description="Allow or no longer allow a LoRA; with none listed, all are."
    )
    @app_commands.describe(lora="As it stands in <lora:name:0.8>", allow="No takes it off the list")
    @app_commands.autocomplete(lora=complete_loras)
    async def lora(
        self,
        interaction: discord.Interaction[Any],
        lora: app_commands.Range[str, 1, MAX_ENTRY_CHARS],
        allow: bool = True,
    ) -> None:
        """Change the list of LoRAs."""
        await self.change_list(interaction, "loras", lora.strip(), allow)

    @SETTINGS_GROUP.command(
        description="Forbid a word or phrase in prompts, however it is written."
    )
    @app_commands.describe(
        word="An asterisk at its end stands for any ending", forbid="No takes it off the list"
    )
    @app_commands.autocomplete(word=current_entries("banned_words"))
    async def word(
        self,
        interaction: discord.Interaction[Any],
        word: app_commands.Range[str, 1, MAX_ENTRY_CHARS],
        forbid: bool = True,
    ) -> None:
        """Change the list of words."""
        await self.change_list(interaction, "banned_words", word.strip(), forbid)

    @SETTINGS_GROUP.command(description="Forbid what fits a pattern (RE2) in prompts.")
    @app_commands.describe(
        pattern="Meets small letters of one alphabet", forbid="No takes it off the list"
    )
    @app_commands.autocomplete(pattern=current_entries("banned_patterns"))
    async def pattern(
        self,
        interaction: discord.Interaction[Any],
        pattern: app_commands.Range[str, 1, MAX_ENTRY_CHARS],
        forbid: bool = True,
    ) -> None:
        """Change the list of patterns."""
        await self.change_list(interaction, "banned_patterns", pattern.strip(), forbid)
