"""The errors of the bot.

BotError
├── SettingsError          the environment or `.env` holds something impossible
│   └── MissingExtra       what a setting asks for is not installed
├── TokenRefused           a token that is no bot's, or that Discord does not know
├── DiscordUnreachable     Discord does not answer the command line
├── UserError              what a member asked for cannot be; says what to change
│   ├── ImageRejected     an attachment that cannot be worked on
│   │   ├── EmptyFile          no bytes
│   │   ├── FileTooLarge       too many bytes
│   │   ├── NotAnImage        no picture by its content
│   │   ├── UnsupportedFormat        a picture in a format that is not read
│   │   ├── BrokenImage      begins like a picture and then breaks off or makes no sense
│   │   ├── TooManyPixels      too wide, too high, or too much of both
│   │   ├── DecodeLimitExceeded           takes more memory or time than one picture may
│   │   ├── NoDecoder          this host starts no process that could read it
│   │   ├── AttachmentDeleted           Discord no longer has it
│   │   ├── NoImageInMessage     a message that shows none
│   │   └── ImageNotAccessible      a message that Discord does not let bots read
│   ├── NotJobOwner           somebody else's job
│   ├── NothingToCancel    no such job is waiting or running
│   ├── JobNotFound            a button of a job that is no longer stored
│   ├── NotAllowed         the server's admins did not allow that; says what they did
│   │   └── ProhibitedContent       no server can allow that
│   ├── CaseNotFound           a moderator's case that is no longer open
│   ├── BadSetting         a setting that cannot be; says which and what would be possible
│   ├── BadSettingsFile    a file of settings that cannot be taken; nothing of it was
│   ├── MessageDeleted        the message replied to was deleted
│   ├── TextTooLongForForm    a text that an input of a form cannot hold
│   ├── NotANumber         a text where a form asks for a number
│   ├── UnknownOption      a name that is no option of that kind of job
│   ├── LinkRefused        a link to the page that is none, has ended, or was used
│   ├── MemberStorageFull  the member keeps as much as the host allows, all of it under way
│   └── NoModel            no worker can start, so nothing could ever run
└── NoDeliveryRoute            a result has no place where it could be shown
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from bot.i18n.message import OptionName, TranslatableMessage, gettext_noop


class BotError(Exception):
    """The bot failed."""

    def __init__(self, message: str | None = None, /, **values: Any) -> None:
        #: What it says, for whoever says it in another language.
        self.sentence = TranslatableMessage(message or inspect.getdoc(type(self)) or "", **values)
        super().__init__(str(self.sentence))


class SettingsError(BotError):
    """The settings are impossible."""


class MissingExtra(SettingsError):
    """What a setting asks for is not installed."""


class TokenRefused(BotError):
    """Discord does not know this token."""


class DiscordUnreachable(BotError):
    """Discord cannot be reached."""


class UserError(BotError):
    """That cannot be done."""


class ImageRejected(UserError):
    """The attachment cannot be used."""


class EmptyFile(ImageRejected):
    """The file is empty."""

    def __init__(self, name: str) -> None:
        super().__init__("{name} has no content (0 bytes). Attach it again.", name=name)


class FileTooLarge(ImageRejected):
    """The file has too many bytes."""

    def __init__(self, name: str, size: int, limit: int) -> None:
        super().__init__(
            "{name} is {size} MiB; at most {limit} MiB are taken. "
            "Save it smaller, or as JPEG or WebP.",
            name=name,
            size=f"{size / 2**20:.1f}",
            limit=f"{limit / 2**20:.3g}",
        )
        self.size, self.limit = size, limit


class NotAnImage(ImageRejected):
    """The file is no picture."""

    def __init__(self, name: str, file_type: str = "") -> None:
        words = gettext_noop("{name} is not a picture. Attach a PNG, JPEG, WebP, AVIF or GIF.")
        if file_type:
            words = gettext_noop(
                "{name} is not a picture but {found}. Attach a PNG, JPEG, WebP, AVIF or GIF."
            )
        super().__init__(words, name=name, found=TranslatableMessage(file_type))


class UnsupportedFormat(ImageRejected):
    """The picture has a format that is not read."""

    def __init__(self, name: str, format_name: str) -> None:
        super().__init__(
            "{name} is {found}, which cannot be read here. Save it as PNG, JPEG or WebP and "
            "attach that.",
            name=name,
            found=TranslatableMessage(format_name),
        )


class UnreadableFile(ImageRejected):
    """The file of the command line is not there, or may not be read."""

    def __init__(self, path: str, trouble: str | None) -> None:
        super().__init__(f"{path} cannot be read: {trouble or 'it is no file'}. Check the path.")


class BrokenImage(ImageRejected):
    """The picture is damaged."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "{name} is damaged: it breaks off or cannot be read to its end. "
            "Save or download it again and attach the new file.",
            name=name,
        )


class TooManyPixels(ImageRejected):
    """The picture has too many pixels."""

    def __init__(
        self,
        name: str,
        size_text: str,
        limit: str,
        *,
        size: tuple[int, int] = (0, 0),
        image_format: str = "",
    ) -> None:
        words = gettext_noop("{name} is {found}; at most {limit} are taken. Scale it down first.")
        super().__init__(words, name=name, found=TranslatableMessage(size_text), limit=limit)
        #: Width and height by the file's header; zeros where it was not read that far.
        self.size = size
        #: As Pillow calls it; empty where it was not read that far.
        self.image_format = image_format


