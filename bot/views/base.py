"""What all buttons of a job share, and the buttons that every job has."""

from __future__ import annotations

import contextlib
import re
from typing import Any, ClassVar, Self

import discord

from bot import guilds, messages
from bot.errors import JobNotFound, NotAllowed, NotJobOwner
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.messages.error_replies import handle_errors
from bot.messages.escaping import escape_value
from bot.requests.image_sources import result_images
from bot.requests.reply_target import ReplyTarget
from bot.requests.requester import InteractionRequest
from bot.services import services_of
from bot.views.ask_first import submit_or_ask
from inference.api.jobs import Job, PreviewJob, decode_job
from storage.errors import UnknownJob
from storage.records import JobRecord, JobState

JOB_ID_PATTERN = r"(?P<job>[0-9a-z]{20})"
JOB_ID_LENGTH, SHORT_ID_LENGTH = 20, 4  # characters of an id, and of its end that names a job
MAX_SEARCHED_JOBS = 100  # jobs of one member that are searched
OWN_JOB_HINT = gettext_noop("Ask for one of your own with a command.")


class JobButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]], template=rf"easel:none:{JOB_ID_PATTERN}"
):
    """A button of a job; a click calls `on_click` and answers what that raises."""

    verb: ClassVar[str]
    label: ClassVar[str]
    emoji: ClassVar[str | None] = None
    style: ClassVar[discord.ButtonStyle] = discord.ButtonStyle.secondary

    def __init__(self, job_id: str, label: str | None = None, suffix: str = "") -> None:
        super().__init__(
            discord.ui.Button(
                label=translate(label or self.label),
                emoji=self.emoji,
                style=self.style,
                custom_id=f"easel:{self.verb}{suffix}:{job_id}",
            )
        )
        self.job_id = job_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the job's id back from the button that was pressed."""
        return cls(match["job"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Press, and answer what goes wrong."""
        async with handle_errors(interaction):
            await self.on_click(interaction, await fetch_record(interaction, self.job_id))

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Do what the button says."""
        raise JobNotFound


class NumberedButton(JobButton, template=rf"easel:none(?:\.(?P<number>\d))?:{JOB_ID_PATTERN}"):
    """A button that may be about one picture of a batch, counted from 1."""

    def __init__(self, job_id: str, number: int | None = None, label: str | None = None) -> None:
        super().__init__(job_id, label, "" if number is None else f".{number}")
        self.number = number

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the job's id, and the picture's number if it is about one."""
        return cls(match["job"], int(match["number"]) if match["number"] else None)

    def find_image(self, record: JobRecord) -> dict[str, Any]:
        """Return the picture that it is about.

        Raises:
            JobNotFound: the job made none.
        """
        images = result_images(record)
        if not images:
            raise JobNotFound("That job made no picture.")
        return images[min(self.number or 1, len(images)) - 1]


async def fetch_record(interaction: discord.Interaction[Any], job_id: str) -> JobRecord:
    """Return the job that a button belongs to.

    Raises:
        JobNotFound: it is no longer stored.
    """
    try:
        return await services_of(interaction).jobs.reader.get_job(job_id)
    except UnknownJob as error:
        raise JobNotFound from error


async def find_job(interaction: discord.Interaction[Any], job_text: str) -> JobRecord:
    """Return the job that was written as its id, or as the last letters of one of the member's.

    Raises:
        JobNotFound: there is none.
    """
    job_id = job_text.strip().strip("`").lstrip("…").strip()
    if len(job_id) >= JOB_ID_LENGTH:
        return await fetch_record(interaction, job_id)
    records = await services_of(interaction).jobs.reader.list_by_owner(
        str(interaction.user.id), limit=MAX_SEARCHED_JOBS
    )
    for record in records:
        if len(job_id) >= SHORT_ID_LENGTH and record.id.endswith(job_id):
            return record
    raise JobNotFound(
        "You have no job “{job}”. Pick one of the offered, or write its last letters, as /history "
        "shows them.",
        job=escape_value(job_text.strip()),
    )


def require_owner(
    interaction: discord.Interaction[Any], record: JobRecord, instead: str = OWN_JOB_HINT
) -> None:
    """Let only the job's owner go on.

    Raises:
        NotJobOwner: it is somebody else's.
    """
    if not guilds.may_use(str(interaction.user.id), record.owner):
        raise NotJobOwner(record.owner, instead)


def require_own_server(interaction: discord.Interaction[Any], record: JobRecord) -> None:
    """Let others go on with a job only on the server that it was asked for on.

    Raises:
        NotAllowed: it belongs to another one, or to direct messages.
    """
    is_owner = guilds.may_use(str(interaction.user.id), record.owner)
    if not is_owner and (interaction.guild_id is None or record.guild != str(interaction.guild_id)):
        raise NotAllowed("That job belongs to another server, or to direct messages.")


def manages_channel_of(interaction: discord.Interaction[Any], record: JobRecord) -> bool:
    """Whether who asks may manage messages in the channel that shows a job, as Discord has it now.

    Where the channel is gone, or not known, that is asked of the server that the job belongs to.
    """
    guild, member = interaction.guild, interaction.user
    reply_to = ReplyTarget.from_json(record.reply_to)
    if guild is None or not isinstance(member, discord.Member):
        return False
    if reply_to is None or reply_to.direct or reply_to.guild_id != guild.id:
        return record.guild == str(guild.id) and member.guild_permissions.manage_messages
    channel = guild.get_channel_or_thread(reply_to.channel_id)
    if channel is None:
        return member.guild_permissions.manage_messages
    permissions = channel.permissions_for(member)
    return permissions.view_channel and permissions.manage_messages


def with_new_seed(record: JobRecord) -> Job:
    """Return the same job with a new seed, where a seed decides it."""
    params = dict(record.params)
    if "seed" in params:
        params["seed"] = -1
    return decode_job(record.kind, params)


class RerunButton(JobButton, template=rf"easel:again:{JOB_ID_PATTERN}"):
    """The same job once more, with a new seed."""

    verb = "again"
    label = gettext_noop("Again")
    emoji = "🔁"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Queue the job anew, from the same pictures."""
        require_owner(interaction, record)

        async def submit_again(answer: discord.Interaction[Any], job: Job) -> None:
            request = InteractionRequest(answer)
            await services_of(answer).submitter.submit_rerun(request, job, record)

        if record.state is JobState.FAILED:  # the same once more, as it says
            await submit_again(interaction, with_new_seed(record))
        else:
            await submit_or_ask(interaction, with_new_seed(record), submit_again)


class DeleteButton(JobButton, template=rf"easel:delete:{JOB_ID_PATTERN}"):
    """Take the message away."""

    verb = "delete"
    label = gettext_noop("Delete")
    emoji = "🗑️"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Delete the message that the button is under; of a result it is asked once whether to."""
        _require_may_delete(interaction, record)
        message = interaction.message
        if message is None or not _is_worth_asking(interaction, message, record):
            await interaction.response.defer()
            await interaction.delete_original_response()
            return
        view = discord.ui.View(timeout=None)
        view.add_item(ConfirmDeleteButton(record.id, message.id))
        await interaction.response.send_message(
            translate("Delete this result for good?"), view=view, ephemeral=True
        )


def _is_worth_asking(
    interaction: discord.Interaction[Any], message: discord.Message, record: JobRecord
) -> bool:
    """Whether a message is a public result, which is gone once it is deleted.

    Where the bot cannot see the channel it can delete the message only at once, by the press's own
    right.
    """
    can_delete_later = interaction.guild_id is None or interaction.app_permissions.view_channel
    has_result = record.state is JobState.DONE and record.kind != PreviewJob.kind
    is_result = has_result and bool(result_images(record))
    return is_result and not message.flags.ephemeral and can_delete_later


class ConfirmDeleteButton(
    JobButton, template=rf"easel:erase\.(?P<message>[0-9]{{15,20}}):{JOB_ID_PATTERN}"
):
    """Take a result's message away, after having been asked."""

    verb = "erase"
    label = gettext_noop("Delete for good")
    emoji = "🗑️"
    style = discord.ButtonStyle.danger

    def __init__(self, job_id: str, message_id: int) -> None:
        super().__init__(job_id, suffix=f".{message_id}")
        self.message_id = message_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the message's id and the job's back."""
        return cls(match["job"], int(match["message"]))

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Delete the message, and say so in the place of the question."""
        _require_may_delete(interaction, record)
        await interaction.response.defer()
        channel = interaction.client.get_partial_messageable(interaction.channel_id or 0)
        with contextlib.suppress(discord.NotFound):
            await channel.get_partial_message(self.message_id).delete()
        await interaction.edit_original_response(content=translate("Deleted."), view=None)


def _require_may_delete(interaction: discord.Interaction[Any], record: JobRecord) -> None:
    """Let only the job's owner and moderators go on.

    Raises:
        NotJobOwner: it is somebody else's.
    """
    may_delete = guilds.may_delete(
        str(interaction.user.id), record.owner, manages_messages=_can_manage_messages(interaction)
    )
    if not may_delete:
        raise NotJobOwner(record.owner, "Only they and moderators may delete it.")


class CancelButton(JobButton, template=rf"easel:cancel:{JOB_ID_PATTERN}"):
    """Call a waiting or running job off."""

    verb = "cancel"
    label = gettext_noop("Cancel")
    emoji = "✖️"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Cancel the job; its card then says so."""
        if not guilds.may_cancel(
            str(interaction.user.id),
            record.owner,
            manages_messages=_can_manage_messages(interaction)
            and record.guild == str(interaction.guild_id),
        ):
            raise NotJobOwner(record.owner, "Only they and moderators may cancel it.")
        if record.state.is_terminal:
            await interaction.response.send_message(
                messages.not_cancelled_message(record), ephemeral=True
            )
            return
        await interaction.response.defer()
        is_owner = str(interaction.user.id) == record.owner
        updated_record = await services_of(interaction).dispatcher.cancel_job(
            record.id, record.owner, keep=is_owner
        )
        if updated_record.state is not JobState.CANCELLED:
            await interaction.followup.send(
                messages.not_cancelled_message(updated_record), ephemeral=True
            )


class RedeliverButton(JobButton, template=rf"easel:show:{JOB_ID_PATTERN}"):
    """Show a result that could not be delivered."""

    verb = "show"
    label = gettext_noop("Show result")
    emoji = "📬"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Deliver the result as the answer to this press."""
        require_owner(interaction, record, gettext_noop("Only they can have it shown."))
        await services_of(interaction).submitter.redeliver_result(interaction, record)


class ShowReasonButton(JobButton, template=rf"easel:why:{JOB_ID_PATTERN}"):
    """Tell a job's owner why it could not be done."""

    verb = "why"
    label = gettext_noop("Why?")
    emoji = "❔"

    async def on_click(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Say it to them alone, with the way out."""
        require_owner(interaction, record, gettext_noop("Only they can see why."))
        await interaction.response.send_message(
            messages.failed_card(record),
            view=services_of(interaction).layouts.view_for_refused(record),
            ephemeral=True,
        )


def _can_manage_messages(interaction: discord.Interaction[Any]) -> bool:
    return interaction.permissions.manage_messages and interaction.guild_id is not None
