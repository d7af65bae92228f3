"""The message that stands for a job: how it can be reached, and how its card is laid out.

A card is a coloured container of title, pictures, words and controls, made of Discord's layout
components from its first word on: a message cannot hold them and ordinary content at once, and
never goes back.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

import discord

from storage.records import JobRecord, JobState

TOKEN_LIFE = timedelta(minutes=14)
"""An interaction's token works for 15 minutes; the last one is kept as a margin."""
DEFAULT_FILE_LIMIT_BYTES = 10 * 2**20
"""Bytes of one file that every channel takes, without boosts and Nitro."""


@dataclass(frozen=True, kw_only=True)
class ReplyTarget:
    """The message that stands for a job, and how it can be reached."""

    #: The application that the token is for.
    application_id: int
    #: The interaction's token, with which its answer is edited.
    token: str
    #: When the interaction was made: an aware time.
    asked_at: datetime
    channel_id: int
    guild_id: int | None
    #: The answer that shows how far the job is and becomes its result.
    message_id: int
    #: Bytes of one file that may be sent there.
    file_limit: int = DEFAULT_FILE_LIMIT_BYTES
    #: Whether the answer is an ordinary message of the bot's, which it may edit at any time.
    own: bool = False
    #: Whether only the member sees it: it then ends with the token, and is never posted instead.
    private: bool = False
    #: The language that the answer is written in; empty for English.
    language: str = ""
    #: The channel of direct messages that the result goes to, where its own is closed for good.
    direct: int | None = None

    def is_token_valid(self, current_time: datetime) -> bool:
        """Whether the interaction's token can be expected to work still."""
        return bool(self.token) and current_time < self.asked_at + TOKEN_LIFE

    def without_token(self) -> ReplyTarget:
        """Leave out the token, which is a secret, once nothing needs it."""
        return dataclasses.replace(self, token="")

    def via_dm(self, channel_id: int) -> ReplyTarget:
        """Send the result to a channel of direct messages, and never to the card again."""
        return dataclasses.replace(self, token="", own=False, direct=channel_id)

    def message_url(self, message_id: int | str) -> str:
        """Link to a message of the channel that the result goes to."""
        place = (
            f"@me/{self.direct}" if self.direct else f"{self.guild_id or '@me'}/{self.channel_id}"
        )
        return f"https://discord.com/channels/{place}/{message_id}"

    def in_language(self, language: str) -> ReplyTarget:
        """Note the language of the answer, which it keeps to its end."""
        return dataclasses.replace(self, language=language)

    def to_json(self) -> str:
        """Write it as JSON."""
        fields = dataclasses.asdict(self)
        return json.dumps(fields | {"asked_at": self.asked_at.isoformat()})

    @classmethod
    def from_json(cls, text: str) -> ReplyTarget | None:
        """Read `encode`'s text back; None for anything else, such as a job of the command line."""
        try:
            fields = json.loads(text)
            asked_at = datetime.fromisoformat(fields.pop("asked_at"))
            return cls(asked_at=asked_at, **fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def stored_reply_language(reply_to: str) -> str:
    """Return the language of an answer, as storage keeps where it is; empty for English."""
    reply_target = ReplyTarget.from_json(reply_to)
    return "" if reply_target is None else reply_target.language


IMAGE_SUFFIXES = ("png", "jpg", "jpeg", "webp", "gif", "avif")
MAX_GALLERY_IMAGES = 10  # pictures of one gallery
DEFAULT_COLOUR = 0x5865F2
FAILURE_COLOUR, OVER_COLOUR = 0xDA373C, 0x80848E
KIND_COLOURS: Mapping[str, int] = MappingProxyType(
    {
        "imagine": 0x5865F2,
        "img2img": 0x3BA55D,
        "inpaint": 0xEB459E,
        "outpaint": 0x00A8FC,
        "loopback": 0x9B59B6,
        "upscale": 0xF0B232,
        "interrogate": 0x1ABC9C,
        "preview": 0xE67E22,
        "explain": 0x607D8B,
    }
)
"""A card's colour: each kind of job is known at a glance."""


@dataclass(frozen=True)
class CardFile:
    """A file of a card, uploaded with it: pictures stand in its gallery, all else below."""

    name: str
    description: str = ""
    spoiler: bool = False

    @property
    def uri(self) -> str:
        """Name the file as components do."""
        return f"attachment://{self.name}"

    @property
    def is_image(self) -> bool:
        """Whether it is shown, not only offered."""
        return self.name.rpartition(".")[2].lower() in IMAGE_SUFFIXES


def build_card(
    words: str,
    rows: Sequence[discord.ui.ActionRow[discord.ui.LayoutView]] = (),
    files: Sequence[CardFile] = (),
    colour: int | None = None,
) -> discord.ui.LayoutView:
    """Lay a card out: the first line, pictures, the other lines, files and rows of controls."""
    title, _, details = words.partition("\n")
    container: discord.ui.Container[discord.ui.LayoutView] = discord.ui.Container(
        discord.ui.TextDisplay(title), accent_colour=colour
    )
    images = [file for file in files if file.is_image][:MAX_GALLERY_IMAGES]
    if images:
        container.add_item(discord.ui.MediaGallery(*map(_gallery_item, images)))
    if details.strip():
        container.add_item(discord.ui.TextDisplay(details))
    for file in files:
        if not file.is_image:
            container.add_item(discord.ui.File(file.uri, spoiler=file.spoiler))
    for row in rows:
        container.add_item(row)
    layout = discord.ui.LayoutView(timeout=None)
    layout.add_item(container)
    return layout


def _gallery_item(file: CardFile) -> discord.MediaGalleryItem:
    return discord.MediaGalleryItem(
        file.uri, description=file.description or None, spoiler=file.spoiler
    )


def card_colour(record: JobRecord) -> int:
    """Return the colour of a job's card: its kind's, unless nothing came of it."""
    if record.state is JobState.FAILED:
        return FAILURE_COLOUR
    if record.state is JobState.CANCELLED:
        return OVER_COLOUR
    return KIND_COLOURS.get(record.kind, DEFAULT_COLOUR)
