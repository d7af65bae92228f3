"""The forms of the settings panel: numbers on one line each, lists with one entry a line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import discord

from bot import policy
from bot.answers import Form
from bot.errors import BadSetting, TooLongForAForm
from bot.locales import say
from bot.policy.fields import NO_NUMBER, Amount, Shares
from bot.sentences import english

MAX_TEXT = 4000  # characters of one input
MAX_NUMBER = 20  # characters
FORM_LIFE = 3600.0  # seconds until a form that was never sent is forgotten

#: Settings with an amount for each role, and the form for one role's.
BY_ROLE = {"role_quotas": "role", "role_shares": "share"}

Submit = Callable[[discord.Interaction[Any], Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class FormSpec:
    """One form."""

    #: At most 45 characters.
    title: str
    #: The page of the panel from which it is opened.
    page: str
    #: Setting to label.
    fields: Mapping[str, str]
    #: Whether a button opens it.
    has_button: bool = True


FORMS = {
    "ceilings": FormSpec(
        english("Ceilings of a job"),
        "amounts",
        {
            "max_steps": english("Denoising steps"),
            "max_megapixels": english("Megapixels"),
            "max_batch": english("Pictures of one job"),
            "max_loops": english("Loops"),
        },
    ),
    "defaults": FormSpec(
        english("Defaults of a job"),
        "amounts",
        {
            "default_steps": english("Steps unless asked for others"),
            "default_batch": english("Batch unless asked for another"),
            "default_loops": english("Loops unless asked for others"),
        },
    ),
    "queue": FormSpec(
        english("Queue, quota, keeping"),
        "amounts",
        {
            "max_jobs": english("Jobs of one member under way"),
            "max_server_jobs": english("Jobs of all members under way"),
            "quota": english("GPU-seconds of a member in 24 hours"),
            "keep_days": english("Days that results are kept"),
        },
    ),
    "role": FormSpec(
        english("Quota of this role"),
        "amounts",
        {"role_quotas": english("GPU-seconds in 24 hours")},
        False,
    ),
    "share": FormSpec(
        english("Share of this role"),
        "amounts",
        {"role_shares": english("Times an ordinary member's, 0.25 to 4")},
        False,
    ),
    "words": FormSpec(
        english("Words and LoRAs"),
        "content",
        {
            "banned_words": english("Forbidden words, one a line"),
            "banned_patterns": english("Forbidden patterns (RE2), one a line"),
            "loras": english("Allowed LoRAs, one a line"),
        },
    ),
    "threshold": FormSpec(
        english("How sure the check must be"),
        "pictures",
        {"nsfw_threshold": english("0.05 to 0.99; empty for 0.8")},
    ),
}


class SettingsForm(Form):
    """A form over some settings, with what is set filled in."""

    def __init__(
        self, spec: FormSpec, settings: Mapping[str, Any], submit: Submit, role: str = ""
    ) -> None:
        """Lay the form out; `role` is whose amount is asked for.

        Raises:
            TooLongForAForm: a list does not fit into an input.
        """
        super().__init__(title=say(spec.title), timeout=FORM_LIFE)
        self._settings, self._submit, self._role = settings, submit, role
        self._inputs: dict[str, discord.ui.TextInput[Any]] = {}
        for name, label in spec.fields.items():
            written = self._written(name)
            if len(written) > MAX_TEXT:
                raise TooLongForAForm(name, len(written), MAX_TEXT)
            entry = self._inputs[name] = discord.ui.TextInput(
                custom_id=name,
                style=discord.TextStyle.short if _is_number(name) else discord.TextStyle.paragraph,
                default=written or None,
                required=False,
                max_length=MAX_NUMBER if _is_number(name) else MAX_TEXT,
            )
            self.add_item(discord.ui.Label(text=say(label), component=entry))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Read the inputs and go on; an empty one takes its setting back."""
        await self._submit(
            interaction,
            {name: self._read(name, entry.value) for name, entry in self._inputs.items()},
        )

    def _written(self, name: str) -> str:
        value = self._settings.get(name)
        if name in BY_ROLE:
            value = (value or {}).get(self._role)
        if value is None:
            return ""
        return f"{value:g}" if _is_number(name) else "\n".join(value)

    def _read(self, name: str, text: str) -> Any:
        if not _is_number(name):
            return [line.strip() for line in text.splitlines() if line.strip()]
        number = _number(name, text.strip()) if text.strip() else None
        if name not in BY_ROLE:
            return number
        others = {**self._settings.get(name, {})}
        others.pop(self._role, None)
        return others if number is None else {**others, self._role: number}


def _is_number(name: str) -> bool:
    return isinstance(policy.settable()[name], Amount | Shares)


def _number(name: str, text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise BadSetting(name, NO_NUMBER, value=f"“{text}”") from error
