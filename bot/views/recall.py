"""Run a picture of another program's here: what will differ, and a button."""

from __future__ import annotations

from typing import Any

import discord

from bot import texts
from bot.answers import answer_error, begin
from bot.locales import say
from bot.requests import InteractionRequest
from bot.views.base import client_of
from inference.errors import JobError
from inference.infotext.job import Recalled, recall
from inference.infotext.told import Told

LIFE = 840.0  # seconds: as long as the message that it stands under can be changed


class RunHere(discord.ui.View):
    """One button, for the one member who sees it."""

    def __init__(self, recalled: Recalled) -> None:
        super().__init__(timeout=LIFE)
        self._recalled = recalled
        self.run.label = say("Run it here")

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let its one member press it."""
        begin(interaction)
        return True

    @discord.ui.button(emoji="▶️", style=discord.ButtonStyle.primary)
    async def run(self, interaction: discord.Interaction[Any], _button: Any) -> None:
        """Queue the job, for all to see."""
        await client_of(interaction).desk.order(
            InteractionRequest(interaction), self._recalled.job, {}
        )

    async def on_error(
        self,
        interaction: discord.Interaction[Any],
        error: Exception,
        item: discord.ui.Item[Any],
        /,
    ) -> None:
        """Say why it cannot be run."""
        await answer_error(interaction, error)


async def offer_again(interaction: discord.Interaction[Any], told: Told) -> None:
    """Offer to run what a file tells, to the member alone, and name what will not be the same."""
    models = [m for worker in client_of(interaction).service.workers for m in worker.models]
    try:
        recalled = recall(told, models)
    except JobError:
        return
    words = texts.recalled(told.tool, recalled.job, recalled.notes)
    await interaction.followup.send(words, view=RunHere(recalled), ephemeral=True)
