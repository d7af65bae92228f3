"""The buttons of a finished job that go on from its picture or its words."""

from __future__ import annotations

import io
import random
import re
from typing import Any, ClassVar, Self

import discord

from bot import texts
from bot.errors import JobGone
from bot.locales import say, speaking, spoken
from bot.reply_to import language_at
from bot.requests import InteractionRequest
from bot.results import pictures_of
from bot.sentences import english
from bot.sources import Stored
from bot.views.base import JOB, JobButton, client_of, refuse_others
from bot.views.forms import MAX_TEXT, Filled, JobForm
from inference.jobs import Imagine, Interrogate, Job, Upscale, decode
from inference.jobs.names import MAX_SEED
from storage.records import JobRecord

EDITED = ("prompt", "negative_prompt", "strength", "steps", "guidance")
SUBTLE, STRONG = 0.15, 0.45  # shares of another noise; 1 would be another seed
MAX_BLOCK = 1900  # characters of a code block in a message


class NumberedButton(JobButton, template=rf"easel:none(?:\.(?P<number>\d))?:{JOB}"):
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

    def picture(self, record: JobRecord) -> dict[str, Any]:
        """Return the picture that it is about.

        Raises:
            JobGone: the job made none.
        """
        pictures = pictures_of(record)
        if not pictures:
            raise JobGone("That job made no picture.")
        return pictures[min(self.number or 1, len(pictures)) - 1]


class PictureButton(NumberedButton, template=rf"easel:none(?:\.(?P<number>\d))?:{JOB}"):
    """A button that goes on from a picture; for the job's owner."""

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Go on from the picture."""
        refuse_others(interaction, record)
        await self.go_on(interaction, record, self.picture(record))

    async def go_on(
        self, interaction: discord.Interaction[Any], record: JobRecord, picture: dict[str, Any]
    ) -> None:
        """Do what the button says with one picture."""
        raise JobGone


class Single(PictureButton, template=rf"easel:single(?:\.(?P<number>\d))?:{JOB}"):
    """One picture of a batch, as it was made, with buttons of its own."""

    verb = "single"
    label = english("Show")
    emoji = "🔎"

    async def go_on(
        self, interaction: discord.Interaction[Any], record: JobRecord, picture: dict[str, Any]
    ) -> None:
        """Post it, to those who see the sheet."""
        client = client_of(interaction)
        await client.desk.stored(picture["key"]).look(client.reader)
        sheet = interaction.message
        private = sheet is not None and sheet.flags.ephemeral
        await interaction.response.defer(thinking=True, ephemeral=private)
        number = min(self.number or 1, len(pictures_of(record)))
        limit = interaction.filesize_limit
        with speaking(spoken() if private else language_at(record.reply_to)):
            outgoing = await client.delivery.compose_one(record, number, limit)
            await interaction.followup.send(
                outgoing.content, files=outgoing.files(), view=outgoing.view(), ephemeral=private
            )


class Vary(PictureButton, template=rf"easel:none(?:\.(?P<number>\d))?:{JOB}"):
    """The same job with a share of other noise."""

    share: ClassVar[float]
    emoji = "🎲"

    async def go_on(
        self, interaction: discord.Interaction[Any], record: JobRecord, picture: dict[str, Any]
    ) -> None:
        """Queue the same job between its seed and another one."""
        varied = {
            "seed": seed_of(record, picture),
            "variation_seed": random.randrange(MAX_SEED),
            "variation_strength": self.share,
        }
        job = decode(record.kind, {**record.params, **varied})
        await client_of(interaction).desk.again(InteractionRequest(interaction), job, record)


class VarySubtle(Vary, template=rf"easel:subtle(?:\.(?P<number>\d))?:{JOB}"):
    """A little different."""

    verb, label, share = "subtle", english("Vary (subtle)"), SUBTLE


class VaryStrong(Vary, template=rf"easel:strong(?:\.(?P<number>\d))?:{JOB}"):
    """Clearly different."""

    verb, label, share = "strong", english("Vary (strong)"), STRONG


class Edit(NumberedButton, template=rf"easel:edit(?:\.(?P<number>\d))?:{JOB}"):
    """The same job with other words and numbers; of one picture, with its seed and alone."""

    verb = "edit"
    label = english("Edit")
    emoji = "✏️"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Show the job's options as a form."""
        refuse_others(interaction, record)
        job_type = type(decode(record.kind, record.params))
        kept = {name: v for name, v in record.params.items() if name not in EDITED}
        if self.number is not None:
            kept |= {"seed": seed_of(record, self.picture(record)), "batch": 1}

        async def submit(answer: discord.Interaction[Any], filled: Filled) -> None:
            job = decode(record.kind, {**kept, **filled.values})
            await client_of(answer).desk.again(InteractionRequest(answer), job, record)

        title = say("Edit this {kind}", kind=texts.title(record.kind))
        form = JobForm(title, job_type, EDITED, submit, filled=record.params)
        await interaction.response.send_modal(form)


