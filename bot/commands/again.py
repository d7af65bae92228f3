"""`/again`: run one of my jobs again, varied or changed; `/delete`: delete its message."""

from __future__ import annotations

import random
from typing import Any, Literal

import discord
from discord import app_commands

from bot import guilds, messages
from bot.commands.base import MORE_OPTION, EaselCog, ended_jobs
from bot.errors import JobNotFound, NotJobOwner, UserError
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.requests.image_sources import result_images
from bot.requests.more_options import parse_more_options
from bot.requests.options import with_job_options
from bot.requests.requester import InteractionRequest
from bot.support.discord_errors import TRANSPORT_ERRORS
from bot.views.base import (
    MAX_SEARCHED_JOBS,
    find_job,
    manages_channel_of,
    require_owner,
    with_new_seed,
)
from bot.views.layouts import can_reseed
from bot.views.results import (
    STRONG_VARIATION_SHARE,
    SUBTLE_VARIATION_SHARE,
    image_seed,
)
from inference.api.jobs import JOB_TYPES, Img2ImgJob, PreviewJob, decode_job
from inference.api.jobs.names import DRAWN_SEEDS
from storage.records import JobRecord, JobState

VARIATION_STRENGTHS = {"subtle": SUBTLE_VARIATION_SHARE, "strong": STRONG_VARIATION_SHARE}
CHANGEABLE_OPTIONS = (
    "prompt",
    "negative_prompt",
    "strength",
    "steps",
    "guidance",
    "seed",
    "batch",
)
NOT_DELETED = gettext_noop(
    "That message could not be deleted: it is gone already, or Easel may not do so there. "
    "Press 🗑️ under it instead."
)


class AgainCog(EaselCog):
    """/again and /delete."""

    @app_commands.command(description="Make one of your results once more, varied or changed.")
    @app_commands.describe(
        job="Which one; empty for the last",
        vary="Keep its seed and mix in a share of another one's noise",
        picture="Of several pictures, this one",
    )
    @app_commands.autocomplete(job=ended_jobs)
    @with_job_options(Img2ImgJob, CHANGEABLE_OPTIONS, extra=MORE_OPTION, images=False)
    async def again(
        self,
        interaction: discord.Interaction[Any],
        /,
        job: app_commands.Range[str, 1, 100] | None = None,
        vary: Literal["subtle", "strong"] | None = None,
        picture: app_commands.Range[int, 1, 8] | None = None,
        **option_values: Any,
    ) -> None:
        """Queue it anew, from the same pictures."""
        record = await self._fetch_chosen(interaction, job)
        require_owner(interaction, record)
        changes = {name: value for name, value in option_values.items() if value is not None}
        if more_text := changes.pop("more", ""):
            changes = {**parse_more_options(JOB_TYPES[record.kind], more_text), **changes}
        new_job = with_new_seed(record)
        if vary or picture or changes:
            seed_params = _fixed_seed_params(record, vary, picture)
            new_job = decode_job(record.kind, {**record.params, **seed_params, **changes})
        await self.services.submitter.submit_rerun(InteractionRequest(interaction), new_job, record)

    @app_commands.command(description="Take the message of one of your results away.")
    @app_commands.describe(job="Which one; empty for the last")
    @app_commands.autocomplete(job=ended_jobs)
    async def delete(
        self,
        interaction: discord.Interaction[Any],
        job: app_commands.Range[str, 1, 100] | None = None,
    ) -> None:
        """Delete the message that shows it."""
        record = await self._fetch_chosen(interaction, job)
        if not guilds.may_delete(
            str(interaction.user.id),
            record.owner,
            manages_messages=manages_channel_of(interaction, record),
        ):
            raise NotJobOwner(record.owner, "Only they and moderators may delete it.")
        try:
            was_deleted = await self.services.delivery.delete_message(record)
        except TRANSPORT_ERRORS as error:
            raise UserError(NOT_DELETED) from error
        if not was_deleted:
            raise UserError(NOT_DELETED)
        await interaction.response.send_message(translate("Deleted."), ephemeral=True)

    async def _fetch_chosen(
        self, interaction: discord.Interaction[Any], job: str | None
    ) -> JobRecord:
        """Return the job that was named, or the member's last result.

        Raises:
            JobNotFound: it is no longer stored, or there is no result yet.
        """
        if job is not None:
            return await find_job(interaction, job)
        records = await self.services.jobs.reader.list_by_owner(
            str(interaction.user.id), states=(JobState.DONE,), limit=MAX_SEARCHED_JOBS
        )
        for record in records:
            if record.kind != PreviewJob.kind and record.message:
                return record
        raise JobNotFound("You have no result yet. /help says how to ask for one.")


def _fixed_seed_params(record: JobRecord, vary: str | None, image: int | None) -> dict[str, Any]:
    """Keep the seed of the picture that is varied or changed.

    Raises:
        UserError: no seed decides that kind of job.
    """
    if not can_reseed(record):
        message = gettext_noop("No seed decides that {kind}, so it cannot be varied.")
        raise UserError(message, kind=messages.job_title(record))
    images = result_images(record)
    chosen_image = images[min(image or 1, len(images)) - 1] if images else {}
    seed_params: dict[str, Any] = {"seed": image_seed(record, chosen_image)}
    if vary:
        seed_params["variation_seed"] = random.randrange(DRAWN_SEEDS)
        seed_params["variation_strength"] = VARIATION_STRENGTHS[vary]
    elif image:
        seed_params["batch"] = 1
    return seed_params
