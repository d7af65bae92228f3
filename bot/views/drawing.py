"""The button that leads to the page on which a mask is drawn."""

from __future__ import annotations

from typing import Any

import discord

from bot.errors import JobNotFound, NotAllowed
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.page.links import LinkPurpose, PageVisit
from bot.page.server import PageServer
from bot.requests.requester import InteractionRequest
from bot.services import services_of
from bot.views.base import JOB_ID_PATTERN, NumberedButton, require_owner
from inference.api.jobs import InpaintJob
from storage.records import JobRecord

NO_PAGE_TEXT = gettext_noop("This host has no page to draw on. 🔲 *Inpaint* works without one.")


class DrawMaskButton(NumberedButton, template=rf"easel:draw(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """A page in the browser on which to draw what shall be repainted."""

    verb = "draw"
    label = gettext_noop("Draw")
    emoji = "🖌️"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Answer with a link to the page, for the member alone."""
        require_owner(interaction, record)
        key = record.inputs.get("image", "")
        if record.kind != "preview":
            key = str(self.find_image(record)["key"])
        await open_drawing(interaction, record, key)


async def open_drawing(
    interaction: discord.Interaction[Any], record: JobRecord, image_key: str
) -> None:
    """Answer with a link to draw on a picture of a job; refuse at once what would be refused later.

    Raises:
        JobNotFound: the picture is no longer stored.
        NotAllowed: the host has no page, or nothing may be repainted here.
    """
    services = services_of(interaction)
    page = _require_page(interaction)
    if not await services.blobs.exists(image_key):
        raise JobNotFound
    visit = make_visit(interaction, record.id, image_key)
    policy = services.policy
    settings = await policy.guild_settings(interaction.guild_id)
    usual_job = InpaintJob(**policy.fill_defaults(settings, InpaintJob, {}))
    await policy.check_permissions(
        settings, visit.context, policy.with_allowed_model(settings, usual_job)
    )
    words = translate(
        "Draw what shall be repainted in your browser. The link is yours alone: it works for "
        "thirty minutes and one repaint, whose result comes here."
    )
    view = discord.ui.View(timeout=None)
    url = page.issue_url(LinkPurpose.DRAW, visit)
    view.add_item(discord.ui.Button(label=translate("Open the page"), emoji="🖌️", url=url))
    await interaction.response.send_message(words, view=view, ephemeral=True)


def make_gallery_button(
    interaction: discord.Interaction[Any],
) -> discord.ui.Button[discord.ui.LayoutView] | None:
    """Make a link to the member's own pictures; None where the host has no page."""
    page = services_of(interaction).page
    if page is None:
        return None
    url = page.issue_url(LinkPurpose.GALLERY, make_visit(interaction))
    return discord.ui.Button(label=translate("Open as a gallery"), emoji="🖼️", url=url)


def make_visit(
    interaction: discord.Interaction[Any], job_id: str = "", image_key: str = ""
) -> PageVisit:
    """Note who goes to the page, from where and what for."""
    return PageVisit(
        context=InteractionRequest(interaction).context,
        channel_id=interaction.channel_id or 0,
        guild_id=interaction.guild_id,
        application_id=interaction.application_id,
        interaction_token=interaction.token,
        asked_at=discord.utils.utcnow(),
        file_limit=interaction.filesize_limit,
        job_id=job_id,
        image_key=image_key,
    )


def _require_page(interaction: discord.Interaction[Any]) -> PageServer:
    page = services_of(interaction).page
    if page is None:
        raise NotAllowed(NO_PAGE_TEXT)
    return page