class DecodeLimitExceeded(ImageRejected):
    """The picture takes too much to decode."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "{name} takes more memory or time to read than one picture may. Scale it down, or "
            "save it again as a plain PNG or JPEG.",
            name=name,
        )


class NoDecoder(ImageRejected):
    """Pictures cannot be read on this host."""

    def __init__(self) -> None:
        super().__init__(
            "Pictures cannot be read right now; nothing was queued. Ask again later, or tell "
            "Easel's keeper, who finds the reason in its log."
        )


class AttachmentDeleted(ImageRejected):
    """Discord no longer has the file."""

    def __init__(self, name: str) -> None:
        super().__init__("{name} could not be fetched from Discord. Attach it again.", name=name)


class NoImageInMessage(ImageRejected):
    """That message shows no picture. Choose one with a picture in it."""


class ImageNotAccessible(ImageRejected):
    """Discord does not show me that picture."""

    def __init__(self) -> None:
        super().__init__(
            "Discord does not show me other people's messages in which I am not mentioned. Open "
            "that message's menu instead (right click, or a long press): Apps → Edit…, Inpaint…, "
            "Upscale 2× or Describe. Or attach the picture to your own message."
        )


class NotJobOwner(UserError):
    """That job belongs to somebody else."""

    def __init__(self, owner: str, instead: str) -> None:
        super().__init__(
            "That is <@{owner}>'s. {instead}", owner=owner, instead=TranslatableMessage(instead)
        )
        self.owner = owner


class NothingToCancel(UserError):
    """Nothing of yours is waiting or running."""


class JobNotFound(UserError):
    """That job is no longer stored. Ask for a new one with a command."""


class NotAllowed(UserError):
    """The server does not allow that."""


class ProhibitedContent(NotAllowed):
    """Sexual pictures of minors are not made here."""

    def __init__(self) -> None:
        super().__init__(
            "That is refused on every server: its words can be read as a sexual picture of minors. "
            "If nothing of the kind is meant, leave out either the words for children and young "
            "people or those that are sexual. What should not be there belongs into the negative "
            "prompt."
        )


class CaseNotFound(UserError):
    """There is no open case of that number here. /moderation list shows those that are."""


class BadSetting(UserError):
    """A setting cannot be that."""

    def __init__(self, name: str, problem: str, /, **values: Any) -> None:
        #: Without the full stop, as a list of problems has it.
        self.problem = TranslatableMessage(problem, **{"name": name, **values})
        super().__init__("{problem}.", problem=self.problem)
        self.name = name


class BadSettingsFile(UserError):
    """A file of settings cannot be taken."""

    MAX_LISTED_PROBLEMS, MAX_PROBLEM_LENGTH = 10, 160  # problems, and characters of one

    def __init__(self, problems: Sequence[TranslatableMessage]) -> None:
        super().__init__("Nothing was changed. The file cannot be taken:")
        #: What is wrong with it, each without a full stop.
        self.problems = tuple(problems)

    def message_lines(self, translate: Callable[[TranslatableMessage], str]) -> list[str]:
        """Write the message and the problems, bounded, as `said` says each."""
        problem_messages = [
            TranslatableMessage("{problem}.", problem=problem)
            for problem in self.problems[: self.MAX_LISTED_PROBLEMS]
        ]
        problem_lines = [
            f"• {translate(problem)[: self.MAX_PROBLEM_LENGTH]}" for problem in problem_messages
        ]
        if hidden_count := len(self.problems) - len(problem_lines):
            problem_lines.append(
                translate(TranslatableMessage("… and {count} more.", count=hidden_count))
            )
        return [translate(self.sentence), *problem_lines]

    def __str__(self) -> str:
        return "\n".join(self.message_lines(str))


class MessageDeleted(UserError):
    """The message you replied to was deleted. Reply to another one, or attach the picture."""


class TextTooLongForForm(UserError):
    """A text is too long for a form."""

    def __init__(self, option: str, length: int, limit: int) -> None:
        super().__init__(
            "Its {option} has {length} characters, but a form holds {limit}. "
            "Use the slash command instead.",
            option=OptionName(option),
            length=length,
            limit=limit,
        )


class NotANumber(UserError):
    """What was written into a form is no number."""

    def __init__(self, option: str, entered_text: str, *, whole: bool) -> None:
        words = gettext_noop("{option} must be a number, not “{written}”.")
        if whole:
            words = gettext_noop("{option} must be a whole number, not “{written}”.")
        super().__init__(words, option=OptionName(option), written=entered_text)


class UnknownOption(UserError):
    """A name that was written for an option is none."""

    def __init__(self, name: str, similar_names: Sequence[str]) -> None:
        words = gettext_noop(
            "There is no option “{name}” there. Write options as name: value, for example "
            "clip_skip: 2, rng: NV."
        )
        if similar_names:
            words = gettext_noop("There is no option “{name}” there. Did you mean {names}?")
        super().__init__(words, name=name, names=", ".join(similar_names))
        self.name = name


class LinkRefused(UserError):
    """That link to the page cannot be used."""


class MemberStorageFull(UserError):
    """Your pictures may take {limit} here, which your unfinished jobs need. Wait until one ends."""


class NoModel(UserError):
    """No model is loaded."""

    def __init__(self) -> None:
        super().__init__(
            "No model is loaded, so nothing can run now; nothing was queued. Ask again later, or "
            "tell Easel's keeper, who finds the reason with `easel doctor`."
        )


class NoEditingModel(UserError):
    """No worker has a model that edits by instructions."""

    def __init__(self, memory: str) -> None:
        super().__init__(
            gettext_noop(
                "No model here edits by instructions. The host can fetch one with "
                "`models pull instruct-pix2pix`, which runs on cards from {memory} GB and, slowly, "
                "without one, or, for a card of 16 GB, with `models pull "
                "black-forest-labs/FLUX.2-klein-4B`, which looks at up to four pictures. Until "
                "then `/img2img` repaints from a description of the whole picture."
            ),
            memory=memory,
        )


class NoDeliveryRoute(BotError):
    """There is no place where the result could be shown."""
