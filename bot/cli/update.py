"""`update`: what to do for an update, and what the one that is installed brings to this data."""

from __future__ import annotations

import sys

from bot.app import DATABASE_FILE
from bot.hosting.updates import CHANGELOG_FILE, changes_since, read_noted_version, update_command
from bot.settings import Settings
from bot.support.version import find_version
from storage.database import Database
from storage.errors import StorageError
from storage.migrations import list_waiting_migrations

EXIT_DONE, EXIT_FAILED = 0, 1


async def show_update_notes(settings: Settings) -> int:
    """Print the notes; return 0, or 1 where this version cannot open the data."""
    version, noted_version = find_version(), read_noted_version(settings.data_dir)
    owner = f"last opened by {noted_version}" if noted_version else "not opened by a bot yet"
    lines = [
        f"This is Easel {version}; {settings.data_dir.absolute()} was {owner}.",
        f"To update: {update_command()}; then this again, before the bot is started.",
    ]
    exit_code = EXIT_DONE
    path = settings.data_dir / DATABASE_FILE
    if path.exists():
        try:
            async with Database(path, read_only=True) as database:
                migrations = await list_waiting_migrations(database)
        except StorageError as error:
            lines.append(f"The database cannot be opened by this version: {error}")
            exit_code = EXIT_FAILED
        else:
            names = ", ".join(migration.name for migration in migrations)
            lines.append(
                f"The next start changes the database's schema ({names}), and an older version "
                "cannot open it then. Back up first: easel backup FOLDER"
                if migrations
                else "The next start changes nothing in the database. A backup costs little: easel "
                "backup FOLDER"
            )
    if CHANGELOG_FILE.is_file():
        changes = changes_since(CHANGELOG_FILE.read_text(encoding="utf-8"), noted_version)
        lines += ["", changes or "Nothing is noted since then."]
    sys.stdout.write("\n".join(lines) + "\n")
    return exit_code
