"""`/again`: one of my jobs once more, varied or changed, as its buttons do; `/delete`: away."""

from __future__ import annotations

import random
from typing import Any, Literal

import discord
from discord import app_commands

from bot import policy, texts
from bot.commands.base import EaselCog, ended_jobs
from bot.errors import NotYours, UserError
from bot.failures import NOT_THROUGH
from bot.locales import say
from bot.options import shows
from bot.requests import InteractionRequest
from bot.results import pictures_of
from bot.sentences import english
from bot.views.base import record_of, refuse_others
from bot.views.results import EDITED, STRONG, SUBTLE, repeated, seed_of
from bot.views.rows import varies
from inference.jobs import Img2Img, decode
from inference.jobs.names import MAX_SEED
from storage.records import JobRecord

SHARES = {"subtle": SUBTLE, "strong": STRONG}
CHANGED = (*EDITED, "seed", "batch")
NOT_DELETED = english(
    "That message could not be deleted: it is gone already, or Easel may not do so there. "
    "Press 🗑️ under it instead."
)


class AgainCog(EaselCog):
    """A member's results, once more or no more."""

    @app_commands.command(description="Make one of your results once more, varied or changed.")
    @app_commands.describe(
        job="Which one",
        vary="Keep its seed and mix in a share of another one's noise",
        picture="Of several pictures, this one",
    )
    @app_commands.autocomplete(job=ended_jobs)
    @shows(Img2Img, CHANGED, pictures=False)
    async def again(
        self,
        interaction: discord.Interaction[Any],
        /,
        job: app_commands.Range[str, 1, 100],
        vary: Literal["subtle", "strong"] | None = None,
        picture: app_commands.Range[int, 1, 8] | None = None,
        **given: Any,
    ) -> None:
        """Queue it anew, from the same pictures."""
        record = await record_of(interaction, job.strip())
        refuse_others(interaction, record)
        changes = {name: value for name, value in given.items() if value is not None}
        again = repeated(record)
        if vary or picture or changes:
            fixed = _fixed(record, vary, picture)
            again = decode(record.kind, {**record.params, **fixed, **changes})
        await self.bot.desk.again(InteractionRequest(interaction), again, record)

    @app_commands.command(description="Take the message of one of your results away.")
    @app_commands.describe(job="Which one")
    @app_commands.autocomplete(job=ended_jobs)
    async def delete(
        self, interaction: discord.Interaction[Any], job: app_commands.Range[str, 1, 100]
    ) -> None:
        """Delete the message that shows it."""
        record = await record_of(interaction, job.strip())
        manages = interaction.permissions.manage_messages and record.guild is not None
        here = manages and record.guild == str(interaction.guild_id)
        if not policy.may_delete(str(interaction.user.id), record.owner, manages_messages=here):
            raise NotYours(record.owner, "Only they and moderators may delete it.")
        try:
            gone = await self.bot.delivery.take_away(record)
        except NOT_THROUGH as error:
            raise UserError(NOT_DELETED) from error
        if not gone:
            raise UserError(NOT_DELETED)
        await interaction.response.send_message(say("Deleted."), ephemeral=True)


def _fixed(record: JobRecord, vary: str | None, picture: int | None) -> dict[str, Any]:
    """Keep the seed of the picture that is varied or changed.

    Raises:
        UserError: no seed decides that kind of job.
    """
    if not varies(record):
        words = english("No seed decides that {kind}, so it cannot be varied.")
        raise UserError(words, kind=texts.title(record.kind))
    pictures = pictures_of(record)
    chosen = pictures[min(picture or 1, len(pictures)) - 1] if pictures else {}
    fixed: dict[str, Any] = {"seed": seed_of(record, chosen)}
    if vary:
        fixed["variation_seed"] = random.randrange(MAX_SEED)
        fixed["variation_strength"] = SHARES[vary]
    elif picture:
        fixed["batch"] = 1
    return fixed
