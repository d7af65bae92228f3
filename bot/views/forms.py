"""Forms: a job's options as a modal, filled in, read back and checked by the job's own bounds.

What has no input of its own stands in the last one, a line an option. Where a form is refused, the
answer has a button that opens it once more with all that was written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import discord

from bot.errors import TextTooLongForForm
from bot.i18n import choice_name, option_name, translate, translate_description
from bot.i18n.message import gettext_noop
from bot.messages.error_replies import (
    LocalisedModal,
    answer_error,
    is_correctable,
    start_interaction,
)
from bot.requests.more_options import (
    format_more_options,
    format_option_value,
    parse_more_options,
    parse_option_value,
)
from inference.api.jobs import (
    REDRAW_OPTIONS,
    ChoiceSpec,
    Job,
    JobOption,
    NumberSpec,
    TextSpec,
    UpscaleJob,
    list_job_options,
)
from inference.api.notices import format_number

MAX_INPUT_CHARACTERS = 4000  # characters of one input of a form
MAX_LABEL_CHARACTERS = 45  # characters
MAX_SELECT_CHOICES = 25  # choices of one select
MAX_NAMED_INPUTS = 4  # inputs of a form beside the last one
MORE_INPUT = "more"  # the input of all other options
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
    "control": gettext_noop("Control picture"),
    "more": gettext_noop("All other settings"),
}
"""Options as a form writes them; the slash command's names are all in small letters."""
FILE_DESCRIPTIONS = {
    "image": gettext_noop("Left empty, the picture of the message is worked on"),
    "mask": gettext_noop(
        "White is repainted, black stays. Without it and without words below: pick cells, or draw"
    ),
    "control": gettext_noop("Its edges, lines or depth hold what is painted"),
}
MORE_DESCRIPTION = gettext_noop("One a line, as seed: 5; what you take away is left to the default")
FORM_TIMEOUT_SECONDS = 3600.0  # seconds until a form that was never sent is forgotten
FIX_TIMEOUT_SECONDS = 840.0  # seconds: as long as the answer that it stands under can be changed

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
        line_names: Sequence[str] | None = None,
        written_texts: Mapping[str, str] | None = None,
    ) -> None:
        """Lay the form out.

        Args:
            title: what it says at its top.
            job_type: whose options they are.
            names: the options asked for; those that the job lacks are left out.
            submit: called with what was written.
            initial_values: what stands in the inputs at first.
            files: the names of pictures that may be attached.
            line_names: the options of the last input, a line each; None for a form without it.
            written_texts: what was written before, in place of the initial values.

        Raises:
            TextTooLongForForm: a text does not fit into an input.
        """
        values, texts = initial_values or {}, written_texts or {}
        super().__init__(title=title[:MAX_LABEL_CHARACTERS], timeout=FORM_TIMEOUT_SECONDS)
        layout = {"initial_values": values, "files": files, "line_names": line_names}
        self._rebuild = partial(JobModal, title, job_type, names, submit, **layout)  # type: ignore[arg-type]
        self._submit, self._job_type = submit, job_type
        options_by_name = {option.name: option for option in list_job_options(job_type)}
        self._options = [options_by_name[name] for name in names if name in options_by_name]
        self._inputs: dict[str, discord.ui.TextInput[Any] | discord.ui.Select[Any]] = {}
        self._uploads: dict[str, discord.ui.FileUpload[Any]] = {}
        for file in files:
            self._add_upload(file)
        for option in self._options:
            value = values.get(option.name, option.default)
            text = "" if value is None else format_option_value(option, value)
            self._add_input(option, texts.get(option.name, text))
        if line_names is not None:
            hidden_names = {name for name in options_by_name if name not in line_names}
            text = format_more_options(job_type, values, hidden_names)
            self._add_more(texts.get(MORE_INPUT, text))

    def _add_upload(self, name: str) -> None:
        self._uploads[name] = discord.ui.FileUpload(custom_id=name, required=False)
        description = translate(FILE_DESCRIPTIONS[name])
        self.add_item(_build_label(_option_label(name), description, self._uploads[name]))

    def _add_input(self, option: JobOption, text: str) -> None:
        if isinstance(option.spec, ChoiceSpec) and len(option.spec.choices) <= MAX_SELECT_CHOICES:
            self._add_select(option, option.spec.choices, text)
            return
        if len(text) > MAX_INPUT_CHARACTERS:
            raise TextTooLongForForm(option.name, len(text), MAX_INPUT_CHARACTERS)
        max_length = (
            min(MAX_INPUT_CHARACTERS, option.spec.max_length)
            if isinstance(option.spec, TextSpec)
            else 20
        )
        self._add_text_input(option.name, text, max_length, _input_hint(option))

    def _add_more(self, text: str) -> None:
        if len(text) > MAX_INPUT_CHARACTERS:
            raise TextTooLongForForm(MORE_INPUT, len(text), MAX_INPUT_CHARACTERS)
        self._add_text_input(MORE_INPUT, text, MAX_INPUT_CHARACTERS, translate(MORE_DESCRIPTION))

    def _add_text_input(self, name: str, text: str, max_length: int, hint: str) -> None:
        is_long = name in (*PROMPT_OPTIONS, MORE_INPUT)
        entry: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id=name,
            style=discord.TextStyle.paragraph if is_long else discord.TextStyle.short,
            default=text or None,
            required=False,
            max_length=max_length,
        )
        self._inputs[name] = entry
        self.add_item(_build_label(_option_label(name), hint, entry))

    def _add_select(self, option: JobOption, choices: Sequence[str], text: str) -> None:
        select: discord.ui.Select[Any] = discord.ui.Select(
            custom_id=option.name,
            options=[
                discord.SelectOption(
                    label=choice_name(choice),
                    value=choice,
                    default=text in (choice, choice_name(choice)),
                )
                for choice in choices
            ],
            required=False,
            min_values=0,
        )
        self._inputs[option.name] = select
        self.add_item(_build_label(_option_label(option.name), _input_hint(option), select))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Read the inputs and go on; what is refused can be mended and sent again."""
        texts = {name: _written_text(entry) for name, entry in self._inputs.items()}
        try:
            await self._submit(interaction, self._read_values(texts))
        except Exception as error:
            if not is_correctable(error):
                raise
            view = FixFormView(partial(self._rebuild, written_texts=texts))
            await answer_error(interaction, error, view)

    def _read_values(self, texts: Mapping[str, str]) -> FormValues:
        values: dict[str, Any] = {}
        if MORE_INPUT in texts:
            values |= parse_more_options(self._job_type, texts[MORE_INPUT])
        for option in self._options:
            text = texts[option.name].strip()
            if text or isinstance(option.spec, TextSpec):
                values[option.name] = parse_option_value(option, text)
        files = {name: upload.values[0] for name, upload in self._uploads.items() if upload.values}
        return FormValues(values, files)


class FixFormView(discord.ui.View):
    """One button under a refusal, which opens a form with what was asked for filled in."""

    def __init__(
        self, make_form: Callable[[], discord.ui.Modal], label: str = gettext_noop("Fix it")
    ) -> None:
        super().__init__(timeout=FIX_TIMEOUT_SECONDS)
        self._make_form = make_form
        self.open_form.label = translate(label)

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Let its one member press it."""
        start_interaction(interaction)
        return True

    @discord.ui.button(emoji="✏️", style=discord.ButtonStyle.primary)
    async def open_form(self, interaction: discord.Interaction[Any], _button: Any) -> None:
        """Show the form."""
        await interaction.response.send_modal(self._make_form())

    async def on_error(
        self,
        interaction: discord.Interaction[Any],
        error: Exception,
        item: discord.ui.Item[Any],
        /,
    ) -> None:
        """Say why there is no form."""
        await answer_error(interaction, error)


