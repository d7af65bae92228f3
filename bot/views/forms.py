"""Forms: a job's options as a modal, filled in, read back and checked by the job's own bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import discord

from bot.answers import Form
from bot.errors import NotANumber, TooLongForAForm
from bot.locales import described, option_name, say
from bot.sentences import english
from inference.jobs import Job, Number, Option, Words, options

MAX_TEXT = 4000  # characters of one input of a form
MAX_LABEL = 45  # characters
PROMPTED = ("prompt", "negative_prompt")
LABELS = {
    "prompt": english("Prompt"),
    "negative_prompt": english("Negative prompt"),
    "strength": english("Strength"),
    "steps": english("Steps"),
    "guidance": english("Guidance"),
    "mask": english("Mask"),
    "mask_shape": english("Mask shape"),
}
"""Options as a form writes them; the slash command's names are all in small letters."""
FORM_LIFE = 3600.0  # seconds until a form that was never sent is forgotten

Submit = Callable[[discord.Interaction[Any], "Filled"], Awaitable[None]]


class Filled:
    """What a member wrote into a form."""

    def __init__(self, values: Mapping[str, Any], files: Mapping[str, discord.Attachment]) -> None:
        #: Option name to value; a number left empty is absent, words left empty are empty.
        self.values = dict(values)
        #: Picture name to file.
        self.files = dict(files)


class JobForm(Form):
    """A form over some options of a job, with at most 5 inputs in all."""

    def __init__(
        self,
        title: str,
        job_type: type[Job],
        names: Sequence[str],
        submit: Submit,
        *,
        filled: Mapping[str, Any] | None = None,
        file: str | None = None,
    ) -> None:
        """Lay the form out.

        Args:
            title: what it says at its top, at most 45 characters.
            job_type: whose options they are.
            names: the options asked for; those that the job lacks are left out.
            submit: called with what was written.
            filled: what stands in the inputs at first.
            file: the name of a picture that may be attached.

        Raises:
            TooLongForAForm: a text does not fit into an input.
        """
        super().__init__(title=title, timeout=FORM_LIFE)
        self._submit = submit
        known = {option.name: option for option in options(job_type)}
        self._options = [known[name] for name in names if name in known]
        self._inputs: dict[str, discord.ui.TextInput[Any]] = {}
        self._uploads: dict[str, discord.ui.FileUpload[Any]] = {}
        if file is not None:
            self._uploads[file] = discord.ui.FileUpload(custom_id=file, required=False)
            about = say("White is repainted")
            self.add_item(_label(_called(file), about, self._uploads[file]))
        for option in self._options:
            self._add(option, (filled or {}).get(option.name, option.default))

    def _add(self, option: Option, value: Any) -> None:
        written = "" if value is None else _written(value)
        if len(written) > MAX_TEXT:
            raise TooLongForAForm(option.name, len(written), MAX_TEXT)
        longest = min(MAX_TEXT, option.spec.max_length) if isinstance(option.spec, Words) else 20
        entry: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id=option.name,
            style=_style(option),
            default=written or None,
            required=False,
            max_length=longest,
        )
        self._inputs[option.name] = entry
        self.add_item(_label(_called(option.name), _bounds(option), entry))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Read the inputs and go on."""
        values: dict[str, Any] = {}
        for option in self._options:
            text = self._inputs[option.name].value.strip()
            if text or not isinstance(option.spec, Number):
                values[option.name] = _read(option, text)
        files = {name: upload.values[0] for name, upload in self._uploads.items() if upload.values}
        await self._submit(interaction, Filled(values, files))


def _called(name: str) -> str:
    return say(LABELS[name]) if name in LABELS else option_name(name).capitalize()


def _label(name: str, about: str, component: discord.ui.Item[Any]) -> discord.ui.Label[Any]:
    return discord.ui.Label(text=name[:MAX_LABEL], description=about[:100], component=component)


def _style(option: Option) -> discord.TextStyle:
    long = option.name in PROMPTED
    return discord.TextStyle.paragraph if long else discord.TextStyle.short


def _bounds(option: Option) -> str:
    text = described(option.spec.text)
    if isinstance(option.spec, Number):
        bounds = {"low": f"{option.spec.low:g}", "high": f"{option.spec.high:g}"}
        return say("{text} ({low} to {high})", text=text, **bounds)
    return text


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _read(option: Option, text: str) -> Any:
    """Read an input as its option's type; a decimal comma is understood.

    Raises:
        NotANumber: it is no such number.
    """
    if not isinstance(option.spec, Number):
        return text
    try:
        number = float(text.replace(",", "."))
        return int(text) if option.type is int else number
    except ValueError:
        raise NotANumber(option.name, text[:40], whole=option.type is int) from None
