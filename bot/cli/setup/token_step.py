"""The step that takes the bot's token and asks Discord whose it is."""

from __future__ import annotations

import base64
import binascii

from bot.cli.checks.discord_account import DiscordAccount, read_account
from bot.cli.checks.discord_check import check_account
from bot.cli.setup.env_file import remove_variables
from bot.cli.setup.session import FAILED, REFUSED, SetupSession
from bot.errors import DiscordUnreachable, SettingsError, TokenRefused
from bot.hosting.token_files import find_token, read_token

TOKEN_VARIABLE, TOKEN_FILE_VARIABLE = "DISCORD_TOKEN", "DISCORD_TOKEN_FILE"
HOW_TO_GET = """\
Open https://discord.com/developers/applications: New Application,
then its page Bot, Reset Token, Copy. No privileged intent is needed.\
"""


async def run_token_step(session: SetupSession) -> None:
    """Find a token that Discord knows, and write it into the settings file."""
    try:
        earlier_token = find_token(session.settings)
    except SettingsError as error:
        session.fail(str(error), REFUSED)
        return
    earlier = earlier_token.secret.get_secret_value() if earlier_token else ""
    if session.options.token_file is not None:
        await _take_token(session, _read_token_file(session), earlier)
    elif earlier and not await _wants_another(session, earlier):
        return
    elif session.dialogue.is_interactive:
        await _ask_until_known(session, earlier)
    elif not earlier:
        session.fail(
            "There is no token: name a file that holds it with --token-file, or leave this step "
            "out with --skip token.",
            REFUSED,
        )


def undo_token_step(session: SetupSession) -> None:
    """Take the token out of the settings file; the bot stays on its servers."""
    removed_names = remove_variables(session.env_file, TOKEN_VARIABLE, TOKEN_FILE_VARIABLE)
    words = "taken out of" if removed_names else "is not in"
    session.dialogue.print_result("ok", f"{TOKEN_VARIABLE} {words} {session.env_file}")
    session.dialogue.print_text(
        "The bot stays on its servers: it is put out there, and its token is made void by Reset "
        "Token on its page Bot."
    )


async def _wants_another(session: SetupSession, earlier: str) -> bool:
    """Look at the token that is there already, and ask whether it shall be another one."""
    account = await _look_up(session, earlier)
    if account is None:
        return session.dialogue.is_interactive
    if not _is_expected(session, account):
        return False
    if not await session.dialogue.confirm("Use another token than this?", default=False):
        session.account = account
        return False
    return True


async def _ask_until_known(session: SetupSession, earlier: str) -> None:
    session.dialogue.print_text(HOW_TO_GET)
    exit_code = session.exit_code
    while session.account is None:
        token = await session.dialogue.ask_secret("Token (not shown; empty: later):")
        if not token:
            session.dialogue.print_result("note", "left out; `setup --only token` asks again")
            return
        await _take_token(session, token, earlier)
    session.exit_code = exit_code  # tries that were not the last count for nothing


async def _take_token(session: SetupSession, token: str | None, earlier: str) -> None:
    """Check a token with Discord and write it where it is known; else say what is wrong."""
    account = await _look_up(session, token) if token else None
    if token is None or account is None or not _is_expected(session, account):
        return
    earlier_id = bot_id_of(earlier)
    if earlier_id not in (None, account.bot_id):
        words = (
            f"{session.env_file} has the token of another bot (id {earlier_id}). Servers that have "
            "invited that one will not have this one."
        )
        session.dialogue.print_result("note", words)
        if not await session.dialogue.confirm("Change to this bot?", default=session.options.yes):
            session.fail("The earlier token stays. Say --yes to change it.", REFUSED)
            return
    if token != earlier:
        remove_variables(session.env_file, TOKEN_FILE_VARIABLE)  # with both it would be refused
        if not session.save_variables(**{TOKEN_VARIABLE: token}):
            return
    session.account = account


def _read_token_file(session: SetupSession) -> str | None:
    if session.options.token_file is None:
        return None
    try:
        return read_token(session.options.token_file)
    except SettingsError as error:
        session.fail(str(error), REFUSED)
        return None


async def _look_up(session: SetupSession, token: str) -> DiscordAccount | None:
    """Ask Discord whose a token is, and say so; None where it cannot tell."""
    try:
        account = await read_account(token, session.settings.discord_api_base)
    except TokenRefused as error:
        session.fail(str(error), REFUSED)
    except DiscordUnreachable as error:
        session.fail(str(error), FAILED)
    else:
        for check in check_account(account):
            session.dialogue.print_check(check)
        return account
    return None


def _is_expected(session: SetupSession, account: DiscordAccount) -> bool:
    """See that a token is of the application that the host named."""
    expected_id = session.options.application
    if expected_id in (None, account.application_id):
        return True
    session.fail(
        f"This is the token of another application: {account.bot_name} has the id "
        f"{account.application_id}, not {expected_id}. Copy the token of the page Bot of "
        f"https://discord.com/developers/applications/{expected_id}/bot.",
        REFUSED,
    )
    return False


def bot_id_of(token: str) -> int | None:
    """Read the bot's id off a token, of which it is the first part; None where it is none."""
    first = token.partition(".")[0]
    try:
        return int(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (ValueError, binascii.Error):
        return None