def _written_text(entry: discord.ui.TextInput[Any] | discord.ui.Select[Any]) -> str:
    if isinstance(entry, discord.ui.Select):
        return str(entry.values[0]) if entry.values else ""
    return entry.value


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


def _input_hint(option: JobOption) -> str:
    text = translate_description(option.spec.text)
    if isinstance(option.spec, NumberSpec):
        bounds = {"low": format_number(option.spec.low), "high": format_number(option.spec.high)}
        return translate("{text} ({low} to {high})", text=text, **bounds)
    return text


FORM_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "imagine": ("prompt", "negative_prompt", "guidance", "steps"),
    "img2img": ("prompt", "negative_prompt", "strength", "steps"),
    "inpaint": ("prompt", "strength", "masked_content", "area"),
    "outpaint": ("prompt", "negative_prompt", "strength", "preset"),
    "loopback": ("prompt", "negative_prompt", "strength", "loops"),
    "upscale": ("factor", "upscaler", "prompt", "strength"),
    "interrogate": ("method", "model", "lists", "skip"),
    "explain": ("prompt", "negative_prompt"),
    "preview": ("mask_shape", "mask_mode"),
}
"""Options of each kind that have an input of their own; the others are lines of the last one."""
#: What the command or button decides, not the form.
FIXED_OPTIONS = ("mode", "show")


def build_job_form(
    title: str,
    job_type: type[Job],
    submit: Callable[[discord.Interaction[Any], Job, FormValues], Awaitable[None]],
    values: Mapping[str, Any],
    *,
    names: Sequence[str] = (),
    fixed_values: Mapping[str, Any] = MappingProxyType({}),
    files: Sequence[str] = (),
    written_texts: Mapping[str, str] | None = None,
) -> JobModal:
    """Make a form over all options of a job but the fixed ones, of which `values` are filled in.

    What is left out of the last input is the job's own default.

    Raises:
        TextTooLongForForm: a text does not fit into an input.
    """
    values = {option.name: option.default for option in list_job_options(job_type)} | dict(values)
    job_values = {name: values[name] for name in FIXED_OPTIONS if name in values}
    job_values |= dict(fixed_values)
    hidden_names = {*FIXED_OPTIONS, *fixed_values}
    if job_type is UpscaleJob and values.get("mode", "enlarge") == "enlarge":
        hidden_names |= REDRAW_OPTIONS
    shown_names = [
        name for name in names or FORM_OPTIONS[job_type.kind] if name not in hidden_names
    ]

    async def submit_form(answer: discord.Interaction[Any], form_values: FormValues) -> None:
        await submit(answer, job_type(**job_values, **form_values.values), form_values)

    line_names = [
        option.name
        for option in list_job_options(job_type)
        if option.name not in hidden_names and option.name not in shown_names
    ]
    return JobModal(
        title,
        job_type,
        shown_names,
        submit_form,
        initial_values=values,
        files=files,
        line_names=line_names,
        written_texts=written_texts,
    )
