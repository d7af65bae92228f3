"""*Ask first*: buttons that ask for a job show it as a form before, to members who want that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import discord

from bot.i18n import translate
from bot.messages import job_title
from bot.services import services_of
from bot.views.forms import FormValues, build_job_form
from inference.api.jobs import Job

SubmitJob = Callable[[discord.Interaction[Any], Job], Awaitable[None]]


async def submit_or_ask(interaction: discord.Interaction[Any], job: Job, submit: SubmitJob) -> None:
    """Queue what a button asks for; who wants to be asked first changes it in a form before.

    Raises:
        TextTooLongForForm: a text of it does not fit into a form.
    """
    switches = services_of(interaction).member_switches
    if not await switches.asks_first(str(interaction.user.id)):
        await submit(interaction, job)
        return

    async def submit_form(
        answer: discord.Interaction[Any], changed_job: Job, _form_values: FormValues
    ) -> None:
        await submit(answer, changed_job)

    title = translate("Before it runs: {kind}", kind=job_title(job))
    form = build_job_form(title, type(job), submit_form, job.to_params())
    await interaction.response.send_modal(form)
