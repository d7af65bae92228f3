"""The buttons of a finished job that go on from its picture or its words."""

from __future__ import annotations

import io
import random
from typing import Any, ClassVar

import discord

from bot import messages
from bot.errors import JobNotFound
from bot.guilds.context import reply_language
from bot.i18n import current_language, translate, use_language
from bot.i18n.message import gettext_noop
from bot.requests.editing import fill_edit_values, require_editing_model
from bot.requests.image_sources import AttachmentSource, BlobSource, result_images, seam_mask_key
from bot.requests.job_check import default_face_restorer, default_upscaler, list_ready_models
from bot.requests.requester import InteractionRequest
from bot.services import services_of
from bot.views.ask_first import submit_or_ask
from bot.views.base import (
    JOB_ID_PATTERN,
    JobButton,
    NumberedButton,
    require_own_server,
    require_owner,
)
from bot.views.forms import (
    FORM_OPTIONS,
    MAX_INPUT_CHARACTERS,
    MAX_NAMED_INPUTS,
    FormValues,
    build_job_form,
)
from inference.api.jobs import (
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    InterrogateJob,
    Job,
    UpscaleJob,
    decode_job,
)
from inference.api.jobs.control import CONTROL_IMAGE
from inference.api.jobs.names import DRAWN_SEEDS
from storage.records import JobRecord, JobState

#: Shares of another noise; 1 would be another seed.
SUBTLE_VARIATION_SHARE, STRONG_VARIATION_SHARE = 0.5, 0.8
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
REDRAWN_OPTIONS = ("prompt", "negative_prompt", "model")
"""What a redrawn image has in common with what it was made from."""
COHERENCE_STRENGTH = 0.3  # denoising strength: both sides of the edge stay what they are
KEEPS_PIXELS = "lanczos"
"""An upscaler that changes nothing at a factor of 1."""
MAX_BLOCK_CHARACTERS = 1900  # characters of a code block in a message


