"""Where a job's answer goes: what storage keeps as an opaque string, and the bot reads back."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

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
