"""The bot's token in a file of its own, as service managers and container engines hand it over."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from bot.errors import SettingsError
from bot.settings import Settings

#: Of the file in a folder of credentials.
TOKEN_FILE_NAME = "discord_token"  # noqa: S105 - a name
#: Where Docker and Kubernetes put secrets.
SECRETS_DIR = Path("/run/secrets")
MAX_TOKEN_BYTES = 1024


@dataclass(frozen=True)
class BotToken:
    """The token, and where it comes from."""

    secret: SecretStr
    #: The file that holds it; None for the environment.
    path: Path | None

    def warn_of_readers(self) -> str:
        """Say what to do where everybody on this machine may read it; else nothing."""
        return "" if self.path is None else warn_of_readers(self.path)


def find_token(settings: Settings) -> BotToken | None:
    """Find the token: as a setting, in the file that a setting names, else in credentials.

    Raises:
        SettingsError: there are two, or the file cannot be read.
    """
    token, token_file = settings.discord_token, settings.discord_token_file
    if token is not None:
        if token_file is not None:
            raise SettingsError("DISCORD_TOKEN and DISCORD_TOKEN_FILE are both set: keep one.")
        env_file = settings.paths.env_file
        is_in_file = _holds_text(env_file, token.get_secret_value())
        return BotToken(token, env_file if is_in_file else None)
    path = find_token_file(token_file, settings.credentials_dir)
    return None if path is None else BotToken(SecretStr(read_token(path)), path)


def find_token_file(token_file: Path | None, credentials_dir: Path | None) -> Path | None:
    """Return the file that holds the token: the one that is named, else one of credentials."""
    if token_file is not None:
        return token_file
    folders = (credentials_dir, SECRETS_DIR)
    paths = (folder / TOKEN_FILE_NAME for folder in folders if folder is not None)
    return next((path for path in paths if _is_present(path)), None)


def read_token(path: Path) -> str:
    """Read a token out of its file.

    Raises:
        SettingsError: it cannot be read, or holds something else; what it holds is not told.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TOKEN_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"The token's file {path} cannot be read: {error.strerror}.") from None
    words = content.decode("utf-8-sig", "replace").split()
    if not words:
        raise SettingsError(f"The token's file {path} is empty.")
    if len(words) > 1 or len(content) > MAX_TOKEN_BYTES or not words[0].isascii():
        raise SettingsError(
            f"The token's file {path} holds something else than a token: it should be one line "
            "with what the Discord developer portal shows."
        )
    return words[0]


def warn_of_readers(path: Path) -> str:
    """Say what to do where everybody on this machine may read a secret's file; else nothing."""
    if os.name != "posix":
        return ""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    if not mode & stat.S_IROTH:
        return ""
    return f"Everybody on this machine may read {path}, which holds the token: chmod o-rwx it."


def _holds_text(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except OSError:
        return False


def _is_present(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that this user may not enter
        return False
