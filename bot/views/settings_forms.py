"""The forms of the settings panel: numbers on one line each, lists with one entry a line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import discord

from bot import guilds
from bot.errors import BadSetting, TextTooLongForForm
from bot.guilds.setting_types import NOT_A_NUMBER_TEXT, NumberSetting, PerRoleNumber
from bot.i18n import translate
from bot.i18n.message import gettext_noop
from bot.messages.error_replies import LocalisedModal

MAX_INPUT_CHARACTERS = 4000  # characters of one input
MAX_NUMBER_CHARACTERS = 20  # characters
FORM_TIMEOUT_SECONDS = 3600.0  # seconds until a form that was never sent is forgotten

#: Settings with an amount for each role, and the form for one role's.
ROLE_FORMS = {"role_quotas": "role", "role_shares": "share"}

Submit = Callable[[discord.Interaction[Any], Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class FormSpec:
    """A form: its title, page and fields."""

    #: At most 45 characters.
    title: str
    #: The page of the panel from which it is opened.
    page: str
    #: Setting to label.
    fields: Mapping[str, str]
    #: Whether a button opens it.
    has_button: bool = True


SETTINGS_FORMS = {
    "ceilings": FormSpec(
        gettext_noop("Ceilings of a job"),
        "amounts",
        {
            "max_steps": gettext_noop("Denoising steps"),
            "max_megapixels": gettext_noop("Megapixels"),
            "max_batch": gettext_noop("Pictures of one job"),
            "max_loops": gettext_noop("Loops"),
        },
    ),
    "defaults": FormSpec(
        gettext_noop("Defaults of a job"),
        "amounts",
        {
            "default_steps": gettext_noop("Steps unless asked for others"),
            "default_batch": gettext_noop("Batch unless asked for another"),
            "default_loops": gettext_noop("Loops unless asked for others"),
        },
    ),
    "queue": FormSpec(
        gettext_noop("Queue, quota, keeping"),
        "amounts",
        {
            "max_jobs": gettext_noop("Jobs of one member under way"),
            "max_server_jobs": gettext_noop("Jobs of all members under way"),
            "quota": gettext_noop("GPU-seconds of a member in 24 hours"),
            "keep_days": gettext_noop("Days that results are kept"),
        },
    ),
    "role": FormSpec(
        gettext_noop("Quota of this role"),
        "amounts",
        {"role_quotas": gettext_noop("GPU-seconds in 24 hours")},
        False,
    ),
    "share": FormSpec(
        gettext_noop("Share of this role"),
        "amounts",
        {"role_shares": gettext_noop("Times an ordinary member's, 0.25 to 4")},
        False,
    ),
    "words": FormSpec(
        gettext_noop("Words and LoRAs"),
        "content",
        {
            "banned_words": gettext_noop("Forbidden words, one a line"),
            "banned_patterns": gettext_noop("Forbidden patterns (RE2), one a line"),
            "loras": gettext_noop("Allowed LoRAs, one a line"),
        },
    ),
    "threshold": FormSpec(
        gettext_noop("How sure the check must be"),
        "pictures",
        {"nsfw_threshold": gettext_noop("0.05 to 0.99; empty for 0.8")},
    ),
}


class SettingsModal(LocalisedModal):
    """A form over some settings, with what is set filled in."""

    def __init__(
        self, spec: FormSpec, settings: Mapping[str, Any], submit: Submit, role: str = ""
    ) -> None:
        """Lay the form out; `role` is whose amount is asked for.

        Raises:
            TextTooLongForForm: a list does not fit into an input.
        """
        super().__init__(title=translate(spec.title), timeout=FORM_TIMEOUT_SECONDS)
        self._settings, self._submit, self._role = settings, submit, role
        self._inputs: dict[str, discord.ui.TextInput[Any]] = {}
        for name, label in spec.fields.items():
            text = self._current_text(name)
            if len(text) > MAX_INPUT_CHARACTERS:
                raise TextTooLongForForm(name, len(text), MAX_INPUT_CHARACTERS)
            entry = self._inputs[name] = discord.ui.TextInput(
                custom_id=name,
                style=discord.TextStyle.short
                if _is_number_setting(name)
                else discord.TextStyle.paragraph,
                default=text or None,
                required=False,
                max_length=MAX_NUMBER_CHARACTERS
                if _is_number_setting(name)
                else MAX_INPUT_CHARACTERS,
            )
            self.add_item(discord.ui.Label(text=translate(label), component=entry))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Read the inputs and go on; an empty one takes its setting back."""
        await self._submit(
            interaction,
            {name: self._parse_input(name, entry.value) for name, entry in self._inputs.items()},
        )

    def _current_text(self, name: str) -> str:
        value = self._settings.get(name)
        if name in ROLE_FORMS:
            value = (value or {}).get(self._role)
        if value is None:
            return ""
        return f"{value:g}" if _is_number_setting(name) else "\n".join(value)

    def _parse_input(self, name: str, text: str) -> Any:
        if not _is_number_setting(name):
            return [line.strip() for line in text.splitlines() if line.strip()]
        number = _parse_number(name, text.strip()) if text.strip() else None
        if name not in ROLE_FORMS:
            return number
        other_roles = {**self._settings.get(name, {})}
        other_roles.pop(self._role, None)
        return other_roles if number is None else {**other_roles, self._role: number}


def _is_number_setting(name: str) -> bool:
    return isinstance(guilds.list_setting_types()[name], NumberSetting | PerRoleNumber)


def _parse_number(name: str, text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise BadSetting(name, NOT_A_NUMBER_TEXT, value=f"“{text}”") from error
