"""A real worker whose model dies of one prompt: that job fails, and nobody else's."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import pytest

from bot.dispatcher import DispatcherTiming
from inference.api.config import EngineConfig
from inference.api.jobs import Img2ImgJob
from inference.api.workers import LocalWorkerPool
from storage.database import Database
from storage.records import JobState
from tests.bot.dispatcher.conftest import Line
from tests.bot.dispatcher.test_poison import INNOCENTS, MOST_DEATHS
from tests.doubles.mortal_worker import POISON
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "tests.doubles.mortal_worker")


async def test_a_prompt_that_ends_workers_fails_alone(models, tmp_path):
    config = EngineConfig(
        model="tiny",
        models_dir=str(models),
        cache_dir=str(tmp_path / "cache"),
        outbox=str(tmp_path / "outbox"),
        device="cpu",
        dtype="float32",
    )
    async with (
        Database(tmp_path / "easel.db") as database,
        LocalWorkerPool((config,), command=COMMAND, grace_seconds=0) as pool,
    ):
        line = Line(database, tmp_path, timedelta(hours=1), DispatcherTiming(), pool)
        prompts = ["a red apple"] * (INNOCENTS + 1)
        prompts[6] = POISON
        ids = [
            (await line.submit(job=Img2ImgJob(prompt=prompt, steps=2))).record.id
            for prompt in prompts
        ]
        line.dispatcher.start()
        async with asyncio.timeout(4 * PATIENCE):
            while len(line.witness.settlements) < len(ids):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.1)
        await line.dispatcher.stop(0)
        records = [await line.jobs.reader.get_job(id) for id in ids]

    poisoned = records.pop(6)
    assert (poisoned.state, poisoned.strikes) == (JobState.FAILED, 3)
    assert poisoned.attempt <= MOST_DEATHS
    assert {(record.state, record.strikes) for record in records} == {(JobState.DONE, 0)}
    assert line.alerts == []
