"""What the steps of one setup share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bot.cli.checks.discord_account import DiscordAccount
from bot.cli.setup.dialogue import Dialogue
from bot.cli.setup.env_file import read_variables, write_variables
from bot.cli.setup.options import SetupOptions
from bot.settings import Settings, read_host_settings

DONE, FAILED, REFUSED = 0, 1, 2


@dataclass
class SetupSession:
    """One run of setup: what it was told, whom it talks to and what it has found out."""

    options: SetupOptions
    dialogue: Dialogue
    settings: Settings
    #: GiB of the largest card; None where there is none.
    memory_gb: float | None = None
    account: DiscordAccount | None = None
    #: The worst that a step ended with.
    exit_code: int = field(default=DONE)

    @property
    def env_file(self) -> Path:
        """The settings file."""
        return self.settings.paths.env_file

    def save_variables(self, **values: str) -> bool:
        """Write variables into the settings file and read it again; say what is in the way."""
        try:
            write_variables(self.env_file, values)
        except OSError as error:
            self.fail(f"{self.env_file} cannot be written: {error.strerror}.", FAILED)
            return False
        names = ", ".join(values)
        self.dialogue.print_result("ok", f"{names} written to {self.env_file}, for you alone")
        self.settings = read_host_settings(self.settings.paths)
        self._warn_of_environment(values)
        return True

    def fail(self, words: str, exit_code: int) -> None:
        """Say what cannot be, and remember it for the end."""
        self.dialogue.print_result("FIX", words)
        self.exit_code = max(self.exit_code, exit_code)

    def _warn_of_environment(self, values: dict[str, str]) -> None:
        """Say which variable of the environment goes before what was written."""
        file_values = read_variables(self.env_file)
        current = {
            "DISCORD_TOKEN": self.settings.discord_token.get_secret_value()
            if self.settings.discord_token
            else "",
            "EASEL_MODEL": self.settings.model,
        }
        for name in values.keys() & current.keys():
            if file_values.get(name) != current[name]:
                self.dialogue.print_result(
                    "note", f"{name} of the environment goes before that of {self.env_file}."
                )
