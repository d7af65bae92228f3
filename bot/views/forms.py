"""Forms: a job's options as a modal, filled in, read back and checked by the job's own bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import discord

from bot.errors import NotANumber, TextTooLongForForm
from bot.i18n import option_name, translate, translate_description
from bot.i18n.message import gettext_noop
from bot.messages.error_replies import LocalisedModal
from inference.api.jobs import Job, JobOption, NumberSpec, TextSpec, list_job_options
from inference.api.notices import format_number

MAX_INPUT_CHARACTERS = 4000  # characters of one input of a form
MAX_LABEL_CHARACTERS = 45  # characters
PROMPT_OPTIONS = ("prompt", "negative_prompt")
OPTION_LABELS = {
    "prompt": gettext_noop("Prompt"),
    "negative_prompt": gettext_noop("Negative prompt"),
    "strength": gettext_noop("Strength"),
    "steps": gettext_noop("Steps"),
    "guidance": gettext_noop("Guidance"),
    "image": gettext_noop("Picture"),
    "mask": gettext_noop("Mask"),
    "mask_shape": gettext_noop("Mask shape"),
}
"""Options as a form writes them; the slash command's names are all in small letters."""
FILE_DESCRIPTIONS = {
    "image": gettext_noop("Left empty, the picture of the message is worked on"),
    "mask": gettext_noop("White is repainted"),
}
FORM_TIMEOUT_SECONDS = 3600.0  # seconds until a form that was never sent is forgotten

Submit = Callable[[discord.Interaction[Any], "FormValues"], Awaitable[None]]


class FormValues:
    """What a member wrote into a form."""

    def __init__(self, values: Mapping[str, Any], files: Mapping[str, discord.Attachment]) -> None:
        #: Option name to value; a number left empty is absent, words left empty are empty.
        self.values = dict(values)
        #: Picture name to file.
        self.files = dict(files)


class JobModal(LocalisedModal):
    """A form over some options of a job, with at most 5 inputs in all."""

    def __init__(
        self,
        title: str,
        job_type: type[Job],
        names: Sequence[str],
        submit: Submit,
        *,
        initial_values: Mapping[str, Any] | None = None,
        files: Sequence[str] = (),
    ) -> None:
        """Lay the form out.

        Args:
            title: what it says at its top, at most 45 characters.
            job_type: whose options they are.
            names: the options asked for; those that the job lacks are left out.
            submit: called with what was written.
            initial_values: what stands in the inputs at first.
            files: the names of pictures that may be attached.

        Raises:
            TextTooLongForForm: a text does not fit into an input.
        """
        super().__init__(title=title, timeout=FORM_TIMEOUT_SECONDS)
        self._submit = submit
        options_by_name = {option.name: option for option in list_job_options(job_type)}
        self._options = [options_by_name[name] for name in names if name in options_by_name]
        self._inputs: dict[str, discord.ui.TextInput[Any]] = {}
        self._uploads: dict[str, discord.ui.FileUpload[Any]] = {}
        for file in files:
            self._uploads[file] = discord.ui.FileUpload(custom_id=file, required=False)
            description = translate(FILE_DESCRIPTIONS[file])
            self.add_item(_build_label(_option_label(file), description, self._uploads[file]))
        for option in self._options:
            self._add_input(option, (initial_values or {}).get(option.name, option.default))

    def _add_input(self, option: JobOption, value: Any) -> None:
        text = "" if value is None else _format_value(value)
        if len(text) > MAX_INPUT_CHARACTERS:
            raise TextTooLongForForm(option.name, len(text), MAX_INPUT_CHARACTERS)
        max_length = (
            min(MAX_INPUT_CHARACTERS, option.spec.max_length)
            if isinstance(option.spec, TextSpec)
            else 20
        )
        entry: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id=option.name,
            style=_text_style(option),
            default=text or None,
            required=False,
            max_length=max_length,
        )
        self._inputs[option.name] = entry
        self.add_item(_build_label(_option_label(option.name), _input_hint(option), entry))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Read the inputs and go on."""
        values: dict[str, Any] = {}
        for option in self._options:
            text = self._inputs[option.name].value.strip()
            if text or not isinstance(option.spec, NumberSpec):
                values[option.name] = _parse_value(option, text)
        files = {name: upload.values[0] for name, upload in self._uploads.items() if upload.values}
        await self._submit(interaction, FormValues(values, files))


def _option_label(name: str) -> str:
    return (
        translate(OPTION_LABELS[name]) if name in OPTION_LABELS else option_name(name).capitalize()
    )


def _build_label(
    name: str, description: str, component: discord.ui.Item[Any]
) -> discord.ui.Label[Any]:
    return discord.ui.Label(
        text=name[:MAX_LABEL_CHARACTERS], description=description[:100], component=component
    )


def _text_style(option: JobOption) -> discord.TextStyle:
    long = option.name in PROMPT_OPTIONS
    return discord.TextStyle.paragraph if long else discord.TextStyle.short


def _input_hint(option: JobOption) -> str:
    text = translate_description(option.spec.text)
    if isinstance(option.spec, NumberSpec):
        bounds = {"low": format_number(option.spec.low), "high": format_number(option.spec.high)}
        return translate("{text} ({low} to {high})", text=text, **bounds)
    return text


def _format_value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parse_value(option: JobOption, text: str) -> Any:
    """Read an input as its option's type; a decimal comma is understood.

    Raises:
        NotANumber: it is no such number.
    """
    if not isinstance(option.spec, NumberSpec):
        return text
    try:
        number = float(text.replace(",", "."))
        return int(text) if option.type is int else number
    except ValueError:
        raise NotANumber(option.name, text[:40], whole=option.type is int) from None
