"""One tap on a description: the picture repainted from its words, or a thing in it marked."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

import discord

from bot.errors import JobNotFound
from bot.guilds.policy import apply_guild_defaults
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.messages.error_replies import handle_errors
from bot.requests.descriptions import CAPTION, MIXED, STYLE, TAGS, list_prompts, list_things
from bot.requests.requester import InteractionRequest
from bot.services import services_of
from bot.views.base import JOB_ID_PATTERN, JobButton, fetch_record, require_owner
from inference.api.jobs import Img2ImgJob, InterrogateJob, PreviewJob
from storage.records import JobRecord

MAX_LABEL_CHARACTERS = 100  # characters of an option


class PromptButton(JobButton, template=rf"easel:none:{JOB_ID_PATTERN}"):
    """The described picture, repainted from one of the description's prompts."""

    prompt_name: ClassVar[str]

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Queue it, with the server's usual settings."""
        require_owner(interaction, record)
        prompt = list_prompts(record).get(self.prompt_name)
        if prompt is None:
            raise JobNotFound
        services = services_of(interaction)
        settings = await services.policy.guild_settings(interaction.guild_id)
        values = apply_guild_defaults(Img2ImgJob, {"prompt": prompt}, settings)
        await services.submitter.submit_rerun(
            InteractionRequest(interaction), Img2ImgJob(**values), record, settings=settings
        )


class CaptionPromptButton(PromptButton, template=rf"easel:draw_caption:{JOB_ID_PATTERN}"):
    """From the sentence."""

    verb, label, emoji = "draw_caption", gettext_noop("From the caption"), "🖼️"
    prompt_name = CAPTION


class StylePromptButton(PromptButton, template=rf"easel:draw_style:{JOB_ID_PATTERN}"):
    """From the best matches of the lists."""

    verb, label, emoji = "draw_style", gettext_noop("From the style"), "🎨"
    prompt_name = STYLE


class MixedPromptButton(PromptButton, template=rf"easel:draw_mixed:{JOB_ID_PATTERN}"):
    """From all of it."""

    verb, label, emoji = "draw_mixed", gettext_noop("From all of it"), "🧩"
    prompt_name = MIXED


class TagsPromptButton(PromptButton, template=rf"easel:draw_tags:{JOB_ID_PATTERN}"):
    """From the tags; where the description has none yet, it asks for them."""

    verb, label, emoji = "draw_tags", gettext_noop("From the tags"), "🏷️"
    prompt_name = TAGS

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Queue the picture, or the tags."""
        if TAGS in list_prompts(record):
            await super().on_click(interaction, record)
            return
        require_owner(interaction, record)
        await services_of(interaction).submitter.submit_rerun(
            InteractionRequest(interaction), InterrogateJob(method="tags"), record
        )


class ThingSelect(
    discord.ui.DynamicItem[discord.ui.Select[Any]], template=rf"easel:thing:{JOB_ID_PATTERN}"
):
    """What the description names: one of it is marked, to be repainted."""

    def __init__(self, job_id: str, things: tuple[str, ...] = ()) -> None:
        super().__init__(
            discord.ui.Select(
                custom_id=f"easel:thing:{job_id}",
                placeholder=translate("Repaint a part of it …"),
                options=[
                    discord.SelectOption(label=thing[:MAX_LABEL_CHARACTERS], value=thing)
                    for thing in things
                ],
            )
        )
        self.job_id = job_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the job's id back."""
        return cls(match["job"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Queue a look at the mask; *Go* under it asks what shall be there instead."""
        async with handle_errors(interaction):
            record = await fetch_record(interaction, self.job_id)
            require_owner(interaction, record)
            thing = self.item.values[0]
            if thing not in list_things(record):
                raise JobNotFound
            await services_of(interaction).submitter.submit_rerun(
                InteractionRequest(interaction), PreviewJob(mask_shape=f'"{thing}"'), record
            )
