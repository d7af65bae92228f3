"""What one request costs the database, from the command to its delivered answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiosqlite
import pytest

MAX_SETTINGS_READS = 3  # when asked, when its turn comes, before its image is shown
LIMITS = {"max_steps": 50, "max_jobs": 2, "quota": 100, "language": "de"}


@contextmanager
def recorded_statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """List the statements that are given to the database's connection meanwhile."""
    statements: list[str] = []
    execute = aiosqlite.Connection.execute_fetchall

    def record(connection: aiosqlite.Connection, sql: str, *arguments: Any) -> Any:
        statements.append(" ".join(sql.split()))
        return execute(connection, sql, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(aiosqlite.Connection, "execute_fetchall", record)
        yield statements


@pytest.mark.parametrize(("settings", "max_statements"), [({}, 20), (LIMITS, 25)])
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_request_reads_its_settings_thrice_and_asks_few_statements(
    easel, monkeypatch, is_first, settings, max_statements
):
    """BEGIN and COMMIT are counted; what triggers run inside SQLite is not."""
    await easel.guilds.change_settings(str(easel.guild.id), "1", settings)
    if not is_first:
        await easel.ask(prompt="a cat")
        await easel.finish()

    with recorded_statements(monkeypatch) as statements:
        answer = await easel.ask(prompt="a dog", steps=20)
        await easel.finish()

    assert len(answer.response.attachments) == 1
    settings_reads = [sql for sql in statements if "FROM guild WHERE" in sql]
    assert len(settings_reads) == MAX_SETTINGS_READS
    # The first picture for a while has what its member keeps measured.
    assert len(statements) <= max_statements + is_first, "\n".join(statements)
