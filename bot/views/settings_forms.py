"""The forms of the settings panel: numbers on one line each, lists with one entry a line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import discord

from bot import policy
from bot.answers import answer_error
from bot.errors import BadSetting, TooLongForAForm
from bot.policy.fields import Amount, Shares

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
        "Ceilings of a job",
        "amounts",
        {
            "max_steps": "Denoising steps",
            "max_megapixels": "Megapixels",
            "max_batch": "Pictures of one job",
            "max_loops": "Loops",
        },
    ),
    "queue": FormSpec(
        "Queue, quota, keeping",
        "amounts",
        {
            "max_jobs": "Jobs of one member under way",
            "max_server_jobs": "Jobs of all members under way",
            "quota": "GPU-seconds of a member in 24 hours",
            "keep_days": "Days that results are kept",
        },
    ),
    "role": FormSpec(
        "Quota of this role", "amounts", {"role_quotas": "GPU-seconds in 24 hours"}, False
    ),
    "share": FormSpec(
        "Share of this role",
        "amounts",
        {"role_shares": "Times an ordinary member's, 0.25 to 4"},
        False,
    ),
    "words": FormSpec(
        "Words and LoRAs",
        "content",
        {
            "banned_words": "Forbidden words, one a line",
            "banned_patterns": "Forbidden patterns (RE2), one a line",
            "loras": "Allowed LoRAs, one a line",
        },
    ),
    "threshold": FormSpec(
        "How sure the check must be", "pictures", {"nsfw_threshold": "0.05 to 0.99; empty for 0.8"}
    ),
}


class SettingsForm(discord.ui.Modal):
    """A form over some settings, with what is set filled in."""

    def __init__(
        self, spec: FormSpec, settings: Mapping[str, Any], submit: Submit, role: str = ""
    ) -> None:
        """Lay the form out; `role` is whose amount is asked for.

        Raises:
            TooLongForAForm: a list does not fit into an input.
        """
        super().__init__(title=spec.title, timeout=FORM_LIFE)
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
            self.add_item(discord.ui.Label(text=label, component=entry))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Read the inputs and go on; an empty one takes its setting back."""
        await self._submit(
            interaction,
            {name: self._read(name, entry.value) for name, entry in self._inputs.items()},
        )

    async def on_error(  # type: ignore[override]  # as discord.py's own Modal narrows it
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Say what is wrong with what was written."""
        await answer_error(interaction, error)

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
        raise BadSetting(name, f"must be a number, not “{text}”") from error
