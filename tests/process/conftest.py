from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.doubles.discord_server import DiscordServer
from tests.process.easel import EaselProcess


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """Give a models folder with the checkpoint `tiny`."""
    import torch

    from tests.inference.conftest import save_checkpoint

    shelf = tmp_path_factory.mktemp("models")
    with torch.random.fork_rng():
        torch.manual_seed(4)
        save_checkpoint(shelf / "tiny", 4)
    return shelf


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def easel(tmp_path_factory, models) -> AsyncIterator[EaselProcess]:
    """Give one Easel to all tests of a file, since a worker takes seconds to start."""
    async with DiscordServer() as discord:
        easel = EaselProcess(discord, tmp_path_factory.mktemp("easel"), models)
        try:
            yield easel
        finally:
            await easel.bot.close()


@pytest_asyncio.fixture(loop_scope="module")
async def quick_easel(tmp_path) -> AsyncIterator[EaselProcess]:
    """Give an Easel whose worker is scripted, so that its lives are short."""
    async with DiscordServer() as discord:
        easel = EaselProcess(discord, tmp_path, tmp_path, quick=True)
        try:
            yield easel
        finally:
            await easel.bot.close()


@pytest_asyncio.fixture(loop_scope="module")
async def several_easel(tmp_path) -> AsyncIterator[EaselProcess]:
    """Give an Easel of three scripted workers."""
    async with DiscordServer() as discord:
        workers = {"EASEL_WORKERS": "3"}
        easel = EaselProcess(discord, tmp_path, tmp_path, workers, quick=True)
        try:
            yield easel
        finally:
            await easel.bot.close()
