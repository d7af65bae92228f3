"""The words of the page, in the language of who opens it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import discord

from bot.i18n import current_language, translate
from bot.i18n.message import gettext_noop

PAGE_TEXTS = {
    "title": gettext_noop("Draw what shall be repainted"),
    "galleryTitle": gettext_noop("Your pictures"),
    "tools": gettext_noop("Tools"),
    "brush": gettext_noop("Brush"),
    "eraser": gettext_noop("Eraser"),
    "lasso": gettext_noop("Lasso"),
    "rectangle": gettext_noop("Rectangle"),
    "pan": gettext_noop("Move the picture"),
    "invert": gettext_noop("Swap inside and outside"),
    "clear": gettext_noop("Clear"),
    "undo": gettext_noop("Undo"),
    "redo": gettext_noop("Redo"),
    "zoomIn": gettext_noop("Zoom in"),
    "zoomOut": gettext_noop("Zoom out"),
    "zoomFit": gettext_noop("Show all of it"),
    "size": gettext_noop("Brush size"),
    "softness": gettext_noop("Softness of the edge"),
    "picture": gettext_noop("The picture"),
    "canvasHelp": gettext_noop(
        "Draw with the pointer. With the keyboard: the arrow keys move the brush, with Shift by "
        "one pixel; Space sets it down and lifts it."
    ),
    "keys": gettext_noop(
        "Keys: B brush, E eraser, L lasso, R rectangle, M move, I swap, [ and ] size, + and − "
        "zoom, 0 all of it, Ctrl+Z undo, Ctrl+Shift+Z redo, Ctrl+Enter send"
    ),
    "keysTitle": gettext_noop("Keys"),
    "options": gettext_noop("What shall be there"),
    "prompt": gettext_noop("Prompt"),
    "negative_prompt": gettext_noop("Negative prompt"),
    "strength": gettext_noop("Denoising strength"),
    "masked_content": gettext_noop("Masked content"),
    "area": gettext_noop("Inpaint area"),
    "mask_blur": gettext_noop("Mask blur (pixels)"),
    "padding": gettext_noop("Only masked padding (pixels)"),
    "soft": gettext_noop("Soft inpainting: blend along soft edges"),
    "more": gettext_noop("All other settings"),
    "moreHelp": gettext_noop("One a line, as seed: 5; what you take away is left to the default"),
    "send": gettext_noop("Repaint"),
    "sending": gettext_noop("Sending …"),
    "nothingDrawn": gettext_noop("Nothing is drawn yet: mark what shall be repainted."),
    "marked": gettext_noop("{share} % of the picture is marked."),
    "gain": gettext_noop("The dashed frame is worked on {gain} times as large."),
    "penDown": gettext_noop("The brush is down."),
    "penUp": gettext_noop("The brush is lifted."),
    "sent": gettext_noop("Sent. The result comes in the channel that you came from."),
    "backToDiscord": gettext_noop("Back to Discord"),
    "unreachable": gettext_noop("Easel cannot be reached. Is the bot running? Try again."),
    "before": gettext_noop("Before"),
    "after": gettext_noop("After"),
    "compare": gettext_noop("How much of the picture from before is shown"),
    "galleryHelp": gettext_noop(
        "Only you see this, for thirty minutes, and nothing can be changed here. What you can do "
        "with a picture stands under it in Discord."
    ),
    "galleryEmpty": gettext_noop("You have made no picture yet."),
    "hiddenPicture": gettext_noop("Show the hidden picture"),
    "close": gettext_noop("Close"),
    "enlarge": gettext_noop("Look at it"),
}
"""By the names that the page knows them by."""

COMMAND_PATTERN = re.compile(r"</([^:>]+):\d+>")
MENTION_PATTERN = re.compile(r"<(?P<sign>#|@&|@!?)(?P<id>\d+)>")
TIME_PATTERN = re.compile(r"<t:(\d{1,11})(?::\w)?>")
MARKDOWN_PATTERN = re.compile(r"\\([\\`*_~|>#\[\]()<-])|\*{1,2}|`|^-# ", re.MULTILINE)


def page_texts() -> dict[str, str]:
    """Say all words of the page in the language that the task speaks, with that language's code."""
    texts = {name: translate(words) for name, words in PAGE_TEXTS.items()}
    return texts | {"language": current_language()}


def plain_text(words: str, guild: discord.Guild | None = None) -> str:
    """Turn what is said in Discord into what a page can show: names, times, and no markdown."""
    words = COMMAND_PATTERN.sub(r"/\1", words)
    words = TIME_PATTERN.sub(lambda match: _time_text(int(match[1])), words)
    words = MARKDOWN_PATTERN.sub(lambda match: match[1] or "", words)
    return MENTION_PATTERN.sub(
        lambda match: _name_of(guild, match["sign"], int(match["id"])), words
    )


def _time_text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _name_of(guild: discord.Guild | None, sign: str, id: int) -> str:
    """Name a channel, a role or a member as far as the bot knows them; by their number else."""
    if guild is None:
        return f"{sign[0]}{id}"
    finders = {"#": guild.get_channel_or_thread, "@&": guild.get_role}
    thing = finders.get(sign, guild.get_member)(id)
    return f"{sign[0]}{id if thing is None else thing.name}"
