"""The button that mends the seam of a repaint."""

from __future__ import annotations

from typing import Any

import discord

from bot.i18n.message import gettext_noop
from bot.requests.job_result import seam_mask_key
from bot.requests.requester import InteractionRequest
from bot.views.base import JOB_ID_PATTERN, client_of
from bot.views.results import ImageButton, image_seed
from inference.api.jobs import InpaintJob
from storage.records import JobRecord

COHERENCE_OPTIONS = (
    "prompt",
    "negative_prompt",
    "model",
    "steps",
    "guidance",
    "sampler",
    "schedule",
    "clip_skip",
    "emphasis",
)
"""Options of the repaint that its coherence pass shares."""
COHERENCE_STRENGTH = 0.3  # denoising strength: both sides of the edge stay what they are


class RepairSeamButton(ImageButton, template=rf"easel:mend(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """The result with a band along the mask's edge repainted."""

    verb = "mend"
    label = gettext_noop("Mend the seam")
    emoji = "🩹"
    style = discord.ButtonStyle.primary

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Queue a coherence pass; its answer says what became of the seam."""
        shared_params = {name: record.params[name] for name in COHERENCE_OPTIONS}
        job = InpaintJob(
            **shared_params,
            seed=image_seed(record, image),
            area="mask edge",
            strength=COHERENCE_STRENGTH,
        )
        desk = client_of(interaction).desk
        sources = {
            "image": desk.stored_source(image["key"]),
            "mask": desk.stored_source(seam_mask_key(record)),
        }
        await desk.submit_job(InteractionRequest(interaction), job, sources, parent=record.id)