class Enlarge(PictureButton, template=rf"easel:enlarge(?:\.(?P<number>\d))?:{JOB}"):
    """The picture at twice its size."""

    verb = "enlarge"
    label = english("Upscale 2×")
    emoji = "🔍"

    async def go_on(
        self, interaction: discord.Interaction[Any], record: JobRecord, picture: dict[str, Any]
    ) -> None:
        """Queue an enlargement."""
        upscaler = default_upscaler(client_of(interaction).service.workers)
        await work_on(interaction, Upscale(upscaler=upscaler), record, picture)


class Describe(PictureButton, template=rf"easel:describe(?:\.(?P<number>\d))?:{JOB}"):
    """The picture in words."""

    verb = "describe"
    label = english("Describe")
    emoji = "💬"

    async def go_on(
        self, interaction: discord.Interaction[Any], record: JobRecord, picture: dict[str, Any]
    ) -> None:
        """Queue an interrogation."""
        await work_on(interaction, Interrogate(), record, picture)


class Parameters(NumberedButton, template=rf"easel:parameters(?:\.(?P<number>\d))?:{JOB}"):
    """All that made the picture; anyone may look."""

    verb = "parameters"
    label = english("Parameters")
    emoji = "📋"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Show them to who pressed alone."""
        words = texts.parameters(record, (self.number or 1) - 1)
        await send_block(interaction, words, f"{record.kind}-{record.id}.txt")


class UseAsPrompt(JobButton, template=rf"easel:prompt:{JOB}"):
    """A description as the prompt of a new picture."""

    verb = "prompt"
    label = english("Use as prompt")
    emoji = "🖌️"

    async def press(self, interaction: discord.Interaction[Any], record: JobRecord) -> None:
        """Show a form with the words filled in; anyone may draw from them."""
        words = str((record.result or {}).get("text") or "").strip()[:MAX_TEXT]

        async def submit(answer: discord.Interaction[Any], filled: Filled) -> None:
            job = Imagine(**filled.values)
            await client_of(answer).desk.order(
                InteractionRequest(answer), job, {}, parent=record.id
            )

        title = say("Draw what was described")
        gate = client_of(interaction).gate
        filled = await gate.filled(interaction.guild_id, Imagine, {"prompt": words})
        form = JobForm(title, Imagine, EDITED, submit, filled=filled)
        await interaction.response.send_modal(form)


def seed_of(record: JobRecord, picture: dict[str, Any]) -> int:
    """Return the seed that a picture was made from."""
    seed = picture.get("seed")
    return int(record.params["seed"] if seed is None else seed)


def repeated(record: JobRecord) -> Job:
    """Return the same job with a new seed, where a seed decides it."""
    params = dict(record.params)
    if "seed" in params:
        params["seed"] = -1
    return decode(record.kind, params)


def default_upscaler(workers: Any) -> str:
    """Name the upscaler to use unasked: the usual one, else the first that a worker has."""
    usual = Upscale().upscaler
    names = [m.name for worker in workers for m in worker.models if m.kind == "upscaler"]
    return usual if usual in names or not names else str(names[0])


async def send_block(
    interaction: discord.Interaction[Any], words: str, name: str, *, as_block: bool = True
) -> None:
    """Show words, as they are laid out, to one member alone; long ones as a file."""
    shown = texts.block(words) if as_block else words
    answer: dict[str, Any] = {"content": shown}
    if len(shown) > MAX_BLOCK:
        answer = {"file": discord.File(io.BytesIO(words.encode()), name)}
    if interaction.response.is_done():
        await interaction.followup.send(**answer, ephemeral=True)
    else:
        await interaction.response.send_message(**answer, ephemeral=True)


async def work_on(
    interaction: discord.Interaction[Any], job: Job, record: JobRecord, picture: dict[str, Any]
) -> None:
    """Queue a job on a picture that another one made."""
    client = client_of(interaction)
    source: Stored = client.desk.stored(picture["key"])
    await client.desk.order(
        InteractionRequest(interaction), job, {"image": source}, parent=record.id
    )