class ImageButton(NumberedButton, template=rf"easel:none(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """A button that goes on from a picture; for the job's owner."""

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Go on from the picture."""
        require_owner(interaction, record)
        await self.on_image(interaction, record, self.find_image(record))

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Do what the button says with one picture."""
        raise JobNotFound


class ShowOneButton(ImageButton, template=rf"easel:single(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """One picture of a batch, as it was made, with buttons of its own."""

    verb = "single"
    label = gettext_noop("Show")
    emoji = "🔎"

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Post it, to those who see the sheet."""
        sheet = interaction.message
        number = min(self.number or 1, len(result_images(record)))
        private = sheet is not None and sheet.flags.ephemeral
        await post_result(interaction, record, number, private=private)


class VaryButton(ImageButton, template=rf"easel:none(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """The same job with a share of other noise."""

    share: ClassVar[float]
    emoji = "🎲"

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Queue the same job between its seed and another one."""
        variation_params = {
            "seed": image_seed(record, image),
            "variation_seed": random.randrange(DRAWN_SEEDS),
            "variation_strength": self.share,
        }
        job = decode_job(record.kind, {**record.params, **variation_params})

        async def submit_variation(answer: discord.Interaction[Any], changed_job: Job) -> None:
            request = InteractionRequest(answer)
            await services_of(answer).submitter.submit_rerun(request, changed_job, record)

        await submit_or_ask(interaction, job, submit_variation)


class VarySubtleButton(VaryButton, template=rf"easel:subtle(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """Vary a little."""

    verb, label, share = "subtle", gettext_noop("Vary (subtle)"), SUBTLE_VARIATION_SHARE


class VaryStrongButton(VaryButton, template=rf"easel:strong(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """Vary a lot."""

    verb, label, share = "strong", gettext_noop("Vary (strong)"), STRONG_VARIATION_SHARE


class EditButton(NumberedButton, template=rf"easel:edit(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """The same job with other words and numbers; of one picture, with its seed and alone."""

    verb = "edit"
    label = gettext_noop("Edit")
    emoji = "✏️"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Show the job's options as a form."""
        require_owner(interaction, record)
        params = dict(record.params)
        if self.number is not None:
            params |= {"seed": image_seed(record, self.find_image(record)), "batch": 1}

        async def submit_edit(
            answer: discord.Interaction[Any], job: Job, form_values: FormValues
        ) -> None:
            files = {name: AttachmentSource(file) for name, file in form_values.files.items()}
            await services_of(answer).submitter.submit_rerun(
                InteractionRequest(answer), job, record, extra_sources=files
            )

        job_type = type(decode_job(record.kind, record.params))
        files = _exchangeable_images(record, job_type)
        names = FORM_OPTIONS[record.kind][: MAX_NAMED_INPUTS - len(files)]
        title = translate("Edit this {kind}", kind=messages.job_title(record))
        form = build_job_form(title, job_type, submit_edit, params, names=names, files=files)
        await interaction.response.send_modal(form)


class InstructButton(
    ImageButton, template=rf"easel:instruct(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"
):
    """The image changed by an instruction, by a model made for that."""

    verb = "instruct"
    label = gettext_noop("Edit in words")
    emoji = "✏️"

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Ask for the instruction."""
        services = services_of(interaction)
        settings = await services.policy.guild_settings(interaction.guild_id)
        model = require_editing_model(list_ready_models(services.workers), settings)

        async def submit_instruction(
            answer: discord.Interaction[Any], job: Job, _form_values: FormValues
        ) -> None:
            await submit_on_result(answer, job, record, image)

        edit_values = fill_edit_values(Img2ImgJob, {}, model)
        values = services.policy.fill_defaults(settings, Img2ImgJob, edit_values)
        form = build_job_form(
            translate("Edit this picture"), Img2ImgJob, submit_instruction, values
        )
        await interaction.response.send_modal(form)


class UpscaleButton(ImageButton, template=rf"easel:enlarge(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """Upscale the image to twice its size."""

    verb = "enlarge"
    label = gettext_noop("Upscale 2×")
    emoji = "🔍"

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Queue an enlargement."""
        upscaler = default_upscaler(services_of(interaction).workers.worker_statuses)
        await submit_on_result(interaction, UpscaleJob(upscaler=upscaler), record, image)


class RedrawButton(ImageButton, template=rf"easel:redraw(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """Enlarge the image to twice its size and paint its detail anew."""

    verb = "redraw"
    label = gettext_noop("Redraw 2×")
    emoji = "🧵"

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Queue it, with the words that the image was made from."""
        shared_params = {
            name: record.params[name] for name in REDRAWN_OPTIONS if record.params.get(name)
        }
        services = services_of(interaction)
        upscaler = default_upscaler(services.workers.worker_statuses)
        values = {"mode": "redraw", "upscaler": upscaler, **shared_params}
        settings = await services.policy.guild_settings(interaction.guild_id)
        job = UpscaleJob(**services.policy.fill_defaults(settings, UpscaleJob, values))
        await submit_on_result(interaction, job, record, image)


class RestoreButton(ImageButton, template=rf"easel:restore(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """The image at its own size with its faces restored."""

    verb = "restore"
    label = gettext_noop("Restore faces")
    emoji = "🙂"

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Queue a restoration by the first network that a worker has for it."""
        restorer = default_face_restorer(services_of(interaction).workers.worker_statuses)
        job = UpscaleJob(upscaler=KEEPS_PIXELS, factor=1.0, restore_faces=restorer)
        await submit_on_result(interaction, job, record, image)


class InterrogateButton(
    ImageButton, template=rf"easel:describe(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"
):
    """Describe the image."""

    verb = "describe"
    label = gettext_noop("Describe")
    emoji = "💬"

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Queue an interrogation."""
        await submit_on_result(interaction, InterrogateJob(), record, image)


class ShowParametersButton(
    NumberedButton, template=rf"easel:parameters(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"
):
    """Show the generation parameters; anyone may."""

    verb = "parameters"
    label = gettext_noop("Parameters")
    emoji = "📋"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Show them to who pressed alone."""
        require_own_server(interaction, record)
        await send_parameters(interaction, record, (self.number or 1) - 1)


class OriginalButton(
    NumberedButton, template=rf"easel:original(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"
):
    """The picture's file as it was made, where a larger copy is shown; anyone may have it."""

    verb = "original"
    label = gettext_noop("Original")
    emoji = "🖼️"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Send it to who pressed alone."""
        require_own_server(interaction, record)
        image, services = self.find_image(record), services_of(interaction)
        await services.submitter.stored_source(image["key"]).check_available(services.decoders)
        await interaction.response.defer(thinking=True, ephemeral=True)
        outgoing = await services.message_builder.build_original(
            record, self.number or 1, interaction.filesize_limit
        )
        await interaction.followup.send(
            outgoing.content, files=outgoing.discord_files(), ephemeral=True
        )


class CompareButton(ImageButton, template=rf"easel:compare(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """The picture beside what it was made from; for the job's owner, whose picture that is."""

    verb = "compare"
    label = gettext_noop("Before / after")
    emoji = "🌓"

    async def on_image(
        self, interaction: discord.Interaction[Any], record: JobRecord, image: dict[str, Any]
    ) -> None:
        """Show both to the owner alone."""
        services = services_of(interaction)
        for key in (record.inputs["image"], image["key"]):
            await services.submitter.stored_source(key).check_available(services.decoders)
        await interaction.response.defer(thinking=True, ephemeral=True)
        outgoing = await services.message_builder.build_comparison(record, self.number or 1)
        await interaction.followup.send(
            files=outgoing.discord_files(), view=outgoing.layout(), ephemeral=True
        )


class UseAsPromptButton(JobButton, template=rf"easel:prompt:{JOB_ID_PATTERN}"):
    """A description as the prompt of a new picture."""

    verb = "prompt"
    label = gettext_noop("Use as prompt")
    emoji = "🖌️"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Show a form with the words filled in; anyone of the server may draw from them."""
        require_own_server(interaction, record)
        words = str((record.result or {}).get("text") or "").strip()[:MAX_INPUT_CHARACTERS]

        async def submit_prompt(
            answer: discord.Interaction[Any], job: Job, _form_values: FormValues
        ) -> None:
            await services_of(answer).submitter.submit_job(
                InteractionRequest(answer), job, {}, parent=record.id
            )

        title = translate("Draw what was described")
        option_values = await services_of(interaction).policy.fill_guild_defaults(
            interaction.guild_id, ImagineJob, {"prompt": words}
        )
        form = build_job_form(title, ImagineJob, submit_prompt, option_values)
        await interaction.response.send_modal(form)


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
        submitter = services_of(interaction).submitter
        sources = {
            "image": submitter.stored_source(image["key"]),
            "mask": submitter.stored_source(seam_mask_key(record)),
        }
        await submitter.submit_job(InteractionRequest(interaction), job, sources, parent=record.id)


async def post_result(
    interaction: discord.Interaction[Any],
    record: JobRecord,
    number: int | None = None,
    *,
    private: bool = False,
) -> None:
    """Post a result in this channel as a card of its own, or one picture of it, counted from 1.

    Unless it is private, all who see the channel see it, where the place shows results.

    Raises:
        NotAllowed: the place does not let it be shown.
        BlobMissing: a picture of it is no longer stored.
    """
    services = services_of(interaction)
    for image in result_images(record)[(number or 1) - 1 :][:1]:
        await services.submitter.stored_source(image["key"]).check_available(services.decoders)
    language = current_language()
    if not private:
        context = InteractionRequest(interaction).context
        settings = await services.submitter.check_showing(context, record)
        private = settings.has_private_results
        language = language if private else reply_language(settings, context)
    await interaction.response.defer(thinking=True, ephemeral=private)
    builder, limit = services.message_builder, interaction.filesize_limit
    with use_language(language):
        if number is None:
            outgoing = await builder.build_message(record, limit)
        else:
            outgoing = await builder.build_image_message(record, number, limit)
        post = await interaction.followup.send(
            files=outgoing.discord_files(), view=outgoing.layout(), ephemeral=private, wait=True
        )
    if not private and interaction.channel_id is not None:
        await services.moderation_store.add_post(record.id, interaction.channel_id, post.id)


def _exchangeable_images(record: JobRecord, job_type: type[Job]) -> tuple[str, ...]:
    """Name the picture that a failed job's form asks for anew: the mask, else the picture."""
    optional_images = [name for name in job_type.optional_images if name != CONTROL_IMAGE]
    names = (*optional_images, *job_type.required_images)
    return names[:1] if record.state is JobState.FAILED else ()


def image_seed(record: JobRecord, image: dict[str, Any]) -> int:
    """Return the seed that a picture was made from."""
    seed = image.get("seed")
    return int(record.params["seed"] if seed is None else seed)


async def send_parameters(
    interaction: discord.Interaction[Any], record: JobRecord, number: int
) -> None:
    """Show what made a picture, counted from 0, to one member alone; all options go as a file."""
    content = messages.code_block(messages.parameters_summary(record, number))
    words = messages.parameters_text(record, number)
    note = translate("-# All options are in the file.")
    policy = services_of(interaction).policy
    defaults = policy.model_defaults(str(record.params.get("model") or ""))
    note = "\n".join(filter(None, (messages.model_defaults_note(record, defaults), note)))
    text = note if len(content) > MAX_BLOCK_CHARACTERS else f"{content}\n{note}"
    name = f"easel-{record.kind}-{record.id[-4:]}.txt"
    file = discord.File(io.BytesIO(words.encode()), name)
    await interaction.response.send_message(text, file=file, ephemeral=True)


async def send_text(
    interaction: discord.Interaction[Any], words: str, name: str, *, as_block: bool = True
) -> None:
    """Show words, as they are laid out, to one member alone; long ones as a file."""
    content = messages.code_block(words) if as_block else words
    answer: dict[str, Any] = {"content": content}
    if len(content) > MAX_BLOCK_CHARACTERS:
        answer = {"file": discord.File(io.BytesIO(words.encode()), name)}
    if interaction.response.is_done():
        await interaction.followup.send(**answer, ephemeral=True)
    else:
        await interaction.response.send_message(**answer, ephemeral=True)


async def submit_on_result(
    interaction: discord.Interaction[Any],
    job: Job,
    record: JobRecord,
    image: dict[str, Any],
) -> None:
    """Queue a job on a picture that another one made."""
    services = services_of(interaction)
    source: BlobSource = services.submitter.stored_source(image["key"])
    await services.submitter.submit_job(
        InteractionRequest(interaction), job, {"image": source}, parent=record.id
    )
