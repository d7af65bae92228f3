from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import main
from bot.settings import Settings
from inference.api.config import EngineConfig
from inference.api.workers.process import WorkerProcess
from tests.doubles.images import png
from tests.inference.api.workers.conftest import COMMAND


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
def photo(tmp_path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(png())
    return path


@pytest.fixture
def call(settings, capsys, tmp_path) -> Callable[..., Any]:
    """Type a command and return its exit code and what it printed, lines of JSON as values."""

    async def call(*words: str, changed: dict[str, Any] | None = None) -> tuple[int, list[Any]]:
        arguments = main.build_parser().parse_args([*words])
        code = await main.run_command(arguments, settings.model_copy(update=changed or {}))
        lines = capsys.readouterr().out.splitlines()
        return code, [json.loads(line) if line.startswith("{") else line for line in lines]

    return call
