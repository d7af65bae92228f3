from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import main
from bot.app import BLOBS_FOLDER, DATABASE_FILE
from bot.settings import Settings
from inference.api.config import EngineConfig
from inference.api.workers.process import WorkerProcess
from storage.blobs import BlobStore
from storage.database import Database
from storage.jobs import JobStore
from storage.records import JobRecord
from tests.doubles.discord_accounts import StandInAccounts, serve_accounts
from tests.doubles.images import png
from tests.inference.api.workers.conftest import COMMAND
from tests.storage.factories import LEASE, ROOMY, make_job


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Settings whose worker is a scripted child that does every job at once."""
    return Settings(_env_file=None, data_dir=tmp_path / "data", model="eager")


@pytest.fixture(autouse=True)
def scripted_workers(monkeypatch) -> None:
    """Let children of the tests' own stand where the workers would."""
    start = WorkerProcess.start

    async def start_child(config: EngineConfig, label: str, *command: object) -> WorkerProcess:
        return await start(config, label, COMMAND)

    monkeypatch.setattr(WorkerProcess, "start", start_child)


@pytest.fixture
def accounts() -> Iterator[StandInAccounts]:
    """Stand in for Discord, as far as it says whose a token is."""
    with serve_accounts() as server:
        yield server


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(png())
    return path


@pytest.fixture
async def finished_job(settings) -> JobRecord:
    """Leave a member's job that is done, with its one picture, in the bot's store."""
    settings.data_dir.mkdir()
    async with Database(settings.data_dir / DATABASE_FILE) as database:
        key = await BlobStore(settings.data_dir / BLOBS_FOLDER).put(png())
        queue = JobStore(database).queue
        await queue.enqueue(make_job(inputs={"image": key}), ROOMY)
        job = await queue.claim("gpu-0", LEASE)
        assert job is not None
        result = {"pictures": [{"key": key}], "charged": 1.0}
        done = await queue.finish_job(job.id, job.attempt, "gpu-0", result)
        assert done is not None
    return done


@pytest.fixture
def call(settings, capsys, tmp_path) -> Callable[..., Any]:
    """Type a command and return its exit code and what it printed, lines of JSON as values."""

    async def call(*words: str, changed: dict[str, Any] | None = None) -> tuple[int, list[Any]]:
        arguments = main.build_parser().parse_args([*words])
        code = await main.run_command(arguments, settings.model_copy(update=changed or {}))
        lines = capsys.readouterr().out.splitlines()
        return code, [json.loads(line) if line.startswith("{") else line for line in lines]

    return call
