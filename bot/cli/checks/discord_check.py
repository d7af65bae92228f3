"""What doctor and setup say of the bot's account, its servers and what it may do there."""

from __future__ import annotations

from bot.cli.checks.check_result import CheckResult
from bot.cli.checks.discord_account import DiscordAccount, GuildAccess, read_account
from bot.errors import DiscordUnreachable, SettingsError, TokenRefused
from bot.hosting.token_files import find_token
from bot.settings import Settings
from bot.support.invitation import invite_url, title_permissions

MAX_NAMED_CHANNELS = 5


async def check_discord(settings: Settings) -> list[CheckResult]:
    """Ask Discord about the token that is set; nothing where none is, or none can be read."""
    try:
        token = find_token(settings)
    except SettingsError:
        return []  # of which the check of the token itself speaks
    if token is None:
        return []
    try:
        account = await read_account(token.secret.get_secret_value(), settings.discord_api_base)
    except TokenRefused as error:
        return [CheckResult("Discord", "does not take the token", str(error))]
    except DiscordUnreachable as error:
        return [CheckResult("Discord", "does not answer", str(error))]
    results = check_account(account)
    if not account.guilds:
        link = invite_url(account.application_id)
        results.append(CheckResult("Servers", "none has invited the bot", f"Invite it: {link}"))
    return results


def check_account(account: DiscordAccount) -> list[CheckResult]:
    """Say who the bot is, and what it lacks on which server."""
    count = len(account.guilds)
    servers = "on no server yet" if count == 0 else f"on {count} server{'s' if count > 1 else ''}"
    grant_fix = (
        f"Switch off Requires OAuth2 Code Grant on https://discord.com/developers/applications/"
        f"{account.application_id}/bot: with it nobody can invite the bot."
        if account.requires_code_grant
        else ""
    )
    words = f"{account.bot_name} (application {account.application_id}), {servers}"
    if account.reads_all_messages:
        words += "; it may read all messages, which Easel does not need"
    results = [CheckResult("Bot", words, grant_fix)]
    for guild in account.guilds:
        results += _check_guild(account, guild)
    return results


def _check_guild(account: DiscordAccount, guild: GuildAccess) -> list[CheckResult]:
    results = []
    subject = f"Server {guild.name}"
    if guild.missing:
        link = invite_url(account.application_id, guild.guild_id)
        results.append(
            CheckResult(
                subject,
                f"the bot lacks {title_permissions(guild.missing)}",
                f"Whoever manages the server gives it them by this link: {link}",
            )
        )
    if guild.missing_by_channel:
        channel_words = [
            f"#{name}: {title_permissions(missing)}"
            for name, missing in list(guild.missing_by_channel.items())[:MAX_NAMED_CHANNELS]
        ]
        hidden_count = len(guild.missing_by_channel) - len(channel_words)
        results.append(
            CheckResult(
                subject,
                f"channels take something from the bot: {'; '.join(channel_words)}"
                + (f"; and {hidden_count} more" if hidden_count else ""),
                "Members write there. Allow the bot's role these in each channel's settings, page "
                "Permissions.",
            )
        )
    return results
